"""Paths that are no resources: health, version, discovery, OpenAPI, metrics."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Awaitable, Callable

import msgspec

from wherry import __version__
from wherry.api.discovery import Discovery, Encoded, api_versions
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request, Response
from wherry.apiserver.codec import encode
from wherry.apiserver.endpoints.answers import answer
from wherry.apiserver.negotiation import JSON, accepted
from wherry.util.metrics import ComponentSLIs

KUBERNETES = (1, 37, 0)
Check = Callable[[], str]  # "" when all is well, else what is wrong


def git_version() -> str:
    """`v1.37.0+wherry.0.1.0`."""
    return f"v{'.'.join(map(str, KUBERNETES))}+wherry.{__version__}"


async def version(request: Request) -> Response:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    shown = {
        "major": str(KUBERNETES[0]), "minor": str(KUBERNETES[1]),
        "emulationMajor": str(KUBERNETES[0]), "emulationMinor": str(KUBERNETES[1]),
        "minCompatibilityMajor": str(KUBERNETES[0]), "minCompatibilityMinor": str(KUBERNETES[1] - 1),
        "gitVersion": git_version(), "gitCommit": hashlib.sha1(__version__.encode(), usedforsecurity=False).hexdigest(),
        "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}", "compiler": platform.python_implementation().lower(),
        "platform": f"linux/{machine}",
    }
    return Response(200, msgspec.json.format(encode(shown), indent=2))  # for people to read, as upstream's


class Health:
    """/healthz, /livez and /readyz: `ok`, or each check and what is wrong with it."""

    def __init__(self, checks: dict[str, Check], name: str, slis: ComponentSLIs) -> None:
        self._checks = checks
        self._name = name
        self._slis = slis

    async def __call__(self, request: Request) -> Response:
        excluded = set(request.params("exclude"))
        rest = request.path.strip("/").split("/")[1:]
        if rest:
            check = self._checks.get(rest[0])
            if check is None:
                raise StatusError(404, "", "404 page not found")
            wrong = check()
            return _text(500, f"internal server error: {wrong}\n") if wrong else _text(200, "ok")
        lines, failed = [], False
        for name, check in self._checks.items():
            if name in excluded:
                lines.append(f"[+]{name} excluded: ok")
                continue
            wrong = check()
            self._slis.observe(name, self._name, not wrong)
            if wrong:
                failed = True
                lines.append(f"[-]{name} failed: {wrong}")
            else:
                lines.append(f"[+]{name} ok")
        unknown = excluded - self._checks.keys()
        if unknown:
            lines.append("warn: some health checks cannot be excluded: no matches for " + ", ".join(f'"{u}"' for u in sorted(unknown)))
        verdict = f"{self._name} check {'failed' if failed else 'passed'}"
        if failed or any(key == "verbose" for key, _ in request.query):
            return _text(500 if failed else 200, "\n".join(lines) + f"\n{verdict}\n")
        return _text(200, "ok")


def _text(status: int, text: str) -> Response:
    return Response(status, text.encode(), "text/plain; charset=utf-8", [("X-Content-Type-Options", "nosniff")])


class DiscoveryPaths:
    """/api and /apis, in the legacy and the aggregated form."""

    def __init__(self, current: Callable[[], Discovery]) -> None:
        self._current = current

    async def root(self, request: Request) -> Response:
        """/api or /apis."""
        prefix = request.path.strip("/")
        accept = request.headers.get("accept", "")
        for clause in accept.split(","):
            form = _aggregated(clause)
            if form:
                found = self._current().aggregated(prefix, form)
                media = f"application/json;g=apidiscovery.k8s.io;v={form};as=APIGroupDiscoveryList"
                return tagged(request, found, media)
            if clause.strip().startswith(("application/json", "*/*")):
                break
        if prefix == "api":
            return answer(encode(api_versions(request.headers.get("host", ""))), accepted(request))
        return answer(self._current().api_group_list.body, accepted(request))

    async def below(self, request: Request) -> Response:
        """/api/v1, /apis/GROUP and /apis/GROUP/VERSION."""
        parts = request.path.strip("/").split("/")
        found: Encoded | None = None
        if parts[0] == "api" and len(parts) == 2:
            found = self._current().api_resource_list("", parts[1])
        elif parts[0] == "apis" and len(parts) == 2:
            found = self._current().api_group(parts[1])
        elif parts[0] == "apis" and len(parts) == 3:
            found = self._current().api_resource_list(parts[1], parts[2])
        if found is None:
            raise StatusError(404, "", "404 page not found")
        return answer(found.body, accepted(request))


def _aggregated(clause: str) -> str:
    """The version in which a clause of Accept asks for all of discovery at once; "" when it does not."""
    kind, *params = (part.strip() for part in clause.split(";"))
    if kind != JSON or not {"g=apidiscovery.k8s.io", "as=APIGroupDiscoveryList"} <= set(params):
        return ""
    return next((form for form in ("v2", "v2beta1") if f"v={form}" in params), "")


def tagged(request: Request, found: Encoded, media: str) -> Response:
    """With its ETag; 304 when the client has it already."""
    headers = [("ETag", f'"{found.etag.strip(chr(34))}"'), ("Vary", "Accept")]
    if found.etag.strip('"') in request.headers.get("if-none-match", ""):
        return Response(304, b"", media, headers)
    return Response(200, found.body, media, headers)


def paths(listing: Callable[[], list[str]]) -> Callable[[Request], Awaitable[Response]]:
    """/: what paths there are."""

    async def root(request: Request) -> Response:
        return Response(200, encode({"paths": listing()}))

    return root

"""One aggregated API: requests for it are passed on to its server, with who asks in headers.

The server trusts us by the front proxy's certificate, which is of a CA of its own (the requestheader CA).
https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/#authentication-flow
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request, Response, UserInfo
from wherry.apiserver.aggregator.model import APIService
from wherry.apiserver.aggregator.resolve import Unresolved
from wherry.client.forward import NOT_DIALED, Forwarder, Unreachable
from wherry.client.paths import url

ANSWER_SECONDS = 60.0  # until an answer begins (upstream's --request-timeout)
# What the other server must not take from the client: credentials, and who it says it is.
_PRIVATE = ("authorization", "host")
_CLAIMS = ("x-remote-", "impersonate-")
_TOKEN = "!#$&'*+-.^_`|~"  # characters that a header's name may have as they are, but for "%"

Headers = list[tuple[str, str]]
Places = Callable[[APIService], list[str]]  # raises Unresolved


def refusal(code: int, text: str) -> Response:
    """Go's http.Error: upstream's proxy answers in plain text."""
    return Response(code, f"{text}\n".encode(), "text/plain; charset=utf-8", [("X-Content-Type-Options", "nosniff")])


def identity(user: UserInfo) -> Headers:
    """Who asks, as the headers that extension-apiserver-authentication names."""
    found = [("X-Remote-User", user.name)]
    if user.uid:
        found.append(("X-Remote-Uid", user.uid))
    found += [("X-Remote-Group", group) for group in user.groups]
    found += [(f"X-Remote-Extra-{quote(key.lower(), safe=_TOKEN)}", value) for key, values in user.extra.items() for value in values]
    return found


def outgoing(request: Request) -> Request:
    """The request as the other server sees it, but for who asks."""
    headers = {
        name: value for name, value in request.headers.items() if name not in _PRIVATE and not name.startswith(_CLAIMS)
    }
    seen, host = headers.get("x-forwarded-for"), request.headers.get("host")
    if request.peer:
        headers["x-forwarded-for"] = f"{seen}, {request.peer}" if seen else request.peer
    if host:
        headers["x-forwarded-host"], headers["x-forwarded-proto"] = host, "https"
    target = request.target if request.target.startswith("/") else url(request.path, request.query)
    headers["x-forwarded-uri"] = target.partition("?")[0]
    return Request(request.method, "", [], headers, request.body, target=target)


def trust(service: APIService, certificate: tuple[Path, Path] | None) -> ssl.SSLContext:
    """Raises ssl.SSLError for a caBundle that is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if service.insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif service.ca_bundle:
        context.load_verify_locations(cadata=service.ca_bundle.decode("ascii", "replace"))
    else:
        context.load_default_certs()
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return context


class Backend:
    """The server of one APIService.  Made anew when its TLS or Service changes."""

    def __init__(self, service: APIService, places: Places, certificate: tuple[Path, Path] | None) -> None:
        assert service.service is not None
        self.service = service
        self._places = places
        self._forwarder: Forwarder | None = None
        self.broken = ""  # why no connection can be made at all
        try:
            self._forwarder = Forwarder(trust(service, certificate), service.service.tls_name)
        except (ssl.SSLError, ValueError) as error:
            self.broken = f"unable to load root certificates: {error}"

    async def handle(self, request: Request) -> Response:
        """What the client gets.  Authorization is done."""
        if not self.service.available:
            return refusal(503, "service unavailable")
        if self.broken:
            return refusal(500, self.broken)
        try:
            places = self._places(self.service)
        except Unresolved:
            return refusal(503, "service unavailable")
        assert request.user is not None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                response = await self._first(several(places), outgoing(request), identity(request.user))
                if not request.target and response.stream is not None and not request.flag("watch"):  # asked in this process
                    response.body, response.stream = b"".join([part async for part in response.stream]), None
        except TimeoutError:
            raise StatusError(504, "Timeout", "request did not complete within the allowed duration") from None
        except Unreachable as error:
            return refusal(503, f"error trying to reach service: {error}")
        except ConnectionError as error:  # half of an answer
            return refusal(503, f"error trying to reach service: {error}")
        response.headers = [each for each in response.headers if each[0].lower() != "audit-id"]  # the front's own comes in front
        return response

    async def _first(self, places: Sequence[str], request: Request, who: Headers) -> Response:
        """From the first place that takes a connection: what was never dialed has had nothing of the request."""
        for place in places[:-1]:
            try:
                return await self._send(place, request, who)
            except Unreachable as error:
                if not str(error).startswith(NOT_DIALED):
                    raise
        return await self._send(places[-1], request, who)

    async def ask(self, place: str, path: str, accept: str = "", etag: str = "") -> Response:
        """A GET of the aggregator's own.  Raises Unreachable."""
        headers = {"user-agent": "kube-aggregator", **({"accept": accept} if accept else {}), **({"if-none-match": etag} if etag else {})}
        return await self._send(place, Request("GET", "", [], headers, target=path), identity(AGGREGATOR))

    async def _send(self, place: str, request: Request, who: Headers) -> Response:
        if self._forwarder is None:
            raise Unreachable(self.broken)
        return await self._forwarder.send(f"https://{place}", request, who)

    def same_server(self, service: APIService) -> bool:
        """Whether `service` is reached in the same way."""
        ours = self.service
        return (ours.service, ours.ca_bundle, ours.insecure) == (service.service, service.ca_bundle, service.insecure)

    async def close(self) -> None:
        """Whoever has it still gets no new connection: another has taken its place."""
        forwarder, self._forwarder = self._forwarder, None
        self.broken = self.broken or "the APIService has changed"
        if forwarder is not None:
            await forwarder.close()


AGGREGATOR = UserInfo("system:kube-aggregator", ("system:masters",))


def several(places: Sequence[str], most: int = 5) -> list[str]:
    """At most `most` of them, in any order: what one round of asking tries."""
    return random.sample(list(places), min(most, len(places)))

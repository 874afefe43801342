"""What another server tells of its API: discovery in its new and old form, and OpenAPI.

It is asked as the aggregator, and what it told last is kept: while it cannot be asked, its API stands in discovery with that,
marked Stale, so that clients know what they are missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from wherry.apimachinery.http import Response
from wherry.apiserver.aggregator.backend import Backend
from wherry.apiserver.aggregator.model import APIService

MOST = 16 << 20  # bytes of a document
_FORMS = ("v2", "v2beta1")
DISCOVERY = ",".join([
    *(f"application/json;g=apidiscovery.k8s.io;v={form};as=APIGroupDiscoveryList" for form in _FORMS), "application/json",
])
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """Of one group version."""

    resources: tuple[Document, ...] = ()
    fresh: bool = False
    etag: str = ""
    openapi_v3: str = ""  # where its OpenAPI v3 document is, with its hash; "" when it has none
    openapi_v2: Document = field(default_factory=dict)  # {"paths": ..., "definitions": ...}
    openapi_v2_etag: str = ""

    def stale(self) -> Told:
        return replace(self, fresh=False)


async def body_of(response: Response) -> bytes:
    """The whole of it.  Raises ValueError when it is too large."""
    body = response.body
    if response.stream is not None:
        parts, size = [], 0
        async for part in response.stream:
            parts.append(part)
            size += len(part)
            if size > MOST:
                raise ValueError(f"more than {MOST} bytes")
        body = b"".join(parts)
    return body


async def read(backend: Backend, place: str, service: APIService, before: Told) -> Told:
    """Raises Unreachable, ValueError (of which msgspec.DecodeError is one) when the server tells nothing usable."""
    response = await backend.ask(place, "/apis" if service.group else "/api", DISCOVERY, before.etag)
    if response.status == 304:
        resources, etag = before.resources, before.etag
    else:
        body = await body_of(response)
        found = _aggregated(body, service) if response.status == 200 and "apidiscovery.k8s.io" in response.content_type else None
        if found is not None:
            resources, etag = found, _header(response, "etag")
        else:
            resources, etag = await _legacy(backend, place, service), ""
    index = await _v3(backend, place, service)
    v2, v2_etag = await _v2(backend, place, service, before)
    return Told(resources, True, etag, index, v2, v2_etag)


def _header(response: Response, name: str) -> str:
    return next((value for key, value in response.headers if key.lower() == name), "")


def _aggregated(body: bytes, service: APIService) -> tuple[Document, ...]:
    """Its resources there; none when the server knows nothing of the group version."""
    for group in msgspec.json.decode(body, type=Document).get("items") or ():
        if (group.get("metadata") or {}).get("name", "") == service.group:
            for version in group.get("versions") or ():
                if version.get("version") == service.version:
                    return tuple(version.get("resources") or ())
    return ()


async def _legacy(backend: Backend, place: str, service: APIService) -> tuple[Document, ...]:
    response = await backend.ask(place, service.path, "application/json")
    body = await body_of(response)
    if response.status != 200:
        raise ValueError(f"failed to download discovery for {service.path}: {response.status}")
    return converted(msgspec.json.decode(body, type=Document), service)


def converted(listed: Document, service: APIService) -> tuple[Document, ...]:
    """An APIResourceList in the aggregated form.  Pure."""
    found: dict[str, Document] = {}
    entries = sorted(listed.get("resources") or (), key=lambda each: each["name"].count("/"))  # parents first
    for each in entries:
        name, _, part = each["name"].partition("/")
        kind = {"group": each.get("group") or "", "version": each.get("version") or "", "kind": each.get("kind") or ""}
        if not part:
            kind["group"], kind["version"] = kind["group"] or service.group, kind["version"] or service.version
            entry: Document = {
                "resource": name, "responseKind": kind, "scope": "Namespaced" if each.get("namespaced") else "Cluster",
                "singularResource": each.get("singularName") or "", "verbs": list(each.get("verbs") or ()),
            }
            entry |= {key: each[key] for key in ("shortNames", "categories") if each.get(key)}
            found[name] = entry
            continue
        parent = found.setdefault(name, {
            "resource": name, "scope": "Namespaced" if each.get("namespaced") else "Cluster", "singularResource": "", "verbs": [],
        })
        parent.setdefault("subresources", []).append({"subresource": part, "responseKind": kind, "verbs": list(each.get("verbs") or ())})
    return tuple(found.values())


async def _v3(backend: Backend, place: str, service: APIService) -> str:
    response = await backend.ask(place, "/openapi/v3", "application/json")
    body = await body_of(response)
    if response.status != 200:
        return ""
    try:
        paths = msgspec.json.decode(body, type=Document).get("paths") or {}
        return str((paths.get(service.path.removeprefix("/")) or {}).get("serverRelativeURL") or "")
    except (msgspec.DecodeError, AttributeError):
        return ""


async def _v2(backend: Backend, place: str, service: APIService, before: Told) -> tuple[Document, str]:
    response = await backend.ask(place, "/openapi/v2", "application/json", before.openapi_v2_etag)
    if response.status == 304:
        return before.openapi_v2, before.openapi_v2_etag
    body = await body_of(response)
    if response.status != 200:
        return {}, ""
    try:
        document = msgspec.json.decode(body, type=Document)
    except msgspec.DecodeError:
        return {}, ""
    ours = (service.path, f"{service.path}/")
    paths = {path: item for path, item in (document.get("paths") or {}).items() if path == ours[0] or path.startswith(ours[1])}
    return {"paths": paths, "definitions": document.get("definitions") or {}}, _header(response, "etag")

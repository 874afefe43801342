"""/openapi/v2 and /openapi/v3: built when first asked for, kept as bytes, sent with an ETag."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from email.utils import formatdate
from typing import Any, Protocol

from wherry.api.openapi import OpenAPI
from wherry.api.resource import Resource
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request, Response
from wherry.util.clock import Clock

YEAR = 365 * 24 * 3600
PROTO = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
PROTO_OLD = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


class Elsewhere(Protocol):
    """APIs that other servers serve."""

    def openapi_v2(self) -> dict[str, Mapping[str, Any]]:
        """By place (`apis/GROUP/VERSION`): {"paths", "definitions"}."""
        ...

    def openapi_v3(self) -> dict[str, str]:
        """By place: the URL of its document, with its hash."""
        ...

    async def openapi_document(self, place: str, request: Request) -> Response:
        """The v3 document from its server."""
        ...


class OpenAPIPaths:
    """The documents of the served resources."""

    def __init__(self, resources: Iterable[Resource], clock: Clock, elsewhere: Elsewhere) -> None:
        self._clock, self._elsewhere = clock, elsewhere
        self._resources = tuple(resources)
        self._documents = OpenAPI(self._resources)
        self._building = asyncio.Lock()  # one thread builds; the others wait for it

    def forget(self) -> None:
        """What other servers serve has changed."""
        self._documents = self._documents.with_others(self._elsewhere.openapi_v2())

    async def v2(self, request: Request) -> Response:
        accept = request.headers.get("accept", "")
        proto = PROTO in accept or PROTO_OLD in accept
        async with self._building:
            body, etag = await asyncio.to_thread(self._documents.v2_proto if proto else self._documents.v2_json)
        media = PROTO_OLD if proto else "application/json"
        return _answer(request, body, etag, media)

    async def v3(self, request: Request) -> Response:
        path = request.path.removeprefix("/openapi/v3").strip("/")
        if not path:
            async with self._building:
                body = await asyncio.to_thread(self._documents.v3_index, self._elsewhere.openapi_v3())
            return Response(200, body)
        if path in self._elsewhere.openapi_v3():
            return await self._elsewhere.openapi_document(path, request)
        async with self._building:
            found = await asyncio.to_thread(self._documents.v3, path)
        if found is None:
            raise StatusError(404, "", "404 page not found")
        body, etag = found
        wanted = request.param("hash")
        if wanted and wanted != etag:  # of a document that is no more: here is the present one
            return Response(301, b"", "", [("Location", f"{request.path}?hash={etag}")])
        response = _answer(request, body, etag, "application/json")
        if wanted:  # what bears its hash in its name never changes
            response.headers += [("Cache-Control", "public, immutable"), ("Expires", formatdate(self._clock.time() + YEAR, usegmt=True))]
        return response


def _answer(request: Request, body: bytes, etag: str, media: str) -> Response:
    tag = f'"{etag}"'
    headers = [("ETag", tag), ("Vary", "Accept")]
    if tag in request.headers.get("if-none-match", ""):
        return Response(304, b"", media, headers)
    return Response(200, body, media, headers)

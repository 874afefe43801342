"""A client for an API server in the same process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

from cryptography.hazmat.primitives.asymmetric import ec

from wherry.api.registry import BUILTIN, Registry
from wherry.apimachinery.http import Request, Response, UserInfo
from wherry.apiserver.authentication.jwt import Signer
from wherry.apiserver.install import Options, install
from wherry.apiserver.server import APIServer
from wherry.storage.memory import MemoryStorage
from wherry.util.clock import Clock

ADMIN = UserInfo("admin", ("system:masters", "system:authenticated"), "admin")


class API:
    """Sends requests as an administrator and decodes what comes back."""

    def __init__(self, server: APIServer) -> None:
        self.server = server

    async def send(self, method: str, path: str, body: Any = None, *, user: UserInfo = ADMIN, **headers: str) -> Response:
        path, _, query = path.partition("?")
        pairs = [(k, v) for k, _, v in (p.partition("=") for p in query.split("&") if p)]
        pairs = [(k, unquote(v)) for k, v in pairs]
        if isinstance(body, str):
            body = body.encode()
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"accept": "application/json", "content-type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return await self.server.handle(Request(method, unquote(path), pairs, sent, data, user))

    @staticmethod
    def request(method: str, path: str, query: list[tuple[str, str]], **headers: str) -> Request:
        """An administrator's request with just this query, empty values included."""
        return Request(method, path, query, headers, user=ADMIN)

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The decoded body; fails the test when the answer is an error."""
        response = await self.send(method, path, body, **headers)
        assert response.status < 300, response.body
        return json.loads(response.body)

    async def namespace(self, name: str) -> None:
        await self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        await self.call("POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})


@asynccontextmanager
async def serve(clock: Clock, registry: Registry = BUILTIN, aggregate: bool = False, **options: Any) -> AsyncIterator[API]:
    """A server over memory, with everything installed; `aggregate`: APIServices are followed."""
    async with await MemoryStorage.open(clock) as storage:
        server = APIServer(registry, storage, clock)
        await server.start()
        aggregator = install(server, Options("10.43.0.0/16", Signer(ec.generate_private_key(ec.SECP256R1())), **options))
        if aggregate:
            aggregator.start()
        try:
            yield API(server)
        finally:
            await server.close()

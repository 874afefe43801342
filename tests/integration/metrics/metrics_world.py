"""An API server in memory, and kubelets that are no more than what they answer to `/stats/summary`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from wherry.api.registry import BUILTIN
from wherry.apimachinery.http import Handler, Request, Response, UserInfo
from wherry.apiserver.authentication.jwt import Signer
from wherry.apiserver.install import Options, install
from wherry.apiserver.server import APIServer
from wherry.storage.memory import MemoryStorage
from wherry.util.clock import FakeClock, rfc3339

ADMIN = UserInfo("admin", ("system:masters", "system:authenticated"), "admin")


@dataclass
class World:
    """`summaries` are what the kubelets say; a node without one cannot be reached."""

    server: APIServer
    clock: FakeClock
    summaries: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        path, _, query = path.partition("?")
        pairs = [(k, v) for k, _, v in (part.partition("=") for part in query.split("&") if part)]
        data = b"" if body is None else json.dumps(body).encode()
        sent = {"accept": "application/json", "content-type": "application/json", **headers}
        return await self.server.handle(Request(method, path, pairs, sent, data, ADMIN))

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The decoded answer, an error's too."""
        return json.loads((await self.send(method, path, body, **headers)).body)

    async def node(self, name: str, nano_cores: int = 0, memory: int = 0) -> None:
        """A node whose kubelet answers."""
        await self.call("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": {"name": name}}})
        time = rfc3339(self.clock.time())
        self.summaries[name] = {
            "node": {
                "nodeName": name, "startTime": rfc3339(self.clock.time() - 60), "cpu": {"time": time, "usageNanoCores": nano_cores},
                "memory": {"time": time, "workingSetBytes": memory},
            },
            "pods": [],
        }

    async def pod(self, name: str, node: str, *, phase: str = "Running", namespace: str = "default", **used: tuple[int, int]) -> None:
        """A Pod of containers that use so many nano-cores and bytes."""
        spec = {"containers": [{"name": each, "image": "i"} for each in used or ("c",)], "nodeName": node}
        pods = f"/api/v1/namespaces/{namespace}/pods"
        made = await self.call("POST", pods, {"metadata": {"name": name, "labels": {"app": name[0]}}, "spec": spec})
        assert made["kind"] == "Pod", made
        await self.call("PUT", f"{pods}/{name}/status", {**made, "status": {"phase": phase}})
        time, start = rfc3339(self.clock.time()), rfc3339(self.clock.time() - 60)
        self.summaries[node]["pods"].append({
            "podRef": {"name": name, "namespace": namespace, "uid": made["metadata"]["uid"]}, "startTime": start,
            "containers": [
                {"name": each, "startTime": start, "cpu": {"time": time, "usageNanoCores": cores},
                 "memory": {"time": time, "workingSetBytes": memory}}
                for each, (cores, memory) in used.items()
            ],
        })

    def connect(self, node: str) -> Handler:
        async def handle(request: Request) -> Response:
            assert (request.method, request.path) == ("GET", "/stats/summary")
            self.asked.append(node)
            told = self.summaries[node]
            if isinstance(told, Exception):
                raise told
            return told if isinstance(told, Response) else Response(200, json.dumps(told).encode())

        if node not in self.summaries:
            raise OSError(f"no route to {node}")
        return handle


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """A server with the namespaces `default` and `other`."""
    clock = FakeClock()
    async with await MemoryStorage.open(clock) as storage:
        server = APIServer(BUILTIN, storage, clock)
        made = World(server, clock)
        await server.start()
        install(server, Options("10.43.0.0/16", Signer(ec.generate_private_key(ec.SECP256R1())), connect=made.connect))
        for name in ("default", "other"):
            await made.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
            await made.call("POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
        try:
            yield made
        finally:
            await server.close()

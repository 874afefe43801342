"""A kubelet under test: a real API server in memory, the fake runtime, and a clock that moves when told."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from mortal import Fate, MortalRuntime, MortalTransport

from wherry.api.registry import BUILTIN
from wherry.api.types import core_v1, meta_v1
from wherry.apimachinery.http import UserInfo
from wherry.apiserver.authentication.jwt import Signer
from wherry.apiserver.install import Options, install
from wherry.apiserver.server import APIServer
from wherry.client import Client, InProcessTransport
from wherry.kubelet.config import KubeletConfig, inline
from wherry.kubelet.kubelet import Kubelet
from wherry.kubelet.machine import Machine
from wherry.kubelet.volumes.plugin import NoMounter
from wherry.runtime.fake import FakeRuntime
from wherry.storage.memory import MemoryStorage
from wherry.util.clock import FakeClock

ADMIN = UserInfo("admin", ("system:masters", "system:authenticated"), "admin")
NODE = UserInfo("system:node:n1", ("system:nodes", "system:authenticated"))
MACHINE = Machine(cpus=2, memory=8 << 30, disk=100 << 30, kernel="6.1.0", os_image="Debian GNU/Linux 12 (bookworm)")


class Node:
    """One kubelet and what a test asks of it."""

    def __init__(self, clock: FakeClock, server: APIServer, runtime: FakeRuntime, root: Path) -> None:
        self.clock, self.server, self.runtime, self.root = clock, server, runtime, root
        self.client = Client(InProcessTransport(server.handle, ADMIN))
        self.seen: list[tuple[str, dict[str, Any]]] = []  # (event type, Pod) as watched
        self.started: Counter[str] = Counter()  # container starts by Pod and container, of kubelets with a fate
        self.kubelet: Kubelet | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, fate: Fate | None = None, **options: Any) -> None:
        """Begin a kubelet; with a `fate`, one that dies."""
        if fate is not None:
            options["offload"] = fate.offload
        config = KubeletConfig(
            "n1", self.root, self.root / "logs", node_ip="192.0.2.2", resolv_conf=self.root / "resolv.conf",
            **{"cluster_dns": ("10.43.0.10",), "offload": inline, **options},
        )
        transport: Any = InProcessTransport(self.server.handle, NODE)
        runtime: Any = self.runtime
        if fate is not None:
            transport, runtime = MortalTransport(transport, fate), MortalRuntime(runtime, fate, self.started)
        self.kubelet = Kubelet(config, Client(transport), runtime, self.clock, machine=MACHINE, mounter=NoMounter())
        self._task = asyncio.get_running_loop().create_task(self.kubelet.run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def run(self, seconds: float, step: float = 0.1) -> None:
        """Let time pass in small steps, each until nothing moves any more."""
        for _ in range(max(1, round(seconds / step))):
            await self.clock.advance(step)
            await self.clock.settle(120)

    async def until(self, reached: Callable[[], Any], seconds: float = 30.0) -> None:
        """Let time pass until `reached()` is true; fails after `seconds`."""
        for _ in range(round(seconds / 0.1)):
            if reached():
                return
            await self.run(0.1)
        raise AssertionError(f"not reached within {seconds} s")

    async def create(self, manifest: dict[str, Any], namespace: str = "life") -> dict[str, Any]:
        """Create an object of core/v1."""
        plural = manifest["kind"].lower() + "s"
        body = {"apiVersion": "v1", **manifest}
        path = f"/api/v1/namespaces/{namespace}/{plural}"
        answer = await self.client.raw("POST", path, body=json.dumps(body).encode())
        return json.loads(answer.body)

    async def create_pod(self, name: str, spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
        """A Pod bound to the node, of one container `c` unless `spec` says otherwise."""
        whole = {"containers": [{"name": "c", "image": "busybox:1.36"}], "nodeName": "n1", **(spec or {})}
        return await self.create({"kind": "Pod", "metadata": {"name": name, **metadata}, "spec": whole})

    async def get(self, name: str, namespace: str = "life") -> dict[str, Any]:
        answer = await self.client.raw("GET", f"/api/v1/namespaces/{namespace}/pods/{name}")
        return json.loads(answer.body)

    async def delete(self, name: str, grace: int | None = None, namespace: str = "life") -> None:
        await self.client.delete(core_v1.Pod, name, namespace, grace_period_seconds=grace)

    def pod(self, name: str) -> dict[str, Any] | None:
        """The Pod as last seen by the watch; None before it was made and after it went."""
        for kind, pod in reversed(self.seen):
            if pod["metadata"]["name"] == name:
                return None if kind == "DELETED" else pod
        return None

    def phase(self, name: str) -> str:
        pod = self.pod(name)
        return pod["status"].get("phase", "") if pod else ""

    def condition(self, name: str, kind: str) -> str:
        pod = self.pod(name) or {"status": {}}
        return next((c["status"] for c in pod["status"].get("conditions", []) if c["type"] == kind), "")

    def container(self, name: str, container: str = "c") -> dict[str, Any]:
        pod = self.pod(name) or {"status": {}}
        statuses = [*pod["status"].get("containerStatuses", []), *pod["status"].get("initContainerStatuses", [])]
        return next((s for s in statuses if s["name"] == container), {"state": {}})

    async def events(self, name: str = "", namespace: str = "life") -> list[core_v1.Event]:
        found = await self.client.list(core_v1.Event, namespace)
        return [e for e in found.items if not name or e.involved_object.name == name]

    async def watch(self) -> None:
        """Follow every Pod, as kubectl get -w would."""
        response = await self.client.raw("GET", "/api/v1/pods", query=[("watch", "true")])
        assert response.stream is not None
        async for chunk in response.stream:
            for line in chunk.splitlines():
                event = json.loads(line)
                self.seen.append((event["type"], event["object"]))


@asynccontextmanager
async def cluster(root: Path, runtime: Callable[[FakeClock], FakeRuntime] = FakeRuntime) -> AsyncIterator[Node]:
    """An API server with the namespaces that a kubelet needs, and a node that is not started yet."""
    clock = FakeClock()
    (root / "resolv.conf").write_text("nameserver 192.0.2.53\nsearch example.org\n")
    async with await MemoryStorage.open(clock) as storage:
        server = APIServer(BUILTIN, storage, clock)
        await server.start()
        install(server, Options("10.43.0.0/16", Signer(ec.generate_private_key(ec.SECP256R1()))))
        node = Node(clock, server, runtime(clock), root)
        for name in ("default", "kube-node-lease", "life"):
            await node.client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name=name)))
            account = core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name="default", namespace=name))
            await node.client.create(account)
            root_ca = meta_v1.ObjectMeta(name="kube-root-ca.crt", namespace=name)
            await node.client.create(core_v1.ConfigMap(metadata=root_ca, data={"ca.crt": "PEM"}))
        watch = asyncio.get_running_loop().create_task(node.watch())
        try:
            yield node
        finally:
            await node.stop()
            await node.runtime.close()
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await server.close()

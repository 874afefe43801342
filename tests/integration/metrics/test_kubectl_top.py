"""The real kubectl's `top` against a server on loopback, with kubelets over a fake runtime."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from metrics_world import ADMIN

from wherry.api.registry import BUILTIN
from wherry.api.types import core_v1, meta_v1
from wherry.apimachinery import quantity
from wherry.apimachinery.http import Request, Response, UserInfo
from wherry.apiserver.authentication.jwt import Signer
from wherry.apiserver.install import Options, install
from wherry.apiserver.server import APIServer
from wherry.client import Client, InProcessTransport
from wherry.kubelet.config import KubeletConfig, inline
from wherry.kubelet.kubelet import Kubelet
from wherry.kubelet.machine import Machine
from wherry.kubelet.volumes.plugin import NoMounter
from wherry.runtime.fake import FakeRuntime
from wherry.runtime.fake.script import Script
from wherry.serving.edge import Edge
from wherry.storage.memory import MemoryStorage
from wherry.util.clock import RealClock

KUBECTL = shutil.which("kubectl") or "kubectl"
pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
Run = Callable[..., Awaitable[list[list[str]]]]
MACHINE = Machine(cpus=4, memory=8 << 30, disk=100 << 30)
NODE = UserInfo("system:node:n1", ("system:nodes", "system:authenticated"))


@contextlib.asynccontextmanager
async def cluster(root: Path) -> AsyncIterator[tuple[Client, int]]:
    """An API server that listens, and one simulated node: each container uses 250m and 64Mi."""
    clock = RealClock()
    runtime = FakeRuntime(clock, lambda sandbox, container: Script(cpu_milli=250, memory=64 << 20))
    runtime.images.add("busybox:1.36")
    (root / "resolv.conf").write_text("")
    async with await MemoryStorage.open(clock) as storage:
        server = APIServer(BUILTIN, storage, clock)
        await server.start()
        config = KubeletConfig("n1", root, root / "logs", node_ip="192.0.2.2", offload=inline, resolv_conf=root / "resolv.conf")
        client = Client(InProcessTransport(server.handle, NODE))
        kubelet = Kubelet(config, client, runtime, clock, machine=MACHINE, mounter=NoMounter())
        signer = Signer(ec.generate_private_key(ec.SECP256R1()))
        install(server, Options("10.43.0.0/16", signer, connect=lambda node: kubelet.handle))
        admin = Client(InProcessTransport(server.handle, ADMIN))
        for name in ("default", "kube-node-lease"):
            await admin.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name=name)))
            await admin.create(core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name="default", namespace=name)))
            await admin.create(core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name="kube-root-ca.crt", namespace=name), data={"ca.crt": ""}))

        async def as_admin(request: Request) -> Response:
            """kubectl sends no credentials without TLS."""
            request.user = ADMIN
            return await server.handle(request)

        edge = Edge(as_admin, None)
        task = asyncio.get_running_loop().create_task(kubelet.run())
        try:
            yield admin, await edge.listen("127.0.0.1", 0)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await runtime.close()
            await edge.close()
            await server.close()


async def running_pod(client: Client, name: str, containers: int, deadline: float = 10.0) -> None:
    spec = {"nodeName": "n1", "containers": [{"name": f"c{n}", "image": "busybox:1.36"} for n in range(containers)]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}}, "spec": spec}
    await client.raw("POST", "/api/v1/namespaces/default/pods", body=json.dumps(body).encode())
    async with asyncio.timeout(deadline):
        while (await client.get(core_v1.Pod, name, "default")).status.phase != "Running":  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def kubectl(port: int, home: Path, *words: str) -> list[list[str]]:
    """The lines it prints, as words."""
    config = home / "kubeconfig"
    config.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {}}], "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }))
    environment = {"KUBECONFIG": str(config), "HOME": str(home), "PATH": "/usr/bin:/bin"}
    process = await asyncio.create_subprocess_exec(
        KUBECTL, *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return [line.split() for line in out.decode().splitlines()]


@pytest.mark.slow
async def test_top(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (client, port):
        await running_pod(client, "a", 2)
        await running_pod(client, "b", 1)
        await asyncio.sleep(1.2)  # a container's start is known to the second

        def top(*words: str) -> Awaitable[list[list[str]]]:
            return kubectl(port, tmp_path, "top", *words)

        head, *nodes = await top("nodes")
        assert (head[0], head[1]) == ("NAME", "CPU(cores)")
        assert [(row[0], row[3]) for row in nodes] == [("n1", "192Mi")]
        # The sum of Pods, whose sandboxes are a little older than their containers.
        assert 600 <= int(nodes[0][1].removesuffix("m")) <= 750
        assert await top("pods") == [["NAME", "CPU(cores)", "MEMORY(bytes)"], ["a", "500m", "128Mi"], ["b", "250m", "64Mi"]]
        assert (await top("pods", "--containers"))[1:] == [
            ["a", "c0", "250m", "64Mi"], ["a", "c1", "250m", "64Mi"], ["b", "c0", "250m", "64Mi"],
        ]
        assert (await top("pods", "--sum", "-l", "app=web"))[-1] == ["750m", "192Mi"]
        assert (await top("pod", "b", "--no-headers")) == [["b", "250m", "64Mi"]]
        table = await kubectl(port, tmp_path, "get", "pods.metrics.k8s.io")
        assert table[0] == ["NAME", "CPU", "MEMORY", "WINDOW"]
        assert [(row[0], round(quantity.parse(row[1]).nanos / 1e6), row[2]) for row in table[1:]] == [("a", 500, "128Mi"), ("b", 250, "64Mi")]

"""A TLS edge on loopback for each test."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from streaming_harness import ADMIN, TOKEN, Cluster, FakeNode, kubectls, pod

from wherry.api.registry import BUILTIN
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Handler, Request, UserInfo
from wherry.apiserver.authentication.jwt import Signer
from wherry.apiserver.endpoints.streams import NodeConnector
from wherry.apiserver.install import Options, install
from wherry.apiserver.nodes import NodeDialer
from wherry.apiserver.server import APIServer
from wherry.client import TLSConfig
from wherry.cluster.config import ClusterConfig
from wherry.cluster.pki import PKI
from wherry.serving.edge import Edge
from wherry.serving.tls import server_context
from wherry.storage.cached import CachedObject
from wherry.storage.memory import MemoryStorage
from wherry.util.clock import RealClock


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> PKI:
    folder = tmp_path_factory.mktemp("pki")
    made = PKI(ClusterConfig("streams", "api", folder, folder, 0), RealClock())
    made.ensure()
    return made


@pytest.fixture(scope="session")
def tls(pki: PKI) -> ssl.SSLContext:
    return server_context(pki.server.certificate, pki.server.key, pki.ca.certificate)


@pytest.fixture
def way() -> str:
    """How the API server reaches its node."""
    return "in-process"


@asynccontextmanager
async def connected(way: str, pki: PKI, node: FakeNode, node_of: Callable[[str], CachedObject | None]) -> AsyncIterator[NodeConnector]:
    """The connector; over HTTPS, the node has a port of its own, which its object tells (see `node_object`)."""

    def connect(name: str) -> Handler:
        if name != "n1":
            raise StatusError(500, "", f"error dialing backend: no such node: {name}")
        return node.handle if way == "in-process" else dialer(name)

    ours, theirs = pki.kubelet_client, pki.kubelet_serving("n1", "127.0.0.1")
    dialer = NodeDialer(node_of, TLSConfig(ca_file=pki.ca.certificate, cert_file=ours.certificate, key_file=ours.key))
    edge = Edge(node.handle, server_context(theirs.certificate, theirs.key, pki.ca.certificate))
    node.port = await edge.listen("127.0.0.1", 0)
    yield connect
    await dialer.close()
    await edge.close()


def node_object(port: int) -> dict[str, Any]:
    status = {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}], "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}
    return {"metadata": {"name": "n1"}, "status": status}


@pytest.fixture
async def cluster(tls: ssl.SSLContext, pki: PKI, way: str, tmp_path: Path) -> AsyncIterator[Cluster]:
    clock, node = RealClock(), FakeNode()
    async with await MemoryStorage.open(clock) as storage:
        server = APIServer(BUILTIN, storage, clock)
        await server.start()
        async with connected(way, pki, node, lambda name: server.cached("", "nodes", "", name)) as connect:
            signer = Signer(ec.generate_private_key(ec.SECP256R1()))
            viewer = UserInfo("viewer", ("system:authenticated",))
            install(server, Options("10.43.0.0/16", signer, {TOKEN: ADMIN, "viewer": viewer}, connect=connect))
            edge = Edge(server.handle, tls)
            made = Cluster(server, node, await edge.listen("127.0.0.1", 0), tmp_path)

            async def create(path: str, body: object) -> None:
                headers = {"content-type": "application/json"}
                response = await server.handle(Request("POST", f"/api/v1/{path}", [], headers, json.dumps(body).encode(), ADMIN))
                assert response.status == 201, response.body

            await create("namespaces", {"metadata": {"name": "n"}})
            await create("namespaces/n/serviceaccounts", {"metadata": {"name": "default"}})
            await create("nodes", node_object(node.port))
            for each in (pod("p"), pod("two", ("a", "b"), init=("i",)), pod("pending", node=""), pod("lost", node="n2"), pod("stopped", ("gone",))):
                await create("namespaces/n/pods", each)
            yield made
            await made.close()
            await edge.close()
            await server.close()


@pytest.fixture(params=kubectls() or [None], ids=lambda path: Path(path).name if path else "none")
def kube(request: pytest.FixtureRequest, cluster: Cluster) -> Cluster:
    """The cluster, once for each kubectl there is."""
    if request.param is None:
        pytest.skip("no kubectl on this machine")
    cluster.kubectl_path = request.param
    return cluster

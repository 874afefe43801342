"""A TLS edge on loopback for each test."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from streaming_harness import ADMIN, TOKEN, Cluster, FakeNode, kubectls, pod

from wherry.api.registry import BUILTIN
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Handler, Request, UserInfo
from wherry.apiserver.authentication.jwt import Signer
from wherry.apiserver.install import Options, install
from wherry.apiserver.server import APIServer
from wherry.serving.edge import Edge
from wherry.storage.memory import MemoryStorage
from wherry.util.clock import RealClock


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )
    path: Path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.fixture
async def cluster(tls: ssl.SSLContext, tmp_path: Path) -> AsyncIterator[Cluster]:
    clock, node = RealClock(), FakeNode()

    def connect(name: str) -> Handler:
        if name != "n1":
            raise StatusError(500, "", f"error dialing backend: no such node: {name}")
        return node.handle

    async with await MemoryStorage.open(clock) as storage:
        server = APIServer(BUILTIN, storage, clock)
        await server.start()
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
        await create("nodes", {"metadata": {"name": "n1"}})
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

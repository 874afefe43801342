"""The API server with its store and its listeners, as `wherry up` runs it; other components' code is loaded with them alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wherry.api.registry import BUILTIN
from wherry.apimachinery.http import Handler, UserInfo
from wherry.apiserver.aggregator.autoregister import register
from wherry.apiserver.authentication.jwt import Signer
from wherry.apiserver.install import Options, install
from wherry.apiserver.nodes import NodeDialer
from wherry.apiserver.server import APIServer
from wherry.client import Client, InProcessTransport, TLSConfig
from wherry.cluster.bootstrap import bootstrap
from wherry.cluster.config import ClusterConfig
from wherry.cluster.identities import ADMIN
from wherry.cluster.pki import PKI
from wherry.serving.edge import Edge
from wherry.serving.tls import server_context
from wherry.storage.cached import CachedObject
from wherry.storage.sqlite import SQLiteStorage
from wherry.util.clock import Clock

if TYPE_CHECKING:
    from wherry.kubelet.kubelet import Kubelet


class ControlPlane:
    """Owns the store, the API server and its listeners."""

    def __init__(self, config: ClusterConfig, pki: PKI, clock: Clock) -> None:
        self.config, self.pki, self.clock = config, pki, clock
        self.storage: SQLiteStorage | None = None
        self.server: APIServer | None = None
        self.signer = Signer(pki.signing_key())  # of service account tokens
        self._edge: Edge | None = None
        self._registering: asyncio.Task[None] | None = None  # of the APIServices of what is built in
        self._nodes: dict[str, Handler] = {}  # by node: its kubelet's own HTTP API, in-process
        ours = pki.kubelet_client
        self._dialer = NodeDialer(self._node, TLSConfig(ca_file=pki.ca.certificate, cert_file=ours.certificate, key_file=ours.key))

    def add_kubelet(self, node: str, kubelet: Kubelet) -> None:
        """A node in this process: logs, exec and port-forward go to its kubelet without a socket."""
        from wherry.kubelet.server.upgrades import upgrades

        served = kubelet.server
        served.upgrades.update(upgrades(self.clock))
        self._nodes[node] = served.handle

    def connect(self, node: str) -> Handler:
        """The way to a node's kubelet: HTTPS when it is not in this process.  Raises StatusError when there is none."""
        return self._nodes.get(node) or self._dialer(node)

    def _node(self, name: str) -> CachedObject | None:
        assert self.server is not None
        return self.server.cached("", "nodes", "", name)

    async def start(self) -> None:
        """Open the store and answer in-process.  Raises StorageLocked when another process has it."""
        folder = self.config.data / "store"
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.storage = await SQLiteStorage.open(folder / "objects.sqlite", self.clock)
        server = APIServer(BUILTIN, self.storage, self.clock)
        await server.start()
        tokens = {self.pki.token.read_text().strip(): ADMIN.user}
        network = self.config.fidelity == "real"
        proxy = self.pki.front_proxy_client
        aggregator = install(server, Options(
            self.config.service_range, self.signer, tokens, connect=self.connect, pod_network=network,
            front_proxy=(proxy.certificate, proxy.key),
            simulated=() if network else (self.config.pod_range, self.config.service_range),
        ))
        self.server = server
        ours = self.client(ADMIN.user, "kube-apiserver")
        await bootstrap(ours, self.config, self.pki)
        aggregator.start()
        self._registering = asyncio.get_running_loop().create_task(register(server, ours), name="APIServices")

    async def listen(self, addresses: list[str]) -> None:
        """Serve HTTPS on the cluster's port.  Raises OSError when it is taken."""
        assert self.server is not None
        if self._edge is None:
            self._edge = Edge(self.server.handle, server_context(self.pki.server.certificate, self.pki.server.key, self.pki.ca.certificate))
        for address in addresses:
            await self._edge.listen(address, self.config.port)

    def client(self, user: UserInfo, agent: str) -> Client:
        """An in-process client that acts as `user`."""
        assert self.server is not None
        return Client(InProcessTransport(self.server.handle), user=user, user_agent=agent)

    def client_for(self, name: str) -> Client:
        """The client of a controller."""
        from wherry.controller.manager import user_of

        return self.client(user_of(name), name)

    async def close(self) -> None:
        """Stop answering, end watches, then close the store."""
        if self._registering is not None:
            self._registering.cancel()
            await asyncio.gather(self._registering, return_exceptions=True)
        if self._edge is not None:
            await self._edge.close()
        if self.server is not None:
            await self.server.close()
        await self._dialer.close()
        if self.storage is not None:
            await self.storage.close()

"""The components, each as a process of its own runs it: against the API over HTTPS, as its own user.

One coroutine a component and a line in COMPONENTS; each runs until it is cancelled.  What they are made of is
what `wherry up` makes on one loop (`process`, `node`); only their client and their sockets differ.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Handler, Request, Response
from wherry.client import Client
from wherry.cluster import identities
from wherry.cluster.config import ClusterConfig
from wherry.cluster.identities import Identity
from wherry.cluster.ownport import PORTS, SETTLED, Endpoints, guarded, listening
from wherry.util.clock import Clock
from wherry.util.looplag import LoopLag

if TYPE_CHECKING:
    from wherry.cluster.pki import PKI
    from wherry.controller.controller import Options
    from wherry.kubelet.kubelet import Kubelet
    from wherry.runtime.embedded.runtime import EmbeddedRuntime
    from wherry.util.metrics import Metrics

KUBELET_PORT = 10250
LOOK_SECONDS = 0.1  # between looks for the node's address, which the kubelet's runtime makes


@dataclass(frozen=True, slots=True)
class Setting:
    """What a component's process gives it.  `ready` is to be called once, when it serves."""

    config: ClusterConfig
    clock: Clock
    ready: Callable[[], None]
    node: str = ""  # a kubelet's
    listens: Callable[[int], None] = lambda port: None  # to be told the component's own port

    @property
    def pki(self) -> PKI:
        from wherry.cluster.pki import PKI

        return PKI(self.config, self.clock)

    def client(self, identity: Identity, agent: str) -> Client:
        """Over HTTPS.  Raises FileNotFoundError when the identity was never written."""
        return identity.client(self.config, agent)


Run = Callable[[Setting], Awaitable[None]]


async def apiserver(setting: Setting) -> None:
    """The store and the API; every kubelet is reached over HTTPS."""
    from wherry.cluster import images
    from wherry.cluster.controlplane import ControlPlane
    from wherry.storage.compactor import compact_periodically

    config, clock, lag = setting.config, setting.clock, LoopLag()
    plane = ControlPlane(config, setting.pki, clock)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(plane.close)
        await plane.start()
        assert plane.server is not None
        assert plane.storage is not None
        plane.server.metrics.watch_loop(lag)
        if config.fidelity == "real":

            async def of_the_node(request: Request) -> Response:
                return await plane.connect(config.node_name)(request)

            plane.server.actions[images.PATH] = of_the_node
        await plane.listen(["127.0.0.1"])
        setting.listens(config.port)
        setting.ready()
        async with asyncio.TaskGroup() as group:
            group.create_task(lag.run(), name="loop lag")
            group.create_task(compact_periodically(plane.storage, clock), name="compaction")
            if config.fidelity == "real":
                await _is_there(clock, config.bridge_address)
                await plane.listen([config.bridge_address])


async def controller_manager(setting: Setting) -> None:
    """All controllers, each as its service account with tokens of its own."""
    from wherry.client import HTTPSTransport, TLSConfig
    from wherry.client.serviceaccount import ServiceAccountTransport
    from wherry.controller.manager import MANAGER, ControllerManager
    from wherry.controller.metrics import controller_metrics

    config, clock, pki = setting.config, setting.clock, setting.pki
    manager = setting.client(identities.CONTROLLER_MANAGER, MANAGER)
    # A certificate would win over a token: the controllers' connections show none.
    shared = HTTPSTransport(f"https://127.0.0.1:{config.port}", TLSConfig(ca_file=pki.ca.certificate))

    def client_for(name: str) -> Client:
        if name == MANAGER:
            return manager
        return Client(ServiceAccountTransport(shared, manager, "kube-system", name, clock), user_agent=name)

    controllers = ControllerManager(client_for, clock, controller_options(pki))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(shared.close)
        stack.push_async_callback(manager.close)
        figures, checks = controller_metrics(controllers.controllers), {SETTLED: lambda: controllers.idle}
        setting = await stack.enter_async_context(_own_port(setting, "controller-manager", figures, manager, checks))
        async with asyncio.TaskGroup() as group:
            group.create_task(controllers.run(), name="controllers")
            await controllers.informers.wait_for_sync()
            setting.ready()


def controller_options(pki: PKI) -> Options:
    """What controllers know of the cluster beyond its API: its CA, and the key of service account tokens."""
    from wherry.apiserver.authentication.jwt import Signer
    from wherry.controller.controller import Options

    sign = Signer(pki.signing_key()).sign
    return Options(root_ca=pki.ca.certificate.read_text(), ca_key=pki.ca.key.read_text(), sign_token=sign)


async def scheduler(setting: Setting) -> None:
    from wherry.cluster import schedulerconfig
    from wherry.scheduler.scheduler import Scheduler

    client = setting.client(identities.SCHEDULER, "kube-scheduler")
    made = Scheduler(client, setting.clock, schedulerconfig.of(setting.config))
    async with _own_port(setting, "scheduler", made.metrics.metrics, client) as own:
        await _run(own, client, made.run(), made.informers.wait_for_sync())


async def proxy(setting: Setting) -> None:
    from wherry.cluster.node import proxier

    client = setting.client(identities.PROXY, "kube-proxy")
    made = proxier(setting.config, client, setting.clock)
    async with _own_port(setting, "proxy") as own:
        await _run(own, client, made.run(), made.synced.wait())


async def dns(setting: Setting) -> None:
    from wherry.cluster import node

    client = setting.client(identities.DNS, "kube-dns")
    server, zone = node.dns(setting.config, client, setting.clock)
    address = setting.config.bridge_address

    async def serving() -> None:
        await _is_there(setting.clock, address)
        await server.listen(address)
        await zone.synced.wait()

    try:
        async with _own_port(setting, "dns") as own:
            await _run(own, client, zone.run(), serving())
    finally:
        await server.close()


async def provisioner(setting: Setting) -> None:
    from wherry.cluster import node

    client = setting.client(identities.PROVISIONER, "provisioner")
    made = node.provisioner(setting.config, client, setting.clock)
    async with _own_port(setting, "provisioner") as own:
        await _run(own, client, made.run(), made.informers.wait_for_sync())


async def kubelet(setting: Setting) -> None:
    """A node: this machine, or a simulated one.  Its HTTP API has a port of its own."""
    from wherry.cluster import images
    from wherry.cluster.node import real_kubelet, simulated_kubelet
    from wherry.kubelet.server.upgrades import upgrades

    config, clock = setting.config, setting.clock
    client = setting.client(identities.node(setting.node), "kubelet")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(client.close)
        if config.fidelity != "real":
            port = await _serve_kubelet(setting, client, stack, "127.0.0.1", lambda request: made.handle(request))
            made: Kubelet = simulated_kubelet(config, setting.node, client, clock, port=port)
        else:
            runtime = await _runtime(config, clock, stack)
            own = _with_images(lambda request: made.handle(request), images.handler(runtime))
            port = await _serve_kubelet(setting, client, stack, config.bridge_address, own)
            made = real_kubelet(config, runtime, client, clock, port=port)
        made.server.upgrades.update(upgrades(clock))
        await _serve(setting, made.run(), made.synced.wait())  # whether the node is Ready, its object tells


@dataclass(frozen=True, slots=True)
class Component:
    """`fidelities`: of clusters that have it."""

    run: Run
    fidelities: tuple[str, ...]


_ALL, _NODES, _REAL = ("real", "sim", "api"), ("real", "sim"), ("real",)
COMPONENTS = {
    "apiserver": Component(apiserver, _ALL),  # all others need it
    "controller-manager": Component(controller_manager, _ALL),
    "scheduler": Component(scheduler, _NODES),
    "kubelet": Component(kubelet, _NODES),
    "proxy": Component(proxy, _REAL),
    "dns": Component(dns, _REAL),
    "provisioner": Component(provisioner, _NODES),
}


def components_of(config: ClusterConfig) -> list[str]:
    """What runs in this cluster, in the order of starting."""
    return [name for name, each in COMPONENTS.items() if config.fidelity in each.fidelities]


async def _run(setting: Setting, client: Client, running: Awaitable[None], synced: Awaitable[object]) -> None:
    """`_serve` with a client that nobody else uses."""
    try:
        await _serve(setting, running, synced)
    finally:
        await client.close()


async def _serve(setting: Setting, running: Awaitable[None], synced: Awaitable[object]) -> None:
    """`running` for ever; `ready` once `synced` is."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_coroutine(running))
        await synced
        setting.ready()


async def _coroutine(running: Awaitable[None]) -> None:
    await running


async def _is_there(clock: Clock, address: str) -> None:
    """Until this machine has the node's address.  (uvloop's own errors do not tell that it has not.)"""
    while True:
        with socket.socket() as probe:
            try:
                return probe.bind((address, 0))
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
        await clock.sleep(LOOK_SECONDS)


async def _runtime(config: ClusterConfig, clock: Clock, stack: AsyncExitStack) -> EmbeddedRuntime:
    from wherry.cluster.host import runtime_config
    from wherry.runtime.embedded.runtime import EmbeddedRuntime

    runtime = EmbeddedRuntime(runtime_config(config), clock)
    await runtime.start()
    stack.push_async_callback(runtime.close)
    return runtime


async def _serve_kubelet(setting: Setting, client: Client, stack: AsyncExitStack, address: str, handler: Handler) -> int:
    """Listen before the kubelet is made, whose node tells the port.  Upstream's, or any when that is taken."""
    from wherry.client.delegation import Delegate
    from wherry.kubelet.server import auth
    from wherry.serving.edge import Edge
    from wherry.serving.tls import server_context

    pki = setting.pki
    shown = pki.kubelet_serving(setting.node, address)
    delegate = Delegate(client, setting.clock)
    edge = Edge(auth.guarded(handler, delegate, setting.node), server_context(shown.certificate, shown.key, pki.ca.certificate))
    port = await stack.enter_async_context(listening(edge, address, KUBELET_PORT))
    setting.listens(port)
    return port


@asynccontextmanager
async def _own_port(
    setting: Setting, component: str, figures: Metrics | None = None, client: Client | None = None,
    checks: Mapping[str, Callable[[], bool]] | None = None,
) -> AsyncIterator[Setting]:
    """The component's own port, and the setting by whose `ready` it says so there as well.  `client`: by which to ask who
    may see more than its health; without one it speaks plain HTTP."""
    from wherry.apiserver.endpoints.plain import git_version
    from wherry.client.delegation import Delegate
    from wherry.serving.edge import Edge
    from wherry.serving.tls import server_context
    from wherry.util.metrics import Metrics, build_info

    metrics = Metrics(process=True)
    build_info(metrics, git_version())
    if figures is not None:
        metrics.include(figures)
    endpoints = Endpoints(metrics, checks or {})
    if client is None:
        edge = Edge(endpoints.handle, None)
    else:
        pki = setting.pki
        shown = pki.component_serving(component)
        context = server_context(shown.certificate, shown.key, pki.ca.certificate)
        edge = Edge(guarded(endpoints.handle, Delegate(client, setting.clock)), context)

    def ready() -> None:
        endpoints.ready = True
        setting.ready()

    async with listening(edge, "127.0.0.1", PORTS.get(component, 0)) as port:
        setting.listens(port)
        yield replace(setting, ready=ready)


def _with_images(kubelet: Handler, images: Handler) -> Handler:
    """The kubelet's HTTP API and the path of `wherry image`, which the API server passes on."""
    from wherry.cluster.images import PATH

    async def handle(request: Request) -> Response:
        if request.path != PATH:
            return await kubelet(request)
        try:
            return await images(request)
        except StatusError as error:
            return Response(error.code, msgspec.json.encode(error.to_json()))

    return handle

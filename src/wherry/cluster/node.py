"""The nodes of a cluster: the one real node with its runtime, proxy and DNS, or simulated ones.

What a node is made of is told here once, for `start_nodes` (all in the API server's process) and for
`components` (each a process of its own, which loads only what is its own: so imports are late here).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError
from wherry.client import Client
from wherry.cluster.config import ClusterConfig
from wherry.cluster.identities import ADMIN, DNS, PROVISIONER, PROXY
from wherry.cluster.identities import node as node_identity
from wherry.util.clock import Clock

if TYPE_CHECKING:
    from wherry.cluster.controlplane import ControlPlane
    from wherry.dns.controller import ZoneController
    from wherry.dns.server import DNSServer
    from wherry.kubelet.config import KubeletConfig
    from wherry.kubelet.kubelet import Kubelet
    from wherry.kubelet.provisioner.provisioner import LocalProvisioner
    from wherry.proxy.proxier import Proxier
    from wherry.runtime.embedded.runtime import EmbeddedRuntime

Tasks = list[asyncio.Task[Any]]
ROLE = "node-role.kubernetes.io/control-plane"


# -- what a node is made of ------------------------------------------------------------------------


def kubelet_config(config: ClusterConfig, name: str, **more: Any) -> KubeletConfig:
    from wherry.apiserver.endpoints.plain import git_version
    from wherry.kubelet.config import KubeletConfig

    root = config.data / "kubelet" / name
    return KubeletConfig(
        node_name=name, root_dir=root, pod_logs_dir=config.data / "logs" / name,
        version=git_version(), cluster_domain=config.domain, **more,
    )


def simulated_kubelet(config: ClusterConfig, name: str, client: Client, clock: Clock, **more: Any) -> Kubelet:
    """A node whose Pods run no containers."""
    from wherry.kubelet.kubelet import Kubelet
    from wherry.kubelet.machine import Machine
    from wherry.kubelet.volumes.plugin import NoMounter
    from wherry.runtime.fake import FakeRuntime

    pods = list(IPv4Network(config.pod_range).subnets(new_prefix=24))
    pod_cidr = str(pods[config.node_names.index(name) % len(pods)])
    runtime = FakeRuntime(clock, pod_cidr=pod_cidr, name="wherry-sim", reachable=False)
    machine = Machine(cpus=32, memory=64 << 30, disk=500 << 30, kernel="simulated", os_image="wherry sim")
    settings = kubelet_config(config, name, simulated=True, pod_cidr=pod_cidr, **more)
    return Kubelet(settings, client, runtime, clock, machine=machine, mounter=NoMounter())  # nothing to leave on the host


def real_kubelet(config: ClusterConfig, runtime: EmbeddedRuntime, client: Client, clock: Clock, **more: Any) -> Kubelet:
    """This machine as a node."""
    from wherry.cluster.host import runtime_config
    from wherry.kubelet.kubelet import Kubelet

    settings = kubelet_config(
        config, config.node_name, node_ip=config.bridge_address, pod_cidr=str(config.node_range), cluster_dns=(config.dns_service_ip,),
        cgroup_root=runtime_config(config).cgroup, **more,
    )
    return Kubelet(settings, client, runtime, clock)


def proxier(config: ClusterConfig, client: Client, clock: Clock) -> Proxier:
    from wherry.cluster.host import runtime_config
    from wherry.proxy.proxier import Proxier

    links = runtime_config(config).links
    return Proxier(client, clock, cluster=config.name, bridge=links, pod_range=config.pod_range, node=config.node_name)


def dns(config: ClusterConfig, client: Client, clock: Clock) -> tuple[DNSServer, ZoneController]:
    """The server, to be told where to listen, and what fills its zone."""
    from wherry.dns.controller import ZoneController
    from wherry.dns.responder import Responder
    from wherry.dns.server import DNSServer, Forwarder, host_resolvers

    responder = Responder(config.domain, Forwarder(host_resolvers()), config.pod_range)
    return DNSServer(responder), ZoneController(client, clock, responder, config.domain)


def provisioner(config: ClusterConfig, client: Client, clock: Clock) -> LocalProvisioner:
    """Of all nodes of this machine; simulated ones have no directories."""
    from wherry.kubelet.provisioner.provisioner import LocalProvisioner

    nodes = {name: config.data / "volumes" / name for name in config.node_names}
    return LocalProvisioner(client, clock, nodes, files=config.fidelity == "real")


async def node_ready(admin: Client, name: str, clock: Clock) -> None:
    """Until the Node says that it is Ready; then it gets its role, which a node may not give itself."""
    while True:
        try:
            node = await admin.get(core_v1.Node, name)
            if any(c.type == "Ready" and c.status == "True" for c in node.status.conditions):
                if ROLE not in node.metadata.labels:
                    await admin.patch(core_v1.Node, name, {"metadata": {"labels": {ROLE: ""}}})
                return
        except StatusError as error:
            if error.code != 404:
                raise
        await clock.sleep(0.01)


# -- all of it in the API server's process ---------------------------------------------------------


async def start_nodes(
    config: ClusterConfig, plane: ControlPlane, clock: Clock, group: asyncio.TaskGroup, tasks: Tasks, stack: AsyncExitStack
) -> list[Awaitable[object]]:
    """Start what the fidelity asks for; the awaitables returned are done when it is ready."""
    admin = plane.client(ADMIN.user, "wherry")
    ready: list[Awaitable[object]] = [node_ready(admin, name, clock) for name in config.node_names]
    if config.node_names:
        local = provisioner(config, plane.client(PROVISIONER.user, "provisioner"), clock)
        tasks.append(group.create_task(local.run(), name="provisioner"))
    if config.fidelity == "real":
        return ready + await _real_node(config, plane, clock, group, tasks, stack)
    for name in config.node_names:
        kubelet = simulated_kubelet(config, name, plane.client(node_identity(name).user, "kubelet"), clock)
        plane.add_kubelet(name, kubelet)
        tasks.append(group.create_task(kubelet.run(), name=f"kubelet {name}"))
        ready.append(kubelet.synced.wait())
    return ready


async def _real_node(
    config: ClusterConfig, plane: ControlPlane, clock: Clock, group: asyncio.TaskGroup, tasks: Tasks, stack: AsyncExitStack
) -> list[Awaitable[object]]:
    from wherry.cluster import images
    from wherry.cluster.host import runtime_config
    from wherry.runtime.embedded.runtime import EmbeddedRuntime

    runtime = EmbeddedRuntime(runtime_config(config), clock)
    await runtime.start()
    stack.push_async_callback(runtime.close)
    await plane.listen([config.bridge_address])
    assert plane.server is not None
    plane.server.actions[images.PATH] = images.handler(runtime)
    server, zone = dns(config, plane.client(DNS.user, "kube-dns"), clock)
    await server.listen(config.bridge_address)
    stack.push_async_callback(server.close)
    proxy = proxier(config, plane.client(PROXY.user, "kube-proxy"), clock)
    name = config.node_name
    kubelet = real_kubelet(config, runtime, plane.client(node_identity(name).user, "kubelet"), clock)
    plane.add_kubelet(name, kubelet)
    for run, what in ((zone.run, "dns"), (proxy.run, "proxy"), (kubelet.run, "kubelet")):
        tasks.append(group.create_task(run(), name=what))
    return [zone.synced.wait(), proxy.synced.wait(), kubelet.synced.wait()]

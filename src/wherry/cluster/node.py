"""The nodes of a cluster: the one real node with its runtime, proxy and DNS, or simulated ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from ipaddress import IPv4Network
from typing import Any

from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import UserInfo
from wherry.apiserver.authentication.interface import AUTHENTICATED
from wherry.apiserver.endpoints.plain import git_version
from wherry.cluster.config import ClusterConfig
from wherry.cluster.controlplane import ADMIN, ControlPlane, node_user
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.kubelet import Kubelet
from wherry.util.clock import Clock

PROXY, DNS = UserInfo("system:kube-proxy", (AUTHENTICATED,)), UserInfo("system:kube-dns", (AUTHENTICATED,))
Tasks = list[asyncio.Task[Any]]
ROLE = "node-role.kubernetes.io/control-plane"


async def start_nodes(
    config: ClusterConfig, plane: ControlPlane, clock: Clock, group: asyncio.TaskGroup, tasks: Tasks, stack: AsyncExitStack
) -> list[Awaitable[object]]:
    """Start what the fidelity asks for; the awaitables returned are done when it is ready."""
    if config.fidelity == "real":
        return await _real_node(config, plane, clock, group, tasks, stack)
    return [await _simulated(config, plane, clock, group, tasks, index) for index in range(config.nodes)]


def kubelet_config(config: ClusterConfig, name: str, **more: Any) -> KubeletConfig:
    root = config.data / "kubelet" / name
    return KubeletConfig(
        node_name=name, root_dir=root, pod_logs_dir=config.data / "logs" / name,
        version=git_version(), cluster_domain=config.domain, **more,
    )


async def _simulated(
    config: ClusterConfig, plane: ControlPlane, clock: Clock, group: asyncio.TaskGroup, tasks: Tasks, index: int
) -> Awaitable[object]:
    """A node whose Pods run no containers."""
    from wherry.kubelet.machine import Machine
    from wherry.runtime.fake import FakeRuntime

    name = config.node_name if config.nodes == 1 else f"{config.node_name}-{index}"
    pods = list(IPv4Network(config.pod_range).subnets(new_prefix=24))
    runtime = FakeRuntime(clock, pod_cidr=str(pods[index % len(pods)]), name="wherry-sim")
    machine = Machine(cpus=32, memory=64 << 30, disk=500 << 30, kernel="simulated", os_image="wherry sim")
    client = plane.client(node_user(name), "kubelet")
    kubelet = Kubelet(kubelet_config(config, name), client, runtime, clock, machine=machine)
    plane.add_kubelet(name, kubelet)
    tasks.append(group.create_task(kubelet.run(), name=f"kubelet {name}"))
    return node_ready(plane, name, clock)


async def node_ready(plane: ControlPlane, name: str, clock: Clock) -> None:
    """Until the Node says that it is Ready."""
    client = plane.client(node_user(name), "wherry")
    while True:
        try:
            node = await client.get(core_v1.Node, name)
            if any(c.type == "Ready" and c.status == "True" for c in node.status.conditions):
                if ROLE not in node.metadata.labels:  # a node may not give itself a role
                    admin = plane.client(ADMIN, "wherry")
                    await admin.patch(core_v1.Node, name, {"metadata": {"labels": {ROLE: ""}}})
                return
        except StatusError as error:
            if error.code != 404:
                raise
        await clock.sleep(0.01)


async def _real_node(
    config: ClusterConfig, plane: ControlPlane, clock: Clock, group: asyncio.TaskGroup, tasks: Tasks, stack: AsyncExitStack
) -> list[Awaitable[object]]:
    from wherry.cluster import images
    from wherry.cluster.host import runtime_config
    from wherry.dns.controller import ZoneController
    from wherry.dns.responder import Responder
    from wherry.dns.server import DNSServer, Forwarder, host_resolvers
    from wherry.proxy.proxier import Proxier
    from wherry.runtime.embedded.runtime import EmbeddedRuntime

    settings = runtime_config(config)
    runtime = EmbeddedRuntime(settings, clock)
    await runtime.start()
    stack.push_async_callback(runtime.close)
    await plane.listen([config.bridge_address])
    assert plane.server is not None
    plane.server.paths[images.PATH] = images.handler(runtime)
    responder = Responder(config.domain, Forwarder(host_resolvers()), config.pod_range)
    dns = DNSServer(responder)
    await dns.listen(config.bridge_address)
    stack.push_async_callback(dns.close)
    zone = ZoneController(plane.client(DNS, "kube-dns"), clock, responder, config.domain)
    proxier = Proxier(
        plane.client(PROXY, "kube-proxy"), clock, cluster=config.name, bridge=settings.links, pod_range=config.pod_range,
        node=config.node_name,
    )
    name = config.node_name
    settings_of_kubelet = kubelet_config(
        config, name, node_ip=config.bridge_address, cluster_dns=(config.dns_service_ip,), cgroup_root=settings.cgroup,
    )
    kubelet = Kubelet(settings_of_kubelet, plane.client(node_user(name), "kubelet"), runtime, clock)
    plane.add_kubelet(name, kubelet)
    for run, what in ((zone.run, "dns"), (proxier.run, "proxy"), (kubelet.run, "kubelet")):
        tasks.append(group.create_task(run(), name=what))
    return [node_ready(plane, name, clock), zone.synced.wait(), proxier.synced.wait()]

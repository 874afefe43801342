"""Watches nodes for signs of life (leases and status) and carries out the plan, every few seconds and on every change."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from itertools import chain
from typing import Any, ClassVar

from wherry.api.types import coordination_v1, core_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client.informer import Handler
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.nodelifecycle.plan import (
    Sign,
    condition,
    fully_disrupted,
    ready_status,
    sign_of_life,
    silent_conditions,
    taints,
    unready_conditions,
)

LEASES = "kube-node-lease"


def by_node(pod: core_v1.Pod) -> tuple[str, ...]:
    return (pod.spec.node_name,) if pod.spec.node_name else ()


class NodeLifecycleController(Controller):
    name: ClassVar[str] = "node-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.nodes = self.informer(core_v1.Node)
        self.pods = self.informer(core_v1.Pod)
        self.leases = self.followed(self.informers.informer(coordination_v1.Lease, namespace=LEASES))
        self.pods.store.add_indexer("node", by_node)
        self._signs: dict[str, Sign] = {}
        self._told: dict[str, str] = {}  # the Ready status of each node that its Pods were told of
        self.enqueue_all(self.nodes)
        self.nodes.add_handler(Handler(on_add=self._registered, on_delete=self._removed))

    def _registered(self, node: core_v1.Node) -> None:
        name = node.metadata.name
        self.recorder.normal(_node_reference(node), "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")

    def _removed(self, node: core_v1.Node) -> None:
        name = node.metadata.name
        self._signs.pop(name, None)
        self._told.pop(name, None)
        self.recorder.normal(_node_reference(node), "RemovingNode", f"Node {name} event: Removing Node {name} from Controller")

    def background(self) -> Iterable[Coroutine[Any, Any, None]]:
        return (self._monitor(),)

    async def _monitor(self) -> None:
        while True:
            for node in self.nodes.store:
                self.enqueue(node)
            await self.clock.sleep(self.options.node_monitor_period)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        node = self.nodes.store.get_by_key(key)
        if node is None:
            return None
        now, lease = self.clock.monotonic(), self.leases.store.get(key, LEASES)
        sign = self._signs[key] = sign_of_life(node, lease, self._signs.get(key), now)
        started = condition(node, "Ready") is not None
        grace = self.options.node_monitor_grace_period if started else self.options.node_startup_grace_period
        if now - sign.seen > grace:
            node = await self._silent(node)
        if not started and now - sign.seen <= grace:
            return None  # a node that has just come says itself, soon, what it is
        await self._taint(node)
        await self._tell_pods(node)
        return None

    async def _silent(self, node: core_v1.Node) -> core_v1.Node:
        conditions = silent_conditions(node, self.clock.time())
        if not conditions:
            return node
        body = {"metadata": {"uid": node.metadata.uid}, "status": {"conditions": conditions}}
        return await self.client.patch(core_v1.Node, node.metadata.name, body, subresource="status", patch_type="strategic")

    async def _taint(self, node: core_v1.Node) -> None:
        # Looking at all nodes for each of them would cost their number squared, so a ready one asks no further.
        evict = ready_status(node) == "True" or not fully_disrupted(chain((node,), self._others(node)))
        wanted = taints(node, self.clock.time(), evict)
        if wanted is not None:
            meta = node.metadata
            body = {"metadata": {"resourceVersion": meta.resource_version}, "spec": {"taints": wanted or None}}
            await self.client.patch(core_v1.Node, meta.name, body)

    def _others(self, node: core_v1.Node) -> Iterable[core_v1.Node]:
        return (each for each in self.nodes.store if each.metadata.name != node.metadata.name)

    async def _tell_pods(self, node: core_v1.Node) -> None:
        """Pods on a node that is not ready any more are not ready either, so Services leave them out."""
        name, status = node.metadata.name, ready_status(node)
        before = self._told.get(name)
        if status == before or (before is None and status == "True"):
            self._told[name] = status
            return
        if status == "True":
            self._told[name] = status
            return
        if before == "True":
            self.recorder.normal(_node_reference(node), "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        for pod in self.pods.store.by_index("node", name):
            await self._unready(pod)
        self._told[name] = status

    async def _unready(self, pod: core_v1.Pod) -> None:
        conditions = unready_conditions(pod, self.clock.time())
        if conditions is None:
            return
        meta = pod.metadata
        body = {"metadata": {"uid": meta.uid}, "status": {"conditions": conditions}}
        try:
            await self.client.patch(
                core_v1.Pod, meta.name, body, meta.namespace, subresource="status", patch_type="strategic",
            )
        except StatusError as error:
            if not is_not_found(error):
                raise
        self.recorder.warning(pod, "NodeNotReady", "Node is not ready")


def _node_reference(node: core_v1.Node) -> core_v1.ObjectReference:
    """Events about nodes name them by their uid, as upstream's do, and stand in `default`."""
    return core_v1.ObjectReference(kind="Node", name=node.metadata.name, uid=node.metadata.uid, api_version="v1")

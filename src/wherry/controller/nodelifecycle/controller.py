"""Watches nodes for signs of life (leases and status) and carries out the plan, every few seconds and on every change."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, ClassVar

from wherry.api.types import coordination_v1, core_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client.informer import Handler
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.nodelifecycle.plan import (
    Sign,
    condition,
    is_given_up,
    ready_status,
    renamed_labels,
    sign_of_life,
    silent_conditions,
    taints,
    unready_conditions,
)
from wherry.controller.nodelifecycle.zones import interval, state, zone_of

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
        self._given_up: dict[tuple[str, str], float] = {}  # when (monotonic) a node of each zone was given up last
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
        await self._reconcile_labels(node)
        silent = now - sign.seen > self._grace(node)
        if silent:
            node = await self._silent(node)
        if not started and not silent:
            return None  # a node that has just come says itself, soon, what it is
        wait = await self._taint(node)
        await self._tell_pods(node)
        return RequeueAfter(wait) if wait else None

    def _grace(self, node: core_v1.Node) -> float:
        started = condition(node, "Ready") is not None
        return self.options.node_monitor_grace_period if started else self.options.node_startup_grace_period

    async def _reconcile_labels(self, node: core_v1.Node) -> None:
        if labels := renamed_labels(node):
            await self.client.patch(core_v1.Node, node.metadata.name, {"metadata": {"uid": node.metadata.uid, "labels": labels}})

    async def _silent(self, node: core_v1.Node) -> core_v1.Node:
        conditions = silent_conditions(node, self.clock.time())
        if not conditions:
            return node
        body = {"metadata": {"uid": node.metadata.uid}, "status": {"conditions": conditions}}
        return await self.client.patch(core_v1.Node, node.metadata.name, body, subresource="status", patch_type="strategic")

    async def _taint(self, node: core_v1.Node) -> float:
        """Seconds until it is the node's turn to be given up; 0 when it has been, need not be, or nobody can tell when."""
        ready = ready_status(node) == "True"
        # Looking at all nodes for each of them would cost their number squared, so a ready one asks no further.
        evict = ready or any(self._lives(each) for each in self.nodes.store if each.metadata.name != node.metadata.name)
        zone, now, wait = zone_of(node), self.clock.monotonic(), 0.0
        before = self._given_up.get(zone, float("-inf"))
        turn = evict and not ready and not is_given_up(node)
        if turn:
            wait = self._turn_in(node)
            evict = turn = wait == 0
        wanted = taints(node, self.clock.time(), evict)
        if wanted is not None:
            if turn:
                self._given_up[zone] = now
            meta = node.metadata
            body = {"metadata": {"resourceVersion": meta.resource_version}, "spec": {"taints": wanted or None}}
            try:
                await self.client.patch(core_v1.Node, meta.name, body)
            except (StatusError, OSError):
                if turn:
                    self._given_up[zone] = before  # it keeps its turn
                raise
        return wait if wait < float("inf") else 0.0

    def _turn_in(self, node: core_v1.Node) -> float:
        """Seconds until a node of its zone may be given up; infinity while none may."""
        zone, name = zone_of(node), node.metadata.name
        ready = [each.metadata.name != name and self._lives(each) for each in self.nodes.store if zone_of(each) == zone]
        pause = interval(state(ready), len(ready))
        if pause is None:
            return float("inf")
        return max(0.0, self._given_up.get(zone, float("-inf")) + pause - self.clock.monotonic())

    def _lives(self, node: core_v1.Node) -> bool:
        """Ready, and not silent either: who fell silent together is counted together, whoever's turn it is to be told so."""
        sign = self._signs.get(node.metadata.name)
        silent = sign is not None and self.clock.monotonic() - sign.seen > self._grace(node)
        return ready_status(node) == "True" and not silent

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

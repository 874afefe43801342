"""Deletes Pods when their time on a tainted node is over."""

from __future__ import annotations

from typing import ClassVar

from wherry.api.types import core_v1
from wherry.client.informer import Handler
from wherry.client.store import key_of
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.nodelifecycle.controller import by_node
from wherry.controller.podcontrol import disrupt
from wherry.controller.tainteviction.plan import evict_at

Basis = tuple[list[core_v1.Taint], list[core_v1.Toleration]]


class TaintEvictionController(Controller):
    name: ClassVar[str] = "node-controller"  # upstream's taint manager speaks as the same user
    component: ClassVar[str] = "taint-eviction-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.nodes = self.informer(core_v1.Node)
        self.pods = self.informer(core_v1.Pod)
        self.pods.store.add_indexer("node", by_node)
        # Of Pods that will have to go: since when that is known, because of what, and when, in monotonic seconds.  The end is
        # reckoned once, so that a clock that is set meanwhile makes none go early or late.
        self._due: dict[str, tuple[float, Basis, float]] = {}
        self.pods.add_handler(Handler(self._pod_changed, self._pod_updated, self._pod_gone))
        self.nodes.add_handler(Handler(self._node_changed, self._node_updated))

    def _pod_changed(self, pod: core_v1.Pod) -> None:
        node = self.nodes.store.get(pod.spec.node_name) if pod.spec.node_name else None
        if node is not None and any(taint.effect == "NoExecute" for taint in node.spec.taints):
            self.enqueue(pod)

    def _pod_updated(self, old: core_v1.Pod, new: core_v1.Pod) -> None:
        if (old.spec.node_name, old.spec.tolerations) != (new.spec.node_name, new.spec.tolerations):
            self._pod_changed(new)

    def _pod_gone(self, pod: core_v1.Pod) -> None:
        self._due.pop(key_of(pod), None)

    def _node_changed(self, node: core_v1.Node) -> None:
        if node.spec.taints:
            self._enqueue_pods(node)

    def _node_updated(self, old: core_v1.Node, new: core_v1.Node) -> None:
        if old.spec.taints != new.spec.taints:
            self._enqueue_pods(new)

    def _enqueue_pods(self, node: core_v1.Node) -> None:
        for pod in self.pods.store.by_index("node", node.metadata.name):
            self.enqueue(pod)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        pod = self.pods.store.get_by_key(key)
        node = self.nodes.store.get(pod.spec.node_name) if pod is not None else None
        if pod is None or node is None or pod.metadata.deletion_timestamp is not None:
            return None
        now, elapsed = self.clock.time(), self.clock.monotonic()
        known = self._due.get(key)
        seen = known[0] if known is not None else elapsed
        due = evict_at(pod, node.spec.taints, now, now - (elapsed - seen))
        if due is None:
            if self._due.pop(key, None) is not None:
                self.recorder.normal(pod, "TaintManagerEviction", f"Cancelling deletion of Pod {key}")
            return None
        basis = ([each for each in node.spec.taints if each.effect == "NoExecute"], pod.spec.tolerations)
        if known is None or known[1] != basis:
            known = self._due[key] = seen, basis, elapsed + max(0.0, due - now)
        left = known[2] - elapsed
        if left > 0:
            return RequeueAfter(left)
        self.recorder.normal(pod, "TaintManagerEviction", f"Marking for deletion Pod {key}")
        await disrupt(self.client, pod, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint", now)
        return None

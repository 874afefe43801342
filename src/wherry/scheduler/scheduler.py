"""The scheduler: watches, decides one Pod at a time, and binds many at once.

A decision is assumed at once (the snapshot counts the Pod as placed) and bound in a task of its own,
so the next decision does not wait for the API server.
"""

from __future__ import annotations

import asyncio
import logging
import random

import msgspec

from wherry.api.types import core_v1, meta_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client import Client
from wherry.client.informer import Handler, SharedInformerFactory
from wherry.client.recorder import EventRecorder
from wherry.scheduler.metrics import SchedulerMetrics
from wherry.scheduler.plan import Decision, schedule
from wherry.scheduler.profile import Profile, default_profile
from wherry.scheduler.queue import Queued, SchedulingQueue
from wherry.scheduler.snapshot import Snapshot
from wherry.util.clock import Clock, rfc3339

log = logging.getLogger(__name__)
MAX_BINDING = 64
BURST = 16  # decisions before the loop gets a turn
TERMINAL = ("Succeeded", "Failed")
# What happened -> the plugins that it can help; anything may help a Pod that a plugin not named here refused.
_NODE_EVENTS = frozenset({"NodeName", "NodeUnschedulable", "TaintToleration", "NodeAffinity", "NodePorts", "NodeResourcesFit",
                          "PodTopologySpread", "InterPodAffinity"})
_POD_GONE = frozenset({"NodePorts", "NodeResourcesFit", "PodTopologySpread", "InterPodAffinity"})
_POD_PLACED = frozenset({"PodTopologySpread", "InterPodAffinity"})


class Scheduler:
    """Run with `await scheduler.run()`; ends when cancelled."""

    def __init__(self, client: Client, clock: Clock, profile: Profile | None = None, rng: random.Random | None = None) -> None:
        self._client = client
        self._clock = clock
        self._profile = profile or default_profile()
        self._rng = rng or random.Random()
        self.informers = SharedInformerFactory(client, clock)
        self.recorder = EventRecorder(client, clock, self._profile.scheduler_name)
        self.snapshot = Snapshot()
        self.queue = SchedulingQueue(clock)
        self.metrics = SchedulerMetrics(self.queue, self._profile.scheduler_name)
        self.diagnosis: dict[str, Decision] = {}  # of Pods that wait: by uid, why (for `wherry why`)
        self._start = 0
        self._binding = asyncio.Semaphore(MAX_BINDING)
        pods = self.informers.informer(core_v1.Pod)
        pods.add_handler(Handler(self._pod_added, lambda old, new: self._pod_updated(new), self._pod_deleted))
        nodes = self.informers.informer(core_v1.Node)
        nodes.add_handler(Handler(self._node_changed, lambda old, new: self._node_changed(new), self._node_deleted))

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.informers.run(), name="scheduler informers")
            group.create_task(self.recorder.run(), name="scheduler events")
            group.create_task(self.queue.run(), name="scheduler queue")
            await self.informers.wait_for_sync()
            while True:
                await self.queue.wait()
                for _ in range(BURST):
                    entry = self.queue.take()
                    if entry is None:
                        break
                    await self._binding.acquire()
                    self._try(group, entry)
                await asyncio.sleep(0)

    # -- what is observed --------------------------------------------------------------------------

    def _responsible(self, pod: core_v1.Pod) -> bool:
        return (pod.spec.scheduler_name or self._profile.scheduler_name) == self._profile.scheduler_name

    def _pod_added(self, pod: core_v1.Pod) -> None:
        self._pod_updated(pod)

    def _pod_updated(self, pod: core_v1.Pod) -> None:
        uid = pod.metadata.uid
        if pod.spec.node_name:
            known = self.snapshot.has_pod(uid)
            self.queue.remove(uid)
            self.diagnosis.pop(uid, None)
            if pod.status.phase in TERMINAL:
                if known:
                    self.snapshot.remove_pod(pod)
                    self._happened(_POD_GONE)
                return
            self.snapshot.put_pod(pod)
            if not known:
                self._happened(_POD_PLACED)
            return
        if pod.metadata.deletion_timestamp or pod.status.phase in TERMINAL or not self._responsible(pod):
            self.queue.remove(uid)
            return
        if pod.spec.scheduling_gates:
            return
        self.queue.add(pod)

    def _pod_deleted(self, pod: core_v1.Pod) -> None:
        self.queue.remove(pod.metadata.uid)
        self.diagnosis.pop(pod.metadata.uid, None)
        if self.snapshot.has_pod(pod.metadata.uid):
            self.snapshot.remove_pod(pod)
            self._happened(_POD_GONE)

    def _node_changed(self, node: core_v1.Node) -> None:
        self.snapshot.set_node(node)
        self._happened(_NODE_EVENTS)

    def _node_deleted(self, node: core_v1.Node) -> None:
        self.snapshot.remove_node(node.metadata.name)
        self._happened(_POD_GONE)

    def _happened(self, helped: frozenset[str]) -> None:
        self.queue.moved(lambda entry: not entry.refused_by or bool(entry.refused_by & helped))

    # -- deciding ----------------------------------------------------------------------------------

    def _try(self, group: asyncio.TaskGroup, entry: Queued) -> None:
        """Decide; the semaphore is held, and given back when the decision is carried out."""
        pod, began = entry.pod, self._clock.monotonic()
        try:
            decision = schedule(pod, self.snapshot, self._profile, self._rng, self._start)
        except Exception:
            self.metrics.attempt("error", self._clock.monotonic() - began)
            log.exception("scheduling %s/%s", pod.metadata.namespace, pod.metadata.name)
            self._binding.release()
            self.queue.park(entry, frozenset(), retry=True)
            return
        self.metrics.attempt("scheduled" if decision.node else "unschedulable", self._clock.monotonic() - began)
        if decision.node:
            self._start = (self._start + len(decision.diagnosis) + 1) % max(1, len(self.snapshot.order))
            assumed = msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, node_name=decision.node))
            self.snapshot.put_pod(assumed)
            group.create_task(self._bind(entry, assumed), name=f"bind {pod.metadata.namespace}/{pod.metadata.name}")
            return
        self.diagnosis[pod.metadata.uid] = decision
        self.queue.park(entry, frozenset(plugin for plugin, _ in decision.diagnosis.values()))
        group.create_task(self._fail(pod, decision), name=f"unschedulable {pod.metadata.namespace}/{pod.metadata.name}")

    async def _bind(self, entry: Queued, assumed: core_v1.Pod) -> None:
        meta, node = assumed.metadata, assumed.spec.node_name
        try:
            binding = core_v1.Binding(
                metadata=meta_v1.ObjectMeta(name=meta.name, namespace=meta.namespace, uid=meta.uid),
                target=core_v1.ObjectReference(kind="Node", name=node),
            )
            await self._client.create(binding, subresource="binding", name=meta.name)
            self.recorder.normal(assumed, "Scheduled", f"Successfully assigned {meta.namespace}/{meta.name} to {node}")
        except (StatusError, OSError) as error:
            self.snapshot.remove_pod(assumed)
            if isinstance(error, StatusError) and error.code in (404, 409):
                self.queue.remove(meta.uid) if is_not_found(error) else self.queue.park(entry, frozenset(), retry=True)
            else:
                log.warning("binding %s/%s: %s", meta.namespace, meta.name, error)
                self.queue.park(entry, frozenset(), retry=True)
        finally:
            self._binding.release()

    async def _fail(self, pod: core_v1.Pod, decision: Decision) -> None:
        """Tell why: an event, and the PodScheduled condition."""
        try:
            self.recorder.warning(pod, "FailedScheduling", decision.message)
            old = next((c for c in pod.status.conditions if c.type == "PodScheduled"), None)
            if old is not None and old.status == "False" and old.message == decision.message:
                return
            now = rfc3339(self._clock.time())
            since = old.last_transition_time if old is not None and old.status == "False" else now
            condition = {
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": decision.message,
                "lastProbeTime": None, "lastTransitionTime": since, "observedGeneration": pod.metadata.generation or 1,
            }
            body = {"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [condition]}}
            meta = pod.metadata
            await self._client.patch(core_v1.Pod, meta.name, body, meta.namespace, subresource="status", patch_type="strategic")
        except (StatusError, OSError) as error:
            if not (isinstance(error, StatusError) and error.code in (404, 409)):
                log.warning("status of %s/%s: %s", pod.metadata.namespace, pod.metadata.name, error)
        finally:
            self._binding.release()

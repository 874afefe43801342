"""The scheduler: watches, decides one Pod at a time, and binds many at once.

A decision is assumed at once (the snapshot counts the Pod as placed) and bound in a task of its own,
so the next decision does not wait for the API server.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from wherry.api.pod import is_terminal
from wherry.api.types import core_v1, meta_v1, policy_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client import Client
from wherry.client.informer import Handler, SharedInformerFactory
from wherry.client.seriesrecorder import SeriesRecorder
from wherry.client.store import Store
from wherry.scheduler import extended
from wherry.scheduler.config import SchedulerConfig
from wherry.scheduler.eventhandlers import assigned_pod_actions, node_actions
from wherry.scheduler.extender import Extender, ExtenderError, bound, interested_in
from wherry.scheduler.framework import ASSIGNED_POD, NODE, Action, CycleState, PluginError, Refusal
from wherry.scheduler.metrics import SchedulerMetrics
from wherry.scheduler.nominator import Nominator
from wherry.scheduler.plan import Decision, explain, schedule
from wherry.scheduler.preemptor import Outcome, Preemptor
from wherry.scheduler.profile import Profile, make_profile
from wherry.scheduler.queue import Queued, SchedulingQueue
from wherry.scheduler.reporter import SCHEDULER_ERROR, Reporter
from wherry.scheduler.snapshot import Snapshot
from wherry.util.clock import Clock

T = TypeVar("T")
log = logging.getLogger(__name__)
MAX_BINDING = 128
SLICE = 0.005  # seconds of decisions before the loop gets a turn
BIND = 'running Bind plugin "DefaultBinder"'
NOTHING_TO_FREE = "no new claims to deallocate"
DIAGNOSES = 1000  # kept; `wherry why` works them out anew


class Scheduler:
    """Run with `await scheduler.run()`; ends when cancelled."""

    def __init__(
        self, client: Client, clock: Clock, config: SchedulerConfig | None = None, rng: random.Random | None = None
    ) -> None:
        config = config or SchedulerConfig()
        self.client, self.clock = client, clock
        self._rng = rng or random.Random()
        self.informers = SharedInformerFactory(client, clock)
        self._shared: dict[type[Any], Any] = {}
        self.profiles = {spec.scheduler_name: make_profile(self, spec) for spec in config.profiles}
        self.recorders = {name: SeriesRecorder(client, clock, name) for name in self.profiles}
        self._reporter = Reporter(client, clock, self.recorders)
        self.snapshot, self.nominator = Snapshot(), Nominator(self._released)
        hints = {name: {each.name: tuple(each.events()) for each in profile.filters} for name, profile in self.profiles.items()}
        ungated = [spec.scheduler_name for spec in config.profiles if not spec.gated]
        self.queue = SchedulingQueue(clock, hints, config.initial_backoff, config.max_backoff, ungated=ungated, gate=self._gate)
        self.metrics = SchedulerMetrics(self.queue)
        self.diagnosis: dict[str, Decision] = {}  # of Pods that wait: by uid, why
        self._binding = asyncio.Semaphore(MAX_BINDING)
        budgets = self.lister(policy_v1.PodDisruptionBudget)
        self._extenders = [Extender(spec) for spec in config.extenders]
        self._preemptors = {
            name: Preemptor(client, clock, recorder, self.snapshot, self.nominator, budgets, self._rng, self._extenders)
            for name, recorder in self.recorders.items()
        }
        self._watch(hints)

    def lister(self, kind: type[T]) -> Store[T]:
        return self.informers.informer(kind).store

    def shared(self, kind: type[T]) -> T:
        found: T = self._shared.setdefault(kind, kind())
        return found

    def _gate(self, pod: core_v1.Pod) -> str:
        """The plugin that keeps a Pod from being tried; "" when none does."""
        profile = self.profiles.get(pod.spec.scheduler_name)
        return next((plugin.name for plugin in profile.pre_enqueue if plugin.pre_enqueue(pod)), "") if profile is not None else ""

    def _watch(self, hints: Any) -> None:
        pods = self.informers.informer(core_v1.Pod)
        pods.add_handler(Handler(lambda pod: self._pod_changed(None, pod), self._pod_changed, self._pod_deleted))
        nodes = self.informers.informer(core_v1.Node)
        nodes.add_handler(Handler(self._node_added, self._node_updated, self._node_deleted))
        kinds = {each.resource for plugins in hints.values() for events in plugins.values() for each in events}
        for kind in kinds:
            if not isinstance(kind, str):
                self.informers.informer(kind).add_handler(self._other(kind))

    def _other(self, kind: type[T]) -> Handler[T]:
        happened = self.queue.happened
        return Handler(
            lambda obj: happened(kind, Action.ADD, None, obj), lambda old, new: happened(kind, Action.UPDATE, old, new),
            lambda obj: happened(kind, Action.DELETE, obj, None),
        )

    async def run(self) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                await self._run(group)
        finally:
            for extender in self._extenders:
                await extender.close()

    async def _run(self, group: asyncio.TaskGroup) -> None:
        group.create_task(self.informers.run(), name="scheduler informers")
        for name, recorder in self.recorders.items():
            group.create_task(recorder.run(), name=f"events of {name}")
        group.create_task(self.queue.run(), name="scheduler queue")
        await self.informers.wait_for_sync()
        while True:
            await self.queue.wait()
            began = self.clock.monotonic()
            while self.clock.monotonic() - began < SLICE:
                await self._binding.acquire()
                entry = self.queue.take()
                if entry is None:
                    self._binding.release()
                    break
                if extenders := interested_in(self._extenders, entry.pod):
                    await self._try_extended(group, entry, extenders)
                else:
                    self._try(group, entry)
            await self.clock.sleep(0)

    # -- what is observed --------------------------------------------------------------------------

    def _pod_changed(self, old: core_v1.Pod | None, pod: core_v1.Pod) -> None:
        uid = pod.metadata.uid
        if pod.spec.node_name:
            self._assigned(pod)
        elif pod.metadata.deletion_timestamp or is_terminal(pod) or pod.spec.scheduler_name not in self.profiles:
            self._forget(uid)
        elif not self.snapshot.has_pod(uid) or self.queue.state_of(uid):  # else it is placed, and this is old news
            self._nominate(old, pod)
            self.queue.add(pod)

    def _nominate(self, old: core_v1.Pod | None, pod: core_v1.Pod) -> None:
        """What others write into its status goes before what is known here; what is known here is newer than what was there before."""
        uid, told = pod.metadata.uid, pod.status.nominated_node_name
        if self.snapshot.has_pod(uid):
            return
        if old is None or old.status.nominated_node_name != told:
            self.nominator.put(pod, told)
        elif known := self.nominator.node_of(uid):
            self.nominator.put(pod, known)

    def _released(self, pod: core_v1.Pod, node: str) -> None:
        """Room that was kept for a Pod is free: as good as if it had been there and gone."""
        self.queue.happened(ASSIGNED_POD, Action.DELETE, _on(pod, node), None)

    def _assigned(self, pod: core_v1.Pod) -> None:
        """What it was counted as until now is what has changed: it may have been assumed as an older version, or elsewhere."""
        uid = pod.metadata.uid
        self._forget(uid, "" if is_terminal(pod) else pod.spec.node_name)
        if is_terminal(pod):
            self._gone(pod)
            return
        before = self.snapshot.pod(uid)
        self.snapshot.put_pod(pod)
        if before is not None and before.spec.node_name == pod.spec.node_name:
            if actions := assigned_pod_actions(before, pod):
                self.queue.happened(ASSIGNED_POD, actions, before, pod)
            return
        if before is not None:
            self.queue.happened(ASSIGNED_POD, Action.DELETE, before, None)
        self.queue.happened(ASSIGNED_POD, Action.ADD, None, pod)

    def _pod_deleted(self, pod: core_v1.Pod) -> None:
        self._forget(pod.metadata.uid)
        self._gone(pod)

    def _forget(self, uid: str, node: str = "") -> None:
        """It waits no longer: it has a node, or is gone."""
        self.queue.remove(uid)
        self.nominator.remove(uid, taken=node)
        self.diagnosis.pop(uid, None)

    def _gone(self, pod: core_v1.Pod) -> None:
        if self.snapshot.has_pod(pod.metadata.uid):
            self.snapshot.remove_pod(pod)
            self.queue.happened(ASSIGNED_POD, Action.DELETE, pod, None)

    def _node_added(self, node: core_v1.Node) -> None:
        self.snapshot.set_node(node)
        self.queue.happened(NODE, Action.ADD, None, node)

    def _node_updated(self, old: core_v1.Node, node: core_v1.Node) -> None:
        self.snapshot.set_node(node)
        if actions := node_actions(old, node):
            self.queue.happened(NODE, actions, old, node)

    def _node_deleted(self, node: core_v1.Node) -> None:
        self.snapshot.remove_node(node.metadata.name)
        self.queue.happened(NODE, Action.DELETE, node, None)

    # -- deciding ----------------------------------------------------------------------------------

    def _try(self, group: asyncio.TaskGroup, entry: Queued) -> None:
        """Decide; the semaphore is held, and given back when the decision is carried out."""
        pod, began = entry.pod, self.clock.monotonic()
        profile = self.profiles[pod.spec.scheduler_name]
        try:
            decision = self._reserve(pod, profile, schedule(pod, self.snapshot, profile, self._rng, self.nominator))
        except Exception as error:
            log.exception("scheduling %s/%s", pod.metadata.namespace, pod.metadata.name)
            self._go_wrong(group, entry, error, began)
            return
        self._carry_out(group, entry, profile, decision, began)

    async def _try_extended(self, group: asyncio.TaskGroup, entry: Queued, extenders: Sequence[Extender]) -> None:
        """As `_try`, for a Pod that extenders want to be asked about."""
        pod, began = entry.pod, self.clock.monotonic()
        profile = self.profiles[pod.spec.scheduler_name]
        try:
            found = await extended.schedule(pod, self.snapshot, profile, self._rng, self.nominator, extenders)
            if not self.queue.holds(entry):  # it went, or got a node, while they were asked
                self._binding.release()
                return
            decision = self._reserve(pod, profile, found)
        except Exception as error:
            own = not isinstance(error, PluginError)
            log.warning("scheduling %s/%s: %s", pod.metadata.namespace, pod.metadata.name, error, exc_info=own)
            self._go_wrong(group, entry, error, began)
            return
        self._carry_out(group, entry, profile, decision, began)

    def _go_wrong(self, group: asyncio.TaskGroup, entry: Queued, error: Exception, began: float) -> None:
        pod = entry.pod
        self.metrics.attempt("error", pod.spec.scheduler_name, self.clock.monotonic() - began)
        message = str(error) or type(error).__name__
        group.create_task(self._err(entry, message), name=f"error of {pod.metadata.namespace}/{pod.metadata.name}")

    def _carry_out(self, group: asyncio.TaskGroup, entry: Queued, profile: Profile, decision: Decision, began: float) -> None:
        pod, meta = entry.pod, entry.pod.metadata
        result = "scheduled" if decision.node else "unschedulable"
        self.metrics.attempt(result, profile.scheduler_name, self.clock.monotonic() - began)
        if decision.node:
            assumed = _on(pod, decision.node)
            self.snapshot.put_pod(assumed)
            self.nominator.remove(meta.uid, taken=decision.node)
            self.queue.happened(ASSIGNED_POD, Action.ADD, None, assumed)
            group.create_task(self._bind(entry, assumed, profile, decision.state), name=f"bind {meta.namespace}/{meta.name}")
            return
        self.diagnosis[meta.uid] = decision
        if len(self.diagnosis) > DIAGNOSES:
            del self.diagnosis[next(iter(self.diagnosis))]
        group.create_task(self._fail(entry, profile, decision), name=f"unschedulable {meta.namespace}/{meta.name}")

    def _reserve(self, pod: core_v1.Pod, profile: Profile, decision: Decision) -> Decision:
        """Let plugins hold what the Pod will take; a refusal is a failed decision."""
        if not decision.node:
            return decision
        for plugin in profile.reserve:
            refusal = plugin.reserve(decision.state, pod, decision.node)
            if refusal is not None:
                self._unreserve(pod, profile, decision.state, decision.node)
                return _refused(plugin.name, refusal, decision)
        return decision

    @staticmethod
    def _unreserve(pod: core_v1.Pod, profile: Profile, state: CycleState, node: str) -> None:
        for plugin in reversed(profile.reserve):
            plugin.unreserve(state, pod, node)

    # -- carrying out ------------------------------------------------------------------------------

    async def _bind(self, entry: Queued, assumed: core_v1.Pod, profile: Profile, state: CycleState) -> None:
        node = assumed.spec.node_name
        first = [plugin for plugin in profile.pre_bind if plugin.pre_bind_pre_flight(state, entry.pod, node)]
        step = BIND
        try:
            if first:
                await self._reporter.expect(assumed, node)
            for plugin in first:
                step = f'running PreBind plugin "{plugin.name}"'
                self._binding.release()  # it may wait for long, and others must not
                try:
                    refusal = await plugin.pre_bind(state, entry.pod, node)
                finally:
                    await self._binding.acquire()
                if refusal is not None:
                    self._take_back(entry, assumed, profile, state)
                    await self._reporter.expect_no_more(assumed)
                    await self._told(entry, _refused(plugin.name, refusal, Decision(node)), Outcome())
                    return
            step = BIND
            await self._post_binding(entry.pod, node)
            self._reporter.scheduled(assumed, node)
            self.metrics.bound(entry.attempts, self.clock.monotonic() - entry.first)
        except (StatusError, OSError, PluginError) as error:
            self._take_back(entry, assumed, profile, state)
            if first:
                await self._reporter.expect_no_more(assumed)
            await self._not_bound(entry, step, error)
        finally:
            self._binding.release()

    async def _post_binding(self, pod: core_v1.Pod, node: str) -> None:
        """By an extender, if one does that for such Pods."""
        if self._extenders and await bound(interested_in(self._extenders, pod), pod, node):
            return
        meta = pod.metadata
        binding = core_v1.Binding(
            metadata=meta_v1.ObjectMeta(name=meta.name, namespace=meta.namespace, uid=meta.uid),
            target=core_v1.ObjectReference(kind="Node", name=node),
        )
        await self.client.post(binding, subresource="binding", name=meta.name)

    async def _not_bound(self, entry: Queued, step: str, error: Exception) -> None:
        """Of a Pod that is gone nothing is told, and of one that has changed, or has a node meanwhile, no condition."""
        pod, message = entry.pod, str(error) if isinstance(error, ExtenderError) else f"{step}: {error}"
        if step == BIND and isinstance(error, StatusError) and is_not_found(error):
            self.queue.remove(pod.metadata.uid)
            return
        if isinstance(error, StatusError) and error.code == 409:
            self._reporter.event(pod, message)
        else:
            log.warning("binding %s/%s: %s", pod.metadata.namespace, pod.metadata.name, error)
            await self._reporter.failed(pod, message, SCHEDULER_ERROR)
        self.queue.park(entry, frozenset(), retry=True)

    async def _err(self, entry: Queued, message: str) -> None:
        """Something went wrong that says nothing about nodes: it is told, and tried again after a back-off.  Gives the semaphore back."""
        try:
            await self._reporter.failed(entry.pod, message, SCHEDULER_ERROR)
        finally:
            self.queue.park(entry, frozenset(), retry=True)
            self._binding.release()

    def _take_back(self, entry: Queued, assumed: core_v1.Pod, profile: Profile, state: CycleState) -> None:
        """The Pod was not bound: what it took is free again, unless it was bound by another meanwhile."""
        self._unreserve(entry.pod, profile, state, assumed.spec.node_name)
        known = self.informers.informer(core_v1.Pod).store.get(assumed.metadata.name, assumed.metadata.namespace)
        if known is not None and known.metadata.uid == assumed.metadata.uid and known.spec.node_name:
            return
        self._gone(assumed)

    async def _fail(self, entry: Queued, profile: Profile, decision: Decision) -> None:
        """Make room, if others are less important; tell why, and park."""
        pod, preemptor = entry.pod, self._preemptors[profile.scheduler_name]
        outcome, told = Outcome(), NOTHING_TO_FREE
        try:
            for plugin in profile.post_filter:
                told = await plugin.post_filter(decision.state, pod)
            if profile.preempts and decision.diagnosis and not decision.afterwards:
                outcome = await preemptor.find(pod, profile, decision)
                self.metrics.preempted(len(outcome.candidate.victims) if outcome.candidate is not None else 0)
                if outcome.candidate is not None:
                    await preemptor.evict(pod, outcome.candidate)
                elif outcome.denominate:
                    self.nominator.remove(pod.metadata.uid)
            await self._told(entry, decision, outcome, told)
        except ExtenderError as error:
            await self._told(entry, decision, Outcome(message=str(error)))
        except (StatusError, OSError) as error:
            self.queue.park(entry, decision.plugins)
            if not (isinstance(error, StatusError) and error.code in (404, 409)):
                log.warning("preemption for %s/%s: %s", pod.metadata.namespace, pod.metadata.name, error)
        except Exception:
            log.exception("preemption for %s/%s", pod.metadata.namespace, pod.metadata.name)
            self.queue.park(entry, decision.plugins)
        finally:
            self._binding.release()

    async def _told(self, entry: Queued, decision: Decision, outcome: Outcome, freed: str = NOTHING_TO_FREE) -> None:
        """An event, the PodScheduled condition and the nomination; then the Pod waits."""
        message = decision.message
        if outcome.message:
            message = f"{message} {freed}, preemption: {outcome.message}"
        try:
            await self._reporter.failed(entry.pod, message, outcome=outcome)
        finally:
            self.queue.park(entry, decision.plugins | outcome.plugins)


def _on(pod: core_v1.Pod, node: str) -> core_v1.Pod:
    return msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, node_name=node))


def _refused(plugin: str, refusal: Refusal, decision: Decision) -> Decision:
    """A decision that a plugin refused after it was made: only that node was asked."""
    diagnosis = {decision.node: (plugin, refusal)}
    return Decision("", diagnosis, explain(diagnosis, 1), 1, decision.state, afterwards=True)



"""Properties of the whole scheduler: in whatever order things come, late, twice or not at all, its promises hold."""

from __future__ import annotations

import asyncio
import random
from typing import Any
from unittest import mock

from fake_api import NOW, FakeApi
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st
from naive import Picture, feasible, passes, priority, terms
from scheduler_makers import placed
from strategies import APPS, NODES, nodes, pods

from wherry.api.types import core_v1
from wherry.scheduler import scheduler as module
from wherry.scheduler.plan import Decision, schedule
from wherry.scheduler.scheduler import Scheduler
from wherry.scheduler.snapshot import Snapshot
from wherry.util.clock import FakeClock

Pod = core_v1.Pod
index = st.integers(0, 9)
operations = st.one_of(
    st.tuples(st.just("node"), nodes()),
    st.tuples(st.just("node"), nodes()),
    st.tuples(st.just("unnode"), st.sampled_from(NODES)),
    st.tuples(st.just("pod"), pods()),
    st.tuples(st.just("pod"), pods()),
    st.tuples(st.just("pod"), pods()),
    st.tuples(st.just("gated"), pods()),
    st.tuples(st.just("ungate"), index),
    st.tuples(st.just("relabel"), index, st.sampled_from(APPS)),
    st.tuples(st.just("tolerate"), index),
    st.tuples(st.just("delete"), index),
    st.tuples(st.just("finish"), index),
    st.tuples(st.just("nominate"), index, st.sampled_from([*NODES, ""])),
    st.tuples(st.just("kubelet")),
    st.tuples(st.just("outcome"), st.sampled_from(["refused", "lost"])),
    st.tuples(st.just("deliver"), st.integers(1, 4)),
    st.tuples(st.just("repeat"), st.integers(0, 30)),
    st.tuples(st.just("advance"), st.sampled_from([0.0, 0.2, 1.0, 5.0])),
)


def pictured(snapshot: Snapshot) -> Picture:
    """What the scheduler knows, as a plain picture."""
    known = {info.name: info.node for info in snapshot.nodes.values() if info.node is not None}
    return Picture(known, {uid: pod for info in snapshot.nodes.values() for uid, pod in info.pods.items()}, {"default": {}})


class Judge:
    """Stands where the scheduler decides: at that moment the plain rules allow it, and find no node where it found none."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def __call__(self, pod: Pod, snapshot: Snapshot, profile: Any, rng: random.Random, nominator: Any) -> Decision:
        decision = schedule(pod, snapshot, profile, rng, nominator)
        nominated = [(other, name) for name in snapshot.nodes for other in nominator.on(name)]
        allowed = feasible(pod, pictured(snapshot), nominated)
        if decision.node not in allowed if allowed else decision.node:
            self.wrong.append(f"{pod.metadata.name} to {decision.node!r}, not one of {allowed}")
        return decision


class Life:
    """One scheduler, and what happens around it."""

    def __init__(self, seed: int) -> None:
        self.api, self.clock = FakeApi(), FakeClock()
        self.scheduler = Scheduler(self.api, self.clock, rng=random.Random(seed))  # type: ignore[arg-type]

    def step(self, kind: str, *given: Any) -> Any:
        return getattr(self, f"_{kind}")(*given)

    def _node(self, node: core_v1.Node) -> None:
        self.api.put(node)

    def _unnode(self, name: str) -> None:
        if (node := self.api.objects[core_v1.Node].get(name)) is not None:
            self.api.remove(node)

    def _pod(self, pod: Pod) -> None:
        self.api.put(pod)

    def _gated(self, pod: Pod) -> None:
        self.api.change(pod, spec={"scheduling_gates": [core_v1.PodSchedulingGate(name="g")]})

    def _some(self, number: int) -> Pod | None:
        found = self.api.pods
        return found[number % len(found)] if found else None

    def _ungate(self, number: int) -> None:
        if (pod := self._some(number)) is not None:
            self.api.change(pod, spec={"scheduling_gates": []})

    def _relabel(self, number: int, labels: dict[str, str]) -> None:
        if (pod := self._some(number)) is not None:
            self.api.change(pod, meta={"labels": labels})

    def _tolerate(self, number: int) -> None:
        if (pod := self._some(number)) is not None:
            self.api.change(pod, spec={"tolerations": [*pod.spec.tolerations, core_v1.Toleration(operator="Exists")]})

    def _delete(self, number: int) -> None:
        pod = self._some(number)
        if pod is not None and pod.spec.node_name:
            self.api.change(pod, meta={"deletion_timestamp": NOW})
        elif pod is not None:
            self.api.remove(pod)

    def _finish(self, number: int) -> None:
        if (pod := self._some(number)) is not None and pod.spec.node_name:
            self.api.change(pod, status={"phase": "Succeeded"})

    def _nominate(self, number: int, node: str) -> None:
        """By somebody else, an autoscaler say; or withdrawn by it."""
        if (pod := self._some(number)) is not None and not pod.spec.node_name:
            self.api.change(pod, status={"nominated_node_name": node})

    def _kubelet(self) -> None:
        self.api.kubelet()

    def _outcome(self, outcome: str) -> None:
        self.api.outcomes.append(outcome)

    def _deliver(self, count: int) -> None:
        self.api.deliver(count)

    def _repeat(self, number: int) -> None:
        self.api.repeat(number)

    async def _advance(self, seconds: float) -> None:
        await self.clock.advance(seconds)

    async def rest(self) -> None:
        """Everything is told, victims go, back-offs end: but the five minutes after which all are tried anyway do not."""
        for _ in range(45):
            self.api.deliver()
            await self.clock.advance(1.0)
            self.api.kubelet()

    def check(self) -> None:
        truth, scheduler = self.api.picture(), self.scheduler
        known = pictured(scheduler.snapshot)
        there = {uid: pod.spec.node_name for uid, pod in truth.pods.items() if pod.spec.node_name in truth.nodes}
        assert {uid: pod.spec.node_name for uid, pod in known.pods.items()} == there
        nominated = [(other, name) for name in truth.nodes for other in scheduler.nominator.on(name)]
        for pod in self.api.pods:
            if pod.spec.node_name or pod.spec.scheduling_gates:
                continue
            state = scheduler.queue.state_of(pod.metadata.uid)
            assert state == "unschedulable", f"{pod.metadata.name} is {state}"
            assert not feasible(pod, truth, nominated), f"{pod.metadata.name} has been forgotten"
            assert not self._could_preempt(pod, truth, nominated), f"{pod.metadata.name} has not preempted"

    @staticmethod
    def _could_preempt(pod: Pod, truth: Picture, nominated: list[tuple[Pod, str]]) -> list[str]:
        """Nodes where it passes once the less important are gone.  Whom affinity draws cannot be helped so."""
        if terms(pod, "pod_affinity"):
            return []
        found = []
        for name, node in truth.nodes.items():
            gone = [other for other in truth.on(name) if priority(other) < priority(pod)]
            rivals = [placed(other, name) for other, where in nominated if where == name and priority(other) >= priority(pod) and other is not pod]
            rivals = [other for other in rivals if other.metadata.uid != pod.metadata.uid]
            if passes(pod, node, truth.with_pods((), gone)) and passes(pod, node, truth.with_pods(rivals, gone)):
                found.append(name)
        return found


async def live(first: list[Any], steps: list[tuple[Any, ...]], seed: int) -> FakeApi:
    life = Life(seed)
    running = asyncio.ensure_future(life.scheduler.run())
    try:
        for each in first:
            life.api.put(each)
        await life.clock.settle(60)
        for step in steps:
            waiting = life.step(*step)
            if waiting is not None:
                await waiting
            await life.clock.settle(30)
            assert not running.done()
        await life.rest()
        life.check()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return life.api


# Not shrunk: that takes minutes, and what is found is small as it is.
@settings(max_examples=120, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    st.lists(nodes(), min_size=3, max_size=5), st.lists(pods(), min_size=4, max_size=12), st.lists(operations, min_size=12, max_size=50), st.integers(0, 3),
)
def test_every_pod_that_can_be_placed_is(some: list[Any], first: list[Any], steps: list[tuple[Any, ...]], seed: int) -> None:
    """And each decision on the way is one of those that the rules allow."""
    with mock.patch.object(module, "schedule", Judge()) as judge:
        api = asyncio.run(live([*some, *first], steps, seed))
    assert not judge.wrong
    event(f"{min(4, sum(bool(each.spec.node_name) for each in api.pods))} Pods placed or more")
    event(f"{min(4, len(api.evicted))} Pods evicted or more")

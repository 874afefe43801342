"""The queue: order, back-off, hints, and what happens while a Pod is being tried."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec
import pytest
from scheduler_makers import Cluster, affinity, node, pod, spread

from wherry.api.types import core_v1, meta_v1
from wherry.api.volumes import Claim, Volume
from wherry.scheduler.framework import ASSIGNED_POD, NODE, Action, EventHint
from wherry.scheduler.queue import SchedulingQueue
from wherry.util.clock import FakeClock

HINTS = {"default-scheduler": {"Fit": (EventHint(ASSIGNED_POD, Action.DELETE), EventHint(NODE, Action.ADD, lambda pod, old, new: new == "big"))}}


def parked(queue: SchedulingQueue, refused_by: str = "Fit") -> core_v1.Pod:
    wanted = pod()
    queue.add(wanted)
    entry = queue.take()
    assert entry is not None
    queue.park(entry, frozenset({refused_by}))
    return wanted


def test_the_important_come_first_then_the_old() -> None:
    queue = SchedulingQueue(FakeClock())
    for each in (pod("a"), pod("b", priority=10), pod("c")):
        queue.add(each)
    assert [entry.pod.metadata.name for entry in iter(queue.take, None)] == ["b", "a", "c"]


async def test_a_pod_that_was_refused_is_behind_those_that_came_before_it_came_back() -> None:
    clock = FakeClock()
    queue = SchedulingQueue(clock, HINTS)
    queue.add(pod("old"))
    old = queue.take()
    assert old is not None
    await clock.advance(1)
    queue.add(pod("new"))
    await clock.advance(1)
    queue.park(old, frozenset({"Fit"}))
    queue.happened(ASSIGNED_POD, Action.DELETE, None, None)
    await clock.advance(1)
    task = asyncio.ensure_future(queue.run())
    await clock.advance(1)
    task.cancel()
    assert [entry.pod.metadata.name for entry in iter(queue.take, None)] == ["new", "old"]


EVENTS: dict[str, tuple[Any, Action, Any, str, str]] = {
    "an event that helps": (ASSIGNED_POD, Action.DELETE, None, "Fit", "backoff"),
    "another action": (ASSIGNED_POD, Action.ADD, None, "Fit", "unschedulable"),
    "another resource": (core_v1.PersistentVolume, Action.ADD, None, "Fit", "unschedulable"),
    "the hint says yes": (NODE, Action.ADD, "big", "Fit", "backoff"),
    "the hint says no": (NODE, Action.ADD, "small", "Fit", "unschedulable"),
    "one of several actions": (ASSIGNED_POD, Action.DELETE | Action.UPDATE_POD_LABEL, None, "Fit", "backoff"),
    "a plugin that does not say": (NODE, Action.ADD, "small", "Other", "backoff"),
}


@pytest.mark.parametrize(("resource", "action", "new", "plugin", "state"), EVENTS.values(), ids=EVENTS.keys())
@pytest.mark.parametrize("when", ["after", "meanwhile"])
def test_a_pod_wakes_only_for_what_can_help_it(resource: Any, action: Action, new: Any, plugin: str, state: str, when: str) -> None:
    queue = SchedulingQueue(FakeClock(), HINTS)
    if when == "after":
        wanted = parked(queue, plugin)
        queue.happened(resource, action, None, new)
    else:
        wanted = pod()
        queue.add(wanted)
        entry = queue.take()
        assert entry is not None
        queue.happened(resource, action, None, new)
        queue.park(entry, frozenset({plugin}))
    assert queue.state_of(wanted.metadata.uid) == state


def test_what_happens_is_kept_for_the_pods_that_are_being_tried_and_no_longer() -> None:
    queue = SchedulingQueue(FakeClock(), HINTS)
    queue.add(pod("a"))
    tried = queue.take()
    assert tried is not None
    queue.happened(ASSIGNED_POD, Action.DELETE, pod("first"), None)
    others = [pod(f"other-{number}") for number in range(100)]
    for each in others:
        queue.happened(ASSIGNED_POD, Action.ADD, None, each)
    kept = sum(sys.getrefcount(each) for each in others)
    queue.park(tried, frozenset({"Fit"}))
    assert queue.state_of(tried.pod.metadata.uid) == "backoff", "the first of them helps"
    queue.happened(ASSIGNED_POD, Action.ADD, None, pod("last"))
    assert sum(sys.getrefcount(each) for each in others) == kept - 100


async def test_back_off_doubles_up_to_its_limit() -> None:
    clock = FakeClock()
    queue = SchedulingQueue(clock, HINTS)
    task = asyncio.ensure_future(queue.run())
    queue.add(pod())
    entry = queue.take()
    assert entry is not None
    for seconds in (1, 2, 4, 8, 10, 10):
        queue.park(entry, frozenset(), retry=True)
        await clock.advance(seconds - 0.1)
        assert queue.take() is None
        await clock.advance(0.2)
        entry = queue.take()
        assert entry is not None, seconds
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_idle_scheduler_tries_a_refused_pod_after_a_tenth_of_its_back_off() -> None:
    clock = FakeClock()
    queue = SchedulingQueue(clock, HINTS)
    task = asyncio.ensure_future(queue.run())
    wanted = parked(queue)
    queue.happened(ASSIGNED_POD, Action.DELETE, None, None)
    await clock.advance(0.05)
    assert queue.take() is None
    await clock.advance(0.06)
    entry = queue.take()
    assert entry is not None
    assert entry.pod is wanted
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_busy_one_lets_it_wait() -> None:
    clock = FakeClock()
    queue = SchedulingQueue(clock, HINTS)
    task = asyncio.ensure_future(queue.run())
    wanted, other = parked(queue), pod()
    queue.happened(ASSIGNED_POD, Action.DELETE, None, None)
    queue.add(other)
    await clock.advance(0.9)
    assert queue.state_of(wanted.metadata.uid) == "backoff"
    entry = queue.take()
    assert entry is not None
    assert entry.pod is other
    queue.park(entry, frozenset({"Fit"}))
    assert queue.take() is None
    await clock.advance(0.01)
    assert queue.state_of(wanted.metadata.uid) == "active", "now there is nothing else to do"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_pod_is_not_woken_by_what_it_gave_back_itself() -> None:
    queue = SchedulingQueue(FakeClock(), HINTS)
    wanted, other = parked(queue), parked(queue)
    queue.happened(ASSIGNED_POD, Action.DELETE, wanted, None)
    assert queue.state_of(wanted.metadata.uid) == "unschedulable"
    assert queue.state_of(other.metadata.uid) == "backoff"


async def test_in_any_case_it_is_tried_again_after_five_minutes() -> None:
    clock = FakeClock()
    queue = SchedulingQueue(clock, HINTS)
    task = asyncio.ensure_future(queue.run())
    parked(queue)
    await clock.advance(290)
    assert queue.take() is None
    await clock.advance(40)
    assert queue.take() is not None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_gated_pod_waits_for_its_gates() -> None:
    queue = SchedulingQueue(FakeClock())
    gated = pod(schedulingGates=[{"name": "example.com/wait"}])
    queue.add(gated)
    assert queue.state_of(gated.metadata.uid) == "gated"
    assert queue.take() is None
    queue.add(msgspec.structs.replace(gated, spec=msgspec.structs.replace(gated.spec, scheduling_gates=[])))
    assert queue.take() is not None


def test_its_own_change_wakes_a_pod() -> None:
    hints = {name: {p.name: tuple(p.events()) for p in Cluster().profile.filters} for name in ("default-scheduler",)}
    queue = SchedulingQueue(FakeClock(), hints)
    wanted = parked(queue, "TaintToleration")
    queue.add(msgspec.structs.replace(wanted, status=core_v1.PodStatus(phase="Pending")))
    assert queue.state_of(wanted.metadata.uid) == "unschedulable"
    tolerant = msgspec.structs.replace(wanted.spec, tolerations=[core_v1.Toleration(operator="Exists")])
    queue.add(msgspec.structs.replace(wanted, spec=tolerant))
    assert queue.state_of(wanted.metadata.uid) == "backoff"


BIG, SMALL = node("n", cpu="8"), node("n", cpu="1")
X = {"app": "x"}
SPREAD, TAINTED = pod(topologySpreadConstraints=[spread("k", X)]), node("n", taints=[{"key": "t", "effect": "NoSchedule"}])


def going(other: core_v1.Pod) -> core_v1.Pod:
    return msgspec.structs.replace(other, metadata=msgspec.structs.replace(other.metadata, deletion_timestamp="2026-01-01T00:00:00Z"))


def zoned(zone: str, **labels: str) -> Volume:
    return Volume(metadata=meta_v1.ObjectMeta(name="pv", labels={"topology.kubernetes.io/zone": zone, **labels}))


HELPS: dict[str, tuple[str, core_v1.Pod, Any, Action, Any, Any, bool]] = {
    "a node large enough": ("NodeResourcesFit", pod(cpu="2"), NODE, Action.ADD, None, BIG, True),
    "a node too small": ("NodeResourcesFit", pod(cpu="2"), NODE, Action.ADD, None, SMALL, False),
    "a node that grew": ("NodeResourcesFit", pod(cpu="2"), NODE, Action.UPDATE_NODE_ALLOCATABLE, SMALL, BIG, True),
    "a node uncordoned": ("NodeUnschedulable", pod(), NODE, Action.UPDATE_NODE_TAINT, node("n", unschedulable=True), node("n"), True),
    "a node cordoned": ("NodeUnschedulable", pod(), NODE, Action.UPDATE_NODE_TAINT, node("n"), node("n", unschedulable=True), False),
    "a label that matches": ("NodeAffinity", pod(nodeSelector={"a": "b"}), NODE, Action.UPDATE_NODE_LABEL, node("n"), node("n", labels={"a": "b"}), True),
    "a label that does not": ("NodeAffinity", pod(nodeSelector={"a": "b"}), NODE, Action.UPDATE_NODE_LABEL, node("n"), node("n", labels={"a": "c"}), False),
    "its port is freed": (
        "NodePorts", pod(ports=[{"hostPort": 80}]), ASSIGNED_POD, Action.DELETE, pod(on="n", ports=[{"hostPort": 80}]), None, True,
    ),
    "another port is freed": (
        "NodePorts", pod(ports=[{"hostPort": 80}]), ASSIGNED_POD, Action.DELETE, pod(on="n", ports=[{"hostPort": 81}]), None, False,
    ),
    "a friend comes": ("InterPodAffinity", pod(affinity=affinity("podAffinity", "k", X)), ASSIGNED_POD, Action.ADD, None, pod(labels=X), True),
    "a stranger comes": ("InterPodAffinity", pod(affinity=affinity("podAffinity", "k", X)), ASSIGNED_POD, Action.ADD, None, pod(), False),
    "an enemy goes": ("InterPodAffinity", pod(affinity=affinity("podAntiAffinity", "k", X)), ASSIGNED_POD, Action.DELETE, pod(labels=X), None, True),
    "one that kept it away goes": (
        "InterPodAffinity", pod(labels=X), ASSIGNED_POD, Action.DELETE, pod(affinity=affinity("podAntiAffinity", "k", X)), None, True,
    ),
    "the last friend goes and it is its own kind": (
        "InterPodAffinity", pod(labels=X, affinity=affinity("podAffinity", "k", X)), ASSIGNED_POD, Action.DELETE, pod(labels=X), None, True,
    ),
    "a friend goes": ("InterPodAffinity", pod(affinity=affinity("podAffinity", "k", X)), ASSIGNED_POD, Action.DELETE, pod(labels=X), None, False),
    "its volumes may be free": (
        "VolumeBinding", pod(), ASSIGNED_POD, Action.DELETE, pod(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]), None, True,
    ),
    "one of its kind goes": ("PodTopologySpread", pod(topologySpreadConstraints=[spread("k", X)]), ASSIGNED_POD, Action.DELETE, pod(labels=X), None, True),
    "one of its kind that was on its way out is gone": (
        "PodTopologySpread", pod(topologySpreadConstraints=[spread("k", X)]), ASSIGNED_POD, Action.DELETE, going(pod(labels=X)), None, False,
    ),
    "one of its kind is on its way out": (
        "PodTopologySpread", pod(topologySpreadConstraints=[spread("k", X)]), ASSIGNED_POD, Action.UPDATE_POD_LABEL, pod(labels=X),
        going(pod(labels=X)), True,
    ),
    "one becomes of its kind": (
        "PodTopologySpread", pod(topologySpreadConstraints=[spread("k", X)]), ASSIGNED_POD, Action.UPDATE_POD_LABEL, pod(), pod(labels=X), True,
    ),
    "one of its kind gets another label": (
        "PodTopologySpread", pod(topologySpreadConstraints=[spread("k", X)]), ASSIGNED_POD, Action.UPDATE_POD_LABEL, pod(labels=X),
        pod(labels={**X, "y": "z"}), False,
    ),
    "a node of its domains": ("PodTopologySpread", SPREAD, NODE, Action.ADD, None, node("n", labels={"k": "1"}), True),
    "a node of no domain": ("PodTopologySpread", SPREAD, NODE, Action.ADD, None, node("n"), False),
    "a node of its domains goes": ("PodTopologySpread", SPREAD, NODE, Action.DELETE, node("n", labels={"k": "1"}), None, True),
    "a node leaves its domain": ("PodTopologySpread", SPREAD, NODE, Action.UPDATE_NODE_LABEL, node("n", labels={"k": "1"}), node("n"), True),
    "a node moves": (
        "PodTopologySpread", SPREAD, NODE, Action.UPDATE_NODE_LABEL, node("n", labels={"k": "1"}), node("n", labels={"k": "2"}), True,
    ),
    "a node gets another label": (
        "PodTopologySpread", SPREAD, NODE, Action.UPDATE_NODE_LABEL, node("n", labels={"k": "1"}), node("n", labels={"k": "1", "x": "y"}), False,
    ),
    "a node of its domains is tainted": (
        "PodTopologySpread", SPREAD, NODE, Action.UPDATE_NODE_TAINT, node("n", labels={"k": "1"}),
        node("n", labels={"k": "1"}, taints=[{"key": "t", "effect": "NoSchedule"}]), True,
    ),
    "a node that it may not go to leaves its domains": (
        "PodTopologySpread", pod(topologySpreadConstraints=[spread("k", X)], nodeSelector={"pool": "p"}), NODE, Action.UPDATE_NODE_LABEL,
        node("n", labels={"k": "1", "pool": "p"}), node("n", labels={"k": "1"}), True,
    ),
    "another asks for less CPU": ("NodeResourcesFit", pod(cpu="2"), ASSIGNED_POD, Action.UPDATE_POD_SCALE_DOWN, pod(cpu="2"), pod(cpu="1"), True),
    "another asks for less of what it does not want": (
        "NodeResourcesFit", pod(cpu="2"), ASSIGNED_POD, Action.UPDATE_POD_SCALE_DOWN, pod(cpu="1", memory="2Gi"), pod(cpu="1", memory="1Gi"), False,
    ),
    "a taint goes": ("TaintToleration", pod(), NODE, Action.UPDATE_NODE_TAINT, TAINTED, node("n"), True),
    "another node's taints were none of its": ("TaintToleration", pod(), NODE, Action.UPDATE_NODE_TAINT, node("n"), node("n"), False),
    "the cordon was none": ("NodeUnschedulable", pod(), NODE, Action.UPDATE_NODE_TAINT, TAINTED, node("n"), False),
    "the volume moves": ("VolumeZone", pod(), Volume, Action.UPDATE, zoned("a"), zoned("b"), True),
    "the volume stays": ("VolumeZone", pod(), Volume, Action.UPDATE, zoned("a"), zoned("a", other="x"), False),
    "another's claim": ("VolumeZone", pod(), Claim, Action.ADD, None, Claim(metadata=meta_v1.ObjectMeta(name="c", namespace="default")), False),
    "one of another kind goes": ("PodTopologySpread", pod(topologySpreadConstraints=[spread("k", X)]), ASSIGNED_POD, Action.DELETE, pod(), None, False),
}


@pytest.mark.parametrize(("plugin", "waiting", "resource", "action", "old", "new", "helps"), HELPS.values(), ids=HELPS.keys())
def test_each_plugin_says_which_events_help(
    plugin: str, waiting: core_v1.Pod, resource: Any, action: Action, old: Any, new: Any, helps: bool
) -> None:
    hints = [hint for each in Cluster().profile.filters if each.name == plugin for hint in each.events()]
    asked = [hint.hint(waiting, old, new) for hint in hints if hint.resource == resource and hint.actions & action]
    assert any(asked) is helps


@pytest.mark.parametrize("jump", [pytest.param(3600, id="an hour forwards"), pytest.param(-3600, id="an hour backwards")])
async def test_a_clock_that_is_set_makes_no_back_off_shorter_or_longer(jump: float) -> None:
    clock = FakeClock()
    queue = SchedulingQueue(clock, HINTS)
    running = asyncio.create_task(queue.run())
    wanted = pod()
    queue.add(wanted)
    entry = queue.take()
    assert entry is not None
    queue.park(entry, frozenset(), retry=True)
    await clock.advance(0.5)
    clock.jump(jump)
    await clock.advance(0.4)
    assert queue.state_of(wanted.metadata.uid) == "backoff"
    await clock.advance(0.2)
    assert queue.state_of(wanted.metadata.uid) == "active"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

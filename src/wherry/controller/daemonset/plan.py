"""Where a DaemonSet needs Pods, which must go, how far a rollout may go now, and its status.  Pure.

Behaviour: kubernetes.io/docs/concepts/workloads/controllers/daemonset and
kubernetes.io/docs/tasks/manage-daemon/update-daemon-set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wherry.api.types import apps_v1, core_v1
from wherry.controller.daemonset.nodes import Fit, fit, is_updated, node_of
from wherry.controller.intstr import scaled
from wherry.controller.podutil import available_in, created, is_active, is_available, is_ready, is_terminal

BURST = 250  # Pods created or deleted at a time
KEEP = frozenset({"currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"})
Event = tuple[str, str, str]  # type, reason, message


@dataclass(slots=True)
class Plan:
    create: list[str] = field(default_factory=list)  # nodes
    delete: list[core_v1.Pod] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)  # nodes whose failed Pod is deleted: the next failure waits longer
    events: list[Event] = field(default_factory=list)
    requeue_after: float | None = None

    def wait(self, seconds: float) -> None:
        self.requeue_after = seconds if self.requeue_after is None else min(self.requeue_after, seconds)


@dataclass(slots=True)
class Layout:
    """The Pods by node, and what each node is for the DaemonSet."""

    ds: apps_v1.DaemonSet
    digest: str  # of the newest revision
    now: float
    fits: dict[str, Fit]
    pods: dict[str, list[core_v1.Pod]]  # bound ones first, then the oldest; of nodes that do not exist too

    @classmethod
    def of(
        cls, ds: apps_v1.DaemonSet, digest: str, pods: Iterable[core_v1.Pod], nodes: Iterable[core_v1.Node], now: float,
    ) -> Layout:
        """A Pod that has ended and is going takes no place, however long a finalizer holds it."""
        by_node: dict[str, list[core_v1.Pod]] = {}
        for pod in sorted(pods, key=lambda pod: (not pod.spec.node_name, created(pod), pod.metadata.name)):
            node = node_of(pod)
            if node and not (is_terminal(pod) and pod.metadata.deletion_timestamp is not None):
                by_node.setdefault(node, []).append(pod)
        return cls(ds, digest, now, {node.metadata.name: fit(ds, node) for node in nodes}, by_node)

    @property
    def desired(self) -> list[str]:
        return [node for node, each in self.fits.items() if each.run]

    @property
    def places(self) -> list[str]:
        """Where a Pod is or belongs."""
        return [*self.desired, *(node for node in self.pods if node not in self.fits or not self.fits[node].run)]

    def is_available(self, pod: core_v1.Pod) -> bool:
        return is_available(pod, self.ds.spec.min_ready_seconds or 0, self.now)

    def is_updated(self, pod: core_v1.Pod) -> bool:
        return is_updated(self.ds, pod, self.digest)

    def running(self, node: str) -> list[core_v1.Pod]:
        return [pod for pod in self.pods.get(node, ()) if is_active(pod)]

    def split(self, node: str) -> tuple[list[core_v1.Pod], list[core_v1.Pod]]:
        """The node's Pods of the newest revision and the others, but for those that are going."""
        staying = [pod for pod in self.pods.get(node, ()) if pod.metadata.deletion_timestamp is None]
        return [pod for pod in staying if self.is_updated(pod)], [pod for pod in staying if not self.is_updated(pod)]


def bounds(ds: apps_v1.DaemonSet, desired: int) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) of a rolling update, percentages of the desired number rounded up."""
    rolling = ds.spec.update_strategy.rolling_update or apps_v1.RollingUpdateDaemonSet()
    surge = scaled(rolling.max_surge, desired, True, 0)
    unavailable = scaled(rolling.max_unavailable, desired, True, 1)
    return surge, 1 if surge == 0 and unavailable == 0 else unavailable


def is_rolling(ds: apps_v1.DaemonSet) -> bool:
    return ds.spec.update_strategy.type == "RollingUpdate"


def surges(ds: apps_v1.DaemonSet) -> bool:
    return is_rolling(ds) and bounds(ds, 100)[0] > 0


def plan(layout: Layout, backoff: Mapping[str, float]) -> Plan:
    """`backoff`: seconds that a node's failed Pod is still to be left, so that it is not replaced in a loop."""
    result = Plan()
    for node, each in layout.fits.items():
        _manage_node(layout, node, each, backoff, result)
    for node, pods in layout.pods.items():
        if node not in layout.fits:  # gone: Pods that were never bound are nobody else's to delete
            result.delete += [pod for pod in pods if not pod.spec.node_name and pod.metadata.deletion_timestamp is None]
    if not result.create and not result.delete and is_rolling(layout.ds):
        surge, unavailable = bounds(layout.ds, len(layout.desired))
        if surge:
            _roll_with_surge(layout, surge, result)
        else:
            _roll(layout, unavailable, result)
    result.create, result.delete = result.create[:BURST], result.delete[:BURST]
    return result


def _manage_node(layout: Layout, node: str, each: Fit, backoff: Mapping[str, float], result: Plan) -> None:
    pods = layout.pods.get(node, [])
    if not pods:
        if each.run:
            result.create.append(node)
        return
    if not each.keep:
        result.delete += [pod for pod in pods if pod.metadata.deletion_timestamp is None]
        return
    for pod in pods:
        if pod.metadata.deletion_timestamp is None and pod.status.phase in ("Failed", "Succeeded"):
            _replace_ended(node, pod, backoff, result)
    running = layout.running(node)
    if not surges(layout.ds):
        result.delete += running[1:]
    elif running:
        result.delete += _surplus_with_surge(layout, running)
    elif each.run:
        result.create.append(node)  # beside one that is going


def _replace_ended(node: str, pod: core_v1.Pod, backoff: Mapping[str, float], result: Plan) -> None:
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    if pod.status.phase == "Succeeded":
        message = f"Found succeeded daemon pod {name} on node {node}, will try to delete it"
        result.events.append(("Normal", "SucceededDaemonPod", message))
    elif backoff.get(node, 0) > 0:
        result.wait(backoff[node])
        return
    else:
        result.failed.append(node)
        result.events.append(("Warning", "FailedDaemonPod", f"Found failed daemon pod {name} on node {node}, will try to kill it"))
    result.delete.append(pod)


def _surplus_with_surge(layout: Layout, running: list[core_v1.Pod]) -> list[core_v1.Pod]:
    """One old and one new Pod may be side by side; the old one goes once the new is available, or when it is no use."""
    new = [pod for pod in running if layout.is_updated(pod)]
    old = [pod for pod in running if not layout.is_updated(pod)]
    extra = new[1:] + old[1:]
    if new and old and (layout.is_available(new[0]) or not is_ready(old[0])):
        extra.append(old[0])
    return extra


def _roll(layout: Layout, most: int, result: Plan) -> None:
    """Delete old Pods: what is unavailable at once, of the others as many as may become so.

    Pods on nodes that are closed to new ones go as well; nothing takes their place.
    """
    unavailable, useless, candidates = 0, list[core_v1.Pod](), list[core_v1.Pod]()
    for node in layout.places:
        new, old = layout.split(node)
        if len(new) + len(old) != 1:
            unavailable += 1
        elif new:
            unavailable += not layout.is_available(new[0])
        elif layout.is_available(old[0]):
            candidates.append(old[0])
        else:
            unavailable += 1
            useless.append(old[0])
    result.delete += useless + candidates[:max(0, most - unavailable)]


def _roll_with_surge(layout: Layout, most: int, result: Plan) -> None:
    """Create new Pods beside the old: at once where the old is unavailable, elsewhere as many as may be extra.

    Old Pods on nodes that are closed to new ones go when as many serve as should, or when they do not serve.
    """
    surging, available, useless, candidates, closed = 0, 0, list[str](), list[str](), list[core_v1.Pod]()
    for node in layout.places:
        new, old = layout.split(node)
        if len(new) > 1 or len(old) > 1:
            surging += 1
            continue
        available += any(map(layout.is_available, old or new))
        if new and old:
            if layout.is_available(new[0]):
                result.delete += old
            else:
                surging += 1
        elif old and (node not in layout.fits or not layout.fits[node].run):
            if layout.is_available(old[0]):
                closed += old
            else:
                result.delete += old
        elif old:
            (candidates if layout.is_available(old[0]) else useless).append(node)
    result.delete += closed[:max(0, available - len(layout.desired))]
    result.create += useless + candidates[:max(0, most - surging)]


def status(layout: Layout, settled: bool = True) -> dict[str, Any]:
    """Not `settled`: the newest generation was looked at, and nothing was done about it yet."""
    ds, desired = layout.ds, layout.desired
    first = {node: pods[0] for node, pods in layout.pods.items() if node in layout.fits}
    on = [first[node] for node in desired if node in first]
    available = sum(map(layout.is_available, on))
    observed = ds.metadata.generation if settled else ds.status.observed_generation
    return {
        "currentNumberScheduled": len(on), "desiredNumberScheduled": len(desired),
        "numberMisscheduled": sum(not layout.fits[node].run for node in first),
        "numberReady": sum(map(is_ready, on)), "numberAvailable": available, "numberUnavailable": len(desired) - available,
        "updatedNumberScheduled": sum(map(layout.is_updated, on)), "observedGeneration": observed or 0,
        "collisionCount": ds.status.collision_count,
    }


def next_check(layout: Layout, pods: Sequence[core_v1.Pod]) -> float | None:
    """Seconds until the next ready Pod becomes available by time alone."""
    least = layout.ds.spec.min_ready_seconds or 0
    waits = (available_in(pod, least, layout.now) for pod in pods if is_active(pod))
    return min((wait for wait in waits if wait is not None and wait > 0), default=None)

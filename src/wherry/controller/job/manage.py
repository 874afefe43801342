"""How many Pods a Job should have now, and which.  Pure.

https://kubernetes.io/docs/concepts/workloads/controllers/job/#parallel-jobs
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from wherry.api.types import core_v1
from wherry.controller.job import model as m
from wherry.controller.job.backoff import remaining
from wherry.controller.job.failurepolicy import judge
from wherry.controller.job.tally import Observed, Tally
from wherry.controller.replicaset.plan import Cheapest

BURST = 500  # Pods created or deleted at a time


@dataclass(frozen=True, slots=True)
class NewPod:
    """A Pod to create; `failures` are its index's so far, for Jobs that count them there."""

    index: int | None = None
    failures: int | None = None
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """Pods to delete or to create, never both: what is created must not depend on a deletion that may fail."""

    delete: list[core_v1.Pod] = field(default_factory=list)
    create: list[NewPod] = field(default_factory=list)
    requeue_after: float | None = None


def manage(o: Observed, t: Tally) -> Change:
    """For a Job that goes on: bring its active Pods to their number."""
    active = len(t.active)
    if m.is_suspended(o.job):
        return Change(delete=t.active[:BURST])
    terminating = len(t.terminating) if m.replaces_failed_only(o.job) else 0
    want = wanted_active(o, t)
    surplus = _surplus(o, t.active, max(0, active - want))
    if surplus:
        return Change(delete=surplus[:BURST])
    missing = min(want - terminating - active, BURST)
    if missing <= 0:
        return Change()
    if m.counts_per_index(o.job):
        return _create_per_index(o, t, missing)
    wait = t.backoff.remaining(o.now)
    if wait > 0:
        return Change(requeue_after=wait)
    if m.is_indexed(o.job):
        return Change(create=[NewPod(index) for index in _pending(o, t, missing)])
    return Change(create=[NewPod()] * missing)


def wanted_active(o: Observed, t: Tally) -> int:
    completions = o.job.spec.completions
    if completions is None:  # a work queue: after the first success nothing new starts, and what runs may end
        return len(t.active) if t.succeeded else m.parallelism(o.job)
    return max(0, min(completions - t.succeeded, m.parallelism(o.job)))


def _surplus(o: Observed, active: list[core_v1.Pod], at_least: int) -> list[core_v1.Pod]:
    """Pods whose index is none or taken, and more until they are `at_least` so many."""
    if not m.is_indexed(o.job):
        return _cheapest(active, at_least, o.now) if at_least else []
    by_index: defaultdict[int, list[core_v1.Pod]] = defaultdict(list)
    surplus: list[core_v1.Pod] = []
    for pod in active:
        index = m.valid_index(pod, o.job)
        if index is None:
            surplus.append(pod)
        else:
            by_index[index].append(pod)
    single: list[core_v1.Pod] = []
    for pods in by_index.values():
        extra = _cheapest(pods, len(pods) - 1, o.now) if len(pods) > 1 else []
        surplus += extra
        single += [pod for pod in pods if pod not in extra]
    more = at_least - len(surplus)
    return surplus + (_cheapest(single, more, o.now) if more > 0 else [])


def _cheapest(pods: list[core_v1.Pod], count: int, now: float) -> list[core_v1.Pod]:
    return Cheapest(count, Counter(), now).add(pods).pods


def _free_indexes(o: Observed, t: Tally) -> Iterator[int]:
    """Indexes that have neither ended nor a Pod, in order."""
    taken: set[int | None] = {*t.succeeded_indexes, *t.failed_indexes, *map(m.index_of, t.active)}
    if m.replaces_failed_only(o.job):
        taken.update(map(m.index_of, t.terminating))
    return (index for index in range(o.job.spec.completions or 0) if index not in taken)


def _pending(o: Observed, t: Tally, count: int) -> list[int]:
    return [index for index, _ in zip(_free_indexes(o, t), range(count), strict=False)]


def _create_per_index(o: Observed, t: Tally, count: int) -> Change:
    """Every index waits for itself, and its failures go with it from Pod to Pod."""
    create: list[NewPod] = []
    waits: list[float] = []
    for index in _free_indexes(o, t):
        if len(create) >= count:
            break
        last = t.last_failed.get(index)
        if last is None:
            create.append(NewPod(index, 0))
            continue
        failures, ignored = _next_counts(o, last)
        wait = remaining(failures + ignored, t.backoff.since(last), o.now)
        if wait > 0:
            waits.append(wait)
        else:
            create.append(NewPod(index, failures, ignored))
    return Change(create=create, requeue_after=min(waits, default=None))


def _next_counts(o: Observed, last: core_v1.Pod) -> tuple[int, int]:
    counts = judge(o.job.spec.pod_failure_policy, last).counts
    failures, ignored = m.count_annotation(last, m.FAILURES), m.count_annotation(last, m.IGNORED)
    return failures + counts, ignored + (not counts)


"""One sync of a Job, as a coroutine of pure decisions: it yields actions and is sent what came of them.

The order of the actions is what makes counting exact (see `tally`), so it stands here and is tested
here, with a world that fails between any two of them; the executor only does as it is told.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wherry.api.types import core_v1
from wherry.controller.job import indexes
from wherry.controller.job import model as m
from wherry.controller.job.failurepolicy import judge
from wherry.controller.job.manage import Change, NewPod, manage
from wherry.controller.job.tally import Observed, Tally, tally
from wherry.controller.podutil import is_ready
from wherry.util.clock import parse_rfc3339, rfc3339

MAX_UNCOUNTED = 500
Event = tuple[str, str, str]  # type, reason, message


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete Pods; `strip` takes their finalizers off first, so that they are not counted.  Sent back: the uids deleted."""

    pods: list[core_v1.Pod]
    strip: bool


@dataclass(frozen=True, slots=True)
class Create:
    """Create Pods.  Sent back: how many were."""

    pods: list[NewPod]


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Write the status, only if the Job is unchanged since it was seen; then tell the events.  A failure ends the sync."""

    status: dict[str, Any]
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Strip:
    """Take finalizers off Pods that the status tells of.  Sent back: the uids of those that bear none now."""

    pods: list[core_v1.Pod]


Action = Delete | Create | WriteStatus | Strip


@dataclass(slots=True)
class Status:
    """The Job's status in the making."""

    active: int
    ready: int
    terminating: int
    succeeded: int
    failed: int
    start_time: str | None
    completion_time: str | None
    conditions: list[m.Condition]
    completed_indexes: str
    failed_indexes: str
    uncounted_succeeded: list[str]
    uncounted_failed: list[str]

    @classmethod
    def of(cls, o: Observed, t: Tally) -> Status:
        old = o.job.status
        uncounted = old.uncounted_terminated_pods
        return cls(
            active=len(t.active), ready=t.ready, terminating=len(t.terminating), succeeded=old.succeeded or 0,
            failed=old.failed or 0, start_time=old.start_time, completion_time=old.completion_time,
            conditions=[msgspec.to_builtins(each) for each in old.conditions], completed_indexes=old.completed_indexes,
            failed_indexes=old.failed_indexes, uncounted_succeeded=list(uncounted.succeeded) if uncounted else [],
            uncounted_failed=list(uncounted.failed) if uncounted else [],
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "active": self.active, "ready": self.ready, "terminating": self.terminating, "succeeded": self.succeeded,
            "failed": self.failed, "startTime": self.start_time, "completionTime": self.completion_time,
            "conditions": [dict(each) for each in self.conditions], "completedIndexes": self.completed_indexes,
            "failedIndexes": self.failed_indexes,
            "uncountedTerminatedPods": {"succeeded": list(self.uncounted_succeeded), "failed": list(self.uncounted_failed)},
        }

    def has(self, type_: str) -> bool:
        return any(each["type"] == type_ and each["status"] == "True" for each in self.conditions)

    def count_stripped(self, tracked: set[str], indexed: bool) -> None:
        """Uids whose Pods bear no finalizer any more become numbers."""
        if not indexed:
            self.succeeded += sum(uid not in tracked for uid in self.uncounted_succeeded)
        self.failed += sum(uid not in tracked for uid in self.uncounted_failed)
        self.uncounted_succeeded = [uid for uid in self.uncounted_succeeded if uid in tracked]
        self.uncounted_failed = [uid for uid in self.uncounted_failed if uid in tracked]


Sync = Generator[Action, Any, float | None]


def sync(o: Observed, t: Tally | None = None) -> Sync:
    """Bring a Job that has not finished a step on.  Returns seconds until it is to be looked at again, if it is."""
    t = t or tally(o)
    status, events = Status.of(o, t), list[Event]()
    if status.start_time is None and not m.is_suspended(o.job):
        status.start_time = rfc3339(o.now)
    change = Change()
    if t.verdict is not None:
        verdict = yield from _stop(o, t, status)
    else:
        managing = o.settled and o.job.metadata.deletion_timestamp is None
        if managing:
            change = manage(o, t)
            yield from _carry_out(change, t, status)
        verdict = _completed(o, t, status)
        if verdict is None and managing:
            _note_suspension(o, status, events)
    yield from _count(o, t, status, verdict, events)
    waits = (change.requeue_after, None if verdict is not None else _deadline_in(o, status))
    return min((wait for wait in waits if wait is not None), default=None)


def _deadline_in(o: Observed, status: Status) -> float | None:
    """As the status stands now, which may have started the time in this very sync."""
    limit = o.job.spec.active_deadline_seconds
    if limit is None or status.start_time is None or m.is_suspended(o.job):
        return None
    return max(0.0, parse_rfc3339(status.start_time) + limit - o.now)


def _stop(o: Observed, t: Tally, status: Status) -> Generator[Action, Any, m.Condition | None]:
    """End what runs.  The Job cannot be declared finished while a Pod of it may run that nobody asked to end."""
    deleted: set[str] = (yield Delete(t.active, strip=False)) if t.active else set()
    _forget(status, t, deleted)
    return t.verdict if len(deleted) == len(t.active) and o.settled else None


def _carry_out(change: Change, t: Tally, status: Status) -> Generator[Action, Any, None]:
    if change.delete:
        _forget(status, t, (yield Delete(change.delete, strip=True)))
    if change.create:
        status.active += yield Create(change.create)


def _forget(status: Status, t: Tally, deleted: set[str]) -> None:
    gone = [pod for pod in t.active if pod.metadata.uid in deleted]
    status.active -= len(gone)
    status.terminating += len(gone)
    status.ready -= sum(map(is_ready, gone))


def _completed(o: Observed, t: Tally, status: Status) -> m.Condition | None:
    completions = o.job.spec.completions
    enough = t.succeeded > 0 if completions is None else t.succeeded >= completions
    if not enough or status.active or not o.settled:
        return None
    return m.make_condition(m.SUCCESS_CRITERIA_MET, "CompletionsReached", "Reached expected number of succeeded pods", o.now)


def _note_suspension(o: Observed, status: Status, events: list[Event]) -> None:
    """A Job that rests has no start, and starts its time anew when it goes on; one that was never suspended has no such condition."""
    current = next((each for each in status.conditions if each["type"] == m.SUSPENDED), None)
    suspended = m.is_suspended(o.job)
    if (current is None and not suspended) or (current is not None and (current["status"] == "True") == suspended):
        return
    word = "Suspended" if suspended else "Resumed"
    fresh = m.make_condition(m.SUSPENDED, f"Job{word}", f"Job {word.lower()}", o.now, "True" if suspended else "False")
    status.conditions = [fresh if each is current else each for each in status.conditions] or [fresh]
    if current is None and fresh not in status.conditions:
        status.conditions.append(fresh)
    events.append(("Normal", word, f"Job {word.lower()}"))
    status.start_time = None if suspended else rfc3339(o.now)


def _count(o: Observed, t: Tally, status: Status, verdict: m.Condition | None, events: list[Event]) -> Generator[Action, Any, None]:
    """Count what has ended: first into the status, then off with the finalizers, then the sums."""
    tracked = {pod.metadata.uid for pod in o.pods if o.is_tracked(pod)}
    indexed = m.is_indexed(o.job)
    status.count_stripped(tracked, indexed)
    strip, capped = _count_new(o, t, status, verdict)
    if verdict is not None and not status.has(verdict["type"]):
        status.conditions.append(verdict)
    before = status.as_dict()
    yield WriteStatus(before, events)
    if strip:
        tracked -= yield Strip(strip)
        status.count_stripped(tracked, indexed)
    finish = [] if verdict is None or capped else _finish(o, status, verdict)
    if finish or status.as_dict() != before:
        yield WriteStatus(status.as_dict(), finish)


def _count_new(o: Observed, t: Tally, status: Status, verdict: m.Condition | None) -> tuple[list[core_v1.Pod], bool]:
    """Note what has ended; gives the Pods whose finalizers may go, and whether there are more than can be noted at once."""
    strip: list[core_v1.Pod] = []
    job, indexed = o.job, m.is_indexed(o.job)
    failing = verdict is not None and verdict["type"] == m.FAILURE_TARGET
    noted, done = {*status.uncounted_succeeded, *status.uncounted_failed}, set(t.counted_indexes)
    capped, new_indexes = False, 0
    for pod in sorted(o.pods, key=lambda pod: m.index_of(pod) or 0) if indexed else o.pods:
        uid, index = pod.metadata.uid, m.valid_index(pod, job) if indexed else None
        failed = m.is_failed(pod, job)
        ended = failed or pod.status.phase == "Succeeded" or verdict is not None or job.metadata.deletion_timestamp is not None
        awaits = index is not None and verdict is None and _is(t.last_failed.get(index), pod)
        if not o.is_tracked(pod) or not ended or (awaits and job.metadata.deletion_timestamp is None):
            continue
        strip.append(pod)
        if uid not in noted and (index is not None or not indexed):
            if pod.status.phase == "Succeeded":
                if index is None:
                    status.uncounted_succeeded.append(uid)
                elif index not in done:
                    done.add(index)
                    new_indexes += 1
            elif (failed or failing) and judge(job.spec.pod_failure_policy, pod).counts:
                status.uncounted_failed.append(uid)
        if new_indexes + len(status.uncounted_succeeded) + len(status.uncounted_failed) >= MAX_UNCOUNTED:
            capped = True
            break
    if indexed:
        status.completed_indexes, status.succeeded = indexes.render(done), len(done)
        status.failed_indexes = indexes.render(t.failed_indexes)
    return strip, capped


def _is(one: core_v1.Pod | None, other: core_v1.Pod) -> bool:
    return one is not None and one.metadata.uid == other.metadata.uid


def _finish(o: Observed, status: Status, verdict: m.Condition) -> list[Event]:
    """Declare the Job finished, once all its Pods have ended and are counted; the events that tell of it."""
    if status.terminating or status.uncounted_succeeded or status.uncounted_failed:
        return []
    succeeded = verdict["type"] == m.SUCCESS_CRITERIA_MET
    final = m.make_condition(m.COMPLETE if succeeded else m.FAILED, verdict["reason"], verdict["message"], o.now)
    status.conditions.append(final)
    if status.start_time is None and o.job.spec.completions != 0:  # it was suspended before the end was seen
        status.start_time = final["lastTransitionTime"]
    if not succeeded:
        return [("Warning", verdict["reason"], verdict["message"])]
    status.completion_time = final["lastTransitionTime"]
    events = [("Normal", "Completed", "Job completed")]
    if o.job.spec.completions is not None and status.succeeded > o.job.spec.completions:
        events.insert(0, ("Warning", "TooManySucceededPods", "Too many succeeded pods running after completion count reached"))
    return events

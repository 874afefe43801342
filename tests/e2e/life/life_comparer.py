"""Holds two recordings of the scenario against each other: pure, from two recordings to the differences between them.

Every leaf of every object is an aspect (a condition and a container's state are one each): the sequence of its distinct values,
with how long each stood.  Aspects are compared one by one, so that the order of two independent things is held against nobody, and
the order within one thing is.

What is let pass, and nothing else:

- *A passing state.*  A value that stood shorter than `PASSING` seconds may be missing on the other side: upstream's kubelet looks at
  its containers once a second, controllers fold what happened meanwhile, and forty containers that start at once on two cores
  spread over seconds what otherwise happens at once.  The last value never passes.
- *Back-off.*  Upstream stretches every wait by up to a half, at random, so that one side may be a run ahead when the recording
  ends; and its status says CrashLoopBackOff at its next look, which may be when the wait is over, where wherry's says it after a
  second (as the documentation has it: while the delay is in effect).  The containers and conditions of a Pod with a container that
  has ended three times, or that cannot have its image, are compared as far as both go.
- *What repeats.*  An event that repeats by the clock (probes, back-off, retries) must be told on both sides; how often, only roughly,
  and not at all for warnings of an object that has had as many as are let through.
- *A round that was under way.*  A warning that is told once, of an object whose deletion has begun, is of a round that had begun
  before: the other side may have come to its end first.  So is the end of a container that ends again and again by itself: the
  deletion may find it running or not.
- *Siblings.*  Pods of one owner differ in nothing but their order; they are paired as they are most alike.
- *Events of one object* are in order for each reporter and container; two reporters may overtake one another.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from life_normal import Names, flatten

Json = dict[str, Any]
Recording = dict[str, Any]
Sequence = list[tuple[Any, float]]  # a value, and how long it stood
Lives = dict[str, dict[str, Sequence]]  # object -> aspect -> sequence

PASSING = 3.5
RESOURCES = ("pods", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs", "endpointslices")
VARYING = (".metadata.uid", ".metadata.managedFields")
WARNINGS = 25  # of one object: the rest is dropped
CYCLE = 3  # restarts from which on a container is in back-off


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """Where, and what each side has."""

    resource: str
    name: str
    aspect: str
    upstream: str
    ours: str

    def __str__(self) -> str:
        return f"{self.resource} {self.name} {self.aspect}\n    upstream: {self.upstream}\n    ours:     {self.ours}"


def compare(upstream: Recording, ours: Recording, resources: Iterable[str] = RESOURCES) -> list[Difference]:
    """All differences of objects and events (kubectl's output: `life_kubectl`)."""
    names, our_names = Names(upstream), Names(ours)
    found: list[Difference] = []
    for resource in resources:
        theirs, mine = lives(resource, upstream[resource], names), lives(resource, ours[resource], our_names)
        events, our_events = (
            told(side["events"], names_, objects, marks(side[resource], names_))
            for side, names_, objects in ((upstream, names, theirs), (ours, our_names, mine))
        )
        for group in sorted({*map(names.groups.get, theirs), *map(our_names.groups.get, mine)} - {None}, key=str):
            left = [name for name in theirs if names.groups.get(name) == group]
            right = [name for name in mine if our_names.groups.get(name) == group]
            found += _siblings(resource, str(group), [(theirs.pop(n), events[n]) for n in left], [(mine.pop(n), our_events[n]) for n in right])
        for name in sorted({*theirs, *mine}):
            if name not in theirs or name not in mine:
                found.append(Difference(resource, name, "exists", str(name in theirs), str(name in mine)))
                continue
            found += _one(resource, name, (theirs[name], events[name]), (mine[name], our_events[name]))
    return found


Told = dict[str, list["Said"]]  # reporter and container -> what it said, in order


@dataclass(slots=True)
class Said:
    """One event object, as it stood last."""

    what: tuple[str, ...]  # type, reason, message
    count: int
    form: tuple[tuple[str, Any], ...]  # the members that tell how it was written
    late: bool = False  # a warning told once, of an object that was being deleted


# Objects -----------------------------------------------------------------------------------------


def lives(resource: str, events: Iterable[Json], names: Names) -> Lives:
    """Each object's aspects."""
    states: dict[str, list[tuple[float, dict[str, Any]]]] = {}
    end = 100.0
    for event in events:
        obj = event["object"]
        label = names.labels.get(obj["metadata"]["name"], obj["metadata"]["name"])
        aspects = _aspects(resource, names.value(obj))
        aspects["life"] = "gone" if event["type"] == "DELETED" else "deleting" if "deletionTimestamp" in obj["metadata"] else "there"
        states.setdefault(label, []).append((event["t"], aspects))
    return {label: _sequences(history, end) for label, history in states.items()}


def _aspects(resource: str, obj: Json) -> dict[str, Any]:
    found: dict[str, Any] = {}
    status = obj.get("status", {})
    for kind in ("initContainerStatuses", "containerStatuses"):
        for each in status.get(kind, []):
            state, last = each.pop("state", {}), each.pop("lastState", {})
            found[f"container {each['name']}"] = (
                _state(state), _state(last), each.pop("ready", None), each.pop("started", None), each.pop("restartCount", None),
            )
    for each in status.pop("conditions", []):
        found[f"condition {each.pop('type')}"] = tuple(each.pop(key, None) for key in ("status", "reason", "message", "observedGeneration"))
        found[f"members {sorted(each)}"] = True
    for path, value in flatten(obj):
        if not _varies(resource, path):
            found[path] = value
    return found


def _varies(resource: str, path: str) -> bool:
    """Revisions, and how often a slice was written: as often as its Pods' changes came one by one."""
    counted = resource == "endpointslices" and path == ".metadata.generation"
    return counted or path.startswith(VARYING) or path.endswith(".resourceVersion")


def _state(state: Json) -> tuple[Any, ...]:
    for kind, values in state.items():
        return kind, values.get("reason"), values.get("message"), values.get("exitCode"), tuple(sorted(values))
    return ()


def _sequences(history: list[tuple[float, dict[str, Any]]], end: float) -> dict[str, Sequence]:
    found: dict[str, Sequence] = {}
    for name in {name for _, aspects in history for name in aspects}:
        since, changes = 0.0, []
        for at, aspects in history:
            value = aspects.get(name)
            if not changes or changes[-1][0] != value:
                changes.append((value, at))
        ends = [at for _, at in changes[1:]] + [max(end, since)]
        found[name] = [(value, until - at) for (value, at), until in zip(changes, ends, strict=True)]
    return found


def _one(resource: str, name: str, left: tuple[dict[str, Sequence], Told], right: tuple[dict[str, Sequence], Told]) -> list[Difference]:
    found = []
    backoff = _in_backoff(left[0]) and _in_backoff(right[0])
    for aspect in sorted({*left[0], *right[0]}):
        theirs, mine = left[0].get(aspect, [(None, 100.0)]), right[0].get(aspect, [(None, 100.0)])
        if not alike(theirs, mine, open_end=backoff and aspect.startswith(("container ", "condition "))):
            found.append(Difference(resource, name, aspect, _show(theirs), _show(mine)))
    return found + _events(resource, name, left[1], right[1])


def _siblings(
    resource: str, group: str, left: list[tuple[dict[str, Sequence], Told]], right: list[tuple[dict[str, Sequence], Told]],
) -> list[Difference]:
    if len(left) != len(right):
        return [Difference(resource, f"{group}-<n>", "number", str(len(left)), str(len(right)))]
    ordered = resource != "pods"  # ReplicaSets and Jobs of one owner are told apart by their order
    orders = [tuple(range(len(right)))] if ordered else itertools.permutations(range(len(right)))
    name = "{}-<{}>" if ordered or len(left) == 1 else "{}-<n>"
    return min(
        ([d for i, j in enumerate(order) for d in _one(resource, name.format(group, i + 1), left[i], right[j])] for order in orders), key=len,
    )


def _in_backoff(aspects: dict[str, Sequence]) -> bool:
    """Whether a container of the Pod waits longer and longer: it has ended often, or its image cannot be pulled."""
    seen = {value[0][1] for name, side in aspects.items() if name.startswith("container ") for value, _ in side if value and value[0]}
    return _restarts(aspects) >= CYCLE or "ImagePullBackOff" in seen


def alike(left: Sequence, right: Sequence, *, open_end: bool = False) -> bool:
    """Whether one sequence is the other but for passing states; with `open_end` one may go on where the other ends."""
    reach = {(0, 0)}  # (i, j): the first i values of `left` and the first j of `right` agree
    for i in range(len(left) + 1):
        for j in range(len(right) + 1):
            if (i, j) != (0, 0) and _reachable(left, right, i, j, reach):
                reach.add((i, j))
    if open_end:
        return any(i == len(left) or j == len(right) for i, j in reach if (i, j) != (0, 0))
    return left[-1][0] == right[-1][0] and (len(left), len(right)) in reach


def _restarts(aspects: dict[str, Sequence]) -> int:
    return max((value[4] or 0 for name, side in aspects.items() if name.startswith("container ") for value, _ in side if value), default=0)


def _reachable(left: Sequence, right: Sequence, i: int, j: int, reach: set[tuple[int, int]]) -> bool:
    """By two equal values, by one that passes, or by one that comes back after such a one."""
    if i and j and left[i - 1][0] == right[j - 1][0] and {(i - 1, j - 1), (i - 1, j), (i, j - 1)} & reach:
        return True
    return (bool(i) and _passes(left, i - 1) and (i - 1, j) in reach) or (bool(j) and _passes(right, j - 1) and (i, j - 1) in reach)


def _passes(side: Sequence, index: int) -> bool:
    return index < len(side) - 1 and side[index][1] < PASSING


def _show(side: Sequence) -> str:
    return " → ".join(f"{value!r} ({stood:.1f}s)" for value, stood in side)


def late_messages(recording: Recording) -> set[str]:
    """What was said in a round that was under way when its object's deletion began."""
    names = Names(recording)
    found: set[str] = set()
    for resource in RESOURCES:
        objects = lives(resource, recording[resource], names)
        for of_object in told(recording["events"], names, objects, marks(recording[resource], names)).values():
            found |= {said.what[3] for by in of_object.values() for said in by if said.late}
    return found


# Events ------------------------------------------------------------------------------------------

KINDS = {
    "pods": "Pod", "deployments": "Deployment", "replicasets": "ReplicaSet", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet",
    "jobs": "Job", "cronjobs": "CronJob", "endpointslices": "EndpointSlice",
}
FORM = ("action", "eventTime", "firstTimestamp", "lastTimestamp", "source", "reportingComponent", "reportingInstance", "series", "related", "count")


def marks(events: Iterable[Json], names: Names) -> dict[str, float]:
    """When each object's deletion began."""
    found: dict[str, float] = {}
    for event in events:
        meta = event["object"]["metadata"]
        if "deletionTimestamp" in meta:
            found.setdefault(names.labels.get(meta["name"], meta["name"]), event["t"])
    return found


def told(events: Iterable[Json], names: Names, objects: Lives, deleted: dict[str, float]) -> dict[str, Told]:
    """What was said about each of `objects` (all of one resource, so their names suffice)."""
    found: dict[str, Told] = {name: {} for name in objects}
    first: dict[str, float] = {}
    last: dict[str, Json] = {}
    for event in events:
        first.setdefault(event["object"]["metadata"]["name"], event["t"])
        last[event["object"]["metadata"]["name"]] = event["object"]
    for name, each in last.items():
        involved = each["involvedObject"]
        label = names.labels.get(involved["name"], involved["name"])
        if label not in found:
            continue
        by = each.get("reportingComponent") or each.get("source", {}).get("component", "")
        what = (involved["kind"], each["type"], each["reason"], names.text(each["message"], siblings=True))
        form = tuple(sorted((key, _formed(key, each[key])) for key in FORM if each.get(key)))
        count = (each.get("series") or each).get("count") or 1
        chance = each["type"] == "Warning" or (each["reason"] == "Killing" and _restarts(objects[label]))
        late = chance and count == 1 and first[name] >= deleted.get(label, 1e9)
        said = Said(what, count, form, late)
        found[label].setdefault(f"{by} {involved.get('fieldPath', '')}".strip(), []).append(said)
    return found


def _formed(key: str, value: Any) -> str:
    return str(sorted(value)) if isinstance(value, dict) else "" if key != "action" else str(value)


def _events(resource: str, name: str, left: Told, right: Told) -> list[Difference]:
    found = []
    kind = KINDS[resource]
    flooded = all(sum(s.count for by in side.values() for s in by if s.what[1] == "Warning") >= WARNINGS for side in (left, right))
    for by in sorted({*left, *right}):
        theirs, mine = ([said for said in side.get(by, []) if said.what[0] == kind] for side in (left, right))
        theirs, mine = _without_late(theirs, mine), _without_late(mine, theirs)
        if [s.what for s in theirs] != [s.what for s in mine]:
            missing = [s.what[1:] for s in theirs if s.what not in [m.what for m in mine]]
            extra = [s.what[1:] for s in mine if s.what not in [t.what for t in theirs]]
            shown = (missing, extra) if missing or extra else ([s.what[2] for s in theirs], [s.what[2] for s in mine])
            found.append(Difference(resource, name, f"events by {by}", str(shown[0]), str(shown[1])))
        left_over = list(mine)
        for said in theirs:
            twin = next((each for each in left_over if each.what == said.what), None)
            if twin is None:
                continue
            left_over.remove(twin)
            if said.form != twin.form:
                found.append(Difference(resource, name, f"form of event {said.what[2]}", str(said.form), str(twin.form)))
            if not (flooded and said.what[1] == "Warning") and not _counts(said.count, twin.count):
                found.append(Difference(resource, name, f"count of event {said.what[2]}", str(said.count), str(twin.count)))
    return found


def _without_late(side: list[Said], other: list[Said]) -> list[Said]:
    return [said for said in side if not said.late or any(each.what == said.what for each in other)]


def _counts(theirs: int, ours: int) -> bool:
    """Roughly equal; what did not repeat was told once."""
    return theirs == ours if max(theirs, ours) == 1 else abs(theirs - ours) <= max(1, 0.6 * max(theirs, ours))

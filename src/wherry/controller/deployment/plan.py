"""The next step of a Deployment: its ReplicaSets and Pods → actions, in order.  Pure.

Follows upstream's order of decisions: paused or resumed, a change of size, then the strategy.  Every
step is safe to repeat: what it sees changes with the ReplicaSets' status, never with what it has asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.controller.deployment import status as st
from wherry.controller.deployment.actions import Action, Create, Delete, Update, WriteStatus
from wherry.controller.deployment.model import (
    DESIRED,
    HASH_LABEL,
    HISTORY_CHARACTERS,
    MAX,
    OWN_ANNOTATIONS,
    REVISION,
    REVISION_HISTORY,
    Sized,
    bounds,
    find_new,
    has_deadline,
    is_rolling,
    revision_of,
    wanted,
)
from wherry.controller.deployment.scaling import Change, grow_new, new_size, rescale, resize, shrink_old
from wherry.controller.hashing import template_hash
from wherry.controller.ownership import controller_ref
from wherry.controller.podutil import is_terminal

Pods = Mapping[str, Sequence[core_v1.Pod]]  # by the ReplicaSet's uid


@dataclass(frozen=True, slots=True)
class Plan:
    actions: list[Action] = field(default_factory=list)
    requeue_after: float | None = None


def plan(d: apps_v1.Deployment, replica_sets: Sequence[apps_v1.ReplicaSet], pods: Pods, now: float) -> Plan:
    """One step.  `replica_sets` are those that the Deployment controls."""
    return _Planner(d, replica_sets, now).plan(pods)


class _Planner:
    """State of one call of `plan`: the ReplicaSets as they will be, and the actions so far."""

    def __init__(self, d: apps_v1.Deployment, replica_sets: Sequence[apps_v1.ReplicaSet], now: float) -> None:
        self.d, self.now = d, now
        self.sets = [Sized.of(rs) for rs in replica_sets]
        self.new = find_new(d, self.sets)
        self.status = st.current(d)
        self.annotations: dict[str, str] = {}  # of the Deployment, to be written with its status
        self.actions: list[Action] = []

    def old(self) -> list[Sized]:
        return [each for each in self.sets if each is not self.new]

    def plan(self, pods: Pods) -> Plan:
        if self.d.metadata.deletion_timestamp is not None:
            return self._finish(rolling=False)
        self._pause_or_resume()
        if self.d.spec.paused or self._is_scaling():
            if self.new is not None:
                self._sync_new(self.new)
            self._record(rescale(self.d, self.sets, self.new))
            if self.d.spec.paused:
                self._clean_up()
            return self._finish(rolling=False)
        if is_rolling(self.d):
            self._roll()
        else:
            self._recreate(pods)
        return self._finish(rolling=True)

    # -- strategies ----------------------------------------------------------------------------------

    def _roll(self) -> None:
        new = self._ensure_new()
        changed = self._record(grow_new(self.d, self.sets, new)) or self._record(shrink_old(self.d, self.sets, new))
        if not changed and st.is_complete(self.d, self.status):
            self._clean_up()

    def _recreate(self, pods: Pods) -> None:
        if self.new is not None:
            self._sync_new(self.new)
        if self._record([change for each in self.old() for change in resize(each, 0)]):
            return
        if any(each.rs.status.replicas or not all(map(is_terminal, pods.get(each.rs.metadata.uid, ()))) for each in self.old()):
            return  # every old Pod must be gone before the first new one
        new = self._ensure_new()
        self._record(resize(new, wanted(self.d)))
        if st.is_complete(self.d, self.status):
            self._clean_up()

    def _is_scaling(self) -> bool:
        sizes = [each.desired() for each in self.sets if each.replicas > 0]
        return any(size is not None and size != wanted(self.d) for size in sizes)

    def _pause_or_resume(self) -> None:
        """So that the time for which it was paused does not count against the deadline."""
        progress = st.condition(self.status, st.PROGRESSING)
        if not has_deadline(self.d) or (progress is not None and progress.get("reason") == st.TIMED_OUT):
            return
        is_paused = progress is not None and progress.get("reason") == st.PAUSED
        if self.d.spec.paused and not is_paused:
            st.set_condition(self.status, st.PROGRESSING, "Unknown", st.PAUSED, "Deployment is paused", self.now)
        elif not self.d.spec.paused and is_paused:
            st.set_condition(self.status, st.PROGRESSING, "Unknown", st.RESUMED, "Deployment is resumed", self.now)
        else:
            return
        self._write_status()

    # -- the newest ReplicaSet -----------------------------------------------------------------------

    def _ensure_new(self) -> Sized:
        if self.new is None:
            self.new = self._make_new()
            self.sets.append(self.new)
        else:
            self._sync_new(self.new)
        return self.new

    def _next_revision(self) -> str:
        return str(max((revision_of(each.annotations) for each in self.old()), default=0) + 1)

    def _make_new(self) -> Sized:
        d, template = self.d, self.d.spec.template
        digest = template_hash(template, self.status["collisionCount"])
        labels = {**template.metadata.labels, HASH_LABEL: digest}
        selector = msgspec.structs.replace(d.spec.selector, match_labels={**d.spec.selector.match_labels, HASH_LABEL: digest})
        inherited = {k: v for k, v in d.metadata.annotations.items() if k not in OWN_ANNOTATIONS}
        annotations = {**inherited, REVISION: self._next_revision(), **self._sizes()}
        meta = meta_v1.ObjectMeta(
            name=f"{d.metadata.name}-{digest}", namespace=d.metadata.namespace, labels=labels, annotations=annotations,
            owner_references=[controller_ref(d)],
        )
        labelled = msgspec.structs.replace(template, metadata=msgspec.structs.replace(template.metadata, labels=labels))
        spec = apps_v1.ReplicaSetSpec(
            replicas=0, selector=selector, template=labelled, min_ready_seconds=d.spec.min_ready_seconds,
        )
        new = Sized.of(apps_v1.ReplicaSet(metadata=meta, spec=spec))
        new.replicas = new_size(d, [*self.sets, new], new)
        self.actions.append(Create(msgspec.structs.replace(new.rs, spec=msgspec.structs.replace(spec, replicas=new.replicas))))
        if has_deadline(d):
            message = f'Created new replica set "{new.name}"'
            st.set_condition(self.status, st.PROGRESSING, "True", st.NEW_RS_CREATED, message, self.now)
        self._set_revision(annotations[REVISION])
        self._write_status()
        return new

    def _sync_new(self, new: Sized) -> None:
        """Make the newest ReplicaSet the newest revision, also when it was an older one (a rollback)."""
        changed = self._new_annotations(new)
        spec = {}
        if (new.rs.spec.min_ready_seconds or 0) != (self.d.spec.min_ready_seconds or 0):
            spec["minReadySeconds"] = self.d.spec.min_ready_seconds or 0
        if changed or spec:
            new.annotations |= changed
            self.actions.append(Update(new.rs, spec, changed))
        revised = self._set_revision(new.annotations.get(REVISION, ""))
        found = has_deadline(self.d) and st.condition(self.status, st.PROGRESSING) is None
        if found:
            message = f'Found new replica set "{new.name}"'
            st.set_condition(self.status, st.PROGRESSING, "True", st.FOUND_NEW_RS, message, self.now)
        if revised or found:
            self._write_status()

    def _new_annotations(self, new: Sized) -> dict[str, str]:
        inherited = {k: v for k, v in self.d.metadata.annotations.items() if k not in OWN_ANNOTATIONS}
        changed = {key: value for key, value in inherited.items() if new.annotations.get(key) != value}
        before, after = new.annotations.get(REVISION), self._next_revision()
        if revision_of(new.annotations) < int(after):
            changed[REVISION] = after
            if before is not None:
                changed[REVISION_HISTORY] = _extended(new.annotations.get(REVISION_HISTORY, ""), before)
        return changed

    def _set_revision(self, revision: str) -> bool:
        if not revision or self.d.metadata.annotations.get(REVISION) == revision:
            return False
        self.annotations[REVISION] = revision
        return True

    # -- actions -------------------------------------------------------------------------------------

    def _sizes(self) -> dict[str, str]:
        return {DESIRED: str(wanted(self.d)), MAX: str(wanted(self.d) + bounds(self.d)[0])}

    def _record(self, changes: list[Change]) -> bool:
        """Turn changes of size into actions; says whether a size has changed."""
        sizes = self._sizes()
        for each, before, after in changes:
            annotations = {key: value for key, value in sizes.items() if each.annotations.get(key) != value}
            if before == after and not annotations:
                continue
            each.annotations |= annotations
            spec, event = ({"replicas": after}, scaled_event(each.name, before, after)) if before != after else ({}, "")
            self.actions.append(Update(each.rs, spec, annotations, event))
        return any(before != after for _, before, after in changes)

    def _clean_up(self) -> None:
        """Delete the oldest of the ReplicaSets that history needs no more."""
        limit = self.d.spec.revision_history_limit
        alive = [each for each in self.old() if each.rs.metadata.deletion_timestamp is None]
        if limit is None or len(alive) <= limit:
            return
        alive.sort(key=lambda each: (revision_of(each.annotations), each.age_key))
        for each in alive[:len(alive) - limit]:
            status = each.rs.status
            observed = (status.observed_generation or 0) >= (each.rs.metadata.generation or 0)
            if not (status.replicas or each.replicas) and observed:
                self.actions.append(Delete(each.rs))

    def _write_status(self) -> None:
        snapshot = {**self.status, "conditions": list(self.status["conditions"])}
        self.actions.append(WriteStatus(snapshot, dict(self.annotations)))

    def _finish(self, rolling: bool) -> Plan:
        before = self.status
        compute = st.roll_out if rolling else st.calculate
        self.status = compute(self.d, before, self.sets, self.new, self.now)
        if self.status != before:
            self._write_status()
        return Plan(self.actions, st.next_check(self.d, self.status, self.now))


def scaled_event(name: str, before: int, after: int) -> str:
    return f"Scaled {'up' if after > before else 'down'} replica set {name} from {before} to {after}"


def _extended(history: str, revision: str) -> str:
    """The history with one more revision; the oldest are dropped when it grows too long."""
    revisions = [*filter(None, history.split(",")), revision]
    while len(",".join(revisions)) > HISTORY_CHARACTERS:
        del revisions[0]
    return ",".join(revisions)

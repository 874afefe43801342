"""A Deployment's status and conditions, as `kubectl rollout status` and people read them.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from wherry.api.types import apps_v1
from wherry.controller.deployment.model import Sized, bounds, has_deadline, total, wanted
from wherry.util.clock import parse_rfc3339, rfc3339

AVAILABLE, PROGRESSING, REPLICA_FAILURE = "Available", "Progressing", "ReplicaFailure"
NEW_RS_CREATED, FOUND_NEW_RS = "NewReplicaSetCreated", "FoundNewReplicaSet"
RS_UPDATED, NEW_RS_AVAILABLE, RS_CREATE_ERROR = "ReplicaSetUpdated", "NewReplicaSetAvailable", "ReplicaSetCreateError"
TIMED_OUT, PAUSED, RESUMED = "ProgressDeadlineExceeded", "DeploymentPaused", "DeploymentResumed"
KEEP = frozenset({"observedGeneration", "terminatingReplicas", "collisionCount"})

Status = dict[str, Any]
Condition = dict[str, str]


def current(d: apps_v1.Deployment) -> Status:
    """The status that the Deployment has, as a dict with every count."""
    old = d.status
    return {
        "observedGeneration": old.observed_generation or 0, "replicas": old.replicas or 0,
        "updatedReplicas": old.updated_replicas or 0, "readyReplicas": old.ready_replicas or 0,
        "availableReplicas": old.available_replicas or 0, "unavailableReplicas": old.unavailable_replicas or 0,
        "terminatingReplicas": old.terminating_replicas, "collisionCount": old.collision_count,
        "conditions": [_as_dict(each) for each in old.conditions],
    }


def _as_dict(each: apps_v1.DeploymentCondition) -> Condition:
    pairs = {
        "type": each.type, "status": each.status, "lastUpdateTime": each.last_update_time,
        "lastTransitionTime": each.last_transition_time, "reason": each.reason, "message": each.message,
    }
    return {key: value for key, value in pairs.items() if value}


def condition(status: Status, type_: str) -> Condition | None:
    return next((each for each in status["conditions"] if each["type"] == type_), None)


def set_condition(status: Status, type_: str, value: str, reason: str, message: str, now: float) -> None:
    """Set a condition.  One of the same status and reason stays as it is; the newest stands last."""
    old = condition(status, type_)
    if old is not None and old["status"] == value and old.get("reason") == reason:
        return
    moment = rfc3339(now)
    since = old.get("lastTransitionTime", moment) if old is not None and old["status"] == value else moment
    remove_condition(status, type_)
    status["conditions"].append({
        "type": type_, "status": value, "lastUpdateTime": moment, "lastTransitionTime": since,
        "reason": reason, "message": message,
    })


def remove_condition(status: Status, type_: str) -> None:
    status["conditions"] = [each for each in status["conditions"] if each["type"] != type_]


def calculate(d: apps_v1.Deployment, base: Status, sets: Sequence[Sized], new: Sized | None, now: float) -> Status:
    """The counts of all ReplicaSets, and the Available condition, on top of the conditions of `base`."""
    available = sum(each.available for each in sets)
    status: Status = {
        "observedGeneration": d.metadata.generation or 0,
        "replicas": sum(each.rs.status.replicas or 0 for each in sets),
        "updatedReplicas": (new.rs.status.replicas or 0) if new is not None else 0,
        "readyReplicas": sum(each.rs.status.ready_replicas or 0 for each in sets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total(sets) - available),
        "terminatingReplicas": _terminating(sets),
        "collisionCount": base["collisionCount"],
        "conditions": list(base["conditions"]),
    }
    if available >= wanted(d) - bounds(d)[1]:
        set_condition(status, AVAILABLE, "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now)
    else:
        message = "Deployment does not have minimum availability."
        set_condition(status, AVAILABLE, "False", "MinimumReplicasUnavailable", message, now)
    return status


def _terminating(sets: Iterable[Sized]) -> int | None:
    """Unknown as long as one ReplicaSet that was looked at does not tell."""
    result = 0
    for each in sets:
        count = each.rs.status.terminating_replicas
        if count is None and each.rs.status.observed_generation:
            return None
        result += count or 0
    return result


def is_complete(d: apps_v1.Deployment, status: Status) -> bool:
    """All Pods are of the newest template, and available."""
    counts = {status[name] for name in ("updatedReplicas", "replicas", "availableReplicas")}
    return counts == {wanted(d)} and status["observedGeneration"] >= (d.metadata.generation or 0)


def _has_progressed(old: Status, new: Status) -> bool:
    before, after = old["replicas"] - old["updatedReplicas"], new["replicas"] - new["updatedReplicas"]
    more = any(new[name] > old[name] for name in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return more or after < before


def is_timed_out(d: apps_v1.Deployment, status: Status, now: float) -> bool:
    """No progress within the deadline.  One that has rolled out cannot time out."""
    progress = condition(status, PROGRESSING)
    if not has_deadline(d) or progress is None or progress.get("reason") == NEW_RS_AVAILABLE:
        return False
    return progress.get("reason") == TIMED_OUT or parse_rfc3339(progress["lastUpdateTime"]) + _deadline(d) < now


def _deadline(d: apps_v1.Deployment) -> int:
    return d.spec.progress_deadline_seconds or 0


def roll_out(d: apps_v1.Deployment, base: Status, sets: Sequence[Sized], new: Sized | None, now: float) -> Status:
    """The status while rolling out: `calculate`, and what Progressing and ReplicaFailure say."""
    status = calculate(d, base, sets, new, now)
    progress = condition(status, PROGRESSING)
    if not has_deadline(d):
        remove_condition(status, PROGRESSING)
    elif not (status["replicas"] == status["updatedReplicas"] and progress and progress.get("reason") == NEW_RS_AVAILABLE):
        _set_progress(d, base, status, progress, new, now)
    failure, known = _failure(sets, new), condition(status, REPLICA_FAILURE)
    if failure is None or known is None or (known["status"], known.get("reason")) != (failure["status"], failure["reason"]):
        remove_condition(status, REPLICA_FAILURE)
        status["conditions"] += [failure] if failure is not None else []
    return status


def _set_progress(
    d: apps_v1.Deployment, base: Status, status: Status, progress: Condition | None, new: Sized | None, now: float,
) -> None:
    what = f'ReplicaSet "{new.name}"' if new is not None else f'Deployment "{d.metadata.name}"'
    if is_complete(d, status):
        set_condition(status, PROGRESSING, "True", NEW_RS_AVAILABLE, f"{what} has successfully progressed.", now)
    elif _has_progressed(base, status):
        since = progress["lastTransitionTime"] if progress is not None and progress["status"] == "True" else rfc3339(now)
        remove_condition(status, PROGRESSING)  # set anew even when it says the same: the deadline counts from here
        set_condition(status, PROGRESSING, "True", RS_UPDATED, f"{what} is progressing.", now)
        status["conditions"][-1]["lastTransitionTime"] = since
    elif is_timed_out(d, status, now):
        set_condition(status, PROGRESSING, "False", TIMED_OUT, f"{what} has timed out progressing.", now)


def _failure(sets: Sequence[Sized], new: Sized | None) -> Condition | None:
    """Why Pods cannot be made: of the newest ReplicaSet, else of any."""
    for each in ([new] if new is not None else []) + [each for each in sets if each is not new]:
        for found in each.rs.status.conditions:
            if found.type == "ReplicaFailure":
                moment = found.last_transition_time or ""
                return {
                    "type": REPLICA_FAILURE, "status": found.status, "lastUpdateTime": moment,
                    "lastTransitionTime": moment, "reason": found.reason, "message": found.message,
                }
    return None


def next_check(d: apps_v1.Deployment, status: Status, now: float) -> float | None:
    """Seconds until the deadline may have passed; None when it cannot."""
    progress = condition(status, PROGRESSING)
    if not has_deadline(d) or progress is None or is_complete(d, status):
        return None
    if progress.get("reason") in (TIMED_OUT, NEW_RS_AVAILABLE):
        return None
    return max(0.0, parse_rfc3339(progress["lastUpdateTime"]) + _deadline(d) - now) + 1

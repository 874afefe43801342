"""What a PodDisruptionBudget's status is to say.  Pure.

The API server takes one from `disruptionsAllowed` for each eviction and notes the Pod in `disruptedPods`; this
side counts anew from the Pods and forgets the notes of Pods that are gone, or that stayed for too long.
https://kubernetes.io/docs/tasks/run-application/configure-pdb/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wherry.api.pod import get_condition, is_ready, is_terminal
from wherry.api.types import core_v1, meta_v1, policy_v1
from wherry.client.recorder import NORMAL, WARNING
from wherry.controller.intstr import scaled
from wherry.controller.scales import go_selector
from wherry.util.clock import parse_rfc3339, rfc3339

Budget = policy_v1.PodDisruptionBudget
Status = dict[str, Any]

DELETION_TIMEOUT = 120.0  # seconds within which an evicted Pod must be seen to be going
STALE_CONDITION = 120.0  # seconds for which a Pod that is not going may say that it is disrupted
COUNTS = frozenset({"currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"})
ALLOWED, SUFFICIENT, INSUFFICIENT, SYNC_FAILED = "DisruptionAllowed", "SufficientPods", "InsufficientPods", "SyncFailed"
DISRUPTION_TARGET, BY_KUBELET = "DisruptionTarget", "TerminationByKubelet"


@dataclass(frozen=True, slots=True)
class Event:
    about: Any
    type: str
    reason: str
    message: str


@dataclass(slots=True)
class Plan:
    status: Status
    events: list[Event] = field(default_factory=list)
    recheck: float | None = None  # seconds until an eviction that came to nothing is forgotten


def needs_scale(pdb: Budget) -> bool:
    """Whether the budget is a part of what the Pods' controllers want, and not a plain number of Pods."""
    return pdb.spec.max_unavailable is not None or isinstance(pdb.spec.min_available, str)


def plan(pdb: Budget, pods: Sequence[core_v1.Pod], scale: int, unmanaged: bool, now: float) -> Plan:
    """The status by these Pods.  `scale` is what their controllers want in all, where that is needed.

    Raises ValueError for a percentage that is none.
    """
    disrupted, events, recheck = _disrupted(pdb, pods, now)
    if not pods:
        events.append(Event(pdb, NORMAL, "NoPods", "No matching pods found"))
    if unmanaged:
        events.append(Event(pdb, WARNING, "UnmanagedPods", _unmanaged_message(pdb)))
    expected, desired = expectation(pdb, len(pods), scale)
    current = healthy(pods, disrupted, now)
    # A budget without Pods allows nothing: it has not seen its first Pods yet.
    allowed = max(0, current - desired) if expected > 0 else 0
    status: Status = {
        "currentHealthy": current, "desiredHealthy": desired, "expectedPods": expected, "disruptionsAllowed": allowed,
        "disruptedPods": disrupted, "observedGeneration": pdb.metadata.generation,
        "conditions": conditions(pdb, "True" if allowed else "False", SUFFICIENT if allowed else INSUFFICIENT, "", now),
    }
    return Plan(status, events, recheck)


def failed(pdb: Budget, message: str, now: float) -> Status:
    """Nothing is allowed while nobody can tell how many Pods there should be."""
    return {"disruptionsAllowed": 0, "conditions": conditions(pdb, "False", SYNC_FAILED, message, now)}


def expectation(pdb: Budget, pods: int, scale: int) -> tuple[int, int]:
    """How many Pods there should be, and how many of them healthy."""
    least, most = pdb.spec.min_available, pdb.spec.max_unavailable
    if most is not None:
        return scale, max(0, scale - scaled(most, scale, round_up=True))
    if isinstance(least, str):
        return scale, scaled(least, scale, round_up=True)
    return (0, 0) if least is None else (pods, least)


def healthy(pods: Sequence[core_v1.Pod], disrupted: Mapping[str, str | None], now: float) -> int:
    """Pods that are ready and not about to go."""
    return sum(
        1 for pod in pods
        if pod.metadata.deletion_timestamp is None and is_ready(pod) and not _expires(disrupted, pod.metadata.name) > now
    )


def _expires(disrupted: Mapping[str, str | None], name: str) -> float:
    noted = disrupted.get(name)
    return parse_rfc3339(noted) + DELETION_TIMEOUT if noted else float("-inf")


def _disrupted(
    pdb: Budget, pods: Sequence[core_v1.Pod], now: float,
) -> tuple[dict[str, str | None], list[Event], float | None]:
    """The evictions that are still under way, what to say of those that are not, and when to look again."""
    noted, kept, events = pdb.status.disrupted_pods, {}, []
    for pod in pods:
        name = pod.metadata.name
        if pod.metadata.deletion_timestamp is not None or name not in noted:
            continue
        if _expires(noted, name) < now:
            message = f"Pod was expected by PDB {pdb.metadata.namespace}/{pdb.metadata.name} to be deleted but it wasn't"
            events.append(Event(pod, WARNING, "NotDeleted", message))
        else:
            kept[name] = noted[name]
    recheck = min((_expires(kept, name) - now for name in kept), default=None)
    return kept, events, recheck


def conditions(pdb: Budget, status: str, reason: str, message: str, now: float) -> list[dict[str, Any]]:
    """All conditions, with DisruptionAllowed set."""
    old = next((each for each in pdb.status.conditions if each.type == ALLOWED), None)
    failure = reason == SYNC_FAILED
    new: dict[str, Any] = {
        "type": ALLOWED, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": old.last_transition_time if old is not None and old.status == status else rfc3339(now),
        "observedGeneration": pdb.status.observed_generation if failure else pdb.metadata.generation,
    }
    if not new["observedGeneration"]:
        del new["observedGeneration"]
    others = [_plain(each) for each in pdb.status.conditions]
    at = next((i for i, each in enumerate(others) if each["type"] == ALLOWED), None)
    return [*others, new] if at is None else [*others[:at], new, *others[at + 1:]]


def _plain(each: meta_v1.Condition) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": each.type, "status": each.status, "reason": each.reason, "message": each.message,
        "lastTransitionTime": each.last_transition_time,
    }
    return found | ({"observedGeneration": each.observed_generation} if each.observed_generation else {})


def _unmanaged_message(pdb: Budget) -> str:
    return (
        f"Pods selected by this PodDisruptionBudget (selector: {go_selector(pdb.spec.selector)}) were found to be unmanaged. As a result,"
        " the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please"
        ' set ".spec.minAvailable" field of the PDB to an integer value.'
    )


def stale_in(pod: core_v1.Pod, now: float) -> float | None:
    """Seconds until the Pod's DisruptionTarget condition is stale: nobody has begun to delete it since.  None when it has none."""
    found = get_condition(pod, DISRUPTION_TARGET)
    if found is None or found.status != "True" or pod.metadata.deletion_timestamp is not None:
        return None
    # The kubelet says it before it ends a Pod, however long that takes; an ended Pod keeps what it says.
    if found.reason == BY_KUBELET or is_terminal(pod) or not found.last_transition_time:
        return None
    return max(0.0, parse_rfc3339(found.last_transition_time) + STALE_CONDITION - now)

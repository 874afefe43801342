"""What a node's silence and its conditions mean: conditions to write and taints to have.  Pure.

Behaviour: kubernetes.io/docs/concepts/architecture/nodes and .../taint-based-evictions.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from wherry.api.types import coordination_v1, core_v1
from wherry.util.clock import rfc3339

NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
NO_SCHEDULE, NO_EXECUTE = "NoSchedule", "NoExecute"
# (condition, status) → the taint that keeps new Pods away
CONDITION_TAINTS = {
    ("Ready", "False"): NOT_READY, ("Ready", "Unknown"): UNREACHABLE,
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
}
OURS = frozenset({
    *((key, NO_SCHEDULE) for key in (*CONDITION_TAINTS.values(), UNSCHEDULABLE)),
    (NOT_READY, NO_EXECUTE), (UNREACHABLE, NO_EXECUTE),
})
WATCHED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


@dataclass(frozen=True, slots=True)
class Sign:
    """The last sign of life of a node, and when (monotonic seconds of our own clock) it was seen."""

    heartbeat: str
    renewal: str
    seen: float


def condition(node: core_v1.Node, type_: str) -> core_v1.NodeCondition | None:
    return next((each for each in node.status.conditions if each.type == type_), None)


def ready_status(node: core_v1.Node) -> str:
    found = condition(node, "Ready")
    return found.status if found is not None else "Unknown"


def sign_of_life(node: core_v1.Node, lease: coordination_v1.Lease | None, last: Sign | None, now: float) -> Sign:
    """The node's own times are only compared with themselves: its clock may be wrong."""
    ready = condition(node, "Ready")
    heartbeat = (ready.last_heartbeat_time or "") if ready is not None and ready.reason not in _OUR_REASONS else ""
    renewal = (lease.spec.renew_time or "") if lease is not None and lease.spec is not None else ""
    if last is None:
        return Sign(heartbeat, renewal, now)
    alive = (heartbeat and heartbeat != last.heartbeat) or (renewal and renewal != last.renewal)
    return Sign(heartbeat or last.heartbeat, renewal or last.renewal, now) if alive else last


_OUR_REASONS = ("NodeStatusUnknown", "NodeStatusNeverUpdated")


def silent_conditions(node: core_v1.Node, now: float) -> list[dict[str, str]]:
    """The conditions of a node that has been silent for too long; empty when they are Unknown already."""
    result = []
    for type_ in WATCHED:
        old = condition(node, type_)
        if old is not None and old.status == "Unknown":
            continue
        never = old is None
        result.append({
            "type": type_, "status": "Unknown",
            "reason": "NodeStatusNeverUpdated" if never else "NodeStatusUnknown",
            "message": "Kubelet never posted node status." if never else "Kubelet stopped posting node status.",
            "lastHeartbeatTime": (old.last_heartbeat_time if old is not None else node.metadata.creation_timestamp) or rfc3339(now),
            "lastTransitionTime": rfc3339(now),
        })
    return result


def taints(node: core_v1.Node, now: float, evict: bool = True) -> list[core_v1.Taint] | None:
    """The taints the node should have, or None when it has them.

    Without `evict`, none sends Pods away: when no node at all is ready, the fault is more
    likely ours than theirs, and there is nowhere to go (upstream's full disruption).
    """
    wanted = [(CONDITION_TAINTS[pair], NO_SCHEDULE) for pair in ((c.type, c.status) for c in node.status.conditions)
              if pair in CONDITION_TAINTS]
    if condition(node, "Ready") is None:
        wanted.append((UNREACHABLE, NO_SCHEDULE))
    if node.spec.unschedulable:
        wanted.append((UNSCHEDULABLE, NO_SCHEDULE))
    status = ready_status(node)
    if evict and status != "True":
        wanted.append((UNREACHABLE if status == "Unknown" else NOT_READY, NO_EXECUTE))
    kept = [taint for taint in node.spec.taints if _pair(taint) not in OURS or _pair(taint) in wanted]
    present = {_pair(taint) for taint in kept}
    new = [_taint(key, effect, now) for key, effect in dict.fromkeys(wanted) if (key, effect) not in present]
    return kept + new if new or len(kept) != len(node.spec.taints) else None


def _taint(key: str, effect: str, now: float) -> core_v1.Taint:
    return core_v1.Taint(key=key, effect=effect, time_added=rfc3339(now))


def is_given_up(node: core_v1.Node) -> bool:
    """It has a taint of ours that sends its Pods away."""
    return any(taint.effect == NO_EXECUTE and _pair(taint) in OURS for taint in node.spec.taints)


def renamed_labels(node: core_v1.Node) -> dict[str, str]:
    """Labels under their old names that do not say what the new ones do."""
    labels = node.metadata.labels
    keys = ("kubernetes.io/os", "kubernetes.io/arch")
    return {f"beta.{key}": labels[key] for key in keys if key in labels and labels.get(f"beta.{key}") != labels[key]}


def _pair(taint: core_v1.Taint) -> tuple[str, str]:
    return taint.key, taint.effect


def unready_conditions(pod: core_v1.Pod, now: float) -> list[core_v1.PodCondition] | None:
    """The conditions of a Pod whose node cannot be heard: not ready, as nobody can tell.  None when it is not ready already."""
    result, changed = [], False
    for each in pod.status.conditions:
        if each.type == "Ready" and each.status != "False":
            each, changed = msgspec.structs.replace(each, status="False", last_transition_time=rfc3339(now)), True
        result.append(each)
    return result if changed else None

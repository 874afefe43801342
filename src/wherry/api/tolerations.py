"""Taints and tolerations: one rule for the scheduler and for the controllers.  Pure.

https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
"""

from __future__ import annotations

from wherry.api.types import core_v1


def tolerated(toleration: core_v1.Toleration, taint: core_v1.Taint) -> bool:
    """Whether this toleration is for that taint."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    match toleration.operator or "Equal":
        case "Exists":
            return True
        case "Equal":
            return bool(toleration.key) and toleration.value == taint.value
        case "Lt" | "Gt" as operator:
            try:
                bound, have = int(toleration.value), int(taint.value)
            except ValueError:
                return False
            return have < bound if operator == "Lt" else have > bound
    return False


def tolerates(pod: core_v1.Pod, taint: core_v1.Taint) -> bool:
    return any(tolerated(t, taint) for t in pod.spec.tolerations)

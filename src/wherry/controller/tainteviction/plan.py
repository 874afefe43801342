"""When a Pod has to leave its node.  Pure.

Behaviour: kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration.
"""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.tolerations import tolerated
from wherry.api.types import core_v1
from wherry.util.clock import parse_rfc3339


def evict_at(pod: core_v1.Pod, taints: Sequence[core_v1.Taint], now: float, seen: float | None = None) -> float | None:
    """The wall time at which the Pod has to go; None when it may stay.

    It may stay for the shortest `tolerationSeconds` of the tolerations used, from when the last taint came: a
    person's taint does not tell, so it counts from when the Pod was first `seen` to have to go (without: now).
    """
    execute = [taint for taint in taints if taint.effect == "NoExecute"]
    if not execute:
        return None
    seconds: list[int] = []
    for taint in execute:
        used = [each for each in pod.spec.tolerations if tolerated(each, taint)]
        if not used:
            return now
        seconds += [each.toleration_seconds for each in used if each.toleration_seconds is not None]
    if not seconds:
        return None
    first = now if seen is None else seen
    since = max(parse_rfc3339(taint.time_added) if taint.time_added else first for taint in execute)
    return since + max(0, min(seconds))

"""When a Pod has to give its devices up.  Pure.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#device-taints-and-tolerations
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from wherry.api.devicetaints import DeviceID, tolerates
from wherry.api.resourceclaims import Claim
from wherry.api.types import resource_v1
from wherry.util.clock import parse_rfc3339

Taints = Callable[[DeviceID], Iterable[resource_v1.DeviceTaint]]


def evict_at(claims: Iterable[Claim], taints: Taints, now: float) -> float | None:
    """The wall time at which a Pod that uses the claims has to go; None when it may stay.

    A taint is tolerated for the shortest `tolerationSeconds` of what the allocation tolerates it with, from when it came.
    """
    times = []
    for claim in claims:
        allocation = claim.status.allocation
        for result in allocation.devices.results if allocation is not None else ():
            for taint in taints((result.driver, result.pool, result.device)):
                if taint.effect == "NoExecute" and (seconds := _tolerated(result.tolerations, taint)) is not None:
                    times.append((parse_rfc3339(taint.time_added) if taint.time_added else now) + seconds)
    return min(times, default=None)


def _tolerated(tolerations: Sequence[resource_v1.DeviceToleration], taint: resource_v1.DeviceTaint) -> float | None:
    """For how long; None: for ever."""
    used = [each for each in tolerations if tolerates(each, taint)]
    if not used:
        return 0.0
    limits = [max(0, each.toleration_seconds) for each in used if each.toleration_seconds is not None]
    return float(min(limits)) if limits else None

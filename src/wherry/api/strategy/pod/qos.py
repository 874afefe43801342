"""The quality-of-service class of a Pod (dict form; `wherry.api.pod` has it for typed Pods)."""

from __future__ import annotations

from typing import Any

from wherry.apimachinery.quantity import parse

Dict = dict[str, Any]
_COMPUTE = ("cpu", "memory")


def qos_class(pod: Dict) -> str:
    """As the status tells it, else computed."""
    return (pod.get("status") or {}).get("qosClass") or compute_qos_class(pod)


def _positive(amounts: Dict | None) -> Dict:
    return {n: parse(a).nanos for n, a in (amounts or {}).items() if n in _COMPUTE and parse(a).nanos > 0}


def compute_qos_class(pod: Dict) -> str:
    """Guaranteed: every container has limits of CPU and memory that equal its requests; BestEffort: none has any."""
    spec = pod.get("spec") or {}
    whole = spec.get("resources")
    if whole and (whole.get("limits") or whole.get("requests")):
        holders = [whole]
    else:
        holders = [c.get("resources") for kind in ("containers", "initContainers") for c in spec.get(kind) or ()]
    if not any(holders):
        return "BestEffort"
    requests: dict[str, int] = {}
    limits: dict[str, int] = {}
    guaranteed = True
    for holder in holders:
        holder = holder or {}
        own_limits = _positive(holder.get("limits"))
        for total, own in ((requests, _positive(holder.get("requests"))), (limits, own_limits)):
            for name, nanos in own.items():
                total[name] = total.get(name, 0) + nanos
        guaranteed = guaranteed and len(own_limits) == len(_COMPUTE)
    if not requests and not limits:
        return "BestEffort"
    if guaranteed and len(requests) == len(limits) and all(limits.get(n) == v for n, v in requests.items()):
        return "Guaranteed"
    return "Burstable"

"""Requests and limits as cgroup settings, quality of service included.

https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
"""

from __future__ import annotations

from wherry.api.pod import qos_class
from wherry.api.types import core_v1
from wherry.apimachinery import quantity
from wherry.kubelet.podutil import Container, pod_totals, requests_and_limits
from wherry.runtime.interface import Resources

CPU_PERIOD = 100_000  # microseconds
_MIN_SHARES, _MAX_SHARES, _MIN_QUOTA = 2, 262_144, 1_000
_GUARANTEED_OOM_ADJ, _BEST_EFFORT_OOM_ADJ = -997, 1000
SYSTEM_CRITICAL_PRIORITY = 2_000_000_000


def milli_cpu_to_shares(milli: int) -> int:
    return max(_MIN_SHARES, min(_MAX_SHARES, milli * 1024 // 1000))


def milli_cpu_to_quota(milli: int) -> int:
    """Microseconds a period; 0 is no limit."""
    return max(_MIN_QUOTA, milli * CPU_PERIOD // 1000) if milli else 0


def oom_score_adj(pod: core_v1.Pod, container: Container, memory_capacity: int) -> int:
    """Who dies first when memory runs out: best-effort, then those that asked for little."""
    if (pod.spec.priority or 0) >= SYSTEM_CRITICAL_PRIORITY:
        return _GUARANTEED_OOM_ADJ
    qos = qos_class(pod)
    if qos == "Guaranteed":
        return _GUARANTEED_OOM_ADJ
    if qos == "BestEffort":
        return _BEST_EFFORT_OOM_ADJ
    request = quantity.value(requests_and_limits(container)[0].get("memory", "0"))
    score = 1000 - 1000 * request // max(1, memory_capacity)
    return max(1000 + _GUARANTEED_OOM_ADJ, min(_BEST_EFFORT_OOM_ADJ - 1, score))


def container_resources(pod: core_v1.Pod, container: Container, memory_capacity: int, pids_limit: int = 0) -> Resources:
    requests, limits = requests_and_limits(container)
    return Resources(
        cpu_period=CPU_PERIOD,
        cpu_quota=milli_cpu_to_quota(quantity.milli(limits.get("cpu", "0"))),
        cpu_shares=milli_cpu_to_shares(quantity.milli(requests.get("cpu", "0"))),
        memory_limit=quantity.value(limits.get("memory", "0")),
        oom_score_adj=oom_score_adj(pod, container, memory_capacity),
        pids_limit=pids_limit,
    )


def pod_cgroup(pod: core_v1.Pod, root: str) -> str:
    """The Pod's own cgroup below `root`, by quality of service."""
    qos = qos_class(pod).lower()
    between = "" if qos == "guaranteed" else f"/{qos}"
    return f"{root}/kubepods{between}/pod{pod.metadata.uid}"


def pod_resources(pod: core_v1.Pod) -> tuple[int, int, int]:
    """(cpu_quota, cpu_shares, memory_limit) of the Pod's cgroup."""
    requests, limits = pod_totals(pod)
    return (
        milli_cpu_to_quota(quantity.milli(limits.get("cpu", "0"))),
        milli_cpu_to_shares(quantity.milli(requests.get("cpu", "0"))),
        quantity.value(limits.get("memory", "0")),
    )

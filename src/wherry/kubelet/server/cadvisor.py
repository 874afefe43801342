"""`/metrics/cadvisor`: what containers use, under the names and labels that dashboards know from cAdvisor.  Pure.

https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from wherry.kubelet.container.state import PodState
from wherry.kubelet.status.conditions import Json
from wherry.runtime.interface import ContainerStatus
from wherry.util.clock import parse_rfc3339

Labels = Mapping[str, str]
_TOTAL, _ETH0 = {"cpu": "total"}, {"interface": "eth0"}
_NONE: Labels = {}
# name, what it is, further labels, where in the summary, unit; what ends in _total is a counter
_USE: tuple[tuple[str, str, Labels, tuple[str, str], float], ...] = (
    ("container_cpu_usage_seconds_total", "Total CPU time in seconds.", _TOTAL, ("cpu", "usageCoreNanoSeconds"), 1e9),
    ("container_memory_usage_bytes", "Memory in use, caches included.", _NONE, ("memory", "usageBytes"), 1),
    ("container_memory_working_set_bytes", "Working set.", _NONE, ("memory", "workingSetBytes"), 1),
    ("container_memory_rss", "Anonymous memory.", _NONE, ("memory", "rssBytes"), 1),
    ("container_fs_usage_bytes", "Bytes written to the container's own layer.", _NONE, ("rootfs", "usedBytes"), 1),
    ("container_network_receive_bytes_total", "Bytes received.", _ETH0, ("network", "rxBytes"), 1),
    ("container_network_receive_errors_total", "Errors while receiving.", _ETH0, ("network", "rxErrors"), 1),
    ("container_network_transmit_bytes_total", "Bytes sent.", _ETH0, ("network", "txBytes"), 1),
    ("container_network_transmit_errors_total", "Errors while sending.", _ETH0, ("network", "txErrors"), 1),
)
_SPECIFIED: tuple[tuple[str, str, Callable[[ContainerStatus], float]], ...] = (
    ("container_spec_cpu_period", "CPU period of the container.", lambda run: run.config.resources.cpu_period),
    ("container_spec_cpu_quota", "CPU quota of the container.", lambda run: run.config.resources.cpu_quota),
    ("container_spec_cpu_shares", "CPU share of the container.", lambda run: run.config.resources.cpu_shares),
    ("container_spec_memory_limit_bytes", "Memory limit for the container.", lambda run: run.config.resources.memory_limit),
    ("container_start_time_seconds", "Start time of the container since unix epoch in seconds.", lambda run: run.started_at),
)


def cadvisor_metrics(summary: Json, state: Callable[[str], PodState], *, cpus: int, memory: int, version: str) -> str:
    """The text.  `state` gives what the runtime knows of a Pod, by its uid."""
    lines: list[str] = []
    about = "The kubelet's version, in place of cAdvisor's."
    _family(lines, "cadvisor_version_info", "gauge", about, [({"cadvisorVersion": version}, 1, None)])
    things = list(_things(summary, state))
    for name, help_, further, (part, figure), unit in _USE:
        samples: list[tuple[Labels, float, str | None]] = [
            ({**labels, **further}, told[part][figure] / unit, told[part]["time"])
            for labels, told, _ in things if figure in told.get(part, {})
        ]
        _family(lines, name, "counter" if name.endswith("_total") else "gauge", help_, samples)
    for name, help_, read in _SPECIFIED:
        _family(lines, name, "gauge", help_, [(labels, read(run), None) for labels, _, run in things if run is not None])
    _family(lines, "machine_cpu_cores", "gauge", "Number of logical CPU cores.", [({}, cpus, None)])
    _family(lines, "machine_memory_bytes", "gauge", "Amount of memory installed on the machine.", [({}, memory, None)])
    return "\n".join(lines) + "\n"


def _things(summary: Json, state: Callable[[str], PodState]) -> Iterator[tuple[Labels, Json, ContainerStatus | None]]:
    """The node, each Pod's sandbox, and each container: (labels, its part of the summary, the runtime's record)."""
    nothing = {"container": "", "id": "/", "image": "", "name": "", "namespace": "", "pod": ""}
    yield nothing, summary["node"], None
    for pod in summary["pods"]:
        reference = pod["podRef"]
        known = state(reference["uid"])
        of_pod = {**nothing, "namespace": reference["namespace"], "pod": reference["name"]}
        sandbox = known.ready_sandbox
        above = sandbox.config.cgroup_parent if sandbox is not None else ""
        yield {**of_pod, "id": f"/{above.strip('/')}", "name": sandbox.id if sandbox is not None else ""}, pod, None
        for container in pod["containers"]:
            run = known.find(container["name"])
            if run is not None:
                own = {"container": container["name"], "id": f"/{above.strip('/')}/{run.id}", "image": run.image_ref, "name": run.id}
                yield {**of_pod, **own}, container, run


def _family(lines: list[str], name: str, kind: str, help_: str, samples: list[tuple[Labels, float, str | None]]) -> None:
    if not samples:
        return
    lines += [f"# HELP {name} {help_}", f"# TYPE {name} {kind}"]
    for labels, value, time in samples:
        text = ",".join(f'{key}="{label}"' for key, label in sorted(labels.items()))
        stamp = f" {int(parse_rfc3339(time) * 1000)}" if time is not None else ""
        lines.append(f"{name}{{{text}}} {value:.15g}{stamp}" if text else f"{name} {value:.15g}{stamp}")

"""The kubelet's figures in Prometheus' form: `/metrics/resource` from the summary, and its own `/metrics`.

https://kubernetes.io/docs/reference/instrumentation/node-metrics/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wherry.kubelet.status.conditions import Json
from wherry.util.clock import parse_rfc3339
from wherry.util.metrics import Labels, Metrics, build_info

if TYPE_CHECKING:
    from wherry.kubelet.kubelet import Kubelet

_CPU, _MEMORY = ("cpu", "usageCoreNanoSeconds", 1e9), ("memory", "workingSetBytes", 1.0)
_OF_NODE = (
    ("node_cpu_usage_seconds_total", "counter", "Cumulative CPU time of the node in core-seconds.", _CPU),
    ("node_memory_working_set_bytes", "gauge", "Working set of the node in bytes.", _MEMORY),
)
_OF_POD = (
    ("pod_cpu_usage_seconds_total", "counter", "Cumulative CPU time of the Pod in core-seconds.", _CPU),
    ("pod_memory_working_set_bytes", "gauge", "Working set of the Pod in bytes.", _MEMORY),
)
_OF_CONTAINER = (
    ("container_cpu_usage_seconds_total", "counter", "Cumulative CPU time of the container in core-seconds.", _CPU),
    ("container_memory_working_set_bytes", "gauge", "Working set of the container in bytes.", _MEMORY),
)
_STARTED = "container_start_time_seconds"


def resource_metrics(summary: Json, *, faulty: bool = False) -> str:
    """What the metrics server of upstream scrapes.  Each figure has the time at which it was taken."""
    lines: list[str] = []
    for name, kind, help_, what in _OF_CONTAINER:
        _family(lines, name, kind, help_)
        for pod, container in _containers(summary):
            _sample(lines, name, _labels(pod, container["name"]), container, what)
    _family(lines, _STARTED, "gauge", "When the container was started, in seconds since the epoch.")
    for pod, container in _containers(summary):
        lines.append(f"{_STARTED}{_labels(pod, container['name'])} {parse_rfc3339(container['startTime']):.0f}")
    for name, kind, help_, what in _OF_NODE:
        _family(lines, name, kind, help_)
        _sample(lines, name, "", summary["node"], what)
    for name, kind, help_, what in _OF_POD:
        _family(lines, name, kind, help_)
        for pod in summary["pods"]:
            _sample(lines, name, _labels(pod), pod, what)
    _family(lines, "resource_scrape_error", "gauge", "1 if something could not be measured, else 0.")
    lines.append(f"resource_scrape_error {int(faulty)}")
    return "\n".join(lines) + "\n"


def _containers(summary: Json) -> list[tuple[Json, Json]]:
    return [(pod, container) for pod in summary["pods"] for container in pod["containers"]]


def _family(lines: list[str], name: str, kind: str, help_: str) -> None:
    lines += [f"# HELP {name} {help_}", f"# TYPE {name} {kind}"]


def _labels(pod: Json, container: str = "") -> str:
    """Names of Pods and containers need no escaping."""
    own = f'container="{container}",' if container else ""
    return f'{{{own}namespace="{pod["podRef"]["namespace"]}",pod="{pod["podRef"]["name"]}"}}'


def _sample(lines: list[str], name: str, labels: str, of: Json, what: tuple[str, str, float]) -> None:
    part, figure, unit = what
    told = of[part]
    lines.append(f"{name}{labels} {told[figure] / unit:.15g} {int(parse_rfc3339(told['time']) * 1000)}")


def kubelet_metrics(kubelet: Kubelet) -> Metrics:
    """The kubelet's own figures, read at a scrape."""
    metrics = Metrics(process=True)
    build_info(metrics, kubelet.config.version)

    def states() -> dict[Labels, float]:
        found: dict[Labels, float] = {}
        for uid in kubelet.cache.uids():
            for container in kubelet.cache.get(uid).containers:
                label = (container.state.value.lower(),)
                found[label] = found.get(label, 0) + 1
        return found

    def running() -> float:
        return sum(kubelet.cache.get(uid).ready_sandbox is not None for uid in kubelet.cache.uids())

    name = kubelet.config.node_name
    metrics.gauge_of("kubelet_node_name", "The node's name; the value is always 1.", lambda: {(name,): 1.0}, ("node",))
    metrics.gauge_of("kubelet_running_pods", "Pods that have a running sandbox.", running)
    metrics.gauge_of("kubelet_running_containers", "Containers by state.", states, ("container_state",))
    metrics.gauge_of("kubelet_desired_pods", "Pods that the API wants on the node.", lambda: float(len(kubelet.pods())))
    return metrics

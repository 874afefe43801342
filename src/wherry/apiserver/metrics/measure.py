"""What a kubelet's `/stats/summary` says, as NodeMetrics and PodMetrics.  Pure.

https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from wherry.api.resource import Object
from wherry.apimachinery import quantity
from wherry.util.clock import parse_rfc3339
from wherry.util.metrics import SAMPLE_SECONDS


class CPU(msgspec.Struct, rename="camel", gc=False):
    time: str
    usage_nano_cores: int | None = None


class Memory(msgspec.Struct, rename="camel", gc=False):
    working_set_bytes: int | None = None


class Container(msgspec.Struct, rename="camel", gc=False):
    name: str
    start_time: str
    cpu: CPU | None = None
    memory: Memory | None = None


class PodReference(msgspec.Struct, gc=False):
    name: str
    namespace: str


class Pod(msgspec.Struct, rename="camel", gc=False):
    pod_ref: PodReference
    containers: list[Container] = []


class Node(msgspec.Struct, rename="camel", gc=False):
    node_name: str
    start_time: str
    cpu: CPU | None = None
    memory: Memory | None = None


class Summary(msgspec.Struct, gc=False):
    """The part of stats/v1alpha1 Summary that is needed here."""

    node: Node
    pods: list[Pod] = []


Measured = tuple[str, float, Object]  # when, over how many seconds, the usage


def node_metrics(summary: Summary, labels: Mapping[str, str], now: str) -> Object | None:
    """NodeMetrics; None while the kubelet has not measured yet."""
    node = summary.node
    measured = _measured(node.cpu, node.memory, node.start_time)
    if measured is None:
        return None
    time, window, usage = measured
    return {"metadata": _metadata(node.node_name, "", labels, now), "timestamp": time, "window": go_duration(window), "usage": usage}


def pod_metrics(pod: Pod, labels: Mapping[str, str], now: str) -> Object | None:
    """PodMetrics; None unless each container that runs has been measured: a part would pass for the whole."""
    containers: list[Object] = []
    times, windows = [], []
    for container in pod.containers:
        measured = _measured(container.cpu, container.memory, container.start_time)
        if measured is None:
            return None
        times.append(measured[0])
        windows.append(measured[1])
        containers.append({"name": container.name, "usage": measured[2]})
    if not containers:
        return None
    metadata = _metadata(pod.pod_ref.name, pod.pod_ref.namespace, labels, now)
    earliest = min(range(len(times)), key=lambda index: parse_rfc3339(times[index]))
    return {"metadata": metadata, "timestamp": times[earliest], "window": go_duration(windows[earliest]), "containers": containers}


def _measured(cpu: CPU | None, memory: Memory | None, started: str) -> Measured | None:
    if cpu is None or memory is None or cpu.usage_nano_cores is None or memory.working_set_bytes is None:
        return None
    # The summary does not say over which time a rate was taken: the sampling period, or a younger thing's whole life.
    window = min(SAMPLE_SECONDS, max(1.0, parse_rfc3339(cpu.time) - parse_rfc3339(started)))
    usage = {"cpu": str(quantity.Quantity(cpu.usage_nano_cores)), "memory": str(quantity.from_bytes(memory.working_set_bytes))}
    return cpu.time, window, usage


def _metadata(name: str, namespace: str, labels: Mapping[str, str], now: str) -> Object:
    metadata: Object = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    metadata["creationTimestamp"] = now
    if labels:
        metadata["labels"] = dict(labels)
    return metadata


def go_duration(seconds: float) -> str:
    """metav1.Duration as Go writes it, to the millisecond: `10s`, `1m0.5s`, `250ms`."""
    millis = round(seconds * 1000)
    if millis < 1000:
        return f"{millis}ms" if millis else "0s"
    minutes, rest = divmod(millis, 60_000)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if not minutes:
        return text
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}"

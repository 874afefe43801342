"""stats/v1alpha1 Summary, as `/stats/summary` shows it.  Pure: figures in, JSON out; what is unknown is left out.

https://kubernetes.io/docs/reference/instrumentation/node-metrics/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wherry.kubelet.stats.series import Sample
from wherry.kubelet.status.conditions import Json
from wherry.util.clock import rfc3339


@dataclass(frozen=True, slots=True)
class FileSystem:
    """Bytes and inodes; no capacity: nothing is known of it."""

    used: int = 0
    available: int = 0
    capacity: int = 0
    inodes: int = 0
    inodes_free: int = 0


@dataclass(frozen=True, slots=True)
class NodeFigures:
    name: str
    started: float  # wall seconds
    memory: int
    interface: str
    sample: Sample
    nano_cores: int | None
    file_system: FileSystem
    images: FileSystem


@dataclass(frozen=True, slots=True)
class ContainerFigures:
    name: str
    started: float
    memory_limit: int
    sample: Sample
    nano_cores: int | None


@dataclass(frozen=True, slots=True)
class PodFigures:
    name: str
    namespace: str
    uid: str
    started: str  # RFC 3339
    host_network: bool
    containers: Sequence[ContainerFigures]
    sample: Sample
    nano_cores: int | None


def summary(node: NodeFigures, pods: Sequence[PodFigures]) -> Json:
    return {"node": _node(node), "pods": [_pod(pod, node) for pod in pods]}


def _node(node: NodeFigures) -> Json:
    time = rfc3339(node.sample.usage.time)
    told: Json = {
        "nodeName": node.name, "startTime": rfc3339(node.started), "cpu": _cpu(node.sample, node.nano_cores),
        "memory": _memory(node.sample, node.memory),
    }
    if node.interface:
        told["network"] = _network(node.sample, node.interface)
    if node.file_system.capacity:
        told["fs"] = _file_system(time, node.file_system, node.file_system.used, whole=True)
    if node.images.capacity:
        told["runtime"] = {"imageFs": _file_system(time, node.images, node.images.used)}
    return told


def _pod(pod: PodFigures, node: NodeFigures) -> Json:
    told: Json = {
        "podRef": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid}, "startTime": pod.started,
        "containers": [_container(each, node) for each in pod.containers], "cpu": _cpu(pod.sample, pod.nano_cores),
        "memory": _memory(pod.sample, 0),
    }
    if not pod.host_network:  # it has no network of its own
        told["network"] = _network(pod.sample, "eth0")
    used = sum(each.sample.usage.writable_layer_bytes + (each.sample.log_bytes or 0) for each in pod.containers)
    told["ephemeral-storage"] = _file_system(rfc3339(pod.sample.usage.time), node.file_system, used)
    return told


def _container(container: ContainerFigures, node: NodeFigures) -> Json:
    sample = container.sample
    time = rfc3339(sample.usage.time)
    told: Json = {
        "name": container.name, "startTime": rfc3339(container.started), "cpu": _cpu(sample, container.nano_cores),
        "memory": _memory(sample, container.memory_limit),
        "rootfs": _file_system(time, node.images, sample.usage.writable_layer_bytes),
    }
    if sample.log_bytes is not None:
        told["logs"] = _file_system(time, node.file_system, sample.log_bytes)
    return told


def _cpu(sample: Sample, nano_cores: int | None) -> Json:
    told: Json = {"time": rfc3339(sample.usage.time)}
    if nano_cores is not None:
        told["usageNanoCores"] = nano_cores
    return {**told, "usageCoreNanoSeconds": sample.usage.cpu_ns}


def _memory(sample: Sample, limit: int) -> Json:
    usage = sample.usage
    told: Json = {"time": rfc3339(usage.time)}
    if limit:
        told["availableBytes"] = max(0, limit - usage.memory_working_set)
    return {
        **told, "usageBytes": usage.memory_usage, "workingSetBytes": usage.memory_working_set, "rssBytes": usage.memory_rss,
        "pageFaults": usage.memory_page_faults, "majorPageFaults": usage.memory_major_page_faults,
    }


def _network(sample: Sample, name: str) -> Json:
    usage = sample.usage
    one = {
        "name": name, "rxBytes": usage.rx_bytes, "rxErrors": usage.rx_errors, "txBytes": usage.tx_bytes, "txErrors": usage.tx_errors,
    }
    return {"time": rfc3339(usage.time), **one, "interfaces": [one]}


def _file_system(time: str, on: FileSystem, used: int, *, whole: bool = False) -> Json:
    """`used` of a file system; `whole` when that is all of its use, so that its inodes are told, too."""
    told: Json = {"time": time}
    if on.capacity:
        told |= {"availableBytes": on.available, "capacityBytes": on.capacity}
    told["usedBytes"] = used
    if whole and on.inodes:
        told |= {"inodesFree": on.inodes_free, "inodes": on.inodes, "inodesUsed": on.inodes - on.inodes_free}
    return told

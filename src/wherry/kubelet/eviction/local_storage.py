"""Whether a Pod has written more to the node's disk than it may: pure.

https://kubernetes.io/docs/concepts/storage/ephemeral-storage/#ephemeral-storage-consumption-management
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wherry.api.pod import effective_limits
from wherry.api.types import core_v1
from wherry.apimachinery import quantity

EPHEMERAL = "ephemeral-storage"


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Bytes: of each emptyDir on disk by its name, and of each container's writable layer and logs by the container's."""

    empty_dirs: Mapping[str, int] = field(default_factory=dict)
    containers: Mapping[str, int] = field(default_factory=dict)

    def total(self) -> int:
        return sum(self.empty_dirs.values()) + sum(self.containers.values())


def on_disk(volume: core_v1.Volume) -> bool:
    """An emptyDir that takes disk.  One in memory is bounded by its mount."""
    return volume.empty_dir is not None and volume.empty_dir.medium != "Memory"


def is_limited(pod: core_v1.Pod) -> bool:
    """Whether anything about its disk use need be known."""
    volumes = any(on_disk(v) and v.empty_dir is not None and v.empty_dir.size_limit for v in pod.spec.volumes)
    return volumes or EPHEMERAL in effective_limits(pod)


def exceeded(pod: core_v1.Pod, use: DiskUse) -> str | None:
    """Why the Pod must go, in upstream's words; None when it keeps within its limits."""
    for volume in pod.spec.volumes:
        source = volume.empty_dir
        if source is None or not on_disk(volume) or not source.size_limit:
            continue
        limit = quantity.value(source.size_limit)
        if limit and use.empty_dirs.get(volume.name, 0) > limit:
            return f'Usage of EmptyDir volume "{volume.name}" exceeds the limit "{source.size_limit}". '
    whole = effective_limits(pod).get(EPHEMERAL)
    if whole is not None and use.total() > quantity.value(str(whole)):
        return f"Pod ephemeral local storage usage exceeds the total limit of containers {whole}. "
    for container in pod.spec.containers:
        text = container.resources.limits.get(EPHEMERAL)
        if text and quantity.value(text) and use.containers.get(container.name, 0) > quantity.value(text):
            return f'Container {container.name} exceeded its local ephemeral storage limit "{text}". '
    return None

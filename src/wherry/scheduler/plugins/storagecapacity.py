"""How much a CSI driver can still make where: what VolumeBinding reads of CSIStorageCapacity, and how it scores.  Pure.

https://kubernetes.io/docs/concepts/storage/storage-capacity/
A driver that says `storageCapacity: true` publishes pools: an amount for a StorageClass on nodes with some labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from wherry.api.types import core_v1, storage_v1
from wherry.api.volumes import Claim, Volume, capacity, claim_class, requested
from wherry.apimachinery.labels import from_label_selector
from wherry.apimachinery.quantity import Quantity, parse
from wherry.scheduler.plugins.noderesources import Scorer, requested_to_capacity_ratio

Pool = storage_v1.CSIStorageCapacity
Resources = Mapping[str, tuple[int, int]]  # by class: bytes that are asked for, and of how many
MOST_FREE: Scorer = requested_to_capacity_ratio([(0, 10), (100, 0)])  # the more is left, the better


def by_class(pool: Pool) -> tuple[str, ...]:
    """One function for all profiles: they share the index."""
    return (pool.storage_class_name or "",)


def tracks(driver: storage_v1.CSIDriver | None) -> bool:
    """Whether what a driver's pools say counts; a provisioner that is no CSI driver has none."""
    return driver is not None and bool(driver.spec.storage_capacity)


def limit(pool: Pool) -> Quantity | None:
    """How large a volume may be; None when the pool can make none."""
    told = pool.maximum_volume_size or pool.capacity
    return parse(told) if told else None


def find(pools: Iterable[Pool], size: Quantity, node: core_v1.Node) -> Pool | None:
    """A pool that has room for a volume and that the node reaches."""
    for pool in pools:
        most = limit(pool)
        if most is None or most < size or pool.node_topology is None:
            continue
        if from_label_selector(pool.node_topology).matches(node.metadata.labels):
            return pool
    return None


# --- what helps a Pod that was refused ------------------------------------------------------------


def grew(pod: core_v1.Pod, old: Pool | None, new: Pool) -> bool:
    now, before = limit(new), limit(old) if old is not None else None
    return old is None or (now is not None and (before is None or before < now))


def tracks_no_more(pod: core_v1.Pod, old: storage_v1.CSIDriver, new: storage_v1.CSIDriver) -> bool:
    return tracks(old) and not tracks(new)


# --- scores ---------------------------------------------------------------------------------------


def of_volumes(given: Iterable[tuple[Claim, Volume]]) -> Resources:
    """Of volumes that are there: the better they fit, the fuller."""
    found: dict[str, tuple[int, int]] = {}
    for claim, volume in given:
        name = volume.spec.storage_class_name or ""
        asked, total = found.get(name, (0, 0))
        found[name] = asked + requested(claim).value(), total + capacity(volume).value()
    return found


def of_pools(pools: Iterable[tuple[Claim, Pool]]) -> Resources:
    """Of volumes that are to be made: two of one class come from one pool."""
    found: dict[str, tuple[int, int]] = {}
    for claim, pool in pools:
        name = claim_class(claim)
        found[name] = found.get(name, (0, 0))[0] + requested(claim).value(), parse(pool.capacity or "0").value()
    return found


def score(resources: Resources, scorer: Scorer) -> int:
    """The mean over the classes."""
    if not resources:
        return 0
    total = sum(scorer(asked, most) if most else scorer(1, 1) for asked, most in resources.values())
    return math.floor(total / len(resources) + 0.5)

"""How fast nodes of a zone are given up, when many fall silent together: then the fault is likely not theirs.  Pure.

https://kubernetes.io/docs/concepts/architecture/nodes/#rate-limits-on-eviction
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from wherry.api.types import core_v1

REGION, ZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone"
INTERVAL, SLOW_INTERVAL = 10.0, 100.0  # seconds between two nodes of a zone
LARGE = 50  # nodes; a smaller zone gives up nobody while it is disrupted in part
UNHEALTHY = 0.55  # the share of nodes that are not ready, of more than two, from which on it is


class State(Enum):
    NORMAL, PARTIAL, FULL = "Normal", "PartialDisruption", "FullDisruption"


def zone_of(node: core_v1.Node) -> tuple[str, str]:
    labels = node.metadata.labels
    return labels.get(REGION, ""), labels.get(ZONE, "")


def state(ready: Collection[bool]) -> State:
    """`ready` tells of each node of the zone."""
    missing = len(ready) - sum(ready)
    if missing and missing == len(ready):
        return State.FULL
    return State.PARTIAL if missing > 2 and missing / len(ready) >= UNHEALTHY else State.NORMAL


def interval(of: State, nodes: int) -> float | None:
    """Seconds from one node that is given up to the next; None: none is.  When all zones are FULL nobody asks."""
    if of is not State.PARTIAL:
        return INTERVAL
    return SLOW_INTERVAL if nodes > LARGE else None

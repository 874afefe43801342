"""The size of a cluster → seconds, with some hysteresis.  Pure."""

from __future__ import annotations

ANNOTATION = "node.alpha.kubernetes.io/ttl"
# (fewest nodes, most nodes, seconds); the ranges overlap, so that a node that comes and goes changes nothing
_BOUNDARIES = ((0, 100, 0), (90, 500, 15), (450, 1000, 30), (900, 2000, 60), (1800, 1 << 31, 300))


def step_for(nodes: int, step: int) -> int:
    """The step that a cluster of so many nodes is on, having been on `step`."""
    while nodes > _BOUNDARIES[step][1]:
        step += 1
    while nodes < _BOUNDARIES[step][0]:
        step -= 1
    return step


def seconds(step: int) -> int:
    return _BOUNDARIES[step][2]

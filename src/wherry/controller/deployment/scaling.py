"""How big each ReplicaSet of a Deployment should be.  Pure: sizes of `Sized` change in place.

Every function gives the (ReplicaSet, old size, new size) that it has changed, in order.
"""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.types import apps_v1
from wherry.controller.deployment.model import Sized, bounds, is_rolling, total, wanted

Change = tuple[Sized, int, int]


def resize(each: Sized, size: int) -> list[Change]:
    if each.replicas == size:
        return []
    before, each.replicas = each.replicas, size
    return [(each, before, size)]


def new_size(d: apps_v1.Deployment, sets: Sequence[Sized], new: Sized) -> int:
    """The size of the newest ReplicaSet: all at once for Recreate, and as far as the surge allows for RollingUpdate."""
    if not is_rolling(d):
        return wanted(d)
    room = wanted(d) + bounds(d)[0] - total(sets)
    return new.replicas if room <= 0 else new.replicas + min(room, wanted(d) - new.replicas)


def grow_new(d: apps_v1.Deployment, sets: Sequence[Sized], new: Sized) -> list[Change]:
    """Rolling: bring the newest ReplicaSet nearer to the wanted size, or down to it."""
    if new.replicas > wanted(d):
        return resize(new, wanted(d))
    return resize(new, new_size(d, sets, new)) if new.replicas < wanted(d) else []


def shrink_old(d: apps_v1.Deployment, sets: Sequence[Sized], new: Sized) -> list[Change]:
    """Rolling: take away as many old Pods as may be missing, those that are not available first.

    Pods of the newest ReplicaSet that are not available yet count as missing: they may never be.
    """
    old = sorted((each for each in sets if each is not new), key=lambda each: each.age_key)
    minimum = wanted(d) - bounds(d)[1]
    budget = total(sets) - minimum - (new.replicas - new.surely_available)
    if total(old) == 0 or budget <= 0:
        return []
    changes = _shrink_unhealthy(old, budget)
    available = sum(each.surely_available for each in sets)
    return changes + _shrink(old, available - minimum)


def _shrink_unhealthy(old: Sequence[Sized], budget: int) -> list[Change]:
    changes: list[Change] = []
    for each in old:
        count = min(budget, each.replicas - each.available)
        if budget > 0 and count > 0:
            budget -= count
            changes += resize(each, each.replicas - count)
    return changes


def _shrink(old: Sequence[Sized], budget: int) -> list[Change]:
    changes: list[Change] = []
    for each in old:
        count = min(budget, each.replicas)
        if count > 0:
            budget -= count
            changes += resize(each, each.replicas - count)
    return changes


def rescale(d: apps_v1.Deployment, sets: Sequence[Sized], new: Sized | None) -> list[Change]:
    """The Deployment's size has changed (or it is paused): share the difference among the ReplicaSets in proportion.

    Those whose size stays are given back too, since their annotations may have to change.
    """
    active = [each for each in sets if each.replicas > 0]
    if len(active) <= 1:
        latest = active[0] if active else new or max(sets, key=lambda each: each.age_key, default=None)
        return [] if latest is None else resize(latest, wanted(d))
    old = [each for each in active if each is not new]
    if new is not None and _is_saturated(d, new):
        return [change for each in old for change in resize(each, 0)]
    return _proportional(d, active) if is_rolling(d) else []


def _is_saturated(d: apps_v1.Deployment, each: Sized) -> bool:
    return each.replicas == each.desired() == each.available == wanted(d)


def _proportional(d: apps_v1.Deployment, active: Sequence[Sized]) -> list[Change]:
    allowed = wanted(d) + bounds(d)[0] if wanted(d) > 0 else 0
    to_add = allowed - total(active)
    newest_first = to_add > 0
    ordered = sorted(active, key=lambda each: each.age_key, reverse=newest_first)
    ordered.sort(key=lambda each: -each.replicas)
    added, sizes = 0, []
    for each in ordered:
        share = _share(d, each, to_add, added)
        sizes.append(each.replicas + share)
        added += share
    if sizes and to_add:
        sizes[0] = max(0, sizes[0] + to_add - added)  # what rounding has left over goes to the biggest
    changes: list[Change] = []
    for each, size in zip(ordered, sizes, strict=True):
        changes += resize(each, size) or [(each, each.replicas, each.replicas)]
    return changes


def _share(d: apps_v1.Deployment, each: Sized, to_add: int, added: int) -> int:
    """This ReplicaSet's part of the difference, and never more than is left of it."""
    if each.replicas == 0 or to_add in (0, added):
        return 0
    left, part = to_add - added, _fraction(d, each)
    return min(part, left) if to_add > 0 else max(part, left)


def _fraction(d: apps_v1.Deployment, each: Sized) -> int:
    if wanted(d) == 0:
        return -each.replicas
    before = each.maximum() or d.status.replicas or 0
    if before == 0:
        return 0
    size = each.replicas * (wanted(d) + bounds(d)[0]) / before
    return int(size + 0.5) - each.replicas

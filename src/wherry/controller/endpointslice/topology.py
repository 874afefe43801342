"""Hints by the zones' share of the cluster's CPU, for Services with `topology-mode: Auto` (KEP-2433).  Pure.

Every zone is to get as many endpoints as it has CPU, so that nobody is overloaded who sends traffic to its own zone only.
Where that cannot be done well, no endpoint has hints, and an event says why.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from wherry.api.types import core_v1, discovery_v1
from wherry.apimachinery.quantity import milli
from wherry.controller.nodelifecycle.plan import ready_status

ZONE = "topology.kubernetes.io/zone"
# The elder annotation goes before the younger.
MODES = ("service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode")
CONTROL_PLANE = frozenset({"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"})
OVERLOAD = 0.2  # how much more than its share an endpoint may get

NO_ZONE = "One or more endpoints do not have a zone specified"
NOT_ENOUGH_OF_NODES = "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
NOT_ENOUGH = "Insufficient number of endpoints"
TOO_UNEVEN = "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold"
ENABLED, DISABLED = "Topology Aware Hints has been enabled", "Topology Aware Hints has been disabled"

Ratios = Mapping[str, float]
Slice = discovery_v1.EndpointSlice


def is_automatic(service: core_v1.Service) -> bool:
    annotations = service.metadata.annotations
    mode = next((annotations[key] for key in MODES if key in annotations), "")
    return mode in ("Auto", "auto")


def cpu_ratios(nodes: Iterable[core_v1.Node]) -> Ratios:
    """Each zone's share of the CPU of all ready nodes; {} when there is but one zone, or a node does not tell."""
    by_zone: Counter[str] = Counter()
    for node in nodes:
        if not CONTROL_PLANE.isdisjoint(node.metadata.labels) or ready_status(node) != "True":
            continue
        zone, cpu = node.metadata.labels.get(ZONE, ""), milli(node.status.allocatable.get("cpu", "0"))
        if not zone or not cpu:
            return {}
        by_zone[zone] += cpu
    total = by_zone.total()
    return {zone: cpu / total for zone, cpu in by_zone.items()} if len(by_zone) > 1 else {}


@dataclass(frozen=True, slots=True)
class Share:
    """How many endpoints a zone is to get."""

    minimum: int
    maximum: int
    desired: float


def shares(ratios: Ratios, endpoints: int) -> dict[str, Share] | str:
    """By zone; or why none can be told."""
    if not ratios:
        return NOT_ENOUGH_OF_NODES
    figures = f"({endpoints} endpoints, {len(ratios)} zones)"
    if len(ratios) > endpoints:
        return f"{NOT_ENOUGH} {figures}"
    wanted = {zone: ratio * endpoints for zone, ratio in ratios.items()}
    least = {zone: _least(desired) for zone, desired in wanted.items()}
    spare = endpoints - sum(least.values())
    if spare < 0:
        return f"{TOO_UNEVEN} {figures}"
    return {zone: Share(least[zone], least[zone] + spare, max(desired, least[zone])) for zone, desired in wanted.items()}


def _least(share: float) -> int:
    return math.ceil(share * (1 / (1 + OVERLOAD)))


def is_overloaded(allocated: Mapping[str, int], ratios: Ratios) -> bool:
    """Whether hints given before leave a zone with too little, now that the zones have changed."""
    if not allocated:
        return False
    total = sum(allocated.values())
    return not ratios or any(allocated.get(zone, 0) < _least(total * ratio) for zone, ratio in ratios.items())


@dataclass(frozen=True, slots=True)
class Hinted:
    """`slices` in the order given, with hints or without; `allocated` is {} and `why` says so when there are none."""

    slices: list[Slice]
    allocated: Mapping[str, int]
    why: str = ""


def add_hints(changing: list[Slice], unchanged: list[Slice], ratios: Ratios) -> Hinted:
    """Slices that are written anyway get new hints; those that are not keep theirs, as long as they do no harm."""
    every = [*changing, *unchanged]
    found = shares(ratios, sum(_is_ready(each) for slice_ in every for each in slice_.endpoints))
    if isinstance(found, str):
        return Hinted([without_hints(each) for each in every], {}, found)
    allocated: Counter[str] = Counter()
    kept: set[int] = set()
    for place, slice_ in enumerate(unchanged, len(changing)):
        given = _given(slice_, allocated, found)
        if given is not None:
            allocated += given
            kept.add(place)
    free = [each for place, slice_ in enumerate(every) if place not in kept for each in slice_.endpoints if _is_ready(each)]
    if any(not each.zone for each in free):
        return Hinted([without_hints(each) for each in every], {}, NO_ZONE)
    allocated += Counter(each.zone for each in free)
    moves = _moves(found, allocated)
    slices = [slice_ if place in kept else _assigned(slice_, moves, allocated) for place, slice_ in enumerate(every)]
    return Hinted(slices, +allocated)


def without_hints(slice_: Slice) -> Slice:
    if all(each.hints is None for each in slice_.endpoints):
        return slice_
    return msgspec.structs.replace(slice_, endpoints=[msgspec.structs.replace(each, hints=None) for each in slice_.endpoints])


def _is_ready(endpoint: discovery_v1.Endpoint) -> bool:
    return endpoint.conditions is not None and endpoint.conditions.ready is True


def _given(slice_: Slice, before: Mapping[str, int], found: Mapping[str, Share]) -> Counter[str] | None:
    """The hints that a slice has; None when it needs others: some lack, or a zone got more than it may or is none any more."""
    given: Counter[str] = Counter()
    for each in slice_.endpoints:
        if _is_ready(each):
            if each.hints is None or not each.hints.for_zones:
                return None
            given.update(zone.name for zone in each.hints.for_zones)
    fits = all(zone in found and number + before.get(zone, 0) <= found[zone].maximum for zone, number in given.items())
    return given if fits else None


@dataclass(slots=True)
class _Moves:
    """How many endpoints zones give to others, and get."""

    giving: Counter[str]
    receiving: Counter[str]


def _moves(found: Mapping[str, Share], allocated: Mapping[str, int]) -> _Moves:
    """Whole endpoints, from who has most too many to who has most too few; half of one is not worth it."""
    over = {zone: allocated.get(zone, 0) - share.desired for zone, share in found.items()}
    left = {zone: amount for zone, amount in over.items() if amount > 0}
    lack = {zone: -amount for zone, amount in over.items() if amount < 0}
    result = _Moves(Counter(), Counter())
    while left and lack:
        giver, receiver = max(sorted(left), key=left.__getitem__), max(sorted(lack), key=lack.__getitem__)
        gives, needs = left[giver], lack[receiver]
        if min(gives, needs) < 0.5 or max(gives, needs) < 1.0:
            break
        result.giving[giver] += 1
        result.receiving[receiver] += 1
        left[giver] -= 1
        lack[receiver] -= 1
    return result


def _assigned(slice_: Slice, moves: _Moves, allocated: Counter[str]) -> Slice:
    """Every ready endpoint is for its own zone, or for one that has too few.  Takes what it uses off `moves`."""
    endpoints = []
    for each in slice_.endpoints:
        zone = each.zone
        receiver = next((other for other in sorted(moves.receiving) if moves.receiving[other] > 0), "")
        if _is_ready(each) and receiver and moves.giving[zone] > 0:
            moves.giving[zone] -= 1
            moves.receiving[receiver] -= 1
            allocated[zone] -= 1
            allocated[receiver] += 1
            zone = receiver
        hints = discovery_v1.EndpointHints(for_zones=[discovery_v1.ForZone(name=zone)]) if _is_ready(each) else None
        endpoints.append(msgspec.structs.replace(each, hints=hints))
    return msgspec.structs.replace(slice_, endpoints=endpoints)

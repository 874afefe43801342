"""Devices as they may be chosen: those of a node's pools, as far as a pool is whole.  Pure.

A pool's slices have a generation; only the newest counts, and a pool that does not have all of its slices yet gives no device.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from wherry.api.devices import compile_selector, matches, qualified, variables
from wherry.api.devicetaints import DeviceID
from wherry.api.nodeaffinity import matches_term
from wherry.api.types import core_v1, resource_v1
from wherry.apimachinery import quantity
from wherry.apimachinery.cel import EvaluationError
from wherry.client.store import Store

Slice = resource_v1.ResourceSlice
PoolID = tuple[str, str]  # driver, name
Name = tuple[str, str]  # of a capacity: domain, identifier
Counters = Mapping[tuple[str, str], int]  # (counter set, counter) -> nano-units
_HINT = "Consider using CEL optional chaining (?), has() macro, or orValue() for optional fields"


class AllocationError(Exception):
    """Something is wrong with a claim, a class or what a driver published: another try gives the same."""


@dataclass(eq=False)
class Candidate:
    """One device.  What selectors say of it is remembered: neither ever changes."""

    id: DeviceID
    device: resource_v1.Device
    slice: Slice
    _answers: dict[str, bool | EvaluationError] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        return "/".join(self.id)

    @property
    def shared(self) -> bool:
        """Several requests may have a part of it."""
        return bool(self.device.allow_multiple_allocations)

    @cached_property
    def _seen(self) -> Mapping[str, object]:
        return variables(self.id[0], self.device)

    @cached_property
    def capacity(self) -> Mapping[Name, tuple[str, resource_v1.DeviceCapacity]]:
        """By full name, with the name that the driver gave; one with the domain goes before one without."""
        driver = self.id[0]
        given = sorted(self.device.capacity.items(), key=lambda item: "/" in item[0])
        return {qualified(name, driver): (name, amount) for name, amount in given}

    @cached_property
    def counters(self) -> Counters:
        """What it takes of its pool's counters."""
        return {
            (each.counter_set, name): quantity.parse(counter.value).nanos
            for each in self.device.consumes_counters for name, counter in each.counters.items()
        }

    def attribute(self, name: str) -> tuple[str, object] | None:
        """Kind and value of an attribute, by its full name."""
        found = self.device.attributes.get(name)
        domain, _, identifier = name.partition("/")
        if found is None and domain == self.id[0]:
            found = self.device.attributes.get(identifier)
        if found is None:
            return None
        for kind, value in (("string", found.string), ("int", found.int_), ("bool", found.bool_), ("version", found.version)):
            if value is not None:
                return kind, value
        return None

    def matches(self, expression: str) -> bool:
        """Raises EvaluationError; ValueError for what does not compile."""
        answer = self._answers.get(expression)
        if answer is None:
            program = compile_selector(expression)
            try:
                answer = matches(program, self._seen)
            except EvaluationError as error:
                told = str(error)
                answer = EvaluationError(f"{told}. {_HINT}" if told.startswith("no such key:") else told)
            self._answers[expression] = answer
        if isinstance(answer, EvaluationError):
            raise answer
        return answer

    def is_on(self, node: core_v1.Node) -> bool:
        """Where slices leave the choice of nodes to their devices."""
        if not self.slice.spec.per_device_node_selection:
            return True
        return _selects(node, self.device.node_name, self.device.all_nodes, self.device.node_selector)


def _selects(node: core_v1.Node, name: str, everywhere: bool | None, selector: core_v1.NodeSelector | None) -> bool:
    if name:
        return node.metadata.name == name
    if everywhere:
        return True
    return selector is not None and any(matches_term(term, node) for term in selector.node_selector_terms)


@dataclass(eq=False, slots=True)
class Pool:
    """A pool as a node sees it: `candidates` are those that it can reach, `others` the rest, which may use up counters."""

    id: PoolID
    candidates: list[Candidate]
    others: list[Candidate]
    counters: Counters
    incomplete: bool = False
    invalid: bool = False

    @property
    def usable(self) -> bool:
        return not self.incomplete and not self.invalid


class Inventory:
    """The ResourceSlices, and the candidates made of them: once a version of a slice."""

    def __init__(self, slices: Store[Slice]) -> None:
        self._slices = slices
        slices.add_indexer("node of devices", _node_of)
        slices.add_indexer("pool of devices", _pool_of)
        self._made: dict[str, tuple[str, list[Candidate]]] = {}  # by the slice's uid: its version, and its devices

    def pools(self, node: core_v1.Node) -> list[Pool]:
        """In the order of their names, so that equal questions get equal answers."""
        found: dict[PoolID, list[Slice]] = {}
        reachable = [*self._slices.by_index("node of devices", node.metadata.name), *self._slices.by_index("node of devices", "")]
        for each in reachable:
            if self._reaches(each, node):
                found.setdefault((each.spec.driver, each.spec.pool.name), []).append(each)
        pools = [self._pool(identity, slices, node) for identity, slices in sorted(found.items())]
        return [pool for pool in pools if pool is not None]

    def _reaches(self, each: Slice, node: core_v1.Node) -> bool:
        spec = each.spec
        if spec.per_device_node_selection:
            return any(candidate.is_on(node) for candidate in self._candidates(each))
        return _selects(node, spec.node_name, spec.all_nodes, spec.node_selector)

    def _pool(self, identity: PoolID, reachable: Sequence[Slice], node: core_v1.Node) -> Pool | None:
        everything = self._slices.by_index("pool of devices", "/".join(identity))
        generation = max(each.spec.pool.generation for each in everything)
        current = sorted((each for each in everything if each.spec.pool.generation == generation), key=lambda s: s.metadata.name)
        here = {each.metadata.uid for each in reachable}
        if not any(each.metadata.uid in here for each in current):
            return None  # what the node could reach is of yesterday
        mine: list[Candidate] = []
        others: list[Candidate] = []
        for each in current:
            for candidate in self._candidates(each):
                (mine if each.metadata.uid in here and candidate.is_on(node) else others).append(candidate)
        # Who has to wait for somebody before it can be used comes last.
        mine.sort(key=lambda candidate: bool(candidate.device.binding_conditions))
        names = [candidate.id for candidate in (*mine, *others)]
        counters = _counters(current)
        unknown = any(key not in counters for candidate in (*mine, *others) for key in candidate.counters)
        incomplete = len(current) != current[0].spec.pool.resource_slice_count
        return Pool(identity, mine, others, counters, incomplete, not incomplete and (len(set(names)) != len(names) or unknown))

    def _candidates(self, each: Slice) -> list[Candidate]:
        uid, version = each.metadata.uid, each.metadata.resource_version
        known = self._made.get(uid)
        if known is None or known[0] != version:
            if len(self._made) > 2 * len(self._slices) + 64:
                self._made.clear()  # of slices that are gone
            driver, pool = each.spec.driver, each.spec.pool.name
            known = self._made[uid] = version, [Candidate((driver, pool, device.name), device, each) for device in each.spec.devices]
        return known[1]


def _node_of(each: Slice) -> Iterable[str]:
    """An index: the one node of its devices, or ""."""
    return (each.spec.node_name,)


def _pool_of(each: Slice) -> Iterable[str]:
    return (f"{each.spec.driver}/{each.spec.pool.name}",)


def _counters(slices: Iterable[Slice]) -> Counters:
    return {
        (counter_set.name, name): quantity.parse(counter.value).nanos
        for each in slices for counter_set in each.spec.shared_counters for name, counter in counter_set.counters.items()
    }

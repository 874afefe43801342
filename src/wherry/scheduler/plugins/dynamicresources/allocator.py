"""Finds devices for claims on one node, or sees that there are none.  Pure.

Requests are met one after the other, each with the first device that will do; where that leads nowhere, the next one is
tried.  The search is exhaustive, so it is bounded in steps.  Behaviour: upstream's structured parameters allocator.
https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from wherry.api.devicetaints import DeviceID, Rules, prevents, taints_of
from wherry.api.types import core_v1, resource_v1
from wherry.apimachinery.cel import EvaluationError
from wherry.apimachinery.quantity import Quantity
from wherry.scheduler.plugins.dynamicresources import capacity
from wherry.scheduler.plugins.dynamicresources.candidates import AllocationError, Candidate, Name, Pool, PoolID
from wherry.scheduler.plugins.dynamicresources.constraints import Constraint, constraint_of

MAX_RESULTS = 32  # devices of a claim
MAX_STEPS = 20_000  # devices looked at for one Pod on one node
Claim = resource_v1.ResourceClaim
Request = resource_v1.ExactDeviceRequest | resource_v1.DeviceSubRequest


class TooLong(Exception):
    """The search was given up."""


class Allocated(Protocol):
    """What others have."""

    def in_use(self, device: DeviceID) -> bool:
        """Somebody has all of it."""
        ...

    def taken(self, device: DeviceID) -> Mapping[Name, Quantity] | None:
        """What is taken of a device that is shared; None when nobody has a part of it."""
        ...


@dataclass(eq=False, slots=True)
class Wanted:
    """A request that is to be met, or one of the alternatives for it."""

    name: str  # "request", or "request/subrequest"
    request: Request
    device_class: resource_v1.DeviceClass
    everything: list[Candidate] | None = None  # of mode All: which devices that is
    answers: dict[Candidate, bool] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(self.everything) if self.everything is not None else self.request.count or 1

    @property
    def admin(self) -> bool:
        return isinstance(self.request, resource_v1.ExactDeviceRequest) and bool(self.request.admin_access)


@dataclass(eq=False, slots=True)
class Chosen:
    wanted: Wanted
    candidate: Candidate
    consumed: Mapping[Name, Quantity] | None = None  # of a shared device


@dataclass(eq=False, slots=True)
class Allocation:
    """What a claim is given."""

    claim: Claim
    chosen: list[Chosen]
    node_selector: core_v1.NodeSelector | None
    config: list[dict[str, Any]]
    results: list[dict[str, Any]]


class Allocator:
    """One node, one Pod's claims."""

    def __init__(
        self, node: core_v1.Node, claims: Sequence[Claim], pools: Sequence[Pool], allocated: Allocated,
        device_class: Callable[[str], resource_v1.DeviceClass | None], rules: Rules = (), max_steps: int = MAX_STEPS,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self.node, self.claims, self.pools, self.allocated = node, claims, pools, allocated
        self._class, self._rules, self._left, self._new_id = device_class, rules, max_steps, new_id
        self._candidates = [candidate for pool in pools if pool.usable for candidate in pool.candidates]
        self._pool_of = {pool.id: pool for pool in pools}
        self._chosen: list[list[Chosen]] = [[] for _ in claims]
        self._users: dict[DeviceID, list[int]] = {}  # indexes of claims that a device is chosen for
        self._counters: dict[PoolID, dict[tuple[str, str], int]] = {}  # what is left
        self._constraints: list[list[Constraint]] = []
        self._wanted: list[list[list[Wanted]]] = []  # by claim and request: the alternatives

    def allocate(self) -> list[Allocation] | None:
        """None when there is no way.  Raises AllocationError, TooLong."""
        for claim in self.claims:
            devices = claim.spec.devices
            self._wanted.append([self._alternatives(claim, request) for request in devices.requests])
            self._constraints.append([constraint_of(each) for each in devices.constraints])
            least = sum(min((each.count for each in alternatives), default=0) for alternatives in self._wanted[-1])
            if least > MAX_RESULTS:
                told = f"number of requested devices {least} exceeds the claim limit of {MAX_RESULTS}"
                raise AllocationError(f"claim {_shown(claim)}: {told}")
        if not self._requests(0, 0):
            if any(pool.invalid for pool in self.pools):
                raise AllocationError("invalid resource pools were encountered")
            return None
        return [self._result(claim, chosen) for claim, chosen in zip(self.claims, self._chosen, strict=True)]

    def lacking(self) -> str:
        """What each request finds too little of, for `wherry why`; only after a search that failed."""
        short: list[str] = []
        for claim, requests in zip(self.claims, self._wanted, strict=True):
            for wanted in (each for alternatives in requests for each in alternatives):
                try:
                    fit = [each for each in self._candidates if self._selectable(claim, wanted, each)]
                except AllocationError:  # of a device that the search did not come to
                    continue
                free = [each for each in fit if not self.allocated.in_use(each.id)]
                if len(free) < wanted.count or not wanted.count:
                    figures = f"{len(self._candidates)} devices here, {len(fit)} match, {len(free)} of them free, {wanted.count} wanted"
                    short.append(f"request {wanted.name} of {_shown(claim)}: {figures}")
        short += [f"pool {'/'.join(pool.id)} lacks slices" for pool in self.pools if pool.incomplete]
        return "; ".join(short)

    # -- what is wanted ------------------------------------------------------------------------------

    def _alternatives(self, claim: Claim, request: resource_v1.DeviceRequest) -> list[Wanted]:
        if request.exactly is not None:
            return [self._as_wanted(claim, request.name, request.exactly)]
        return [self._as_wanted(claim, f"{request.name}/{each.name}", each) for each in request.first_available]

    def _as_wanted(self, claim: Claim, name: str, request: Request) -> Wanted:
        device_class = self._class(request.device_class_name)
        if device_class is None:
            raise AllocationError(
                f"claim {_shown(claim)}, request {name}: could not retrieve device class {request.device_class_name}: "
                f'deviceclass.resource.k8s.io "{request.device_class_name}" not found'
            )
        wanted = Wanted(name, request, device_class)
        if request.allocation_mode == "All":
            wanted.everything = list(self._all(claim, wanted))
        return wanted

    def _all(self, claim: Claim, wanted: Wanted) -> Iterator[Candidate]:
        for pool in self.pools:
            if not pool.usable:
                state = "being updated" if pool.incomplete else "invalid"
                told = f"asks for all devices, but resource pool {'/'.join(pool.id)} is currently {state}"
                raise AllocationError(f"claim {_shown(claim)}, request {wanted.name}: {told}")
            for candidate in pool.candidates:
                if self._selectable(claim, wanted, candidate) and self._room(wanted, candidate) is not None:
                    yield candidate

    def _selectable(self, claim: Claim, wanted: Wanted, candidate: Candidate) -> bool:
        known = wanted.answers.get(candidate)
        if known is None:
            device_class = wanted.device_class
            known = wanted.answers[candidate] = self._matches(
                f"class {device_class.metadata.name}", device_class.spec.selectors, candidate
            ) and self._matches(f"claim {_shown(claim)}", wanted.request.selectors, candidate)
        return known

    @staticmethod
    def _matches(whose: str, selectors: Sequence[resource_v1.DeviceSelector], candidate: Candidate) -> bool:
        for i, selector in enumerate(selectors):
            expression = selector.cel.expression if selector.cel is not None else ""
            try:
                if not candidate.matches(expression):
                    return False
            except EvaluationError as error:
                told = f"{whose}: selector #{i} on device {candidate.shown}: CEL runtime error: {error}"
                raise AllocationError(told) from None
            except ValueError as error:
                raise AllocationError(f"{whose}: selector #{i}: CEL compile error: {error}") from None
        return True

    # -- the search ----------------------------------------------------------------------------------

    def _requests(self, claim: int, request: int) -> bool:
        """Meet this request and all after it."""
        if claim == len(self.claims):
            return True
        if request == len(self._wanted[claim]):
            return self._requests(claim + 1, 0)
        for wanted in self._wanted[claim][request]:
            if wanted.everything is not None and not wanted.everything:
                continue  # all of nothing does not do
            if len(self._chosen[claim]) + wanted.count <= MAX_RESULTS and self._devices(claim, request, wanted, wanted.count, 0):
                return True
        return False

    def _devices(self, claim: int, request: int, wanted: Wanted, missing: int, start: int) -> bool:
        """Find what is missing of a request among the candidates from `start` on: sets of devices, not orders of them."""
        if missing == 0:
            return self._requests(claim, request + 1)
        if wanted.everything is not None:
            candidate = wanted.everything[start]
            return self._with(claim, request, wanted, missing, start, candidate)
        for at in range(start, len(self._candidates)):
            candidate = self._candidates[at]
            self._left -= 1
            if self._left < 0:
                raise TooLong
            if self._free(claim, wanted, candidate) and self._selectable(self.claims[claim], wanted, candidate) and self._with(
                claim, request, wanted, missing, at, candidate
            ):
                return True
        return False

    def _with(self, claim: int, request: int, wanted: Wanted, missing: int, at: int, candidate: Candidate) -> bool:
        """Choose the candidate, go on, and take it back if that leads nowhere."""
        chosen = self._choose(claim, wanted, candidate)
        if chosen is None:
            return False
        if self._devices(claim, request, wanted, missing - 1, at + 1):
            return True
        self._take_back(claim, chosen)
        return False

    def _free(self, claim: int, wanted: Wanted, candidate: Candidate) -> bool:
        users = self._users.get(candidate.id, ())
        if wanted.admin:
            return candidate.shared or claim not in users
        return not users and not self.allocated.in_use(candidate.id)

    def _choose(self, claim: int, wanted: Wanted, candidate: Candidate) -> Chosen | None:
        if not self._free(claim, wanted, candidate):
            return None
        if prevents(taints_of(candidate.id, candidate.device, self._rules), wanted.request.tolerations):
            return None
        consumed = self._room(wanted, candidate)
        if consumed is None:
            return None
        counted = self._counts(candidate)
        if counted and not self._count(candidate, 1):
            return None
        constraints = self._constraints[claim]
        for i, constraint in enumerate(constraints):
            if not constraint.add(wanted.name, candidate):
                for earlier in constraints[:i]:
                    earlier.remove(wanted.name, candidate)
                if counted:
                    self._count(candidate, -1)
                if wanted.everything is not None:
                    told = f"cannot add device {candidate.shown} because a claim constraint would not be satisfied"
                    raise AllocationError(f"claim {_shown(self.claims[claim])}, request {wanted.name}: {told}")
                return None
        chosen = Chosen(wanted, candidate, consumed if candidate.shared else None)
        self._chosen[claim].append(chosen)
        if not candidate.shared:
            self._users.setdefault(candidate.id, []).append(claim)
        return chosen

    def _take_back(self, claim: int, chosen: Chosen) -> None:
        self._chosen[claim].pop()
        candidate = chosen.candidate
        for constraint in self._constraints[claim]:
            constraint.remove(chosen.wanted.name, candidate)
        if not candidate.shared:
            users = self._users[candidate.id]
            users.remove(claim)
            if not users:
                del self._users[candidate.id]
        if self._counts(candidate):
            self._count(candidate, -1)

    # -- amounts -------------------------------------------------------------------------------------

    def _room(self, wanted: Wanted, candidate: Candidate) -> Mapping[Name, Quantity] | None:
        """What the request takes of the device's capacities, if that much is left."""
        asked = wanted.request.capacity
        if not candidate.shared and (asked is None or not asked.requests):
            return {}
        more = capacity.consumption(candidate, asked)
        if more is None:
            return None
        taken = dict(self.allocated.taken(candidate.id) or {}) if candidate.shared else {}
        for each in self._sharing(candidate):
            for key, amount in (each.consumed or {}).items():
                taken[key] = taken[key] + amount if key in taken else amount
        return more if capacity.fits(candidate, taken, more) else None

    def _sharing(self, candidate: Candidate) -> list[Chosen]:
        return [each for chosen in self._chosen for each in chosen if each.candidate is candidate] if candidate.shared else []

    def _counts(self, candidate: Candidate) -> bool:
        """Whether to count what it takes of its pool: of a shared device once, by the first that has a part."""
        if not candidate.counters:
            return False
        return not candidate.shared or (self.allocated.taken(candidate.id) is None and not self._sharing(candidate))

    def _count(self, candidate: Candidate, sign: int) -> bool:
        left = self._left_of(self._pool_of[candidate.id[:2]])
        if sign > 0 and any(left.get(key, 0) < amount for key, amount in candidate.counters.items()):
            return False
        for key, amount in candidate.counters.items():
            left[key] -= sign * amount
        return True

    def _left_of(self, pool: Pool) -> dict[tuple[str, str], int]:
        left = self._counters.get(pool.id)
        if left is None:
            left = self._counters[pool.id] = remaining(pool, self.allocated)
        return left

    # -- what is found -------------------------------------------------------------------------------

    def _result(self, claim: Claim, chosen: list[Chosen]) -> Allocation:
        results = [self._as_result(each) for each in chosen]
        return Allocation(claim, chosen, node_selector(chosen, self.node.metadata.name), configuration(claim, chosen), results)

    def _as_result(self, chosen: Chosen) -> dict[str, Any]:
        driver, pool, name = chosen.candidate.id
        device, tolerations = chosen.candidate.device, chosen.wanted.request.tolerations
        result: dict[str, Any] = {"request": chosen.wanted.name, "driver": driver, "pool": pool, "device": name}
        if chosen.wanted.admin:
            result["adminAccess"] = True
        if tolerations:
            result["tolerations"] = [msgspec.to_builtins(each) for each in tolerations]
        if device.binding_conditions:
            result["bindingConditions"] = list(device.binding_conditions)
            result["bindingFailureConditions"] = list(device.binding_failure_conditions)
        if chosen.consumed is not None:
            result["shareID"] = self._new_id()
            if chosen.consumed:
                result["consumedCapacity"] = capacity.shown(chosen.candidate, chosen.consumed)
        return result


def remaining(pool: Pool, allocated: Allocated) -> dict[tuple[str, str], int]:
    """What others leave of a pool's counters: their devices may be out of this node's reach."""
    left = dict(pool.counters)
    for candidate in (*pool.candidates, *pool.others):
        if candidate.counters and (allocated.in_use(candidate.id) or allocated.taken(candidate.id) is not None):
            for key, amount in candidate.counters.items():
                left[key] = left.get(key, 0) - amount
    return left


def node_selector(chosen: Sequence[Chosen], node: str) -> core_v1.NodeSelector | None:
    """Where the devices can be used: on this node alone, on those that all slices select, or (None) everywhere."""
    fields: list[core_v1.NodeSelectorRequirement] = []
    expressions: list[core_v1.NodeSelectorRequirement] = []
    for each in chosen:
        spec, device = each.candidate.slice.spec, each.candidate.device
        says = device if spec.per_device_node_selection else spec
        name, selector = says.node_name, says.node_selector
        if name or device.binds_to_node:
            only = core_v1.NodeSelectorRequirement(key="metadata.name", operator="In", values=[node])
            return core_v1.NodeSelector(node_selector_terms=[core_v1.NodeSelectorTerm(match_fields=[only])])
        for term in selector.node_selector_terms if selector is not None else ():
            fields += [r for r in term.match_fields if r not in fields]
            expressions += [r for r in term.match_expressions if r not in expressions]
    if not fields and not expressions:
        return None
    term = core_v1.NodeSelectorTerm(match_fields=fields, match_expressions=expressions)
    return core_v1.NodeSelector(node_selector_terms=[term])


def configuration(claim: Claim, chosen: Sequence[Chosen]) -> list[dict[str, Any]]:
    """What drivers are told: of the classes first, then of the claim, as far as it is about what was chosen."""
    met = {each.wanted.name: each.wanted for each in chosen}
    found: list[dict[str, Any]] = []
    by_class: dict[str, list[str]] = {}
    for name, wanted in met.items():
        by_class.setdefault(wanted.device_class.metadata.name, []).append(name)
    for names in by_class.values():
        for config in met[names[0]].device_class.spec.config:
            found.append({"source": "FromClass", "requests": list(names), "opaque": msgspec.to_builtins(config.opaque)})
    for given in claim.spec.devices.config:
        about = not given.requests or any(name in given.requests or name.partition("/")[0] in given.requests for name in met)
        if about:
            found.append({"source": "FromClaim", "requests": list(given.requests), "opaque": msgspec.to_builtins(given.opaque)})
    for each in found:  # nobody named means everybody
        if not each["requests"] or len(each["requests"]) == len(claim.spec.devices.requests):
            del each["requests"]
    return found


def _shown(claim: Claim) -> str:
    return f"{claim.metadata.namespace}/{claim.metadata.name}"

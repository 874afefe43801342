"""How much of a device's capacities a request takes, where several may share it.  Pure; amounts are nano-units.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#consumable-capacity
"""

from __future__ import annotations

from collections.abc import Mapping

from wherry.api.devices import qualified
from wherry.api.types import resource_v1
from wherry.apimachinery.quantity import Quantity, parse
from wherry.scheduler.plugins.dynamicresources.candidates import AllocationError, Candidate, Name

Taken = Mapping[Name, Quantity]


def consumption(candidate: Candidate, wanted: resource_v1.CapacityRequirements | None) -> dict[Name, Quantity] | None:
    """What the request takes of each capacity, rounded as the device's policies say; None when it asks for what the device
    does not have or may not give.  Raises AllocationError."""
    asked: dict[Name, Quantity] = {}
    for name, text in (wanted.requests if wanted is not None else {}).items():
        key = qualified(name, candidate.id[0])
        if key not in candidate.capacity:
            return None
        if key in asked:
            raise AllocationError(f'capacity "{key[1]}" requested both as "{key[1]}" and as "{"/".join(key)}"')
        asked[key] = parse(text)
    found: dict[Name, Quantity] = {}
    for key, (_, capacity) in candidate.capacity.items():
        total, policy = parse(capacity.value), capacity.request_policy
        amount = _rounded(asked.get(key), total, policy)
        if amount.nanos < 0:
            raise AllocationError(f'capacity "{"/".join(key)}": capacity value is negative')
        if policy is not None and not _allowed(amount, policy):
            return None
        found[key] = amount
    return found


def fits(candidate: Candidate, taken: Taken, more: Taken) -> bool:
    """Whether there is room for `more` beside what is taken."""
    for key, (_, capacity) in candidate.capacity.items():
        before = taken[key].nanos if key in taken else 0
        if before + more[key].nanos > parse(capacity.value).nanos:
            return False
    return True


def shown(candidate: Candidate, taken: Taken) -> dict[str, str]:
    """By the names that the driver gave."""
    return {candidate.capacity[key][0]: str(amount) for key, amount in sorted(taken.items())}


def _rounded(asked: Quantity | None, total: Quantity, policy: resource_v1.CapacityRequestPolicy | None) -> Quantity:
    if asked is None:
        return parse(policy.default) if policy is not None and policy.default else total
    if policy is None:
        return asked
    limits = policy.valid_range
    if limits is not None and limits.min:
        low = parse(limits.min)
        if asked < low:
            return low
        if not limits.step:
            return asked
        step = parse(limits.step)
        steps = -(-(asked.nanos - low.nanos) // step.nanos)
        return Quantity(low.nanos + steps * step.nanos, step.format)
    return next((value for value in map(parse, policy.valid_values) if asked <= value), asked)


def _allowed(amount: Quantity, policy: resource_v1.CapacityRequestPolicy) -> bool:
    if policy.default and amount == parse(policy.default):
        return True
    limits = policy.valid_range
    if limits is not None:
        if limits.max and amount > parse(limits.max):
            return False
        low = parse(limits.min) if limits.min else Quantity()
        return not limits.step or (amount.nanos - low.nanos) % parse(limits.step).nanos == 0
    return not policy.valid_values or amount in map(parse, policy.valid_values)

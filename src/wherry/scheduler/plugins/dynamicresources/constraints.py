"""What the devices of a claim must have in common, or must not.  Once one will not do, more devices do not mend it."""

from __future__ import annotations

from dataclasses import dataclass, field

from wherry.api.types import resource_v1
from wherry.scheduler.plugins.dynamicresources.candidates import Candidate


@dataclass(eq=False, slots=True)
class Constraint:
    """`distinct`: no two devices have the same value; else all have."""

    attribute: str
    distinct: bool
    requests: frozenset[str]  # empty: all
    values: list[tuple[str, object]] = field(default_factory=list)  # of the devices chosen by now

    def _concerns(self, request: str) -> bool:
        return not self.requests or request in self.requests or request.partition("/")[0] in self.requests

    def add(self, request: str, candidate: Candidate) -> bool:
        if not self._concerns(request):
            return True
        value = candidate.attribute(self.attribute)
        if value is None:
            return False
        if self.distinct and value in self.values:
            return False
        if not self.distinct and self.values and value != self.values[0]:
            return False
        self.values.append(value)
        return True

    def remove(self, request: str, candidate: Candidate) -> None:
        """Undo the last successful `add`."""
        if self._concerns(request):
            self.values.pop()


def constraint_of(given: resource_v1.DeviceConstraint) -> Constraint:
    return Constraint(given.match_attribute or given.distinct_attribute, not given.match_attribute, frozenset(given.requests))

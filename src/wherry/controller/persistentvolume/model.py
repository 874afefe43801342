"""What the binder sees, and what it may decide to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from wherry.api.types import core_v1
from wherry.api.volumes import Claim, StorageClass, Volume

Patch = dict[str, Any]


@dataclass(frozen=True, slots=True)
class View:
    """The binder's caches."""

    volume: Callable[[str], Volume | None]
    volumes: Callable[[], Iterable[Volume]]
    storage_class: Callable[[str], StorageClass | None]
    default_class: Callable[[], StorageClass | None]
    pods_of: Callable[[Claim], Iterable[core_v1.Pod]]


@dataclass(frozen=True, slots=True)
class Event:
    about: Claim | Volume
    type: str
    reason: str
    message: str


@dataclass(slots=True)
class Plan:
    """Patches in the order they are written; an empty one is none.  The volume goes first: it is what two claims may fight for."""

    volume: Volume | None = None  # what the patches of a volume are for
    volume_patch: Patch = field(default_factory=dict)
    volume_status: Patch = field(default_factory=dict)
    claim: Claim | None = None
    claim_patch: Patch = field(default_factory=dict)
    claim_status: Patch = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    again: bool = False  # look again after a while: somebody else has to act

    def normal(self, about: Claim | Volume, reason: str, message: str) -> None:
        self.events.append(Event(about, "Normal", reason, message))

    def warning(self, about: Claim | Volume, reason: str, message: str) -> None:
        self.events.append(Event(about, "Warning", reason, message))

"""What a Deployment's plan may ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wherry.api.types import apps_v1


@dataclass(frozen=True, slots=True)
class Create:
    """Make a ReplicaSet."""

    rs: apps_v1.ReplicaSet


@dataclass(frozen=True, slots=True)
class Update:
    """Change a ReplicaSet, only if it still is at the revision that was seen; `event` is told on the Deployment."""

    rs: apps_v1.ReplicaSet
    spec: dict[str, Any] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    event: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    rs: apps_v1.ReplicaSet


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Write the Deployment's status, and annotations with it."""

    status: dict[str, Any]
    annotations: dict[str, str] = field(default_factory=dict)


Action = Create | Update | Delete | WriteStatus

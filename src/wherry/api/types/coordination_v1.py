"""Typed objects of coordination/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class Lease(Struct):
    api_version: str = msgspec.field(default="coordination.k8s.io/v1", name="apiVersion")
    kind: str = "Lease"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: LeaseSpec = msgspec.field(default_factory=lambda: LeaseSpec())


class LeaseList(Struct):
    api_version: str = msgspec.field(default="coordination.k8s.io/v1", name="apiVersion")
    items: list[Lease] = msgspec.field(default_factory=list)
    kind: str = "LeaseList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class LeaseSpec(Struct):
    acquire_time: str | None = msgspec.field(default=None, name="acquireTime")
    holder_identity: str | None = msgspec.field(default=None, name="holderIdentity")
    lease_duration_seconds: int | None = msgspec.field(default=None, name="leaseDurationSeconds")
    lease_transitions: int | None = msgspec.field(default=None, name="leaseTransitions")
    preferred_holder: str = msgspec.field(default="", name="preferredHolder")
    renew_time: str | None = msgspec.field(default=None, name="renewTime")
    strategy: str = ""

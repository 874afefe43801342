"""Typed objects of authentication/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class BoundObjectReference(Struct):
    api_version: str = msgspec.field(default="", name="apiVersion")
    kind: str = ""
    name: str = ""
    uid: str = ""


class SelfSubjectReview(Struct):
    api_version: str = msgspec.field(default="authentication.k8s.io/v1", name="apiVersion")
    kind: str = "SelfSubjectReview"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    status: SelfSubjectReviewStatus = msgspec.field(default_factory=lambda: SelfSubjectReviewStatus())


class SelfSubjectReviewStatus(Struct):
    user_info: UserInfo | None = msgspec.field(default=None, name="userInfo")


class TokenRequest(Struct):
    api_version: str = msgspec.field(default="authentication.k8s.io/v1", name="apiVersion")
    kind: str = "TokenRequest"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: TokenRequestSpec = msgspec.field(default_factory=lambda: TokenRequestSpec())
    status: TokenRequestStatus = msgspec.field(default_factory=lambda: TokenRequestStatus())


class TokenRequestSpec(Struct):
    attestations: dict[str, list[str]] = msgspec.field(default_factory=dict)
    audiences: list[str] = msgspec.field(default_factory=list)
    bound_object_ref: BoundObjectReference | None = msgspec.field(default=None, name="boundObjectRef")
    expiration_seconds: int | None = msgspec.field(default=None, name="expirationSeconds")


class TokenRequestStatus(Struct):
    expiration_timestamp: str | None = msgspec.field(default=None, name="expirationTimestamp")
    token: str = ""


class TokenReview(Struct):
    api_version: str = msgspec.field(default="authentication.k8s.io/v1", name="apiVersion")
    kind: str = "TokenReview"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: TokenReviewSpec = msgspec.field(default_factory=lambda: TokenReviewSpec())
    status: TokenReviewStatus = msgspec.field(default_factory=lambda: TokenReviewStatus())


class TokenReviewSpec(Struct):
    audiences: list[str] = msgspec.field(default_factory=list)
    token: str = ""


class TokenReviewStatus(Struct):
    audiences: list[str] = msgspec.field(default_factory=list)
    authenticated: bool | None = None
    error: str = ""
    user: UserInfo | None = None


class UserInfo(Struct):
    extra: dict[str, list[str]] = msgspec.field(default_factory=dict)
    groups: list[str] = msgspec.field(default_factory=list)
    uid: str = ""
    username: str = ""

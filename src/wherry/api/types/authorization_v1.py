"""Typed objects of authorization/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class FieldSelectorAttributes(Struct):
    raw_selector: str = msgspec.field(default="", name="rawSelector")
    requirements: list[meta_v1.FieldSelectorRequirement] = msgspec.field(default_factory=list)


class LabelSelectorAttributes(Struct):
    raw_selector: str = msgspec.field(default="", name="rawSelector")
    requirements: list[meta_v1.LabelSelectorRequirement] = msgspec.field(default_factory=list)


class LocalSubjectAccessReview(Struct):
    api_version: str = msgspec.field(default="authorization.k8s.io/v1", name="apiVersion")
    kind: str = "LocalSubjectAccessReview"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: SubjectAccessReviewSpec = msgspec.field(default_factory=lambda: SubjectAccessReviewSpec())
    status: SubjectAccessReviewStatus = msgspec.field(default_factory=lambda: SubjectAccessReviewStatus())


class NonResourceAttributes(Struct):
    path: str = ""
    verb: str = ""


class NonResourceRule(Struct):
    non_resource_urls: list[str] = msgspec.field(default_factory=list, name="nonResourceURLs")
    verbs: list[str] = msgspec.field(default_factory=list)


class ResourceAttributes(Struct):
    field_selector: FieldSelectorAttributes | None = msgspec.field(default=None, name="fieldSelector")
    group: str = ""
    label_selector: LabelSelectorAttributes | None = msgspec.field(default=None, name="labelSelector")
    name: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    verb: str = ""
    version: str = ""


class ResourceRule(Struct):
    api_groups: list[str] = msgspec.field(default_factory=list, name="apiGroups")
    resource_names: list[str] = msgspec.field(default_factory=list, name="resourceNames")
    resources: list[str] = msgspec.field(default_factory=list)
    verbs: list[str] = msgspec.field(default_factory=list)


class SelfSubjectAccessReview(Struct):
    api_version: str = msgspec.field(default="authorization.k8s.io/v1", name="apiVersion")
    kind: str = "SelfSubjectAccessReview"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: SelfSubjectAccessReviewSpec = msgspec.field(default_factory=lambda: SelfSubjectAccessReviewSpec())
    status: SubjectAccessReviewStatus = msgspec.field(default_factory=lambda: SubjectAccessReviewStatus())


class SelfSubjectAccessReviewSpec(Struct):
    non_resource_attributes: NonResourceAttributes | None = msgspec.field(default=None, name="nonResourceAttributes")
    resource_attributes: ResourceAttributes | None = msgspec.field(default=None, name="resourceAttributes")


class SelfSubjectRulesReview(Struct):
    api_version: str = msgspec.field(default="authorization.k8s.io/v1", name="apiVersion")
    kind: str = "SelfSubjectRulesReview"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: SelfSubjectRulesReviewSpec = msgspec.field(default_factory=lambda: SelfSubjectRulesReviewSpec())
    status: SubjectRulesReviewStatus = msgspec.field(default_factory=lambda: SubjectRulesReviewStatus())


class SelfSubjectRulesReviewSpec(Struct):
    namespace: str = ""


class SubjectAccessReview(Struct):
    api_version: str = msgspec.field(default="authorization.k8s.io/v1", name="apiVersion")
    kind: str = "SubjectAccessReview"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: SubjectAccessReviewSpec = msgspec.field(default_factory=lambda: SubjectAccessReviewSpec())
    status: SubjectAccessReviewStatus = msgspec.field(default_factory=lambda: SubjectAccessReviewStatus())


class SubjectAccessReviewSpec(Struct):
    extra: dict[str, list[str]] = msgspec.field(default_factory=dict)
    groups: list[str] = msgspec.field(default_factory=list)
    non_resource_attributes: NonResourceAttributes | None = msgspec.field(default=None, name="nonResourceAttributes")
    resource_attributes: ResourceAttributes | None = msgspec.field(default=None, name="resourceAttributes")
    uid: str = ""
    user: str = ""


class SubjectAccessReviewStatus(Struct):
    allowed: bool = False
    denied: bool | None = None
    evaluation_error: str = msgspec.field(default="", name="evaluationError")
    reason: str = ""


class SubjectRulesReviewStatus(Struct):
    evaluation_error: str = msgspec.field(default="", name="evaluationError")
    incomplete: bool = False
    non_resource_rules: list[NonResourceRule] = msgspec.field(default_factory=list, name="nonResourceRules")
    resource_rules: list[ResourceRule] = msgspec.field(default_factory=list, name="resourceRules")

"""Typed objects of rbac/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class AggregationRule(Struct):
    cluster_role_selectors: list[meta_v1.LabelSelector] = msgspec.field(default_factory=list, name="clusterRoleSelectors")


class ClusterRole(Struct):
    aggregation_rule: AggregationRule | None = msgspec.field(default=None, name="aggregationRule")
    api_version: str = msgspec.field(default="rbac.authorization.k8s.io/v1", name="apiVersion")
    kind: str = "ClusterRole"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    rules: list[PolicyRule] = msgspec.field(default_factory=list)


class ClusterRoleBinding(Struct):
    api_version: str = msgspec.field(default="rbac.authorization.k8s.io/v1", name="apiVersion")
    kind: str = "ClusterRoleBinding"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    role_ref: RoleRef = msgspec.field(default_factory=lambda: RoleRef(), name="roleRef")
    subjects: list[Subject] = msgspec.field(default_factory=list)


class ClusterRoleBindingList(Struct):
    api_version: str = msgspec.field(default="rbac.authorization.k8s.io/v1", name="apiVersion")
    items: list[ClusterRoleBinding] = msgspec.field(default_factory=list)
    kind: str = "ClusterRoleBindingList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class ClusterRoleList(Struct):
    api_version: str = msgspec.field(default="rbac.authorization.k8s.io/v1", name="apiVersion")
    items: list[ClusterRole] = msgspec.field(default_factory=list)
    kind: str = "ClusterRoleList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class PolicyRule(Struct):
    api_groups: list[str] = msgspec.field(default_factory=list, name="apiGroups")
    non_resource_urls: list[str] = msgspec.field(default_factory=list, name="nonResourceURLs")
    resource_names: list[str] = msgspec.field(default_factory=list, name="resourceNames")
    resources: list[str] = msgspec.field(default_factory=list)
    verbs: list[str] = msgspec.field(default_factory=list)


class Role(Struct):
    api_version: str = msgspec.field(default="rbac.authorization.k8s.io/v1", name="apiVersion")
    kind: str = "Role"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    rules: list[PolicyRule] = msgspec.field(default_factory=list)


class RoleBinding(Struct):
    api_version: str = msgspec.field(default="rbac.authorization.k8s.io/v1", name="apiVersion")
    kind: str = "RoleBinding"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    role_ref: RoleRef = msgspec.field(default_factory=lambda: RoleRef(), name="roleRef")
    subjects: list[Subject] = msgspec.field(default_factory=list)


class RoleBindingList(Struct):
    api_version: str = msgspec.field(default="rbac.authorization.k8s.io/v1", name="apiVersion")
    items: list[RoleBinding] = msgspec.field(default_factory=list)
    kind: str = "RoleBindingList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class RoleList(Struct):
    api_version: str = msgspec.field(default="rbac.authorization.k8s.io/v1", name="apiVersion")
    items: list[Role] = msgspec.field(default_factory=list)
    kind: str = "RoleList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class RoleRef(Struct):
    api_group: str = msgspec.field(default="", name="apiGroup")
    kind: str = ""
    name: str = ""


class Subject(Struct):
    api_group: str = msgspec.field(default="", name="apiGroup")
    kind: str = ""
    name: str = ""
    namespace: str = ""

"""Typed objects of meta/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

from typing import Any

import msgspec

from wherry.api.types.base import Struct


class APIGroup(Struct):
    api_version: str = msgspec.field(default="", name="apiVersion")
    kind: str = ""
    name: str = ""
    preferred_version: GroupVersionForDiscovery | None = msgspec.field(default=None, name="preferredVersion")
    server_address_by_client_cidrs: list[ServerAddressByClientCIDR] = msgspec.field(default_factory=list, name="serverAddressByClientCIDRs")
    versions: list[GroupVersionForDiscovery] = msgspec.field(default_factory=list)


class APIGroupList(Struct):
    api_version: str = msgspec.field(default="", name="apiVersion")
    groups: list[APIGroup] = msgspec.field(default_factory=list)
    kind: str = ""


class APIResource(Struct):
    categories: list[str] = msgspec.field(default_factory=list)
    group: str = ""
    kind: str = ""
    name: str = ""
    namespaced: bool = False
    short_names: list[str] = msgspec.field(default_factory=list, name="shortNames")
    singular_name: str = msgspec.field(default="", name="singularName")
    storage_version_hash: str = msgspec.field(default="", name="storageVersionHash")
    verbs: list[str] = msgspec.field(default_factory=list)
    version: str = ""


class APIResourceList(Struct):
    api_version: str = msgspec.field(default="", name="apiVersion")
    group_version: str = msgspec.field(default="", name="groupVersion")
    kind: str = ""
    resources: list[APIResource] = msgspec.field(default_factory=list)


class APIVersions(Struct):
    api_version: str = msgspec.field(default="", name="apiVersion")
    kind: str = ""
    server_address_by_client_cidrs: list[ServerAddressByClientCIDR] = msgspec.field(default_factory=list, name="serverAddressByClientCIDRs")
    versions: list[str] = msgspec.field(default_factory=list)


class Condition(Struct):
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")
    message: str = ""
    observed_generation: int | None = msgspec.field(default=None, name="observedGeneration")
    reason: str = ""
    status: str = ""
    type: str = ""


class DeleteOptions(Struct):
    api_version: str = msgspec.field(default="", name="apiVersion")
    dry_run: list[str] = msgspec.field(default_factory=list, name="dryRun")
    grace_period_seconds: int | None = msgspec.field(default=None, name="gracePeriodSeconds")
    ignore_store_read_error_with_cluster_breaking_potential: bool | None = msgspec.field(default=None, name="ignoreStoreReadErrorWithClusterBreakingPotential")
    kind: str = ""
    orphan_dependents: bool | None = msgspec.field(default=None, name="orphanDependents")
    preconditions: Preconditions | None = None
    propagation_policy: str = msgspec.field(default="", name="propagationPolicy")


class FieldSelectorRequirement(Struct):
    key: str = ""
    operator: str = ""
    values: list[str] = msgspec.field(default_factory=list)


class GroupResource(Struct):
    group: str = ""
    resource: str = ""


class GroupVersionForDiscovery(Struct):
    group_version: str = msgspec.field(default="", name="groupVersion")
    version: str = ""


class LabelSelector(Struct):
    match_expressions: list[LabelSelectorRequirement] = msgspec.field(default_factory=list, name="matchExpressions")
    match_labels: dict[str, str] = msgspec.field(default_factory=dict, name="matchLabels")


class LabelSelectorRequirement(Struct):
    key: str = ""
    operator: str = ""
    values: list[str] = msgspec.field(default_factory=list)


class ListMeta(Struct):
    continue_: str = msgspec.field(default="", name="continue")
    remaining_item_count: int | None = msgspec.field(default=None, name="remainingItemCount")
    resource_version: str = msgspec.field(default="", name="resourceVersion")
    self_link: str = msgspec.field(default="", name="selfLink")
    shard_info: ShardInfo | None = msgspec.field(default=None, name="shardInfo")


class ManagedFieldsEntry(Struct):
    api_version: str = msgspec.field(default="", name="apiVersion")
    fields_type: str = msgspec.field(default="", name="fieldsType")
    fields_v1: dict[str, Any] = msgspec.field(default_factory=dict, name="fieldsV1")
    manager: str = ""
    operation: str = ""
    subresource: str = ""
    time: str | None = None


class ObjectMeta(Struct):
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    creation_timestamp: str | None = msgspec.field(default=None, name="creationTimestamp")
    deletion_grace_period_seconds: int | None = msgspec.field(default=None, name="deletionGracePeriodSeconds")
    deletion_timestamp: str | None = msgspec.field(default=None, name="deletionTimestamp")
    finalizers: list[str] = msgspec.field(default_factory=list)
    generate_name: str = msgspec.field(default="", name="generateName")
    generation: int | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    name: str = ""
    namespace: str = ""
    owner_references: list[OwnerReference] = msgspec.field(default_factory=list, name="ownerReferences")
    resource_version: str = msgspec.field(default="", name="resourceVersion")
    self_link: str = msgspec.field(default="", name="selfLink")
    uid: str = ""


class OwnerReference(Struct):
    api_version: str = msgspec.field(default="", name="apiVersion")
    block_owner_deletion: bool | None = msgspec.field(default=None, name="blockOwnerDeletion")
    controller: bool | None = None
    kind: str = ""
    name: str = ""
    uid: str = ""


class Preconditions(Struct):
    resource_version: str = msgspec.field(default="", name="resourceVersion")
    uid: str = ""


class ServerAddressByClientCIDR(Struct):
    client_cidr: str = msgspec.field(default="", name="clientCIDR")
    server_address: str = msgspec.field(default="", name="serverAddress")


class ShardInfo(Struct):
    selector: str = ""


class Status(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    code: int | None = None
    details: StatusDetails | None = None
    kind: str = "Status"
    message: str = ""
    metadata: ListMeta = msgspec.field(default_factory=lambda: ListMeta())
    reason: str = ""
    status: str = ""


class StatusCause(Struct):
    field: str = ""
    message: str = ""
    reason: str = ""


class StatusDetails(Struct):
    causes: list[StatusCause] = msgspec.field(default_factory=list)
    group: str = ""
    kind: str = ""
    name: str = ""
    retry_after_seconds: int | None = msgspec.field(default=None, name="retryAfterSeconds")
    uid: str = ""

"""Typed objects of storage/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import core_v1
from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class CSIDriver(Struct):
    api_version: str = msgspec.field(default="storage.k8s.io/v1", name="apiVersion")
    kind: str = "CSIDriver"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: CSIDriverSpec = msgspec.field(default_factory=lambda: CSIDriverSpec())


class CSIDriverList(Struct):
    api_version: str = msgspec.field(default="storage.k8s.io/v1", name="apiVersion")
    items: list[CSIDriver] = msgspec.field(default_factory=list)
    kind: str = "CSIDriverList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class CSIDriverSpec(Struct):
    attach_required: bool | None = msgspec.field(default=None, name="attachRequired")
    fs_group_policy: str = msgspec.field(default="", name="fsGroupPolicy")
    node_allocatable_update_period_seconds: int | None = msgspec.field(default=None, name="nodeAllocatableUpdatePeriodSeconds")
    pod_info_on_mount: bool | None = msgspec.field(default=None, name="podInfoOnMount")
    prevent_pod_scheduling_if_missing: bool | None = msgspec.field(default=None, name="preventPodSchedulingIfMissing")
    requires_republish: bool | None = msgspec.field(default=None, name="requiresRepublish")
    se_linux_mount: bool | None = msgspec.field(default=None, name="seLinuxMount")
    service_account_token_in_secrets: bool | None = msgspec.field(default=None, name="serviceAccountTokenInSecrets")
    storage_capacity: bool | None = msgspec.field(default=None, name="storageCapacity")
    token_requests: list[TokenRequest] = msgspec.field(default_factory=list, name="tokenRequests")
    volume_lifecycle_modes: list[str] = msgspec.field(default_factory=list, name="volumeLifecycleModes")


class CSINode(Struct):
    api_version: str = msgspec.field(default="storage.k8s.io/v1", name="apiVersion")
    kind: str = "CSINode"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: CSINodeSpec = msgspec.field(default_factory=lambda: CSINodeSpec())
    status: CSINodeStatus = msgspec.field(default_factory=lambda: CSINodeStatus())


class CSINodeDriver(Struct):
    allocatable: VolumeNodeResources | None = None
    name: str = ""
    node_id: str = msgspec.field(default="", name="nodeID")
    topology_keys: list[str] = msgspec.field(default_factory=list, name="topologyKeys")


class CSINodeList(Struct):
    api_version: str = msgspec.field(default="storage.k8s.io/v1", name="apiVersion")
    items: list[CSINode] = msgspec.field(default_factory=list)
    kind: str = "CSINodeList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class CSINodeSpec(Struct):
    drivers: list[CSINodeDriver] = msgspec.field(default_factory=list)


class CSINodeStatus(Struct):
    storage_health: list[StorageHealth] = msgspec.field(default_factory=list, name="storageHealth")


class CSIStorageCapacity(Struct):
    api_version: str = msgspec.field(default="storage.k8s.io/v1", name="apiVersion")
    capacity: str = ""
    kind: str = "CSIStorageCapacity"
    maximum_volume_size: str = msgspec.field(default="", name="maximumVolumeSize")
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    node_topology: meta_v1.LabelSelector | None = msgspec.field(default=None, name="nodeTopology")
    storage_class_name: str | None = msgspec.field(default=None, name="storageClassName")


class CSIStorageCapacityList(Struct):
    api_version: str = msgspec.field(default="storage.k8s.io/v1", name="apiVersion")
    items: list[CSIStorageCapacity] = msgspec.field(default_factory=list)
    kind: str = "CSIStorageCapacityList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class StorageClass(Struct):
    allow_volume_expansion: bool | None = msgspec.field(default=None, name="allowVolumeExpansion")
    allowed_topologies: list[core_v1.TopologySelectorTerm] = msgspec.field(default_factory=list, name="allowedTopologies")
    api_version: str = msgspec.field(default="storage.k8s.io/v1", name="apiVersion")
    kind: str = "StorageClass"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    mount_options: list[str] = msgspec.field(default_factory=list, name="mountOptions")
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    provisioner: str = ""
    reclaim_policy: str | None = msgspec.field(default=None, name="reclaimPolicy")
    volume_binding_mode: str | None = msgspec.field(default=None, name="volumeBindingMode")


class StorageClassList(Struct):
    api_version: str = msgspec.field(default="storage.k8s.io/v1", name="apiVersion")
    items: list[StorageClass] = msgspec.field(default_factory=list)
    kind: str = "StorageClassList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class StorageHealth(Struct):
    health_conditions: list[StorageHealthCondition] = msgspec.field(default_factory=list, name="healthConditions")
    name: str = ""


class StorageHealthCondition(Struct):
    access_mode: str = msgspec.field(default="", name="accessMode")
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")
    message: str = ""
    reason: str = ""
    status: str = ""
    volume_mode: str = msgspec.field(default="", name="volumeMode")


class TokenRequest(Struct):
    audience: str = ""
    expiration_seconds: int | None = msgspec.field(default=None, name="expirationSeconds")


class VolumeAttachment(Struct):
    api_version: str = msgspec.field(default="storage.k8s.io/v1", name="apiVersion")
    kind: str = "VolumeAttachment"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: VolumeAttachmentSpec = msgspec.field(default_factory=lambda: VolumeAttachmentSpec())
    status: VolumeAttachmentStatus = msgspec.field(default_factory=lambda: VolumeAttachmentStatus())


class VolumeAttachmentList(Struct):
    api_version: str = msgspec.field(default="storage.k8s.io/v1", name="apiVersion")
    items: list[VolumeAttachment] = msgspec.field(default_factory=list)
    kind: str = "VolumeAttachmentList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class VolumeAttachmentSource(Struct):
    inline_volume_spec: core_v1.PersistentVolumeSpec | None = msgspec.field(default=None, name="inlineVolumeSpec")
    persistent_volume_name: str = msgspec.field(default="", name="persistentVolumeName")


class VolumeAttachmentSpec(Struct):
    attacher: str = ""
    node_name: str = msgspec.field(default="", name="nodeName")
    source: VolumeAttachmentSource = msgspec.field(default_factory=lambda: VolumeAttachmentSource())


class VolumeAttachmentStatus(Struct):
    attach_error: VolumeError | None = msgspec.field(default=None, name="attachError")
    attached: bool = False
    attachment_metadata: dict[str, str] = msgspec.field(default_factory=dict, name="attachmentMetadata")
    detach_error: VolumeError | None = msgspec.field(default=None, name="detachError")


class VolumeAttributesClass(Struct):
    api_version: str = msgspec.field(default="storage.k8s.io/v1", name="apiVersion")
    driver_name: str = msgspec.field(default="", name="driverName")
    kind: str = "VolumeAttributesClass"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    parameters: dict[str, str] = msgspec.field(default_factory=dict)


class VolumeAttributesClassList(Struct):
    api_version: str = msgspec.field(default="storage.k8s.io/v1", name="apiVersion")
    items: list[VolumeAttributesClass] = msgspec.field(default_factory=list)
    kind: str = "VolumeAttributesClassList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class VolumeError(Struct):
    error_code: int | None = msgspec.field(default=None, name="errorCode")
    message: str = ""
    time: str | None = None


class VolumeNodeResources(Struct):
    count: int | None = None

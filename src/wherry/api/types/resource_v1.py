"""Typed objects of resource/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

from typing import Any

import msgspec

from wherry.api.types import core_v1
from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class AllocatedDeviceStatus(Struct):
    conditions: list[meta_v1.Condition] = msgspec.field(default_factory=list)
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    device: str = ""
    driver: str = ""
    network_data: NetworkDeviceData | None = msgspec.field(default=None, name="networkData")
    pool: str = ""
    share_id: str = msgspec.field(default="", name="shareID")


class AllocationResult(Struct):
    allocation_timestamp: str | None = msgspec.field(default=None, name="allocationTimestamp")
    devices: DeviceAllocationResult = msgspec.field(default_factory=lambda: DeviceAllocationResult())
    node_selector: core_v1.NodeSelector | None = msgspec.field(default=None, name="nodeSelector")


class CELDeviceSelector(Struct):
    expression: str = ""


class CapacityRequestPolicy(Struct):
    default: str = ""
    valid_range: CapacityRequestPolicyRange | None = msgspec.field(default=None, name="validRange")
    valid_values: list[str] = msgspec.field(default_factory=list, name="validValues")


class CapacityRequestPolicyRange(Struct):
    max: str = ""
    min: str = ""
    step: str = ""


class CapacityRequirements(Struct):
    requests: dict[str, str] = msgspec.field(default_factory=dict)


class Counter(Struct):
    value: str = ""


class CounterSet(Struct):
    counters: dict[str, Counter] = msgspec.field(default_factory=dict)
    name: str = ""


class Device(Struct):
    all_nodes: bool | None = msgspec.field(default=None, name="allNodes")
    allow_multiple_allocations: bool | None = msgspec.field(default=None, name="allowMultipleAllocations")
    attributes: dict[str, DeviceAttribute] = msgspec.field(default_factory=dict)
    binding_conditions: list[str] = msgspec.field(default_factory=list, name="bindingConditions")
    binding_failure_conditions: list[str] = msgspec.field(default_factory=list, name="bindingFailureConditions")
    binds_to_node: bool | None = msgspec.field(default=None, name="bindsToNode")
    capacity: dict[str, DeviceCapacity] = msgspec.field(default_factory=dict)
    consumes_counters: list[DeviceCounterConsumption] = msgspec.field(default_factory=list, name="consumesCounters")
    name: str = ""
    node_allocatable_resources: dict[str, NodeAllocatableResource] = msgspec.field(default_factory=dict, name="nodeAllocatableResources")
    node_name: str = msgspec.field(default="", name="nodeName")
    node_selector: core_v1.NodeSelector | None = msgspec.field(default=None, name="nodeSelector")
    taints: list[DeviceTaint] = msgspec.field(default_factory=list)


class DeviceAllocationConfiguration(Struct):
    opaque: OpaqueDeviceConfiguration | None = None
    requests: list[str] = msgspec.field(default_factory=list)
    source: str = ""


class DeviceAllocationResult(Struct):
    config: list[DeviceAllocationConfiguration] = msgspec.field(default_factory=list)
    results: list[DeviceRequestAllocationResult] = msgspec.field(default_factory=list)


class DeviceAttribute(Struct):
    bool_: bool | None = msgspec.field(default=None, name="bool")
    bools: list[bool] = msgspec.field(default_factory=list)
    int_: int | None = msgspec.field(default=None, name="int")
    ints: list[int] = msgspec.field(default_factory=list)
    string: str | None = None
    strings: list[str] = msgspec.field(default_factory=list)
    version: str | None = None
    versions: list[str] = msgspec.field(default_factory=list)


class DeviceCapacity(Struct):
    request_policy: CapacityRequestPolicy | None = msgspec.field(default=None, name="requestPolicy")
    value: str = ""


class DeviceClaim(Struct):
    config: list[DeviceClaimConfiguration] = msgspec.field(default_factory=list)
    constraints: list[DeviceConstraint] = msgspec.field(default_factory=list)
    requests: list[DeviceRequest] = msgspec.field(default_factory=list)


class DeviceClaimConfiguration(Struct):
    opaque: OpaqueDeviceConfiguration | None = None
    requests: list[str] = msgspec.field(default_factory=list)


class DeviceClass(Struct):
    api_version: str = msgspec.field(default="resource.k8s.io/v1", name="apiVersion")
    kind: str = "DeviceClass"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: DeviceClassSpec = msgspec.field(default_factory=lambda: DeviceClassSpec())


class DeviceClassConfiguration(Struct):
    opaque: OpaqueDeviceConfiguration | None = None


class DeviceClassList(Struct):
    api_version: str = msgspec.field(default="resource.k8s.io/v1", name="apiVersion")
    items: list[DeviceClass] = msgspec.field(default_factory=list)
    kind: str = "DeviceClassList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class DeviceClassSpec(Struct):
    config: list[DeviceClassConfiguration] = msgspec.field(default_factory=list)
    extended_resource_name: str = msgspec.field(default="", name="extendedResourceName")
    selectors: list[DeviceSelector] = msgspec.field(default_factory=list)


class DeviceConstraint(Struct):
    distinct_attribute: str = msgspec.field(default="", name="distinctAttribute")
    match_attribute: str = msgspec.field(default="", name="matchAttribute")
    requests: list[str] = msgspec.field(default_factory=list)


class DeviceCounterConsumption(Struct):
    compatibility_groups: list[str] = msgspec.field(default_factory=list, name="compatibilityGroups")
    counter_set: str = msgspec.field(default="", name="counterSet")
    counters: dict[str, Counter] = msgspec.field(default_factory=dict)


class DeviceDerivedAttribute(Struct):
    expression: str = ""
    name: str = ""


class DeviceRequest(Struct):
    exactly: ExactDeviceRequest | None = None
    first_available: list[DeviceSubRequest] = msgspec.field(default_factory=list, name="firstAvailable")
    name: str = ""


class DeviceRequestAllocationResult(Struct):
    admin_access: bool | None = msgspec.field(default=None, name="adminAccess")
    binding_conditions: list[str] = msgspec.field(default_factory=list, name="bindingConditions")
    binding_failure_conditions: list[str] = msgspec.field(default_factory=list, name="bindingFailureConditions")
    consumed_capacity: dict[str, str] = msgspec.field(default_factory=dict, name="consumedCapacity")
    device: str = ""
    driver: str = ""
    pool: str = ""
    request: str = ""
    share_id: str = msgspec.field(default="", name="shareID")
    skip_node_operations: list[str] = msgspec.field(default_factory=list, name="skipNodeOperations")
    tolerations: list[DeviceToleration] = msgspec.field(default_factory=list)


class DeviceSelector(Struct):
    cel: CELDeviceSelector | None = None


class DeviceSubRequest(Struct):
    allocation_mode: str = msgspec.field(default="", name="allocationMode")
    capacity: CapacityRequirements | None = None
    count: int | None = None
    derived_attributes: list[DeviceDerivedAttribute] = msgspec.field(default_factory=list, name="derivedAttributes")
    device_class_name: str = msgspec.field(default="", name="deviceClassName")
    name: str = ""
    selectors: list[DeviceSelector] = msgspec.field(default_factory=list)
    tolerations: list[DeviceToleration] = msgspec.field(default_factory=list)


class DeviceTaint(Struct):
    effect: str = ""
    key: str = ""
    time_added: str | None = msgspec.field(default=None, name="timeAdded")
    value: str = ""


class DeviceTaintRule(Struct):
    api_version: str = msgspec.field(default="resource.k8s.io/v1", name="apiVersion")
    kind: str = "DeviceTaintRule"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: DeviceTaintRuleSpec = msgspec.field(default_factory=lambda: DeviceTaintRuleSpec())
    status: DeviceTaintRuleStatus = msgspec.field(default_factory=lambda: DeviceTaintRuleStatus())


class DeviceTaintRuleList(Struct):
    api_version: str = msgspec.field(default="resource.k8s.io/v1", name="apiVersion")
    items: list[DeviceTaintRule] = msgspec.field(default_factory=list)
    kind: str = "DeviceTaintRuleList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class DeviceTaintRuleSpec(Struct):
    device_selector: DeviceTaintSelector | None = msgspec.field(default=None, name="deviceSelector")
    taint: DeviceTaint = msgspec.field(default_factory=lambda: DeviceTaint())


class DeviceTaintRuleStatus(Struct):
    conditions: list[meta_v1.Condition] = msgspec.field(default_factory=list)


class DeviceTaintSelector(Struct):
    device: str = ""
    driver: str = ""
    pool: str = ""


class DeviceToleration(Struct):
    effect: str = ""
    key: str = ""
    operator: str = ""
    toleration_seconds: int | None = msgspec.field(default=None, name="tolerationSeconds")
    value: str = ""


class ExactDeviceRequest(Struct):
    admin_access: bool | None = msgspec.field(default=None, name="adminAccess")
    allocation_mode: str = msgspec.field(default="", name="allocationMode")
    capacity: CapacityRequirements | None = None
    count: int | None = None
    derived_attributes: list[DeviceDerivedAttribute] = msgspec.field(default_factory=list, name="derivedAttributes")
    device_class_name: str = msgspec.field(default="", name="deviceClassName")
    selectors: list[DeviceSelector] = msgspec.field(default_factory=list)
    tolerations: list[DeviceToleration] = msgspec.field(default_factory=list)


class NetworkDeviceData(Struct):
    hardware_address: str = msgspec.field(default="", name="hardwareAddress")
    interface_name: str = msgspec.field(default="", name="interfaceName")
    ips: list[str] = msgspec.field(default_factory=list)


class NodeAllocatableMapping(Struct):
    capacity_key: str = msgspec.field(default="", name="capacityKey")
    capacity_multiplier: str = msgspec.field(default="", name="capacityMultiplier")
    device_multiplier: str = msgspec.field(default="", name="deviceMultiplier")


class NodeAllocatableOverhead(Struct):
    per_container: str = msgspec.field(default="", name="perContainer")
    per_pod: str = msgspec.field(default="", name="perPod")


class NodeAllocatableResource(Struct):
    mapping: NodeAllocatableMapping | None = None
    overhead: NodeAllocatableOverhead | None = None


class OpaqueDeviceConfiguration(Struct):
    driver: str = ""
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)


class ResourceClaim(Struct):
    api_version: str = msgspec.field(default="resource.k8s.io/v1", name="apiVersion")
    kind: str = "ResourceClaim"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: ResourceClaimSpec = msgspec.field(default_factory=lambda: ResourceClaimSpec())
    status: ResourceClaimStatus = msgspec.field(default_factory=lambda: ResourceClaimStatus())


class ResourceClaimConsumerReference(Struct):
    api_group: str = msgspec.field(default="", name="apiGroup")
    name: str = ""
    resource: str = ""
    uid: str = ""


class ResourceClaimList(Struct):
    api_version: str = msgspec.field(default="resource.k8s.io/v1", name="apiVersion")
    items: list[ResourceClaim] = msgspec.field(default_factory=list)
    kind: str = "ResourceClaimList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class ResourceClaimSpec(Struct):
    devices: DeviceClaim = msgspec.field(default_factory=lambda: DeviceClaim())


class ResourceClaimStatus(Struct):
    allocation: AllocationResult | None = None
    devices: list[AllocatedDeviceStatus] = msgspec.field(default_factory=list)
    reserved_for: list[ResourceClaimConsumerReference] = msgspec.field(default_factory=list, name="reservedFor")


class ResourceClaimTemplate(Struct):
    api_version: str = msgspec.field(default="resource.k8s.io/v1", name="apiVersion")
    kind: str = "ResourceClaimTemplate"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: ResourceClaimTemplateSpec = msgspec.field(default_factory=lambda: ResourceClaimTemplateSpec())


class ResourceClaimTemplateList(Struct):
    api_version: str = msgspec.field(default="resource.k8s.io/v1", name="apiVersion")
    items: list[ResourceClaimTemplate] = msgspec.field(default_factory=list)
    kind: str = "ResourceClaimTemplateList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class ResourceClaimTemplateSpec(Struct):
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: ResourceClaimSpec = msgspec.field(default_factory=lambda: ResourceClaimSpec())


class ResourcePool(Struct):
    generation: int = 0
    name: str = ""
    resource_slice_count: int = msgspec.field(default=0, name="resourceSliceCount")


class ResourceSlice(Struct):
    api_version: str = msgspec.field(default="resource.k8s.io/v1", name="apiVersion")
    kind: str = "ResourceSlice"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: ResourceSliceSpec = msgspec.field(default_factory=lambda: ResourceSliceSpec())


class ResourceSliceList(Struct):
    api_version: str = msgspec.field(default="resource.k8s.io/v1", name="apiVersion")
    items: list[ResourceSlice] = msgspec.field(default_factory=list)
    kind: str = "ResourceSliceList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class ResourceSliceSpec(Struct):
    all_nodes: bool | None = msgspec.field(default=None, name="allNodes")
    devices: list[Device] = msgspec.field(default_factory=list)
    driver: str = ""
    node_name: str = msgspec.field(default="", name="nodeName")
    node_selector: core_v1.NodeSelector | None = msgspec.field(default=None, name="nodeSelector")
    partition_type_attribute: str = msgspec.field(default="", name="partitionTypeAttribute")
    per_device_node_selection: bool | None = msgspec.field(default=None, name="perDeviceNodeSelection")
    pool: ResourcePool = msgspec.field(default_factory=lambda: ResourcePool())
    shared_counters: list[CounterSet] = msgspec.field(default_factory=list, name="sharedCounters")
    skip_node_operations: list[str] = msgspec.field(default_factory=list, name="skipNodeOperations")

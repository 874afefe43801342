"""Typed objects of core/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class AWSElasticBlockStoreVolumeSource(Struct):
    fs_type: str = msgspec.field(default="", name="fsType")
    partition: int | None = None
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    volume_id: str = msgspec.field(default="", name="volumeID")


class Affinity(Struct):
    node_affinity: NodeAffinity | None = msgspec.field(default=None, name="nodeAffinity")
    pod_affinity: PodAffinity | None = msgspec.field(default=None, name="podAffinity")
    pod_anti_affinity: PodAntiAffinity | None = msgspec.field(default=None, name="podAntiAffinity")


class AppArmorProfile(Struct):
    localhost_profile: str = msgspec.field(default="", name="localhostProfile")
    type: str = ""


class AttachedVolume(Struct):
    device_path: str = msgspec.field(default="", name="devicePath")
    name: str = ""


class AzureDiskVolumeSource(Struct):
    caching_mode: str = msgspec.field(default="", name="cachingMode")
    disk_name: str = msgspec.field(default="", name="diskName")
    disk_uri: str = msgspec.field(default="", name="diskURI")
    fs_type: str = msgspec.field(default="", name="fsType")
    kind: str = ""
    read_only: bool | None = msgspec.field(default=None, name="readOnly")


class AzureFilePersistentVolumeSource(Struct):
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    secret_name: str = msgspec.field(default="", name="secretName")
    secret_namespace: str = msgspec.field(default="", name="secretNamespace")
    share_name: str = msgspec.field(default="", name="shareName")


class AzureFileVolumeSource(Struct):
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    secret_name: str = msgspec.field(default="", name="secretName")
    share_name: str = msgspec.field(default="", name="shareName")


class Binding(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    kind: str = "Binding"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    target: ObjectReference = msgspec.field(default_factory=lambda: ObjectReference())


class CSIPersistentVolumeSource(Struct):
    controller_expand_secret_ref: SecretReference | None = msgspec.field(default=None, name="controllerExpandSecretRef")
    controller_publish_secret_ref: SecretReference | None = msgspec.field(default=None, name="controllerPublishSecretRef")
    driver: str = ""
    fs_type: str = msgspec.field(default="", name="fsType")
    node_expand_secret_ref: SecretReference | None = msgspec.field(default=None, name="nodeExpandSecretRef")
    node_publish_secret_ref: SecretReference | None = msgspec.field(default=None, name="nodePublishSecretRef")
    node_stage_secret_ref: SecretReference | None = msgspec.field(default=None, name="nodeStageSecretRef")
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    volume_attributes: dict[str, str] = msgspec.field(default_factory=dict, name="volumeAttributes")
    volume_handle: str = msgspec.field(default="", name="volumeHandle")


class CSIVolumeSource(Struct):
    driver: str = ""
    fs_type: str = msgspec.field(default="", name="fsType")
    node_publish_secret_ref: LocalObjectReference | None = msgspec.field(default=None, name="nodePublishSecretRef")
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    volume_attributes: dict[str, str] = msgspec.field(default_factory=dict, name="volumeAttributes")


class Capabilities(Struct):
    add: list[str] = msgspec.field(default_factory=list)
    drop: list[str] = msgspec.field(default_factory=list)


class CephFSPersistentVolumeSource(Struct):
    monitors: list[str] = msgspec.field(default_factory=list)
    path: str = ""
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    secret_file: str = msgspec.field(default="", name="secretFile")
    secret_ref: SecretReference | None = msgspec.field(default=None, name="secretRef")
    user: str = ""


class CephFSVolumeSource(Struct):
    monitors: list[str] = msgspec.field(default_factory=list)
    path: str = ""
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    secret_file: str = msgspec.field(default="", name="secretFile")
    secret_ref: LocalObjectReference | None = msgspec.field(default=None, name="secretRef")
    user: str = ""


class CinderPersistentVolumeSource(Struct):
    fs_type: str = msgspec.field(default="", name="fsType")
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    secret_ref: SecretReference | None = msgspec.field(default=None, name="secretRef")
    volume_id: str = msgspec.field(default="", name="volumeID")


class CinderVolumeSource(Struct):
    fs_type: str = msgspec.field(default="", name="fsType")
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    secret_ref: LocalObjectReference | None = msgspec.field(default=None, name="secretRef")
    volume_id: str = msgspec.field(default="", name="volumeID")


class ClientIPConfig(Struct):
    timeout_seconds: int | None = msgspec.field(default=None, name="timeoutSeconds")


class ClusterTrustBundleProjection(Struct):
    label_selector: meta_v1.LabelSelector | None = msgspec.field(default=None, name="labelSelector")
    name: str = ""
    optional: bool | None = None
    path: str = ""
    signer_name: str = msgspec.field(default="", name="signerName")
    user: int | None = None


class ComponentCondition(Struct):
    error: str = ""
    message: str = ""
    status: str = ""
    type: str = ""


class ComponentStatus(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    conditions: list[ComponentCondition] = msgspec.field(default_factory=list)
    kind: str = "ComponentStatus"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())


class ComponentStatusList(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    items: list[ComponentStatus] = msgspec.field(default_factory=list)
    kind: str = "ComponentStatusList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class ConfigMap(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    binary_data: dict[str, str] = msgspec.field(default_factory=dict, name="binaryData")
    data: dict[str, str] = msgspec.field(default_factory=dict)
    immutable: bool | None = None
    kind: str = "ConfigMap"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())


class ConfigMapEnvSource(Struct):
    name: str = ""
    optional: bool | None = None


class ConfigMapKeySelector(Struct):
    key: str = ""
    name: str = ""
    optional: bool | None = None


class ConfigMapList(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    items: list[ConfigMap] = msgspec.field(default_factory=list)
    kind: str = "ConfigMapList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class ConfigMapNodeConfigSource(Struct):
    kubelet_config_key: str = msgspec.field(default="", name="kubeletConfigKey")
    name: str = ""
    namespace: str = ""
    resource_version: str = msgspec.field(default="", name="resourceVersion")
    uid: str = ""


class ConfigMapProjection(Struct):
    items: list[KeyToPath] = msgspec.field(default_factory=list)
    name: str = ""
    optional: bool | None = None


class ConfigMapVolumeSource(Struct):
    default_mode: int | None = msgspec.field(default=None, name="defaultMode")
    default_user: int | None = msgspec.field(default=None, name="defaultUser")
    items: list[KeyToPath] = msgspec.field(default_factory=list)
    name: str = ""
    optional: bool | None = None


class Container(Struct):
    args: list[str] = msgspec.field(default_factory=list)
    command: list[str] = msgspec.field(default_factory=list)
    env: list[EnvVar] = msgspec.field(default_factory=list)
    env_from: list[EnvFromSource] = msgspec.field(default_factory=list, name="envFrom")
    image: str = ""
    image_pull_policy: str = msgspec.field(default="", name="imagePullPolicy")
    lifecycle: Lifecycle | None = None
    liveness_probe: Probe | None = msgspec.field(default=None, name="livenessProbe")
    name: str = ""
    ports: list[ContainerPort] = msgspec.field(default_factory=list)
    readiness_probe: Probe | None = msgspec.field(default=None, name="readinessProbe")
    resize_policy: list[ContainerResizePolicy] = msgspec.field(default_factory=list, name="resizePolicy")
    resources: ResourceRequirements = msgspec.field(default_factory=lambda: ResourceRequirements())
    restart_policy: str = msgspec.field(default="", name="restartPolicy")
    restart_policy_rules: list[ContainerRestartRule] = msgspec.field(default_factory=list, name="restartPolicyRules")
    security_context: SecurityContext | None = msgspec.field(default=None, name="securityContext")
    startup_probe: Probe | None = msgspec.field(default=None, name="startupProbe")
    stdin: bool | None = None
    stdin_once: bool | None = msgspec.field(default=None, name="stdinOnce")
    termination_message_path: str = msgspec.field(default="", name="terminationMessagePath")
    termination_message_policy: str = msgspec.field(default="", name="terminationMessagePolicy")
    tty: bool | None = None
    volume_devices: list[VolumeDevice] = msgspec.field(default_factory=list, name="volumeDevices")
    volume_mounts: list[VolumeMount] = msgspec.field(default_factory=list, name="volumeMounts")
    working_dir: str = msgspec.field(default="", name="workingDir")


class ContainerExtendedResourceRequest(Struct):
    container_name: str = msgspec.field(default="", name="containerName")
    request_name: str = msgspec.field(default="", name="requestName")
    resource_name: str = msgspec.field(default="", name="resourceName")


class ContainerImage(Struct):
    names: list[str] = msgspec.field(default_factory=list)
    size_bytes: int | None = msgspec.field(default=None, name="sizeBytes")


class ContainerPort(Struct):
    container_port: int = msgspec.field(default=0, name="containerPort")
    host_ip: str = msgspec.field(default="", name="hostIP")
    host_port: int | None = msgspec.field(default=None, name="hostPort")
    name: str = ""
    protocol: str = ""


class ContainerResizePolicy(Struct):
    resource_name: str = msgspec.field(default="", name="resourceName")
    restart_policy: str = msgspec.field(default="", name="restartPolicy")


class ContainerRestartRule(Struct):
    action: str = ""
    exit_codes: ContainerRestartRuleOnExitCodes | None = msgspec.field(default=None, name="exitCodes")


class ContainerRestartRuleOnExitCodes(Struct):
    operator: str = ""
    values: list[int] = msgspec.field(default_factory=list)


class ContainerState(Struct):
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None
    waiting: ContainerStateWaiting | None = None


class ContainerStateRunning(Struct):
    started_at: str | None = msgspec.field(default=None, name="startedAt")


class ContainerStateTerminated(Struct):
    container_id: str = msgspec.field(default="", name="containerID")
    exit_code: int = msgspec.field(default=0, name="exitCode")
    finished_at: str | None = msgspec.field(default=None, name="finishedAt")
    message: str = ""
    reason: str = ""
    signal: int | None = None
    started_at: str | None = msgspec.field(default=None, name="startedAt")


class ContainerStateWaiting(Struct):
    message: str = ""
    reason: str = ""


class ContainerStatus(Struct):
    allocated_resources: dict[str, str] = msgspec.field(default_factory=dict, name="allocatedResources")
    allocated_resources_status: list[ResourceStatus] = msgspec.field(default_factory=list, name="allocatedResourcesStatus")
    container_id: str = msgspec.field(default="", name="containerID")
    image: str = ""
    image_id: str = msgspec.field(default="", name="imageID")
    last_state: ContainerState = msgspec.field(default_factory=lambda: ContainerState(), name="lastState")
    name: str = ""
    ready: bool = False
    resources: ResourceRequirements | None = None
    restart_count: int = msgspec.field(default=0, name="restartCount")
    started: bool | None = None
    state: ContainerState = msgspec.field(default_factory=lambda: ContainerState())
    stop_signal: str = msgspec.field(default="", name="stopSignal")
    user: ContainerUser | None = None
    volume_mounts: list[VolumeMountStatus] = msgspec.field(default_factory=list, name="volumeMounts")


class ContainerUser(Struct):
    linux: LinuxContainerUser | None = None


class DaemonEndpoint(Struct):
    port: int = msgspec.field(default=0, name="Port")


class DownwardAPIProjection(Struct):
    items: list[DownwardAPIVolumeFile] = msgspec.field(default_factory=list)


class DownwardAPIVolumeFile(Struct):
    field_ref: ObjectFieldSelector | None = msgspec.field(default=None, name="fieldRef")
    mode: int | None = None
    path: str = ""
    resource_field_ref: ResourceFieldSelector | None = msgspec.field(default=None, name="resourceFieldRef")
    user: int | None = None


class DownwardAPIVolumeSource(Struct):
    default_mode: int | None = msgspec.field(default=None, name="defaultMode")
    default_user: int | None = msgspec.field(default=None, name="defaultUser")
    items: list[DownwardAPIVolumeFile] = msgspec.field(default_factory=list)


class EmptyDirVolumeSource(Struct):
    medium: str = ""
    mode: int | None = None
    size_limit: str = msgspec.field(default="", name="sizeLimit")


class EndpointAddress(Struct):
    hostname: str = ""
    ip: str = ""
    node_name: str = msgspec.field(default="", name="nodeName")
    target_ref: ObjectReference | None = msgspec.field(default=None, name="targetRef")


class EndpointPort(Struct):
    app_protocol: str | None = msgspec.field(default=None, name="appProtocol")
    name: str = ""
    port: int = 0
    protocol: str = ""


class EndpointSubset(Struct):
    addresses: list[EndpointAddress] = msgspec.field(default_factory=list)
    not_ready_addresses: list[EndpointAddress] = msgspec.field(default_factory=list, name="notReadyAddresses")
    ports: list[EndpointPort] = msgspec.field(default_factory=list)


class Endpoints(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    kind: str = "Endpoints"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    subsets: list[EndpointSubset] = msgspec.field(default_factory=list)


class EndpointsList(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    items: list[Endpoints] = msgspec.field(default_factory=list)
    kind: str = "EndpointsList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class EnvFromSource(Struct):
    config_map_ref: ConfigMapEnvSource | None = msgspec.field(default=None, name="configMapRef")
    prefix: str = ""
    secret_ref: SecretEnvSource | None = msgspec.field(default=None, name="secretRef")


class EnvVar(Struct):
    name: str = ""
    value: str = ""
    value_from: EnvVarSource | None = msgspec.field(default=None, name="valueFrom")


class EnvVarSource(Struct):
    config_map_key_ref: ConfigMapKeySelector | None = msgspec.field(default=None, name="configMapKeyRef")
    field_ref: ObjectFieldSelector | None = msgspec.field(default=None, name="fieldRef")
    file_key_ref: FileKeySelector | None = msgspec.field(default=None, name="fileKeyRef")
    resource_field_ref: ResourceFieldSelector | None = msgspec.field(default=None, name="resourceFieldRef")
    secret_key_ref: SecretKeySelector | None = msgspec.field(default=None, name="secretKeyRef")


class EphemeralContainer(Struct):
    args: list[str] = msgspec.field(default_factory=list)
    command: list[str] = msgspec.field(default_factory=list)
    env: list[EnvVar] = msgspec.field(default_factory=list)
    env_from: list[EnvFromSource] = msgspec.field(default_factory=list, name="envFrom")
    image: str = ""
    image_pull_policy: str = msgspec.field(default="", name="imagePullPolicy")
    lifecycle: Lifecycle | None = None
    liveness_probe: Probe | None = msgspec.field(default=None, name="livenessProbe")
    name: str = ""
    ports: list[ContainerPort] = msgspec.field(default_factory=list)
    readiness_probe: Probe | None = msgspec.field(default=None, name="readinessProbe")
    resize_policy: list[ContainerResizePolicy] = msgspec.field(default_factory=list, name="resizePolicy")
    resources: ResourceRequirements = msgspec.field(default_factory=lambda: ResourceRequirements())
    restart_policy: str = msgspec.field(default="", name="restartPolicy")
    restart_policy_rules: list[ContainerRestartRule] = msgspec.field(default_factory=list, name="restartPolicyRules")
    security_context: SecurityContext | None = msgspec.field(default=None, name="securityContext")
    startup_probe: Probe | None = msgspec.field(default=None, name="startupProbe")
    stdin: bool | None = None
    stdin_once: bool | None = msgspec.field(default=None, name="stdinOnce")
    target_container_name: str = msgspec.field(default="", name="targetContainerName")
    termination_message_path: str = msgspec.field(default="", name="terminationMessagePath")
    termination_message_policy: str = msgspec.field(default="", name="terminationMessagePolicy")
    tty: bool | None = None
    volume_devices: list[VolumeDevice] = msgspec.field(default_factory=list, name="volumeDevices")
    volume_mounts: list[VolumeMount] = msgspec.field(default_factory=list, name="volumeMounts")
    working_dir: str = msgspec.field(default="", name="workingDir")


class EphemeralVolumeSource(Struct):
    volume_claim_template: PersistentVolumeClaimTemplate | None = msgspec.field(default=None, name="volumeClaimTemplate")


class Event(Struct):
    action: str = ""
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    count: int | None = None
    event_time: str | None = msgspec.field(default=None, name="eventTime")
    first_timestamp: str | None = msgspec.field(default=None, name="firstTimestamp")
    involved_object: ObjectReference = msgspec.field(default_factory=lambda: ObjectReference(), name="involvedObject")
    kind: str = "Event"
    last_timestamp: str | None = msgspec.field(default=None, name="lastTimestamp")
    message: str = ""
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    reason: str = ""
    related: ObjectReference | None = None
    reporting_component: str = msgspec.field(default="", name="reportingComponent")
    reporting_instance: str = msgspec.field(default="", name="reportingInstance")
    series: EventSeries | None = None
    source: EventSource = msgspec.field(default_factory=lambda: EventSource())
    type: str = ""


class EventList(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    items: list[Event] = msgspec.field(default_factory=list)
    kind: str = "EventList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class EventSeries(Struct):
    count: int | None = None
    last_observed_time: str | None = msgspec.field(default=None, name="lastObservedTime")


class EventSource(Struct):
    component: str = ""
    host: str = ""


class EvictionResponder(Struct):
    name: str = ""
    priority: int = 0


class ExecAction(Struct):
    command: list[str] = msgspec.field(default_factory=list)


class FCVolumeSource(Struct):
    fs_type: str = msgspec.field(default="", name="fsType")
    lun: int | None = None
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    target_ww_ns: list[str] = msgspec.field(default_factory=list, name="targetWWNs")
    wwids: list[str] = msgspec.field(default_factory=list)


class FileKeySelector(Struct):
    key: str = ""
    optional: bool | None = None
    path: str = ""
    volume_name: str = msgspec.field(default="", name="volumeName")


class FlexPersistentVolumeSource(Struct):
    driver: str = ""
    fs_type: str = msgspec.field(default="", name="fsType")
    options: dict[str, str] = msgspec.field(default_factory=dict)
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    secret_ref: SecretReference | None = msgspec.field(default=None, name="secretRef")


class FlexVolumeSource(Struct):
    driver: str = ""
    fs_type: str = msgspec.field(default="", name="fsType")
    options: dict[str, str] = msgspec.field(default_factory=dict)
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    secret_ref: LocalObjectReference | None = msgspec.field(default=None, name="secretRef")


class FlockerVolumeSource(Struct):
    dataset_name: str = msgspec.field(default="", name="datasetName")
    dataset_uuid: str = msgspec.field(default="", name="datasetUUID")


class GCEPersistentDiskVolumeSource(Struct):
    fs_type: str = msgspec.field(default="", name="fsType")
    partition: int | None = None
    pd_name: str = msgspec.field(default="", name="pdName")
    read_only: bool | None = msgspec.field(default=None, name="readOnly")


class GRPCAction(Struct):
    mode: str = ""
    port: int = 0
    service: str = ""


class GitRepoVolumeSource(Struct):
    directory: str = ""
    repository: str = ""
    revision: str = ""


class GlusterfsPersistentVolumeSource(Struct):
    endpoints: str = ""
    endpoints_namespace: str = msgspec.field(default="", name="endpointsNamespace")
    path: str = ""
    read_only: bool | None = msgspec.field(default=None, name="readOnly")


class GlusterfsVolumeSource(Struct):
    endpoints: str = ""
    path: str = ""
    read_only: bool | None = msgspec.field(default=None, name="readOnly")


class HTTPGetAction(Struct):
    host: str = ""
    http_headers: list[HTTPHeader] = msgspec.field(default_factory=list, name="httpHeaders")
    path: str = ""
    port: int | str = 0
    protocol: str = ""
    scheme: str = ""


class HTTPHeader(Struct):
    name: str = ""
    value: str = ""


class HostAlias(Struct):
    hostnames: list[str] = msgspec.field(default_factory=list)
    ip: str = ""


class HostIP(Struct):
    ip: str = ""


class HostPathVolumeSource(Struct):
    path: str = ""
    type: str = ""


class ISCSIPersistentVolumeSource(Struct):
    chap_auth_discovery: bool | None = msgspec.field(default=None, name="chapAuthDiscovery")
    chap_auth_session: bool | None = msgspec.field(default=None, name="chapAuthSession")
    fs_type: str = msgspec.field(default="", name="fsType")
    initiator_name: str = msgspec.field(default="", name="initiatorName")
    iqn: str = ""
    iscsi_interface: str = msgspec.field(default="", name="iscsiInterface")
    lun: int = 0
    portals: list[str] = msgspec.field(default_factory=list)
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    secret_ref: SecretReference | None = msgspec.field(default=None, name="secretRef")
    target_portal: str = msgspec.field(default="", name="targetPortal")


class ISCSIVolumeSource(Struct):
    chap_auth_discovery: bool | None = msgspec.field(default=None, name="chapAuthDiscovery")
    chap_auth_session: bool | None = msgspec.field(default=None, name="chapAuthSession")
    fs_type: str = msgspec.field(default="", name="fsType")
    initiator_name: str = msgspec.field(default="", name="initiatorName")
    iqn: str = ""
    iscsi_interface: str = msgspec.field(default="", name="iscsiInterface")
    lun: int = 0
    portals: list[str] = msgspec.field(default_factory=list)
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    secret_ref: LocalObjectReference | None = msgspec.field(default=None, name="secretRef")
    target_portal: str = msgspec.field(default="", name="targetPortal")


class ImageVolumeSource(Struct):
    pull_policy: str = msgspec.field(default="", name="pullPolicy")
    reference: str = ""


class ImageVolumeStatus(Struct):
    image_ref: str = msgspec.field(default="", name="imageRef")


class KeyToPath(Struct):
    key: str = ""
    mode: int | None = None
    path: str = ""
    user: int | None = None


class Lifecycle(Struct):
    post_start: LifecycleHandler | None = msgspec.field(default=None, name="postStart")
    pre_stop: LifecycleHandler | None = msgspec.field(default=None, name="preStop")
    stop_signal: str = msgspec.field(default="", name="stopSignal")


class LifecycleHandler(Struct):
    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = msgspec.field(default=None, name="httpGet")
    sleep: SleepAction | None = None
    tcp_socket: TCPSocketAction | None = msgspec.field(default=None, name="tcpSocket")


class LimitRange(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    kind: str = "LimitRange"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: LimitRangeSpec = msgspec.field(default_factory=lambda: LimitRangeSpec())


class LimitRangeItem(Struct):
    default: dict[str, str] = msgspec.field(default_factory=dict)
    default_request: dict[str, str] = msgspec.field(default_factory=dict, name="defaultRequest")
    max: dict[str, str] = msgspec.field(default_factory=dict)
    max_limit_request_ratio: dict[str, str] = msgspec.field(default_factory=dict, name="maxLimitRequestRatio")
    min: dict[str, str] = msgspec.field(default_factory=dict)
    type: str = ""


class LimitRangeList(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    items: list[LimitRange] = msgspec.field(default_factory=list)
    kind: str = "LimitRangeList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class LimitRangeSpec(Struct):
    limits: list[LimitRangeItem] = msgspec.field(default_factory=list)


class LinuxContainerUser(Struct):
    gid: int = 0
    supplemental_groups: list[int] = msgspec.field(default_factory=list, name="supplementalGroups")
    uid: int = 0


class LoadBalancerIngress(Struct):
    hostname: str = ""
    ip: str = ""
    ip_mode: str = msgspec.field(default="", name="ipMode")
    ports: list[PortStatus] = msgspec.field(default_factory=list)


class LoadBalancerStatus(Struct):
    ingress: list[LoadBalancerIngress] = msgspec.field(default_factory=list)


class LocalObjectReference(Struct):
    name: str = ""


class LocalVolumeSource(Struct):
    fs_type: str = msgspec.field(default="", name="fsType")
    path: str = ""


class ModifyVolumeStatus(Struct):
    status: str = ""
    target_volume_attributes_class_name: str = msgspec.field(default="", name="targetVolumeAttributesClassName")


class NFSVolumeSource(Struct):
    path: str = ""
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    server: str = ""


class Namespace(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    kind: str = "Namespace"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: NamespaceSpec = msgspec.field(default_factory=lambda: NamespaceSpec())
    status: NamespaceStatus = msgspec.field(default_factory=lambda: NamespaceStatus())


class NamespaceCondition(Struct):
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class NamespaceList(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    items: list[Namespace] = msgspec.field(default_factory=list)
    kind: str = "NamespaceList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class NamespaceSpec(Struct):
    finalizers: list[str] = msgspec.field(default_factory=list)


class NamespaceStatus(Struct):
    conditions: list[NamespaceCondition] = msgspec.field(default_factory=list)
    phase: str = ""


class Node(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    kind: str = "Node"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: NodeSpec = msgspec.field(default_factory=lambda: NodeSpec())
    status: NodeStatus = msgspec.field(default_factory=lambda: NodeStatus())


class NodeAddress(Struct):
    address: str = ""
    type: str = ""


class NodeAffinity(Struct):
    preferred_during_scheduling_ignored_during_execution: list[PreferredSchedulingTerm] = msgspec.field(default_factory=list, name="preferredDuringSchedulingIgnoredDuringExecution")
    required_during_scheduling_ignored_during_execution: NodeSelector | None = msgspec.field(default=None, name="requiredDuringSchedulingIgnoredDuringExecution")


class NodeAllocatableMappedResources(Struct):
    name: str = ""
    quantity: str = ""


class NodeAllocatableOverheadResources(Struct):
    name: str = ""
    per_container: str = msgspec.field(default="", name="perContainer")
    per_pod: str = msgspec.field(default="", name="perPod")


class NodeAllocatableResourceClaimStatus(Struct):
    containers: list[str] = msgspec.field(default_factory=list)
    mapping: list[NodeAllocatableMappedResources] = msgspec.field(default_factory=list)
    overhead: list[NodeAllocatableOverheadResources] = msgspec.field(default_factory=list)
    resource_claim_name: str = msgspec.field(default="", name="resourceClaimName")


class NodeCondition(Struct):
    last_heartbeat_time: str | None = msgspec.field(default=None, name="lastHeartbeatTime")
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class NodeConfigSource(Struct):
    config_map: ConfigMapNodeConfigSource | None = msgspec.field(default=None, name="configMap")


class NodeConfigStatus(Struct):
    active: NodeConfigSource | None = None
    assigned: NodeConfigSource | None = None
    error: str = ""
    last_known_good: NodeConfigSource | None = msgspec.field(default=None, name="lastKnownGood")


class NodeDaemonEndpoints(Struct):
    kubelet_endpoint: DaemonEndpoint = msgspec.field(default_factory=lambda: DaemonEndpoint(), name="kubeletEndpoint")


class NodeFeatures(Struct):
    supplemental_groups_policy: bool | None = msgspec.field(default=None, name="supplementalGroupsPolicy")


class NodeList(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    items: list[Node] = msgspec.field(default_factory=list)
    kind: str = "NodeList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class NodePodPreemptionPolicy(Struct):
    disable_resize_preemption: list[str] = msgspec.field(default_factory=list, name="disableResizePreemption")


class NodeRuntimeHandler(Struct):
    features: NodeRuntimeHandlerFeatures | None = None
    name: str = ""


class NodeRuntimeHandlerFeatures(Struct):
    recursive_read_only_mounts: bool | None = msgspec.field(default=None, name="recursiveReadOnlyMounts")
    user_namespaces: bool | None = msgspec.field(default=None, name="userNamespaces")


class NodeSelector(Struct):
    node_selector_terms: list[NodeSelectorTerm] = msgspec.field(default_factory=list, name="nodeSelectorTerms")


class NodeSelectorRequirement(Struct):
    key: str = ""
    operator: str = ""
    values: list[str] = msgspec.field(default_factory=list)


class NodeSelectorTerm(Struct):
    match_expressions: list[NodeSelectorRequirement] = msgspec.field(default_factory=list, name="matchExpressions")
    match_fields: list[NodeSelectorRequirement] = msgspec.field(default_factory=list, name="matchFields")


class NodeSpec(Struct):
    config_source: NodeConfigSource | None = msgspec.field(default=None, name="configSource")
    external_id: str = msgspec.field(default="", name="externalID")
    pod_cidr: str = msgspec.field(default="", name="podCIDR")
    pod_cidrs: list[str] = msgspec.field(default_factory=list, name="podCIDRs")
    pod_preemption_policy: NodePodPreemptionPolicy | None = msgspec.field(default=None, name="podPreemptionPolicy")
    provider_id: str = msgspec.field(default="", name="providerID")
    taints: list[Taint] = msgspec.field(default_factory=list)
    unschedulable: bool | None = None


class NodeStatus(Struct):
    addresses: list[NodeAddress] = msgspec.field(default_factory=list)
    allocatable: dict[str, str] = msgspec.field(default_factory=dict)
    capacity: dict[str, str] = msgspec.field(default_factory=dict)
    conditions: list[NodeCondition] = msgspec.field(default_factory=list)
    config: NodeConfigStatus | None = None
    daemon_endpoints: NodeDaemonEndpoints = msgspec.field(default_factory=lambda: NodeDaemonEndpoints(), name="daemonEndpoints")
    declared_features: list[str] = msgspec.field(default_factory=list, name="declaredFeatures")
    features: NodeFeatures | None = None
    images: list[ContainerImage] = msgspec.field(default_factory=list)
    node_info: NodeSystemInfo = msgspec.field(default_factory=lambda: NodeSystemInfo(), name="nodeInfo")
    phase: str = ""
    runtime_handlers: list[NodeRuntimeHandler] = msgspec.field(default_factory=list, name="runtimeHandlers")
    volumes_attached: list[AttachedVolume] = msgspec.field(default_factory=list, name="volumesAttached")
    volumes_in_use: list[str] = msgspec.field(default_factory=list, name="volumesInUse")


class NodeSwapStatus(Struct):
    capacity: int | None = None


class NodeSystemInfo(Struct):
    architecture: str = ""
    boot_id: str = msgspec.field(default="", name="bootID")
    container_runtime_version: str = msgspec.field(default="", name="containerRuntimeVersion")
    kernel_version: str = msgspec.field(default="", name="kernelVersion")
    kube_proxy_version: str = msgspec.field(default="", name="kubeProxyVersion")
    kubelet_version: str = msgspec.field(default="", name="kubeletVersion")
    machine_id: str = msgspec.field(default="", name="machineID")
    operating_system: str = msgspec.field(default="", name="operatingSystem")
    os_image: str = msgspec.field(default="", name="osImage")
    running_in_user_namespace: bool | None = msgspec.field(default=None, name="runningInUserNamespace")
    swap: NodeSwapStatus | None = None
    system_uuid: str = msgspec.field(default="", name="systemUUID")


class ObjectFieldSelector(Struct):
    api_version: str = msgspec.field(default="", name="apiVersion")
    field_path: str = msgspec.field(default="", name="fieldPath")


class ObjectReference(Struct):
    api_version: str = msgspec.field(default="", name="apiVersion")
    field_path: str = msgspec.field(default="", name="fieldPath")
    kind: str = ""
    name: str = ""
    namespace: str = ""
    resource_version: str = msgspec.field(default="", name="resourceVersion")
    uid: str = ""


class PersistentVolume(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    kind: str = "PersistentVolume"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: PersistentVolumeSpec = msgspec.field(default_factory=lambda: PersistentVolumeSpec())
    status: PersistentVolumeStatus = msgspec.field(default_factory=lambda: PersistentVolumeStatus())


class PersistentVolumeClaim(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    kind: str = "PersistentVolumeClaim"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: PersistentVolumeClaimSpec = msgspec.field(default_factory=lambda: PersistentVolumeClaimSpec())
    status: PersistentVolumeClaimStatus = msgspec.field(default_factory=lambda: PersistentVolumeClaimStatus())


class PersistentVolumeClaimCondition(Struct):
    last_probe_time: str | None = msgspec.field(default=None, name="lastProbeTime")
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class PersistentVolumeClaimList(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    items: list[PersistentVolumeClaim] = msgspec.field(default_factory=list)
    kind: str = "PersistentVolumeClaimList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class PersistentVolumeClaimSpec(Struct):
    access_modes: list[str] = msgspec.field(default_factory=list, name="accessModes")
    data_source: TypedLocalObjectReference | None = msgspec.field(default=None, name="dataSource")
    data_source_ref: TypedObjectReference | None = msgspec.field(default=None, name="dataSourceRef")
    resources: VolumeResourceRequirements = msgspec.field(default_factory=lambda: VolumeResourceRequirements())
    selector: meta_v1.LabelSelector | None = None
    storage_class_name: str | None = msgspec.field(default=None, name="storageClassName")
    volume_attributes_class_name: str | None = msgspec.field(default=None, name="volumeAttributesClassName")
    volume_mode: str = msgspec.field(default="", name="volumeMode")
    volume_name: str = msgspec.field(default="", name="volumeName")


class PersistentVolumeClaimStatus(Struct):
    access_modes: list[str] = msgspec.field(default_factory=list, name="accessModes")
    allocated_resource_statuses: dict[str, str] = msgspec.field(default_factory=dict, name="allocatedResourceStatuses")
    allocated_resources: dict[str, str] = msgspec.field(default_factory=dict, name="allocatedResources")
    capacity: dict[str, str] = msgspec.field(default_factory=dict)
    conditions: list[PersistentVolumeClaimCondition] = msgspec.field(default_factory=list)
    current_volume_attributes_class_name: str = msgspec.field(default="", name="currentVolumeAttributesClassName")
    health_status: VolumeHealthStatus | None = msgspec.field(default=None, name="healthStatus")
    modify_volume_status: ModifyVolumeStatus | None = msgspec.field(default=None, name="modifyVolumeStatus")
    phase: str = ""


class PersistentVolumeClaimTemplate(Struct):
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: PersistentVolumeClaimSpec = msgspec.field(default_factory=lambda: PersistentVolumeClaimSpec())


class PersistentVolumeClaimVolumeSource(Struct):
    claim_name: str = msgspec.field(default="", name="claimName")
    read_only: bool | None = msgspec.field(default=None, name="readOnly")


class PersistentVolumeList(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    items: list[PersistentVolume] = msgspec.field(default_factory=list)
    kind: str = "PersistentVolumeList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class PersistentVolumeSpec(Struct):
    access_modes: list[str] = msgspec.field(default_factory=list, name="accessModes")
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = msgspec.field(default=None, name="awsElasticBlockStore")
    azure_disk: AzureDiskVolumeSource | None = msgspec.field(default=None, name="azureDisk")
    azure_file: AzureFilePersistentVolumeSource | None = msgspec.field(default=None, name="azureFile")
    capacity: dict[str, str] = msgspec.field(default_factory=dict)
    cephfs: CephFSPersistentVolumeSource | None = None
    cinder: CinderPersistentVolumeSource | None = None
    claim_ref: ObjectReference | None = msgspec.field(default=None, name="claimRef")
    csi: CSIPersistentVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flex_volume: FlexPersistentVolumeSource | None = msgspec.field(default=None, name="flexVolume")
    flocker: FlockerVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = msgspec.field(default=None, name="gcePersistentDisk")
    glusterfs: GlusterfsPersistentVolumeSource | None = None
    host_path: HostPathVolumeSource | None = msgspec.field(default=None, name="hostPath")
    iscsi: ISCSIPersistentVolumeSource | None = None
    local: LocalVolumeSource | None = None
    mount_options: list[str] = msgspec.field(default_factory=list, name="mountOptions")
    nfs: NFSVolumeSource | None = None
    node_affinity: VolumeNodeAffinity | None = msgspec.field(default=None, name="nodeAffinity")
    persistent_volume_reclaim_policy: str = msgspec.field(default="", name="persistentVolumeReclaimPolicy")
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = msgspec.field(default=None, name="photonPersistentDisk")
    portworx_volume: PortworxVolumeSource | None = msgspec.field(default=None, name="portworxVolume")
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDPersistentVolumeSource | None = None
    scale_io: ScaleIOPersistentVolumeSource | None = msgspec.field(default=None, name="scaleIO")
    storage_class_name: str | None = msgspec.field(default=None, name="storageClassName")
    storageos: StorageOSPersistentVolumeSource | None = None
    volume_attributes_class_name: str | None = msgspec.field(default=None, name="volumeAttributesClassName")
    volume_mode: str = msgspec.field(default="", name="volumeMode")
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = msgspec.field(default=None, name="vsphereVolume")


class PersistentVolumeStatus(Struct):
    last_phase_transition_time: str | None = msgspec.field(default=None, name="lastPhaseTransitionTime")
    message: str = ""
    phase: str = ""
    reason: str = ""


class PhotonPersistentDiskVolumeSource(Struct):
    fs_type: str = msgspec.field(default="", name="fsType")
    pd_id: str = msgspec.field(default="", name="pdID")


class Pod(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    kind: str = "Pod"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: PodSpec = msgspec.field(default_factory=lambda: PodSpec())
    status: PodStatus = msgspec.field(default_factory=lambda: PodStatus())


class PodAffinity(Struct):
    preferred_during_scheduling_ignored_during_execution: list[WeightedPodAffinityTerm] = msgspec.field(default_factory=list, name="preferredDuringSchedulingIgnoredDuringExecution")
    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] = msgspec.field(default_factory=list, name="requiredDuringSchedulingIgnoredDuringExecution")


class PodAffinityTerm(Struct):
    label_selector: meta_v1.LabelSelector | None = msgspec.field(default=None, name="labelSelector")
    match_label_keys: list[str] = msgspec.field(default_factory=list, name="matchLabelKeys")
    mismatch_label_keys: list[str] = msgspec.field(default_factory=list, name="mismatchLabelKeys")
    namespace_selector: meta_v1.LabelSelector | None = msgspec.field(default=None, name="namespaceSelector")
    namespaces: list[str] = msgspec.field(default_factory=list)
    topology_key: str = msgspec.field(default="", name="topologyKey")


class PodAntiAffinity(Struct):
    preferred_during_scheduling_ignored_during_execution: list[WeightedPodAffinityTerm] = msgspec.field(default_factory=list, name="preferredDuringSchedulingIgnoredDuringExecution")
    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] = msgspec.field(default_factory=list, name="requiredDuringSchedulingIgnoredDuringExecution")


class PodCertificateProjection(Struct):
    certificate_chain_path: str = msgspec.field(default="", name="certificateChainPath")
    credential_bundle_path: str = msgspec.field(default="", name="credentialBundlePath")
    key_path: str = msgspec.field(default="", name="keyPath")
    key_type: str = msgspec.field(default="", name="keyType")
    max_expiration_seconds: int | None = msgspec.field(default=None, name="maxExpirationSeconds")
    signer_name: str = msgspec.field(default="", name="signerName")
    user: int | None = None
    user_annotations: dict[str, str] = msgspec.field(default_factory=dict, name="userAnnotations")


class PodCondition(Struct):
    last_probe_time: str | None = msgspec.field(default=None, name="lastProbeTime")
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")
    message: str = ""
    observed_generation: int | None = msgspec.field(default=None, name="observedGeneration")
    reason: str = ""
    status: str = ""
    type: str = ""


class PodDNSConfig(Struct):
    nameservers: list[str] = msgspec.field(default_factory=list)
    options: list[PodDNSConfigOption] = msgspec.field(default_factory=list)
    searches: list[str] = msgspec.field(default_factory=list)


class PodDNSConfigOption(Struct):
    name: str = ""
    value: str = ""


class PodExtendedResourceClaimStatus(Struct):
    request_mappings: list[ContainerExtendedResourceRequest] = msgspec.field(default_factory=list, name="requestMappings")
    resource_claim_name: str = msgspec.field(default="", name="resourceClaimName")


class PodIP(Struct):
    ip: str = ""


class PodList(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    items: list[Pod] = msgspec.field(default_factory=list)
    kind: str = "PodList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class PodOS(Struct):
    name: str = ""


class PodReadinessGate(Struct):
    condition_type: str = msgspec.field(default="", name="conditionType")


class PodResourceClaim(Struct):
    name: str = ""
    resource_claim_name: str = msgspec.field(default="", name="resourceClaimName")
    resource_claim_template_name: str = msgspec.field(default="", name="resourceClaimTemplateName")


class PodResourceClaimStatus(Struct):
    name: str = ""
    resource_claim_name: str = msgspec.field(default="", name="resourceClaimName")


class PodSchedulingGate(Struct):
    name: str = ""


class PodSchedulingGroup(Struct):
    pod_group_name: str = msgspec.field(default="", name="podGroupName")


class PodSecurityContext(Struct):
    app_armor_profile: AppArmorProfile | None = msgspec.field(default=None, name="appArmorProfile")
    fs_group: int | None = msgspec.field(default=None, name="fsGroup")
    fs_group_change_policy: str = msgspec.field(default="", name="fsGroupChangePolicy")
    run_as_group: int | None = msgspec.field(default=None, name="runAsGroup")
    run_as_non_root: bool | None = msgspec.field(default=None, name="runAsNonRoot")
    run_as_user: int | None = msgspec.field(default=None, name="runAsUser")
    se_linux_change_policy: str = msgspec.field(default="", name="seLinuxChangePolicy")
    se_linux_options: SELinuxOptions | None = msgspec.field(default=None, name="seLinuxOptions")
    seccomp_profile: SeccompProfile | None = msgspec.field(default=None, name="seccompProfile")
    supplemental_groups: list[int] = msgspec.field(default_factory=list, name="supplementalGroups")
    supplemental_groups_policy: str = msgspec.field(default="", name="supplementalGroupsPolicy")
    sysctls: list[Sysctl] = msgspec.field(default_factory=list)
    windows_options: WindowsSecurityContextOptions | None = msgspec.field(default=None, name="windowsOptions")


class PodSpec(Struct):
    active_deadline_seconds: int | None = msgspec.field(default=None, name="activeDeadlineSeconds")
    affinity: Affinity | None = None
    automount_service_account_token: bool | None = msgspec.field(default=None, name="automountServiceAccountToken")
    containers: list[Container] = msgspec.field(default_factory=list)
    dns_config: PodDNSConfig | None = msgspec.field(default=None, name="dnsConfig")
    dns_policy: str = msgspec.field(default="", name="dnsPolicy")
    enable_service_links: bool | None = msgspec.field(default=None, name="enableServiceLinks")
    ephemeral_containers: list[EphemeralContainer] = msgspec.field(default_factory=list, name="ephemeralContainers")
    eviction_responders: list[EvictionResponder] = msgspec.field(default_factory=list, name="evictionResponders")
    host_aliases: list[HostAlias] = msgspec.field(default_factory=list, name="hostAliases")
    host_ipc: bool | None = msgspec.field(default=None, name="hostIPC")
    host_network: bool | None = msgspec.field(default=None, name="hostNetwork")
    host_pid: bool | None = msgspec.field(default=None, name="hostPID")
    host_users: bool | None = msgspec.field(default=None, name="hostUsers")
    hostname: str = ""
    hostname_override: str | None = msgspec.field(default=None, name="hostnameOverride")
    image_pull_secrets: list[LocalObjectReference] = msgspec.field(default_factory=list, name="imagePullSecrets")
    init_containers: list[Container] = msgspec.field(default_factory=list, name="initContainers")
    node_name: str = msgspec.field(default="", name="nodeName")
    node_selector: dict[str, str] = msgspec.field(default_factory=dict, name="nodeSelector")
    os: PodOS | None = None
    overhead: dict[str, str] = msgspec.field(default_factory=dict)
    preemption_policy: str | None = msgspec.field(default=None, name="preemptionPolicy")
    priority: int | None = None
    priority_class_name: str = msgspec.field(default="", name="priorityClassName")
    readiness_gates: list[PodReadinessGate] = msgspec.field(default_factory=list, name="readinessGates")
    resource_claims: list[PodResourceClaim] = msgspec.field(default_factory=list, name="resourceClaims")
    resources: ResourceRequirements | None = None
    restart_policy: str = msgspec.field(default="", name="restartPolicy")
    runtime_class_name: str | None = msgspec.field(default=None, name="runtimeClassName")
    scheduler_name: str = msgspec.field(default="", name="schedulerName")
    scheduling_gates: list[PodSchedulingGate] = msgspec.field(default_factory=list, name="schedulingGates")
    scheduling_group: PodSchedulingGroup | None = msgspec.field(default=None, name="schedulingGroup")
    security_context: PodSecurityContext | None = msgspec.field(default=None, name="securityContext")
    service_account: str = msgspec.field(default="", name="serviceAccount")
    service_account_name: str = msgspec.field(default="", name="serviceAccountName")
    set_hostname_as_fqdn: bool | None = msgspec.field(default=None, name="setHostnameAsFQDN")
    share_process_namespace: bool | None = msgspec.field(default=None, name="shareProcessNamespace")
    subdomain: str = ""
    termination_grace_period_seconds: int | None = msgspec.field(default=None, name="terminationGracePeriodSeconds")
    tolerations: list[Toleration] = msgspec.field(default_factory=list)
    topology_spread_constraints: list[TopologySpreadConstraint] = msgspec.field(default_factory=list, name="topologySpreadConstraints")
    volumes: list[Volume] = msgspec.field(default_factory=list)


class PodStatus(Struct):
    allocated_resources: dict[str, str] = msgspec.field(default_factory=dict, name="allocatedResources")
    conditions: list[PodCondition] = msgspec.field(default_factory=list)
    container_statuses: list[ContainerStatus] = msgspec.field(default_factory=list, name="containerStatuses")
    ephemeral_container_statuses: list[ContainerStatus] = msgspec.field(default_factory=list, name="ephemeralContainerStatuses")
    extended_resource_claim_status: PodExtendedResourceClaimStatus | None = msgspec.field(default=None, name="extendedResourceClaimStatus")
    host_ip: str = msgspec.field(default="", name="hostIP")
    host_ips: list[HostIP] = msgspec.field(default_factory=list, name="hostIPs")
    init_container_statuses: list[ContainerStatus] = msgspec.field(default_factory=list, name="initContainerStatuses")
    message: str = ""
    node_allocatable_resource_claim_statuses: list[NodeAllocatableResourceClaimStatus] = msgspec.field(default_factory=list, name="nodeAllocatableResourceClaimStatuses")
    nominated_node_name: str = msgspec.field(default="", name="nominatedNodeName")
    observed_generation: int | None = msgspec.field(default=None, name="observedGeneration")
    phase: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")
    pod_ips: list[PodIP] = msgspec.field(default_factory=list, name="podIPs")
    qos_class: str = msgspec.field(default="", name="qosClass")
    reason: str = ""
    resize: str = ""
    resource_claim_statuses: list[PodResourceClaimStatus] = msgspec.field(default_factory=list, name="resourceClaimStatuses")
    resources: ResourceRequirements | None = None
    start_time: str | None = msgspec.field(default=None, name="startTime")
    volume_health: list[PodVolumeHealth] = msgspec.field(default_factory=list, name="volumeHealth")


class PodTemplate(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    kind: str = "PodTemplate"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    template: PodTemplateSpec = msgspec.field(default_factory=lambda: PodTemplateSpec())


class PodTemplateList(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    items: list[PodTemplate] = msgspec.field(default_factory=list)
    kind: str = "PodTemplateList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class PodTemplateSpec(Struct):
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: PodSpec = msgspec.field(default_factory=lambda: PodSpec())


class PodVolumeHealth(Struct):
    health_conditions: list[VolumeHealthCondition] = msgspec.field(default_factory=list, name="healthConditions")
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")
    name: str = ""


class PortStatus(Struct):
    error: str = ""
    port: int = 0
    protocol: str = ""


class PortworxVolumeSource(Struct):
    fs_type: str = msgspec.field(default="", name="fsType")
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    volume_id: str = msgspec.field(default="", name="volumeID")


class PreferredSchedulingTerm(Struct):
    preference: NodeSelectorTerm = msgspec.field(default_factory=lambda: NodeSelectorTerm())
    weight: int = 0


class Probe(Struct):
    exec: ExecAction | None = None
    failure_threshold: int | None = msgspec.field(default=None, name="failureThreshold")
    grpc: GRPCAction | None = None
    http_get: HTTPGetAction | None = msgspec.field(default=None, name="httpGet")
    initial_delay_seconds: int | None = msgspec.field(default=None, name="initialDelaySeconds")
    period_seconds: int | None = msgspec.field(default=None, name="periodSeconds")
    success_threshold: int | None = msgspec.field(default=None, name="successThreshold")
    tcp_socket: TCPSocketAction | None = msgspec.field(default=None, name="tcpSocket")
    termination_grace_period_seconds: int | None = msgspec.field(default=None, name="terminationGracePeriodSeconds")
    timeout_seconds: int | None = msgspec.field(default=None, name="timeoutSeconds")


class ProjectedVolumeSource(Struct):
    default_mode: int | None = msgspec.field(default=None, name="defaultMode")
    default_user: int | None = msgspec.field(default=None, name="defaultUser")
    sources: list[VolumeProjection] = msgspec.field(default_factory=list)


class QuobyteVolumeSource(Struct):
    group: str = ""
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    registry: str = ""
    tenant: str = ""
    user: str = ""
    volume: str = ""


class RBDPersistentVolumeSource(Struct):
    fs_type: str = msgspec.field(default="", name="fsType")
    image: str = ""
    keyring: str = ""
    monitors: list[str] = msgspec.field(default_factory=list)
    pool: str = ""
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    secret_ref: SecretReference | None = msgspec.field(default=None, name="secretRef")
    user: str = ""


class RBDVolumeSource(Struct):
    fs_type: str = msgspec.field(default="", name="fsType")
    image: str = ""
    keyring: str = ""
    monitors: list[str] = msgspec.field(default_factory=list)
    pool: str = ""
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    secret_ref: LocalObjectReference | None = msgspec.field(default=None, name="secretRef")
    user: str = ""


class ReplicationController(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    kind: str = "ReplicationController"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: ReplicationControllerSpec = msgspec.field(default_factory=lambda: ReplicationControllerSpec())
    status: ReplicationControllerStatus = msgspec.field(default_factory=lambda: ReplicationControllerStatus())


class ReplicationControllerCondition(Struct):
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class ReplicationControllerList(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    items: list[ReplicationController] = msgspec.field(default_factory=list)
    kind: str = "ReplicationControllerList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class ReplicationControllerSpec(Struct):
    min_ready_seconds: int | None = msgspec.field(default=None, name="minReadySeconds")
    replicas: int | None = None
    selector: dict[str, str] = msgspec.field(default_factory=dict)
    template: PodTemplateSpec = msgspec.field(default_factory=lambda: PodTemplateSpec())


class ReplicationControllerStatus(Struct):
    available_replicas: int | None = msgspec.field(default=None, name="availableReplicas")
    conditions: list[ReplicationControllerCondition] = msgspec.field(default_factory=list)
    fully_labeled_replicas: int | None = msgspec.field(default=None, name="fullyLabeledReplicas")
    observed_generation: int | None = msgspec.field(default=None, name="observedGeneration")
    ready_replicas: int | None = msgspec.field(default=None, name="readyReplicas")
    replicas: int = 0


class ResourceClaim(Struct):
    name: str = ""
    request: str = ""


class ResourceFieldSelector(Struct):
    container_name: str = msgspec.field(default="", name="containerName")
    divisor: str = ""
    resource: str = ""


class ResourceHealth(Struct):
    health: str = ""
    message: str = ""
    resource_id: str = msgspec.field(default="", name="resourceID")


class ResourceQuota(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    kind: str = "ResourceQuota"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: ResourceQuotaSpec = msgspec.field(default_factory=lambda: ResourceQuotaSpec())
    status: ResourceQuotaStatus = msgspec.field(default_factory=lambda: ResourceQuotaStatus())


class ResourceQuotaList(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    items: list[ResourceQuota] = msgspec.field(default_factory=list)
    kind: str = "ResourceQuotaList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class ResourceQuotaSpec(Struct):
    hard: dict[str, str] = msgspec.field(default_factory=dict)
    scope_selector: ScopeSelector | None = msgspec.field(default=None, name="scopeSelector")
    scopes: list[str] = msgspec.field(default_factory=list)


class ResourceQuotaStatus(Struct):
    hard: dict[str, str] = msgspec.field(default_factory=dict)
    used: dict[str, str] = msgspec.field(default_factory=dict)


class ResourceRequirements(Struct):
    claims: list[ResourceClaim] = msgspec.field(default_factory=list)
    limits: dict[str, str] = msgspec.field(default_factory=dict)
    requests: dict[str, str] = msgspec.field(default_factory=dict)


class ResourceStatus(Struct):
    name: str = ""
    resources: list[ResourceHealth] = msgspec.field(default_factory=list)


class SELinuxOptions(Struct):
    level: str = ""
    role: str = ""
    type: str = ""
    user: str = ""


class ScaleIOPersistentVolumeSource(Struct):
    fs_type: str = msgspec.field(default="", name="fsType")
    gateway: str = ""
    protection_domain: str = msgspec.field(default="", name="protectionDomain")
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    secret_ref: SecretReference = msgspec.field(default_factory=lambda: SecretReference(), name="secretRef")
    ssl_enabled: bool | None = msgspec.field(default=None, name="sslEnabled")
    storage_mode: str = msgspec.field(default="", name="storageMode")
    storage_pool: str = msgspec.field(default="", name="storagePool")
    system: str = ""
    volume_name: str = msgspec.field(default="", name="volumeName")


class ScaleIOVolumeSource(Struct):
    fs_type: str = msgspec.field(default="", name="fsType")
    gateway: str = ""
    protection_domain: str = msgspec.field(default="", name="protectionDomain")
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    secret_ref: LocalObjectReference = msgspec.field(default_factory=lambda: LocalObjectReference(), name="secretRef")
    ssl_enabled: bool | None = msgspec.field(default=None, name="sslEnabled")
    storage_mode: str = msgspec.field(default="", name="storageMode")
    storage_pool: str = msgspec.field(default="", name="storagePool")
    system: str = ""
    volume_name: str = msgspec.field(default="", name="volumeName")


class ScopeSelector(Struct):
    match_expressions: list[ScopedResourceSelectorRequirement] = msgspec.field(default_factory=list, name="matchExpressions")


class ScopedResourceSelectorRequirement(Struct):
    operator: str = ""
    scope_name: str = msgspec.field(default="", name="scopeName")
    values: list[str] = msgspec.field(default_factory=list)


class SeccompProfile(Struct):
    localhost_profile: str = msgspec.field(default="", name="localhostProfile")
    type: str = ""


class Secret(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    data: dict[str, str] = msgspec.field(default_factory=dict)
    immutable: bool | None = None
    kind: str = "Secret"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    string_data: dict[str, str] = msgspec.field(default_factory=dict, name="stringData")
    type: str = ""


class SecretEnvSource(Struct):
    name: str = ""
    optional: bool | None = None


class SecretKeySelector(Struct):
    key: str = ""
    name: str = ""
    optional: bool | None = None


class SecretList(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    items: list[Secret] = msgspec.field(default_factory=list)
    kind: str = "SecretList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class SecretProjection(Struct):
    items: list[KeyToPath] = msgspec.field(default_factory=list)
    name: str = ""
    optional: bool | None = None


class SecretReference(Struct):
    name: str = ""
    namespace: str = ""


class SecretVolumeSource(Struct):
    default_mode: int | None = msgspec.field(default=None, name="defaultMode")
    default_user: int | None = msgspec.field(default=None, name="defaultUser")
    items: list[KeyToPath] = msgspec.field(default_factory=list)
    optional: bool | None = None
    secret_name: str = msgspec.field(default="", name="secretName")


class SecurityContext(Struct):
    allow_privilege_escalation: bool | None = msgspec.field(default=None, name="allowPrivilegeEscalation")
    app_armor_profile: AppArmorProfile | None = msgspec.field(default=None, name="appArmorProfile")
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    proc_mount: str = msgspec.field(default="", name="procMount")
    read_only_root_filesystem: bool | None = msgspec.field(default=None, name="readOnlyRootFilesystem")
    run_as_group: int | None = msgspec.field(default=None, name="runAsGroup")
    run_as_non_root: bool | None = msgspec.field(default=None, name="runAsNonRoot")
    run_as_user: int | None = msgspec.field(default=None, name="runAsUser")
    se_linux_options: SELinuxOptions | None = msgspec.field(default=None, name="seLinuxOptions")
    seccomp_profile: SeccompProfile | None = msgspec.field(default=None, name="seccompProfile")
    windows_options: WindowsSecurityContextOptions | None = msgspec.field(default=None, name="windowsOptions")


class Service(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    kind: str = "Service"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: ServiceSpec = msgspec.field(default_factory=lambda: ServiceSpec())
    status: ServiceStatus = msgspec.field(default_factory=lambda: ServiceStatus())


class ServiceAccount(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    automount_service_account_token: bool | None = msgspec.field(default=None, name="automountServiceAccountToken")
    image_pull_secrets: list[LocalObjectReference] = msgspec.field(default_factory=list, name="imagePullSecrets")
    kind: str = "ServiceAccount"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    secrets: list[ObjectReference] = msgspec.field(default_factory=list)


class ServiceAccountList(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    items: list[ServiceAccount] = msgspec.field(default_factory=list)
    kind: str = "ServiceAccountList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class ServiceAccountTokenProjection(Struct):
    audience: str = ""
    expiration_seconds: int | None = msgspec.field(default=None, name="expirationSeconds")
    path: str = ""
    user: int | None = None


class ServiceList(Struct):
    api_version: str = msgspec.field(default="v1", name="apiVersion")
    items: list[Service] = msgspec.field(default_factory=list)
    kind: str = "ServiceList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class ServicePort(Struct):
    app_protocol: str | None = msgspec.field(default=None, name="appProtocol")
    name: str = ""
    node_port: int | None = msgspec.field(default=None, name="nodePort")
    port: int = 0
    protocol: str = ""
    target_port: int | str | None = msgspec.field(default=None, name="targetPort")


class ServiceSpec(Struct):
    allocate_load_balancer_node_ports: bool | None = msgspec.field(default=None, name="allocateLoadBalancerNodePorts")
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    cluster_ips: list[str] = msgspec.field(default_factory=list, name="clusterIPs")
    external_ips: list[str] = msgspec.field(default_factory=list, name="externalIPs")
    external_name: str = msgspec.field(default="", name="externalName")
    external_traffic_policy: str = msgspec.field(default="", name="externalTrafficPolicy")
    health_check_node_port: int | None = msgspec.field(default=None, name="healthCheckNodePort")
    internal_traffic_policy: str | None = msgspec.field(default=None, name="internalTrafficPolicy")
    ip_families: list[str] = msgspec.field(default_factory=list, name="ipFamilies")
    ip_family_policy: str | None = msgspec.field(default=None, name="ipFamilyPolicy")
    load_balancer_class: str = msgspec.field(default="", name="loadBalancerClass")
    load_balancer_ip: str = msgspec.field(default="", name="loadBalancerIP")
    load_balancer_source_ranges: list[str] = msgspec.field(default_factory=list, name="loadBalancerSourceRanges")
    ports: list[ServicePort] = msgspec.field(default_factory=list)
    publish_not_ready_addresses: bool | None = msgspec.field(default=None, name="publishNotReadyAddresses")
    selector: dict[str, str] = msgspec.field(default_factory=dict)
    session_affinity: str = msgspec.field(default="", name="sessionAffinity")
    session_affinity_config: SessionAffinityConfig | None = msgspec.field(default=None, name="sessionAffinityConfig")
    traffic_distribution: str = msgspec.field(default="", name="trafficDistribution")
    type: str = ""


class ServiceStatus(Struct):
    conditions: list[meta_v1.Condition] = msgspec.field(default_factory=list)
    load_balancer: LoadBalancerStatus = msgspec.field(default_factory=lambda: LoadBalancerStatus(), name="loadBalancer")


class SessionAffinityConfig(Struct):
    client_ip: ClientIPConfig | None = msgspec.field(default=None, name="clientIP")


class SleepAction(Struct):
    seconds: int = 0


class StorageOSPersistentVolumeSource(Struct):
    fs_type: str = msgspec.field(default="", name="fsType")
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    secret_ref: ObjectReference | None = msgspec.field(default=None, name="secretRef")
    volume_name: str = msgspec.field(default="", name="volumeName")
    volume_namespace: str = msgspec.field(default="", name="volumeNamespace")


class StorageOSVolumeSource(Struct):
    fs_type: str = msgspec.field(default="", name="fsType")
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    secret_ref: LocalObjectReference | None = msgspec.field(default=None, name="secretRef")
    volume_name: str = msgspec.field(default="", name="volumeName")
    volume_namespace: str = msgspec.field(default="", name="volumeNamespace")


class Sysctl(Struct):
    name: str = ""
    value: str = ""


class TCPSocketAction(Struct):
    host: str = ""
    port: int | str = 0


class Taint(Struct):
    effect: str = ""
    key: str = ""
    time_added: str | None = msgspec.field(default=None, name="timeAdded")
    value: str = ""


class Toleration(Struct):
    effect: str = ""
    key: str = ""
    operator: str = ""
    toleration_seconds: int | None = msgspec.field(default=None, name="tolerationSeconds")
    value: str = ""


class TopologySelectorLabelRequirement(Struct):
    key: str = ""
    values: list[str] = msgspec.field(default_factory=list)


class TopologySelectorTerm(Struct):
    match_label_expressions: list[TopologySelectorLabelRequirement] = msgspec.field(default_factory=list, name="matchLabelExpressions")


class TopologySpreadConstraint(Struct):
    label_selector: meta_v1.LabelSelector | None = msgspec.field(default=None, name="labelSelector")
    match_label_keys: list[str] = msgspec.field(default_factory=list, name="matchLabelKeys")
    max_skew: int = msgspec.field(default=0, name="maxSkew")
    min_domains: int | None = msgspec.field(default=None, name="minDomains")
    node_affinity_policy: str = msgspec.field(default="", name="nodeAffinityPolicy")
    node_taints_policy: str = msgspec.field(default="", name="nodeTaintsPolicy")
    topology_key: str = msgspec.field(default="", name="topologyKey")
    when_unsatisfiable: str = msgspec.field(default="", name="whenUnsatisfiable")


class TypedLocalObjectReference(Struct):
    api_group: str = msgspec.field(default="", name="apiGroup")
    kind: str = ""
    name: str = ""


class TypedObjectReference(Struct):
    api_group: str = msgspec.field(default="", name="apiGroup")
    kind: str = ""
    name: str = ""
    namespace: str = ""


class Volume(Struct):
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = msgspec.field(default=None, name="awsElasticBlockStore")
    azure_disk: AzureDiskVolumeSource | None = msgspec.field(default=None, name="azureDisk")
    azure_file: AzureFileVolumeSource | None = msgspec.field(default=None, name="azureFile")
    cephfs: CephFSVolumeSource | None = None
    cinder: CinderVolumeSource | None = None
    config_map: ConfigMapVolumeSource | None = msgspec.field(default=None, name="configMap")
    csi: CSIVolumeSource | None = None
    downward_api: DownwardAPIVolumeSource | None = msgspec.field(default=None, name="downwardAPI")
    empty_dir: EmptyDirVolumeSource | None = msgspec.field(default=None, name="emptyDir")
    ephemeral: EphemeralVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flex_volume: FlexVolumeSource | None = msgspec.field(default=None, name="flexVolume")
    flocker: FlockerVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = msgspec.field(default=None, name="gcePersistentDisk")
    git_repo: GitRepoVolumeSource | None = msgspec.field(default=None, name="gitRepo")
    glusterfs: GlusterfsVolumeSource | None = None
    host_path: HostPathVolumeSource | None = msgspec.field(default=None, name="hostPath")
    image: ImageVolumeSource | None = None
    iscsi: ISCSIVolumeSource | None = None
    name: str = ""
    nfs: NFSVolumeSource | None = None
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = msgspec.field(default=None, name="persistentVolumeClaim")
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = msgspec.field(default=None, name="photonPersistentDisk")
    portworx_volume: PortworxVolumeSource | None = msgspec.field(default=None, name="portworxVolume")
    projected: ProjectedVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDVolumeSource | None = None
    scale_io: ScaleIOVolumeSource | None = msgspec.field(default=None, name="scaleIO")
    secret: SecretVolumeSource | None = None
    storageos: StorageOSVolumeSource | None = None
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = msgspec.field(default=None, name="vsphereVolume")


class VolumeDevice(Struct):
    device_path: str = msgspec.field(default="", name="devicePath")
    name: str = ""


class VolumeHealthCondition(Struct):
    message: str = ""
    reason: str = ""
    status: str = ""


class VolumeHealthStatus(Struct):
    health_conditions: list[VolumeHealthCondition] = msgspec.field(default_factory=list, name="healthConditions")
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")


class VolumeMount(Struct):
    bind_mount_options: list[str] = msgspec.field(default_factory=list, name="bindMountOptions")
    mount_path: str = msgspec.field(default="", name="mountPath")
    mount_propagation: str = msgspec.field(default="", name="mountPropagation")
    name: str = ""
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    recursive_read_only: str = msgspec.field(default="", name="recursiveReadOnly")
    sub_path: str = msgspec.field(default="", name="subPath")
    sub_path_expr: str = msgspec.field(default="", name="subPathExpr")


class VolumeMountStatus(Struct):
    mount_path: str = msgspec.field(default="", name="mountPath")
    name: str = ""
    read_only: bool | None = msgspec.field(default=None, name="readOnly")
    recursive_read_only: str = msgspec.field(default="", name="recursiveReadOnly")
    volume_status: VolumeStatus | None = msgspec.field(default=None, name="volumeStatus")


class VolumeNodeAffinity(Struct):
    required: NodeSelector | None = None


class VolumeProjection(Struct):
    cluster_trust_bundle: ClusterTrustBundleProjection | None = msgspec.field(default=None, name="clusterTrustBundle")
    config_map: ConfigMapProjection | None = msgspec.field(default=None, name="configMap")
    downward_api: DownwardAPIProjection | None = msgspec.field(default=None, name="downwardAPI")
    pod_certificate: PodCertificateProjection | None = msgspec.field(default=None, name="podCertificate")
    secret: SecretProjection | None = None
    service_account_token: ServiceAccountTokenProjection | None = msgspec.field(default=None, name="serviceAccountToken")


class VolumeResourceRequirements(Struct):
    limits: dict[str, str] = msgspec.field(default_factory=dict)
    requests: dict[str, str] = msgspec.field(default_factory=dict)


class VolumeStatus(Struct):
    image: ImageVolumeStatus | None = None


class VsphereVirtualDiskVolumeSource(Struct):
    fs_type: str = msgspec.field(default="", name="fsType")
    storage_policy_id: str = msgspec.field(default="", name="storagePolicyID")
    storage_policy_name: str = msgspec.field(default="", name="storagePolicyName")
    volume_path: str = msgspec.field(default="", name="volumePath")


class WeightedPodAffinityTerm(Struct):
    pod_affinity_term: PodAffinityTerm = msgspec.field(default_factory=lambda: PodAffinityTerm(), name="podAffinityTerm")
    weight: int = 0


class WindowsSecurityContextOptions(Struct):
    gmsa_credential_spec: str = msgspec.field(default="", name="gmsaCredentialSpec")
    gmsa_credential_spec_name: str = msgspec.field(default="", name="gmsaCredentialSpecName")
    host_process: bool | None = msgspec.field(default=None, name="hostProcess")
    run_as_user_name: str = msgspec.field(default="", name="runAsUserName")

"""The difference of two Pod specs as the refusal of an update tells it.

Upstream shows a unified diff of its internal types as JSON: Go's field names, every field, nulls and all.
The tables below give those types' fields in their order: enough for the line numbers to be upstream's too.
What stands in no table is shown with the fields that are set.
"""

from __future__ import annotations

import difflib
import json
from typing import Any

Dict = dict[str, Any]

# Of each type: its fields in order.  A plain name is null when unset; "=s", "=i" and "=b" are zero then;
# ":" names the type of the value (or of a list's items), "!" a struct that is never null; "<" the API's name.
_TYPES: dict[str, str] = {
    "PodSpec": (
        "Volumes:Volume InitContainers:Container Containers:Container EphemeralContainers:EphemeralContainer RestartPolicy=s "
        "TerminationGracePeriodSeconds ActiveDeadlineSeconds DNSPolicy=s<dnsPolicy NodeSelector ServiceAccountName=s "
        "AutomountServiceAccountToken NodeName=s SecurityContext:PodSecurityContext ImagePullSecrets:Name Hostname=s Subdomain=s "
        "SetHostnameAsFQDN Affinity:Affinity SchedulerName=s Tolerations:Toleration HostAliases PriorityClassName=s Priority "
        "PreemptionPolicy DNSConfig<dnsConfig ReadinessGates RuntimeClassName Overhead EnableServiceLinks "
        "TopologySpreadConstraints:TopologySpreadConstraint OS<os SchedulingGates:Name ResourceClaims:PodResourceClaim "
        "Resources:Resources HostnameOverride WorkloadRef"
    ),
    "PodSecurityContext": (
        "HostNetwork=b HostPID=b HostIPC=b ShareProcessNamespace HostUsers SELinuxOptions:SELinuxOptions<seLinuxOptions "
        "WindowsOptions RunAsUser RunAsGroup RunAsNonRoot SupplementalGroups SupplementalGroupsPolicy FSGroup<fsGroup "
        "FSGroupChangePolicy<fsGroupChangePolicy Sysctls SeccompProfile:Profile AppArmorProfile:Profile "
        "SELinuxChangePolicy<seLinuxChangePolicy"
    ),
    "Container": (
        "Name=s Image=s Command Args WorkingDir=s Ports:ContainerPort EnvFrom:EnvFrom Env:Env Resources:Resources! ResizePolicy "
        "RestartPolicy RestartPolicyRules VolumeMounts:VolumeMount VolumeDevices LivenessProbe:Probe ReadinessProbe:Probe "
        "StartupProbe:Probe Lifecycle:Lifecycle TerminationMessagePath=s TerminationMessagePolicy=s ImagePullPolicy=s "
        "SecurityContext:SecurityContext Stdin=b StdinOnce=b TTY=b<tty"
    ),
    "SecurityContext": (
        "Capabilities:Capabilities Privileged SELinuxOptions:SELinuxOptions<seLinuxOptions WindowsOptions RunAsUser RunAsGroup "
        "RunAsNonRoot ReadOnlyRootFilesystem AllowPrivilegeEscalation ProcMount SeccompProfile:Profile AppArmorProfile:Profile"
    ),
    "Capabilities": "Add Drop",
    "SELinuxOptions": "User=s Role=s Type=s Level=s",
    "Profile": "Type=s LocalhostProfile",
    "Resources": "Limits Requests Claims",
    "ContainerPort": "Name=s HostPort=i ContainerPort=i Protocol=s HostIP=s<hostIP",
    "EnvFrom": "Prefix=s ConfigMapRef:OptionalName SecretRef:OptionalName",
    "OptionalName": "Name=s Optional",
    "Name": "Name=s",
    "Env": "Name=s Value=s ValueFrom:EnvSource",
    "EnvSource": (
        "FieldRef:FieldRef ResourceFieldRef:ResourceFieldRef ConfigMapKeyRef:KeyRef SecretKeyRef:KeyRef FileKeyRef:FileKeyRef"
    ),
    "FieldRef": "APIVersion=s<apiVersion FieldPath=s",
    "ResourceFieldRef": "ContainerName=s Resource=s Divisor=s",
    "KeyRef": "Name=s Key=s Optional",
    "FileKeyRef": "VolumeName=s Path=s Key=s Optional",
    "VolumeMount": "Name=s ReadOnly=b RecursiveReadOnly MountPath=s SubPath=s MountPropagation SubPathExpr=s",
    "Probe": (
        "Exec:Command HTTPGet:HTTPGet<httpGet TCPSocket:TCPSocket<tcpSocket GRPC:GRPC<grpc InitialDelaySeconds=i TimeoutSeconds=i "
        "PeriodSeconds=i SuccessThreshold=i FailureThreshold=i TerminationGracePeriodSeconds"
    ),
    "Lifecycle": "PostStart:Handler PreStop:Handler StopSignal",
    "Handler": "Exec:Command HTTPGet:HTTPGet<httpGet TCPSocket:TCPSocket<tcpSocket Sleep:Sleep",
    "Command": "Command",
    "HTTPGet": "Path=s Port=i Host=s Scheme=s HTTPHeaders:Header<httpHeaders",
    "Header": "Name=s Value=s",
    "TCPSocket": "Port=i Host=s",
    "GRPC": "Port=i Service",
    "Sleep": "Seconds=i",
    "Volume": (
        "Name=s HostPath:HostPath EmptyDir:EmptyDir GCEPersistentDisk<gcePersistentDisk AWSElasticBlockStore<awsElasticBlockStore "
        "GitRepo Secret:SecretVolume NFS<nfs ISCSI<iscsi Glusterfs PersistentVolumeClaim:Claim RBD<rbd Quobyte FlexVolume Cinder "
        "CephFS<cephfs Flocker DownwardAPI:DownwardAPI<downwardAPI FC<fc AzureFile ConfigMap:NamedVolume VsphereVolume AzureDisk "
        "PhotonPersistentDisk Projected:Projected PortworxVolume ScaleIO<scaleIO StorageOS<storageos CSI<csi Ephemeral "
        "Image:ImageVolume"
    ),
    "HostPath": "Path=s Type",
    "EmptyDir": "Medium=s SizeLimit",
    "SecretVolume": "SecretName=s Items:KeyToPath DefaultMode Optional",
    "NamedVolume": "Name=s Items:KeyToPath DefaultMode Optional",
    "NamedProjection": "Name=s Items:KeyToPath Optional",
    "KeyToPath": "Key=s Path=s Mode",
    "Claim": "ClaimName=s ReadOnly=b",
    "DownwardAPI": "Items:DownwardFile DefaultMode",
    "DownwardProjection": "Items:DownwardFile",
    "DownwardFile": "Path=s FieldRef:FieldRef ResourceFieldRef:ResourceFieldRef Mode",
    "ImageVolume": "Reference=s PullPolicy=s",
    "Projected": "Sources:Projection DefaultMode",
    "Projection": (
        "Secret:NamedProjection DownwardAPI:DownwardProjection<downwardAPI ConfigMap:NamedProjection ServiceAccountToken:Token "
        "ClusterTrustBundle PodCertificate"
    ),
    "Token": "Audience=s ExpirationSeconds=i Path=s",
    "Toleration": "Key=s Operator=s Value=s Effect=s TolerationSeconds",
    "TopologySpreadConstraint": (
        "MaxSkew=i TopologyKey=s WhenUnsatisfiable=s LabelSelector MinDomains NodeAffinityPolicy NodeTaintsPolicy MatchLabelKeys"
    ),
    "PodResourceClaim": "Name=s ResourceClaimName ResourceClaimTemplateName",
    "Affinity": "NodeAffinity PodAffinity PodAntiAffinity",
}
_TYPES["EphemeralContainer"] = f"{_TYPES['Container']} TargetContainerName=s"
_ZEROS: dict[str, Any] = {"s": "", "i": 0, "b": False}
_HOST = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")


def _field(text: str) -> tuple[str, str, str, Any, bool]:
    """(Go's name, the API's name, type, zero, whether it is a struct that is never null)."""
    body, _, name = text.partition("<")
    body, _, kind = body.partition(":")
    body, _, zero = body.partition("=")
    return body, name or body[0].lower() + body[1:], kind.removesuffix("!"), _ZEROS.get(zero), kind.endswith("!")


_FIELDS = {name: [_field(text) for text in fields.split()] for name, fields in _TYPES.items()}


def _internal(value: Any, kind: str) -> Any:
    """A value of the API as upstream's internal type shows it."""
    if isinstance(value, list):
        return [_internal(item, kind) for item in value] or None
    if not isinstance(value, dict):
        return value
    fields = _FIELDS.get(kind)
    if fields is None:
        return value
    found: Dict = {}
    for name, key, inner, zero, always in fields:
        given = value.get(key)
        if given is None:
            given = {} if always else zero
        found[name] = _internal(given, inner) if inner else given
    return found


def internal_spec(spec: Dict) -> Dict:
    """A PodSpec as upstream's internal type: what the host shares stands in the security context there."""
    context = {**(spec.get("securityContext") or {}), **{name: spec[name] for name in _HOST if name in spec}}
    found: Dict = _internal({**spec, "securityContext": context}, "PodSpec")
    return found


def _diff(old: Dict, new: Dict) -> str:
    before, after = (json.dumps(value, indent=1, ensure_ascii=False).split("\n") for value in (old, new))
    hunks = list(difflib.unified_diff(before, after, lineterm="", n=3))
    return "".join(f"{line}\n" for line in hunks[2:])


def spec_diff(old: Dict, new: Dict) -> str:
    """Hunks with three lines around each change."""
    return _diff(internal_spec(old), internal_spec(new))


def container_diff(old: Dict, new: Dict) -> str:
    return _diff(_internal(old, "EphemeralContainer"), _internal(new, "EphemeralContainer"))

"""Volumes, claims and classes for tests: what is not said is the plainest that is valid."""

from __future__ import annotations

from typing import Any

import msgspec

from wherry.api.types import core_v1, meta_v1, storage_v1

DELETED = "2026-11-23T00:00:00Z"


def storage_class(name: str = "fast", provisioner: str = "example.com/disk", mode: str = "Immediate", **more: Any) -> storage_v1.StorageClass:
    default = more.pop("default", False)
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    meta = meta_v1.ObjectMeta(name=name, annotations=annotations, creation_timestamp=more.pop("created", None))
    return storage_v1.StorageClass(metadata=meta, provisioner=provisioner, volume_binding_mode=mode, **more)


def claim(
    name: str = "data", size: str = "1Gi", storage: str | None = "", *, phase: str = "", volume: str = "",
    annotations: dict[str, str] | None = None, modes: tuple[str, ...] = ("ReadWriteOnce",), **spec: Any,
) -> core_v1.PersistentVolumeClaim:
    meta = meta_v1.ObjectMeta(name=name, namespace="default", uid=f"uid-{name}" if phase else "", annotations=annotations or {})
    return core_v1.PersistentVolumeClaim(
        metadata=meta, status=core_v1.PersistentVolumeClaimStatus(phase=phase),
        spec=core_v1.PersistentVolumeClaimSpec(
            access_modes=list(modes), resources=core_v1.VolumeResourceRequirements(requests={"storage": size}),
            storage_class_name=storage, volume_name=volume, **spec,
        ),
    )


def volume(
    name: str = "pv", size: str = "1Gi", storage: str = "", *, phase: str = "", to: str = "", uid: str = "",
    annotations: dict[str, str] | None = None, labels: dict[str, str] | None = None, modes: tuple[str, ...] = ("ReadWriteOnce",),
    policy: str = "Retain", **spec: Any,
) -> core_v1.PersistentVolume:
    ref = core_v1.ObjectReference(kind="PersistentVolumeClaim", namespace="default", name=to, uid=uid) if to else None
    meta = meta_v1.ObjectMeta(name=name, annotations=annotations or {}, labels=labels or {})
    return core_v1.PersistentVolume(
        metadata=meta, status=core_v1.PersistentVolumeStatus(phase=phase),
        spec=core_v1.PersistentVolumeSpec(
            capacity={"storage": size}, access_modes=list(modes), storage_class_name=storage, claim_ref=ref,
            persistent_volume_reclaim_policy=policy, host_path=core_v1.HostPathVolumeSource(path="/mnt"), **spec,
        ),
    )


def going(obj: Any) -> Any:
    """The object, asked to go."""
    return msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, deletion_timestamp=DELETED))


def on_node(name: str) -> core_v1.VolumeNodeAffinity:
    wanted = core_v1.NodeSelectorRequirement(key="kubernetes.io/hostname", operator="In", values=[name])
    return core_v1.VolumeNodeAffinity(required=core_v1.NodeSelector(node_selector_terms=[core_v1.NodeSelectorTerm(match_expressions=[wanted])]))


def pod_with(claim_name: str = "data", name: str = "p", node: str = "", **source: Any) -> core_v1.Pod:
    used = core_v1.PersistentVolumeClaimVolumeSource(claim_name=claim_name, **source)
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default", uid=f"uid-{name}"),
        spec=core_v1.PodSpec(
            node_name=node, volumes=[core_v1.Volume(name="data", persistent_volume_claim=used)],
            containers=[core_v1.Container(name="c", image="busybox", volume_mounts=[core_v1.VolumeMount(name="data", mount_path="/data")])],
        ),
    )

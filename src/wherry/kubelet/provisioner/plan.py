"""What the provisioner does about one claim, or one volume.  Pure.

A claim is this one's when it bears its name (the binder writes that) and the scheduler has chosen one of its
nodes; where the class does not wait for a Pod, provisioners compete for it, and the first to write its node has it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wherry.api.volumes import (
    PROVISIONED_BY,
    PROVISIONER_FINALIZER,
    SELECTED_NODE,
    STORAGE_PROVISIONER,
    Claim,
    StorageClass,
    Volume,
    capacity,
    claim_class,
    mode_of,
    requested,
    waits_for_consumer,
)
from wherry.apimachinery.quantity import parse

PROVISIONER = "wherry.io/local"
HOSTNAME = "kubernetes.io/hostname"


@dataclass(frozen=True, slots=True)
class SelectNode:
    """Say that the volume shall be on this node, if nobody has said so before."""

    node: str


@dataclass(frozen=True, slots=True)
class Make:
    """Make the directory, then the volume (a manifest)."""

    path: Path
    volume: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refuse:
    """Say why there will be no volume."""

    why: str


@dataclass(frozen=True, slots=True)
class Resize:
    """Give the volume, and then its claim, this size.  A directory has none of its own: nothing changes on disk."""

    size: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the directory, then the volume."""

    path: Path


@dataclass(frozen=True, slots=True)
class SetFinalizers:
    finalizers: list[str]


ClaimAction = SelectNode | Make | Refuse | Resize
Nodes = Mapping[str, Path]  # the nodes of this provisioner, and where each has its directories


def plan_claim(claim: Claim, storage_class: StorageClass | None, volume: Volume | None, nodes: Nodes) -> ClaimAction | None:
    """`volume` is the one that the claim names."""
    if claim.metadata.deletion_timestamp is not None:
        return None
    if claim.spec.volume_name:
        return _grown(claim, volume, nodes)
    ours = claim.metadata.annotations.get(STORAGE_PROVISIONER) == PROVISIONER
    if not ours or storage_class is None or storage_class.provisioner != PROVISIONER or not nodes:
        return None
    node = claim.metadata.annotations.get(SELECTED_NODE, "")
    if node not in nodes and (node or waits_for_consumer(storage_class)):
        return None
    why = refusal(claim, storage_class)
    if why:
        return Refuse(f'failed to provision volume with StorageClass "{storage_class.metadata.name}": {why}')
    return _make(claim, storage_class, node, nodes[node]) if node else SelectNode(min(nodes))


def refusal(claim: Claim, storage_class: StorageClass) -> str:
    """Why a directory cannot be what is asked for; "" when it can."""
    if mode_of(claim) != "Filesystem":
        return f"volumeMode {mode_of(claim)} is not supported: {PROVISIONER} makes directories"
    if claim.spec.data_source is not None or claim.spec.data_source_ref is not None:
        return "a data source is not supported: the volume begins empty"
    if claim.spec.selector is not None:
        return "claim Selector is not supported"
    if storage_class.parameters:
        return f"unknown parameters: {', '.join(sorted(storage_class.parameters))}"
    if storage_class.mount_options:
        return "mountOptions are not supported"
    if storage_class.allowed_topologies and not waits_for_consumer(storage_class):
        return "allowedTopologies needs volumeBindingMode WaitForFirstConsumer"
    return ""


def _make(claim: Claim, storage_class: StorageClass, node: str, base: Path) -> Make:
    meta, name = claim.metadata, f"pvc-{claim.metadata.uid}"
    path = base / f"{name}_{meta.namespace}_{meta.name}"
    reachable = {"key": HOSTNAME, "operator": "In", "values": [node]}
    policy = storage_class.reclaim_policy or "Delete"
    return Make(path, {
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {
            "name": name, "annotations": {PROVISIONED_BY: PROVISIONER},
            **({"finalizers": [PROVISIONER_FINALIZER]} if policy == "Delete" else {}),
        },
        "spec": {
            "capacity": {"storage": str(requested(claim))}, "accessModes": claim.spec.access_modes, "volumeMode": "Filesystem",
            "persistentVolumeReclaimPolicy": policy, "storageClassName": claim_class(claim), "local": {"path": str(path)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [reachable]}]}},
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": meta.namespace, "name": meta.name, "uid": meta.uid,
                "resourceVersion": meta.resource_version,
            },
        },
    })


def _grown(claim: Claim, volume: Volume | None, nodes: Nodes) -> Resize | None:
    """A bound claim of ours that wants more than it has; a volume never shrinks."""
    if volume is None or claim.status.phase != "Bound" or not _is_ours(volume, nodes):
        return None
    if requested(claim) <= parse(claim.status.capacity.get("storage", "0")):
        return None
    return Resize(str(max(requested(claim), capacity(volume))))


# --- volumes ------------------------------------------------------------------------------------


def node_of(volume: Volume) -> str:
    """The node that a volume of a provisioner is on; "" when it does not say."""
    required = volume.spec.node_affinity.required if volume.spec.node_affinity is not None else None
    for term in required.node_selector_terms if required is not None else ():
        for each in term.match_expressions:
            if each.key == HOSTNAME and each.operator == "In" and len(each.values) == 1:
                return each.values[0]
    return ""


def _is_ours(volume: Volume, nodes: Collection[str]) -> bool:
    provisioner = volume.metadata.annotations.get(PROVISIONED_BY)
    return provisioner == PROVISIONER and volume.spec.local is not None and node_of(volume) in nodes


def plan_volume(volume: Volume, nodes: Nodes) -> Remove | SetFinalizers | None:
    """A volume whose claim is gone goes with its data; one that is to be kept is not held by us, either."""
    if not _is_ours(volume, nodes):
        return None
    meta, held = volume.metadata, PROVISIONER_FINALIZER in volume.metadata.finalizers
    others = [each for each in meta.finalizers if each != PROVISIONER_FINALIZER]
    if volume.spec.persistent_volume_reclaim_policy != "Delete":
        return SetFinalizers(others) if held else None
    if not held and meta.deletion_timestamp is None:
        return SetFinalizers([*meta.finalizers, PROVISIONER_FINALIZER])
    if volume.status.phase in ("Released", "Failed") and held:
        assert volume.spec.local is not None
        return Remove(Path(volume.spec.local.path))
    # Deleted by hand before any claim had it: nobody will release it.
    return SetFinalizers(others) if held and meta.deletion_timestamp is not None and volume.status.phase == "Available" else None

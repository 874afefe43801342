"""The patches that tie a volume and a claim together, that undo it, and that set phases.  Pure."""

from __future__ import annotations

from wherry.api.volumes import BIND_COMPLETED, BOUND_BY_CONTROLLER, Claim, Volume, capacity, is_bound_to
from wherry.apimachinery.quantity import parse
from wherry.controller.persistentvolume.model import Patch, Plan


def bind(plan: Plan, volume: Volume, claim: Claim) -> None:
    """What is missing for both to be bound to each other; nothing when all is well."""
    plan.volume, plan.claim = volume, claim
    plan.volume_patch, plan.volume_status = _volume_patch(volume, claim), volume_phase(volume, "Bound")
    plan.claim_patch, plan.claim_status = _claim_patch(claim, volume), claim_status(claim, "Bound", volume)


def _volume_patch(volume: Volume, claim: Claim) -> Patch:
    meta, ref = claim.metadata, volume.spec.claim_ref
    patch: Patch = {}
    if ref is None or not is_bound_to(volume, claim) or ref.uid != meta.uid:
        patch["spec"] = {"claimRef": {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": meta.namespace, "name": meta.name, "uid": meta.uid,
            "resourceVersion": meta.resource_version,
        }}
    if not is_bound_to(volume, claim):
        patch["metadata"] = {"annotations": {BOUND_BY_CONTROLLER: "yes"}}
    return patch


def _claim_patch(claim: Claim, volume: Volume) -> Patch:
    annotations, name = claim.metadata.annotations, volume.metadata.name
    added = {}
    if claim.spec.volume_name != name and BOUND_BY_CONTROLLER not in annotations:
        added[BOUND_BY_CONTROLLER] = "yes"
    if BIND_COMPLETED not in annotations:
        added[BIND_COMPLETED] = "yes"
    patch: Patch = {"metadata": {"annotations": added}} if added else {}
    if claim.spec.volume_name != name:
        patch["spec"] = {"volumeName": name}
    return patch


def unbind(plan: Plan, volume: Volume) -> None:
    """Undo what the binder did; what a user had reserved stays reserved."""
    plan.volume = volume
    if BOUND_BY_CONTROLLER in volume.metadata.annotations:
        plan.volume_patch = {"metadata": {"annotations": {BOUND_BY_CONTROLLER: None}}, "spec": {"claimRef": None}}
    else:
        plan.volume_patch = {"spec": {"claimRef": {"uid": None, "resourceVersion": None}}}
    plan.volume_status = volume_phase(volume, "Available")


def volume_phase(volume: Volume, phase: str, message: str = "") -> Patch:
    """{} when it is in that phase already: its message stays, too."""
    if volume.status.phase == phase:
        return {}
    return {"phase": phase, "message": message or None, "reason": None}


def claim_status(claim: Claim, phase: str, volume: Volume | None = None) -> Patch:
    """What differs.  Without a volume it has no size and no modes.

    The size of a bound claim is the resizer's to change: it may be known here before the node knows it.
    """
    status = claim.status
    patch: Patch = {}
    if status.phase != phase:
        patch["phase"] = phase
    if volume is None:
        patch.update({name: None for name, given in (("accessModes", status.access_modes), ("capacity", status.capacity)) if given})
        return patch
    if status.access_modes != volume.spec.access_modes:
        patch["accessModes"] = volume.spec.access_modes
    known = status.capacity.get("storage")
    if known is None or (status.phase != "Bound" and parse(known) != capacity(volume)):
        patch["capacity"] = volume.spec.capacity
    attributes = volume.spec.volume_attributes_class_name
    if attributes and status.current_volume_attributes_class_name != attributes:
        patch["currentVolumeAttributesClassName"] = attributes
    return patch

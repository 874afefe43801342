"""What the binder does about one claim, or one volume.  Pure.

Behaviour: kubernetes.io/docs/concepts/storage/persistent-volumes (lifecycle of a volume and claim).  A claim's
annotation `bind-completed` divides those that were bound once, and lose their data when they come apart, from the others.
"""

from __future__ import annotations

from wherry.api.volumes import (
    BETA_STORAGE_PROVISIONER,
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    PROVISIONED_BY,
    SELECTED_NODE,
    STORAGE_PROVISIONER,
    Claim,
    StorageClass,
    Volume,
    claim_class,
    find_volume,
    has_class,
    is_bound_to,
    mismatch,
    mode_of,
    waits_for_consumer,
)
from wherry.controller.persistentvolume.binding import bind, claim_status, unbind, volume_phase
from wherry.controller.persistentvolume.model import Plan, View

IN_TREE = "kubernetes.io/"  # provisioners of upstream's own, none of which is left


# --- claims -------------------------------------------------------------------------------------


def plan_claim(claim: Claim, view: View) -> Plan:
    plan = Plan(claim=claim)
    if BIND_COMPLETED in claim.metadata.annotations:
        _bound_once(plan, claim, view)
    elif claim.metadata.deletion_timestamp is not None:
        pass  # it will never be used
    elif claim.spec.volume_name:
        _wants_volume(plan, claim, view)
    else:
        _wants_any(plan, claim, view)
    return plan


def _bound_once(plan: Plan, claim: Claim, view: View) -> None:
    name = claim.spec.volume_name
    volume = view.volume(name) if name else None
    if volume is None:
        what = "its PersistentVolume" if name else "reference to PersistentVolume"
        _lose(plan, claim, "ClaimLost", f"Bound claim has lost {what}. Data on the volume is lost!")
    elif volume.spec.claim_ref is None or volume.spec.claim_ref.uid == claim.metadata.uid:
        bind(plan, volume, claim)
    else:
        _lose(plan, claim, "ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly")


def _lose(plan: Plan, claim: Claim, reason: str, message: str) -> None:
    if claim.status.phase != "Lost":
        plan.claim_status = claim_status(claim, "Lost")
        plan.warning(claim, reason, message)


def _wants_volume(plan: Plan, claim: Claim, view: View) -> None:
    """It names its volume."""
    name = claim.spec.volume_name
    volume = view.volume(name)
    if volume is None:
        _wait(plan, claim)
    elif is_bound_to(volume, claim):
        bind(plan, volume, claim)
    elif volume.spec.claim_ref is not None:
        if BOUND_BY_CONTROLLER not in claim.metadata.annotations:
            plan.warning(claim, "FailedBinding", f'volume "{name}" already bound to a different claim.')
        _wait(plan, claim)
    elif why := mismatch(volume, claim):
        plan.warning(claim, "VolumeMismatch", f'Cannot bind to requested volume "{name}": {why}')
        _wait(plan, claim)
    else:
        bind(plan, volume, claim)


def _wait(plan: Plan, claim: Claim) -> None:
    plan.claim_status = claim_status(claim, "Pending")
    plan.again = True


def _wants_any(plan: Plan, claim: Claim, view: View) -> None:
    """Any volume will do that fits; else one is made, if its class has somebody who makes them."""
    if not has_class(claim) and (default := view.default_class()) is not None:
        # It was made before there was a default class: now it gets that one, and is looked at anew.
        plan.claim_patch = {"spec": {"storageClassName": default.metadata.name}}
        return
    name = claim_class(claim)
    storage_class = view.storage_class(name) if name else None
    delayed = waits_for_consumer(storage_class)
    found = find_volume(claim, view.volumes(), delayed=delayed)
    if found is not None:
        bind(plan, found, claim)
        return
    if delayed and SELECTED_NODE not in claim.metadata.annotations:
        _wait_for_consumer(plan, claim, view)
    elif name:
        _provision(plan, claim, name, storage_class)
    else:
        plan.normal(claim, "FailedBinding", "no persistent volumes available for this claim and no storage class is set")
    _wait(plan, claim)


def _wait_for_consumer(plan: Plan, claim: Claim, view: View) -> None:
    pods = sorted(pod.metadata.name for pod in view.pods_of(claim) if not pod.spec.node_name)
    if not pods:
        plan.normal(claim, "WaitForFirstConsumer", "waiting for first consumer to be created before binding")
    else:
        which = "pod" if len(pods) == 1 else "pods"
        plan.normal(claim, "WaitForPodScheduled", f"waiting for {which} {','.join(pods)} to be scheduled")


def _provision(plan: Plan, claim: Claim, name: str, storage_class: StorageClass | None) -> None:
    """Tell who is to make a volume: provisioners watch for claims that bear their name."""
    if storage_class is None:
        plan.warning(claim, "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found')
        return
    provisioner = storage_class.provisioner
    if provisioner.startswith(IN_TREE):
        plan.warning(claim, "ProvisioningFailed", f"no volume plugin matched name: {provisioner}")
        return
    if claim.metadata.annotations.get(STORAGE_PROVISIONER) != provisioner:
        told = {STORAGE_PROVISIONER: provisioner, BETA_STORAGE_PROVISIONER: provisioner}
        plan.claim_patch = {"metadata": {"annotations": told}}
    plan.normal(
        claim, "ExternalProvisioning",
        f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system "
        "administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.",
    )


# --- volumes ------------------------------------------------------------------------------------


def plan_volume(volume: Volume, claim: Claim | None) -> Plan:
    """`claim` is the one of the reference's name, as the server knows it now: None when it is gone."""
    plan, ref = Plan(volume=volume), volume.spec.claim_ref
    if ref is None or not ref.uid:
        plan.volume_status = volume_phase(volume, "Available")
    elif claim is None or claim.metadata.uid != ref.uid:
        _release(plan, volume)
    elif not claim.spec.volume_name:
        if mode_of(volume) != mode_of(claim):  # else the claim's own turn binds it
            _tell_modes(plan, volume, claim)
    elif claim.spec.volume_name == volume.metadata.name:
        plan.volume_status = volume_phase(volume, "Bound")
    elif PROVISIONED_BY in volume.metadata.annotations and volume.spec.persistent_volume_reclaim_policy == "Delete":
        _release(plan, volume)  # made for this claim, which has found another
    else:
        unbind(plan, volume)
    return plan


def _tell_modes(plan: Plan, volume: Volume, claim: Claim) -> None:
    """Kept for a claim that it is no use to."""
    of_volume, of_claim = f'"{volume.metadata.name}"', f'"{claim.metadata.name}"'
    why = "due to incompatible volumeMode."
    plan.warning(volume, "VolumeMismatch", f"Cannot bind PersistentVolume to requested PersistentVolumeClaim {of_claim} {why}")
    plan.warning(claim, "VolumeMismatch", f"Cannot bind PersistentVolume {of_volume} to requested PersistentVolumeClaim {why}")


def _release(plan: Plan, volume: Volume) -> None:
    """Its claim is gone: Released, and what its policy says.  A failure stays to be seen."""
    if volume.status.phase not in ("Released", "Failed"):
        plan.volume_status = volume_phase(volume, "Released")
        return  # the change of phase brings it here again
    policy = volume.spec.persistent_volume_reclaim_policy
    if policy == "Recycle":
        _fail(plan, volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!")
    elif policy == "Delete":
        provisioner = volume.metadata.annotations.get(PROVISIONED_BY, "")
        if not provisioner or provisioner.startswith(IN_TREE):
            why = f'error getting deleter volume plugin for volume "{volume.metadata.name}": no deletable volume plugin matched'
            _fail(plan, volume, "VolumeFailedDelete", why)


def _fail(plan: Plan, volume: Volume, reason: str, message: str) -> None:
    if volume.status.phase != "Failed":
        plan.volume_status = volume_phase(volume, "Failed", message)
        plan.warning(volume, reason, message)

"""Who the Pods of a StatefulSet are: ordinals, names, labels, and the claims that belong to them.  Pure.

https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-identity
"""

from __future__ import annotations

from typing import Any

import msgspec

from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.controller.history import HASH_LABEL
from wherry.controller.ownership import controller_ref
from wherry.controller.podcontrol import pod_from_template

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"
replace = msgspec.structs.replace


def start_of(ss: apps_v1.StatefulSet) -> int:
    return (ss.spec.ordinals.start or 0) if ss.spec.ordinals is not None else 0


def wanted(ss: apps_v1.StatefulSet) -> int:
    return 1 if ss.spec.replicas is None else ss.spec.replicas


def pod_name(ss: apps_v1.StatefulSet, ordinal: int) -> str:
    return f"{ss.metadata.name}-{ordinal}"


def ordinal_of(ss: apps_v1.StatefulSet, pod: core_v1.Pod) -> int | None:
    """None for a Pod whose name is not one that the set gives."""
    prefix, _, text = pod.metadata.name.rpartition("-")
    if prefix != ss.metadata.name or not text.isdecimal() or not text.isascii() or str(int(text)) != text:
        return None
    return int(text)


def identity_labels(ss: apps_v1.StatefulSet, ordinal: int) -> dict[str, str]:
    return {POD_NAME: pod_name(ss, ordinal), POD_INDEX: str(ordinal)}


def revision_of(pod: core_v1.Pod) -> str:
    """The name of the revision that the Pod was made from."""
    return pod.metadata.labels.get(HASH_LABEL, "")


def build(ss: apps_v1.StatefulSet, template: core_v1.PodTemplateSpec, ordinal: int, revision: str) -> core_v1.Pod:
    pod, name = pod_from_template(template, ss), pod_name(ss, ordinal)
    labels = {**pod.metadata.labels, **identity_labels(ss, ordinal), HASH_LABEL: revision}
    claimed = [
        core_v1.Volume(name=volume, persistent_volume_claim=core_v1.PersistentVolumeClaimVolumeSource(claim_name=claim))
        for volume, claim in claim_names(ss, ordinal).items()
    ]
    own = {volume.name for volume in claimed}
    volumes = [*claimed, *(volume for volume in pod.spec.volumes if volume.name not in own)]
    spec = replace(pod.spec, hostname=name, subdomain=ss.spec.service_name, volumes=volumes)
    return replace(pod, metadata=replace(pod.metadata, name=name, labels=labels), spec=spec)


# --- claims ------------------------------------------------------------------------------------------


def claim_names(ss: apps_v1.StatefulSet, ordinal: int) -> dict[str, str]:
    """The claim of each volume that the set makes claims for."""
    return {each.metadata.name: f"{each.metadata.name}-{pod_name(ss, ordinal)}" for each in ss.spec.volume_claim_templates}


def build_claims(ss: apps_v1.StatefulSet, ordinal: int) -> list[core_v1.PersistentVolumeClaim]:
    """Upstream labels them with what the set selects, so that they are found by it."""
    names = claim_names(ss, ordinal)
    found = []
    for each in ss.spec.volume_claim_templates:
        meta = meta_v1.ObjectMeta(
            name=names[each.metadata.name], namespace=ss.metadata.namespace, annotations=dict(each.metadata.annotations),
            labels={**each.metadata.labels, **ss.spec.selector.match_labels}, owner_references=claim_owners(ss, None, False, []) or [],
        )
        found.append(core_v1.PersistentVolumeClaim(metadata=meta, spec=each.spec))
    return found


def claim_owners(
    ss: apps_v1.StatefulSet, pod: core_v1.Pod | None, condemned: bool, present: list[meta_v1.OwnerReference],
) -> list[meta_v1.OwnerReference] | None:
    """The owner references that the retention policy wants of a claim; None when it has them.

    What is owned by the set goes with the set; what is owned by a Pod that is scaled away goes with that Pod.
    """
    policy = _retention(ss)
    owner: Any = None
    if condemned and policy.when_scaled == "Delete":
        owner = pod
    elif policy.when_deleted == "Delete":
        owner = ss
    others = _others(ss, pod, present)
    if owner is not None and has_other_controller(ss, pod, present):
        owner = None  # a claim has one controller at most
    refs = others + ([controller_ref(owner)] if owner is not None else [])
    return None if {(ref.uid, ref.controller) for ref in refs} == {(ref.uid, ref.controller) for ref in present} else refs


def has_other_controller(ss: apps_v1.StatefulSet, pod: core_v1.Pod | None, present: list[meta_v1.OwnerReference]) -> bool:
    """Another than the set or its Pod controls the claim, so that a policy of deletion cannot be kept."""
    policy = _retention(ss)
    return "Delete" in (policy.when_scaled, policy.when_deleted) and any(ref.controller for ref in _others(ss, pod, present))


def _others(
    ss: apps_v1.StatefulSet, pod: core_v1.Pod | None, present: list[meta_v1.OwnerReference],
) -> list[meta_v1.OwnerReference]:
    ours = {ss.metadata.uid, pod.metadata.uid if pod is not None else ""}
    return [ref for ref in present if ref.uid not in ours]


def _retention(ss: apps_v1.StatefulSet) -> apps_v1.StatefulSetPersistentVolumeClaimRetentionPolicy:
    return ss.spec.persistent_volume_claim_retention_policy or apps_v1.StatefulSetPersistentVolumeClaimRetentionPolicy()


def is_of_former_pod(claim: core_v1.PersistentVolumeClaim, name: str) -> bool:
    """It belongs to a former Pod of that name and will go with it: a new Pod must not get it."""
    return any(ref.kind == "Pod" and ref.name == name for ref in claim.metadata.owner_references)

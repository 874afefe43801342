"""ResourceClaims and the Pods that use them: whose is whose.  For the scheduler, the controller and the node alike.  Pure.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
"""

from __future__ import annotations

from collections.abc import Iterator

from wherry.api.types import core_v1, resource_v1

FINALIZER = "resource.kubernetes.io/delete-protection"
POD_CLAIM = "resource.kubernetes.io/pod-claim-name"  # annotation of a claim that was made for a Pod
MAX_RESERVED = 256
Claim = resource_v1.ResourceClaim
Reference = resource_v1.ResourceClaimConsumerReference


class NotCreatedYet(ValueError):
    """The claim of a template is still to be made."""


def claim_name(pod: core_v1.Pod, entry: core_v1.PodResourceClaim) -> str:
    """The claim that an entry of `spec.resourceClaims` stands for; "" when none is needed.  Raises NotCreatedYet."""
    if entry.resource_claim_name:
        return entry.resource_claim_name
    for status in pod.status.resource_claim_statuses:
        if status.name == entry.name:
            return status.resource_claim_name
    raise NotCreatedYet(f'pod "{pod.metadata.namespace}/{pod.metadata.name}": ResourceClaim not created yet')


def claim_names(pod: core_v1.Pod) -> Iterator[str]:
    """The names that are known by now."""
    for entry in pod.spec.resource_claims:
        try:
            if name := claim_name(pod, entry):
                yield name
        except NotCreatedYet:
            continue
    extended = pod.status.extended_resource_claim_status
    if extended is not None and extended.resource_claim_name:
        yield extended.resource_claim_name


def by_resource_claim(pod: core_v1.Pod) -> list[str]:
    """An index of Pods: the keys of their claims."""
    return [f"{pod.metadata.namespace}/{name}" for name in claim_names(pod)]


def not_for(pod: core_v1.Pod, claim: Claim) -> str:
    """Why a claim that a template's entry names is not this Pod's; "" when it is."""
    if any(owner.controller and owner.uid == pod.metadata.uid for owner in claim.metadata.owner_references):
        return ""
    meta = claim.metadata
    return (
        f"ResourceClaim {meta.namespace}/{meta.name} was not created for pod {pod.metadata.namespace}/{pod.metadata.name} "
        "(pod is not owner)"
    )


def is_reserved_for(pod: core_v1.Pod, claim: Claim) -> bool:
    return any(each.uid == pod.metadata.uid for each in claim.status.reserved_for)


def can_be_reserved(claim: Claim) -> bool:
    return len(claim.status.reserved_for) < MAX_RESERVED


def owner_pod(claim: Claim) -> tuple[str, str]:
    """Name and uid of the Pod that a claim was made for; ("", "") for others."""
    for owner in claim.metadata.owner_references:
        if owner.controller and owner.api_version == "v1" and owner.kind == "Pod":
            return owner.name, owner.uid
    return "", ""

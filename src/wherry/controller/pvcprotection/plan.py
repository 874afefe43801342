"""Whether a claim keeps its finalizer, and since when nobody uses it.  Pure.

Behaviour: kubernetes.io/docs/concepts/storage/persistent-volumes (storage object in use protection; unused tracking, KEP-5541).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wherry.api.types import core_v1, meta_v1
from wherry.api.volumes import CLAIM_PROTECTION, Claim, pod_claims
from wherry.controller.podutil import is_terminal
from wherry.util.clock import rfc3339

UNUSED = "Unused"


def finalizers(meta: meta_v1.ObjectMeta, name: str, in_use: bool) -> list[str] | None:
    """The finalizers that an object should have; None when it has them.  Who stays is protected, who goes unused is let go."""
    protected = name in meta.finalizers
    if meta.deletion_timestamp is None:
        return None if protected else [*meta.finalizers, name]
    return [each for each in meta.finalizers if each != name] if protected and not in_use else None


def uses(pod: core_v1.Pod, claim: Claim) -> bool:
    """A Pod without a node does not: no kubelet starts one with a claim that goes.  One that has ended does, as upstream's."""
    meta = claim.metadata
    return bool(pod.spec.node_name) and pod.metadata.namespace == meta.namespace and any(
        name == meta.name for _, name in pod_claims(pod)
    )


def plan(claim: Claim, pods: Iterable[core_v1.Pod]) -> list[str] | None:
    return finalizers(claim.metadata, CLAIM_PROTECTION, any(uses(pod, claim) for pod in pods))


def unused(claim: Claim, pods: Iterable[core_v1.Pod], now: float) -> dict[str, Any] | None:
    """The condition that tells whether a Bound claim is of no use to anybody, and since when; None when it is told already.

    `pods` are those that name the claim: one that waits for a node means to use it, one that has ended does not.
    """
    if claim.status.phase != "Bound" or claim.metadata.deletion_timestamp is not None:
        return None
    used = any(not _has_ended(pod) for pod in pods)
    status = "False" if used else "True"
    if any(each.type == UNUSED and each.status == status for each in claim.status.conditions):
        return None
    reason = "PodUsingPVC" if used else "NoPodsUsingPVC"
    message = "A pod is currently referencing this PVC" if used else "No pods are currently referencing this PVC"
    return {"type": UNUSED, "status": status, "reason": reason, "message": message, "lastTransitionTime": rfc3339(now)}


def _has_ended(pod: core_v1.Pod) -> bool:
    """For good, or it was asked to go and nothing of it runs."""
    found = pod.status
    statuses = (*found.init_container_statuses, *found.container_statuses, *found.ephemeral_container_statuses)
    idle = all(each.state.running is None for each in statuses)
    return is_terminal(pod) or (pod.metadata.deletion_timestamp is not None and idle)

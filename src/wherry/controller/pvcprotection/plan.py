"""Whether a claim keeps its finalizer.  Pure.

Behaviour: kubernetes.io/docs/concepts/storage/persistent-volumes (storage object in use protection).
"""

from __future__ import annotations

from collections.abc import Iterable

from wherry.api.types import core_v1, meta_v1
from wherry.api.volumes import CLAIM_PROTECTION, Claim, pod_claims


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

"""Which claims a Pod still needs, and which users a claim still has.  Pure.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from wherry.api.resourceclaims import (
    FINALIZER,
    POD_CLAIM,
    Claim,
    NotCreatedYet,
    Reference,
    can_be_reserved,
    claim_name,
    is_reserved_for,
    not_for,
    owner_pod,
)
from wherry.api.types import core_v1, meta_v1, resource_v1
from wherry.controller.ownership import controller_ref
from wherry.controller.podutil import is_terminal

Template = resource_v1.ResourceClaimTemplate
LONGEST = 57  # of a name, before what makes it unique


@dataclass(slots=True)
class PodPlan:
    create: dict[str, Claim] = field(default_factory=dict)  # by the entry of the Pod that it is for
    found: dict[str, str] = field(default_factory=dict)  # entry -> the name of a claim that was made for it already
    refused: dict[str, str] = field(default_factory=dict)  # entry -> why no claim can be made
    reserve: list[Claim] = field(default_factory=list)


def is_done(pod: core_v1.Pod) -> bool:
    """None of its containers runs, nor ever will."""
    return is_terminal(pod) or (pod.metadata.deletion_timestamp is not None and not pod.spec.node_name)


def plan_pod(
    pod: core_v1.Pod, known: Callable[[str], Claim | None], made: Iterable[Claim], template: Callable[[str], Template | None]
) -> PodPlan:
    """`known` and `template` look into the Pod's namespace; `made` are the claims that the Pod owns."""
    result = PodPlan()
    if pod.metadata.deletion_timestamp is not None or is_terminal(pod):
        return result
    mine = {claim.metadata.annotations.get(POD_CLAIM, ""): claim.metadata.name for claim in reversed(list(made))}
    for entry in pod.spec.resource_claims:
        try:
            name = claim_name(pod, entry)
        except NotCreatedYet:
            pass
        else:
            claim = known(name) if name else None
            if not entry.resource_claim_template_name or not name or (claim is not None and not not_for(pod, claim)):
                if claim is not None and _needs_reservation(pod, claim):
                    result.reserve.append(claim)
                continue
        # Its claim is still to be made, or was, and is gone or another's.
        wanted = entry.resource_claim_template_name
        if entry.name in mine and known(mine[entry.name]) is not None:  # made, but not told in the Pod's status
            result.found[entry.name] = mine[entry.name]
        elif (source := template(wanted)) is not None:
            result.create[entry.name] = _claim(pod, entry.name, source)
        else:
            words = f'resource claim template "{wanted}": resourceclaimtemplate.resource.k8s.io "{wanted}" not found'
            result.refused[entry.name] = words
    return result


def _needs_reservation(pod: core_v1.Pod, claim: Claim) -> bool:
    """The Pod was given its node by somebody who did not reserve what it uses."""
    return bool(pod.spec.node_name) and claim.status.allocation is not None and not is_reserved_for(pod, claim) and can_be_reserved(claim)


def _claim(pod: core_v1.Pod, entry: str, template: Template) -> Claim:
    given = template.spec.metadata
    meta = meta_v1.ObjectMeta(
        generate_name=_base(pod.metadata.name, entry), namespace=pod.metadata.namespace, labels=dict(given.labels),
        annotations={**given.annotations, POD_CLAIM: entry}, owner_references=[controller_ref(pod)],
    )
    return Claim(metadata=meta, spec=template.spec.spec)


def _base(pod: str, entry: str) -> str:
    """`pod-entry-`; both are cut in proportion when they are too long."""
    base = f"{pod}-{entry}-"
    if len(base) <= LONGEST:
        return base
    return f"{pod[:len(pod) * LONGEST // len(base)]}-{entry[:len(entry) * LONGEST // len(base)]}"


@dataclass(slots=True)
class ClaimPlan:
    reserved_for: list[Reference] | None = None  # to be written; None: as it is
    deallocate: bool = False
    let_go: bool = False  # take the finalizer off
    delete: bool = False


def plan_claim(claim: Claim, gone: Callable[[Reference], bool], owner: core_v1.Pod | None) -> ClaimPlan:
    """`gone` tells whether a user has ended for good; `owner` is the Pod of the name that the claim was made for, if it is known."""
    result = ClaimPlan()
    before = claim.status.reserved_for
    left = [each for each in before if not _is_pod(each) or not gone(each)]
    protected = FINALIZER in claim.metadata.finalizers
    if len(left) < len(before):
        result.reserved_for = left
        result.deallocate = protected and not left
        result.let_go = result.deallocate
    elif protected and not left and claim.metadata.deletion_timestamp is not None:
        result.deallocate = claim.status.allocation is not None
        result.let_go = True
    name, uid = owner_pod(claim)
    if not left and name and owner is not None and claim.metadata.deletion_timestamp is None:
        result.delete = owner.metadata.uid != uid or is_done(owner)
    return result


def _is_pod(user: Reference) -> bool:
    """Of other users nothing is known: they stay."""
    return not user.api_group and user.resource == "pods"


def status_of(claim: Claim, plan: ClaimPlan) -> dict[str, object]:
    """What of the status is to be written."""
    status: dict[str, object] = {}
    if plan.reserved_for is not None:
        status["reservedFor"] = msgspec.to_builtins(plan.reserved_for) or None
    if plan.deallocate:
        status["allocation"] = None
    return status

"""The claims that a Pod's ephemeral volumes need.  Pure.

https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wherry.api.types import core_v1, meta_v1
from wherry.api.volumes import Claim, ephemeral_claim, not_owner
from wherry.controller.ownership import controller_ref


@dataclass(slots=True)
class Plan:
    create: list[Claim] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)  # volume -> why


def plan(pod: core_v1.Pod, known: Callable[[str], Claim | None]) -> Plan:
    """`known` gives the claim of a name in the Pod's namespace.  A Pod that goes gets nothing any more."""
    result = Plan()
    if pod.metadata.deletion_timestamp is not None:
        return result
    for volume in pod.spec.volumes:
        template = volume.ephemeral.volume_claim_template if volume.ephemeral is not None else None
        if template is None:
            continue
        name = ephemeral_claim(pod, volume)
        claim = known(name)
        if claim is None:
            meta = meta_v1.ObjectMeta(
                name=name, namespace=pod.metadata.namespace, labels=dict(template.metadata.labels),
                annotations=dict(template.metadata.annotations), owner_references=[controller_ref(pod)],
            )
            result.create.append(Claim(metadata=meta, spec=template.spec))
        elif why := not_owner(pod, claim):
            result.refused[volume.name] = why
    return result

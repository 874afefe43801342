"""Extended resources that devices stand for: a Pod asks for `example.com/gpu: 1`, and a DeviceClass says what that is.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#extended-resource
On a node that has the resource itself, by a device plugin, nothing changes; on others a claim is made of what the Pod asks for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from wherry.api.resourceclaims import Claim
from wherry.api.types import core_v1, meta_v1, resource_v1
from wherry.apimachinery import quantity
from wherry.client.store import Store

ANNOTATION = "resource.kubernetes.io/extended-resource-claim"
IMPLICIT = "deviceclass.resource.kubernetes.io/"  # and the class's name
IN_MEMORY = "<extended-resources>"  # until the claim is made


def _names(each: resource_v1.DeviceClass) -> Iterable[str]:
    """An index: the resources that a class stands for."""
    name = each.spec.extended_resource_name
    return (f"{IMPLICIT}{each.metadata.name}", *((name,) if name else ()))


class Resolver:
    """Which class stands for a resource."""

    def __init__(self, classes: Store[resource_v1.DeviceClass]) -> None:
        self._classes = classes
        classes.add_indexer("extended resources", _names)

    def class_of(self, resource: str) -> str:
        """The newest of the classes that name it; "" when none does."""
        found = self._classes.by_index("extended resources", resource) if "/" in resource else []
        if not found:
            return ""
        newest = max(each.metadata.creation_timestamp or "" for each in found)
        return min(each.metadata.name for each in found if (each.metadata.creation_timestamp or "") == newest)


@dataclass(frozen=True, slots=True)
class Asked:
    """A container's request for an extended resource that a class stands for."""

    request: str  # its name in the claim
    container: str
    resource: str
    device_class: str
    count: int


def asked_by(pod: core_v1.Pod, resolver: Resolver) -> list[Asked]:
    """Pure but for what the resolver knows."""
    found = []
    for i, container in enumerate((*pod.spec.init_containers, *pod.spec.containers)):
        for j, (resource, amount) in enumerate(sorted(container.resources.requests.items())):
            name = resolver.class_of(resource)
            if name and (count := quantity.value(amount)):
                found.append(Asked(f"container-{i}-request-{j}", container.name, resource, name, count))
    return found


def claim_for(pod: core_v1.Pod, asked: Iterable[Asked], allocatable: Collection[str]) -> Claim | None:
    """The claim that a Pod needs on a node: for what the node does not have by itself."""
    requests = [
        resource_v1.DeviceRequest(name=each.request, exactly=resource_v1.ExactDeviceRequest(
            device_class_name=each.device_class, allocation_mode="ExactCount", count=each.count,
        ))
        for each in asked if each.resource not in allocatable
    ]
    if not requests:
        return None
    meta = meta_v1.ObjectMeta(name=IN_MEMORY, namespace=pod.metadata.namespace, uid=f"{IN_MEMORY} {pod.metadata.uid}")
    return Claim(metadata=meta, spec=resource_v1.ResourceClaimSpec(devices=resource_v1.DeviceClaim(requests=requests)))


def is_in_memory(claim: Claim) -> bool:
    return claim.metadata.name == IN_MEMORY


def to_be_made(pod: core_v1.Pod, claim: Claim) -> Claim:
    """The claim as it is created: the Pod's own."""
    owner = meta_v1.OwnerReference(
        api_version="v1", kind="Pod", name=pod.metadata.name, uid=pod.metadata.uid, controller=True, block_owner_deletion=True,
    )
    meta = meta_v1.ObjectMeta(
        generate_name=f"{pod.metadata.name}-extended-resources-", namespace=pod.metadata.namespace, owner_references=[owner],
        annotations={ANNOTATION: "true"},
    )
    return Claim(metadata=meta, spec=claim.spec)


def by_pod(claim: Claim) -> Iterable[str]:
    """An index of claims that were made for extended resources: the uid of their Pod."""
    if ANNOTATION not in claim.metadata.annotations:
        return ()
    return [owner.uid for owner in claim.metadata.owner_references if owner.controller]


def told(claim: Claim, asked: Iterable[Asked]) -> Mapping[str, object]:
    """The Pod's `status.extendedResourceClaimStatus`."""
    made = {request.name for request in claim.spec.devices.requests}
    mappings = [
        {"containerName": each.container, "resourceName": each.resource, "requestName": each.request}
        for each in asked if each.request in made
    ]
    return {"resourceClaimName": claim.metadata.name, "requestMappings": mappings}

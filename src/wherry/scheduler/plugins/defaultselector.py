"""Which Pods belong together though none of them says so: those of one Service and of one owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wherry.api.types import apps_v1, core_v1
from wherry.apimachinery.labels import NOTHING, Requirement, Selector, from_label_selector, from_set
from wherry.scheduler.framework import Handle

OWNERS: dict[str, type[Any]] = {"ReplicaSet": apps_v1.ReplicaSet, "StatefulSet": apps_v1.StatefulSet}


def default_selector(handle: Handle) -> Callable[[core_v1.Pod], Selector]:
    """A function from a Pod to the selectors of its Services and its controller, joined; NOTHING when there are none."""
    services = handle.lister(core_v1.Service)
    controllers = handle.lister(core_v1.ReplicationController)
    owners = {kind: handle.lister(type_) for kind, type_ in OWNERS.items()}

    def select(pod: core_v1.Pod) -> Selector:
        labels = pod.metadata.labels
        equal: dict[str, str] = {}
        for service in services.by_index("namespace", pod.metadata.namespace):
            wanted = service.spec.selector
            if wanted and all(labels.get(key) == value for key, value in wanted.items()):
                equal |= wanted
        requirements: tuple[Requirement, ...] = ()
        reference = next((ref for ref in pod.metadata.owner_references if ref.controller), None)
        if reference is not None and reference.kind == "ReplicationController":
            controller = controllers.get(reference.name, pod.metadata.namespace)
            equal |= controller.spec.selector if controller is not None else {}
        elif reference is not None and reference.kind in owners:
            owner = owners[reference.kind].get(reference.name, pod.metadata.namespace)
            if owner is not None and owner.spec.selector is not None:
                requirements = from_label_selector(owner.spec.selector).requirements
        found = (*from_set(equal).requirements, *requirements)
        return Selector(found) if found else NOTHING

    return select

"""Who controls a Pod, and how many Pods that one wants: from the caches, else by its `scale` subresource."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client.store import Store
from wherry.controller.ownership import controller_of
from wherry.controller.scales import Scales, has_no_scale


class NotFound(Exception):
    """Nobody can tell how many Pods are wanted."""


@dataclass(frozen=True, slots=True)
class Expected:
    """How many Pods are wanted in all, and whether some of the Pods are nobody's."""

    scale: int
    unmanaged: bool


@dataclass(slots=True)
class Finders:
    controllers: Store[core_v1.ReplicationController]
    replica_sets: Store[apps_v1.ReplicaSet]
    deployments: Store[apps_v1.Deployment]
    stateful_sets: Store[apps_v1.StatefulSet]
    scales: Scales

    async def expected(self, pods: Iterable[core_v1.Pod]) -> Expected:
        """Each controller of the Pods counts once.  Raises NotFound, StatusError."""
        wanted: dict[str, int] = {}
        seen: set[str] = set()
        unmanaged = False
        for pod in pods:
            ref = controller_of(pod)
            if ref is None:
                unmanaged = True
            elif ref.uid not in seen:
                seen.add(ref.uid)
                found = self._known(ref, pod.metadata.namespace) or await self._by_scale(ref, pod.metadata.namespace)
                if found is None:
                    raise NotFound(f'found no controllers for pod "{pod.metadata.name}"')
                wanted[found[0]] = found[1]
        return Expected(sum(wanted.values()), unmanaged)

    def _known(self, ref: meta_v1.OwnerReference, namespace: str) -> tuple[str, int] | None:
        """Uid and replicas of a built-in workload."""
        group = ref.api_version.rpartition("/")[0]
        match group, ref.kind:
            case "", "ReplicationController":
                return _same(self.controllers.get(ref.name, namespace), ref)
            case ("apps" | "extensions"), "ReplicaSet":
                rs = self.replica_sets.get(ref.name, namespace)
                above = controller_of(rs) if rs is not None and rs.metadata.uid == ref.uid else None
                if above is not None and above.kind == "Deployment":
                    return _same(self.deployments.get(above.name, namespace), above)
                return _same(rs, ref)
            case "apps", "StatefulSet":
                return _same(self.stateful_sets.get(ref.name, namespace), ref)
        return None

    async def _by_scale(self, ref: meta_v1.OwnerReference, namespace: str) -> tuple[str, int] | None:
        group = ref.api_version.rpartition("/")[0]
        resource = await self.scales.resource_of(group, ref.kind)
        if resource is None:
            raise NotFound(f'no matches for kind "{ref.kind}" in version "{ref.api_version}"')
        try:
            scale = await self.scales.get(resource, namespace, ref.name)
        except StatusError as error:
            if has_no_scale(error):
                named = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
                raise NotFound(f"{named} does not implement the scale subresource") from error
            if is_not_found(error):
                return None
            raise
        return (scale.metadata.uid, scale.spec.replicas or 0) if scale.metadata.uid == ref.uid else None


def _same(owner: Any, ref: meta_v1.OwnerReference) -> tuple[str, int] | None:
    if owner is None or owner.metadata.uid != ref.uid:
        return None
    replicas = owner.spec.replicas
    return owner.metadata.uid, 1 if replicas is None else replicas

"""The `scale` subresource of whatever has one: its kind is looked up by discovery, custom resources included."""

from __future__ import annotations

from wherry.api.types import autoscaling_v1, meta_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client import Client, ResourceInfo
from wherry.client.discovery import preferred_resources
from wherry.util.clock import Clock

Scale = autoscaling_v1.Scale
LOOK_AGAIN = 10.0  # seconds between two discoveries because of a kind that is not served


class NoMatch(LookupError):
    """No resource is served for a kind."""


class Scales:
    """Reads and writes scales for one controller."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._by_kind: dict[tuple[str, str], ResourceInfo] = {}
        self._looked = float("-inf")

    async def resource_of(self, group: str, kind: str) -> ResourceInfo | None:
        """The resource that is served for a kind, in its preferred version."""
        if (group, kind) not in self._by_kind and self._clock.monotonic() - self._looked >= LOOK_AGAIN:
            self._by_kind = {(each.group, each.kind): each for each in await preferred_resources(self._client)}
            self._looked = self._clock.monotonic()
        return self._by_kind.get((group, kind))

    async def get(self, resource: ResourceInfo, namespace: str, name: str) -> Scale:
        return await self._client.get(Scale, name, namespace, subresource="scale", resource=resource)

    async def set(self, resource: ResourceInfo, scale: Scale, replicas: int) -> Scale:
        """Raises a conflict when the object has changed since `scale` was read."""
        meta = scale.metadata
        body = {"metadata": {"resourceVersion": meta.resource_version}, "spec": {"replicas": replicas}}
        return await self._client.patch(Scale, meta.name, body, meta.namespace, subresource="scale", resource=resource)


def has_no_scale(error: StatusError) -> bool:
    """Whether a 404 means that the kind has no scale, and not that the object is gone."""
    return is_not_found(error) and not (error.details or {}).get("name")


def go_selector(selector: meta_v1.LabelSelector | None) -> str:
    """A label selector as upstream's messages show it, which print a Go struct."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted(selector.match_labels.items()))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{each.key},Operator:{each.operator},Values:[{' '.join(each.values)}],}},"
        for each in selector.match_expressions
    )
    return f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"

"""What a server serves: every resource in its preferred version, custom ones included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from wherry.api.registry import OLD_GROUP
from wherry.apimachinery.errors import StatusError
from wherry.client.client import Client
from wherry.client.paths import ResourceInfo

ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Served(NamedTuple):
    """`stale`: group versions (`GROUP/VERSION`) whose server cannot be asked now; their resources are not among the others."""

    resources: list[ResourceInfo]
    stale: list[str]

    @property
    def failure(self) -> str:
        """What client-go says of such a discovery; "" when it is complete."""
        told = ", ".join(f"{each}: stale GroupVersion discovery: {each}" for each in sorted(self.stale))
        return f"unable to retrieve the complete list of server APIs: {told}" if told else ""


async def preferred_resources(client: Client) -> list[ResourceInfo]:
    """One entry a resource, of those that can be asked for.  Raises StatusError as `discover`."""
    return (await discover(client)).resources


async def discover(client: Client) -> Served:
    """One entry a resource.  Raises StatusError when the server does not tell (aggregated discovery, Kubernetes 1.30)."""
    found: dict[tuple[str, str], ResourceInfo] = {}
    stale: list[str] = []
    for path in ("/api", "/apis"):
        response = await client.raw("GET", path, accept=ACCEPT)
        answer = msgspec.json.decode(response.body)
        if answer.get("kind") != "APIGroupDiscoveryList":
            raise StatusError(406, "NotAcceptable", f"{path}: the server has no aggregated discovery")
        for group in answer.get("items") or ():
            stale += _stale(group)
            for info in _of_group(group):
                found.setdefault((info.group, info.plural), info)
    return Served(list(found.values()), stale)


def once_each(found: Iterable[ResourceInfo]) -> list[ResourceInfo]:
    """Without the group extensions: its kinds are the same objects as in their groups of today."""
    return [each for each in found if each.group != OLD_GROUP]


def _stale(group: dict[str, Any]) -> list[str]:
    name = group.get("metadata", {}).get("name", "")
    versions = [each["version"] for each in group.get("versions") or () if each.get("freshness") == "Stale"]
    return [f"{name}/{each}" if name else each for each in versions]


def _of_group(group: dict[str, Any]) -> list[ResourceInfo]:
    """Versions stand in order of preference."""
    name = group.get("metadata", {}).get("name", "")
    return [
        ResourceInfo(
            name, version["version"], each["resource"], each.get("scope") == "Namespaced",
            each.get("responseKind", {}).get("kind", ""), each.get("verbs") or (),
        )
        for version in group.get("versions") or () if version.get("freshness") != "Stale" for each in version.get("resources") or ()
    ]

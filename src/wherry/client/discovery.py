"""What a server serves: every resource in its preferred version, custom ones included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from wherry.api.registry import OLD_GROUP
from wherry.apimachinery.errors import StatusError
from wherry.client.client import Client
from wherry.client.paths import ResourceInfo

ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


async def preferred_resources(client: Client) -> list[ResourceInfo]:
    """One entry a resource.  Raises StatusError when the server does not tell (aggregated discovery, Kubernetes 1.30)."""
    found: dict[tuple[str, str], ResourceInfo] = {}
    for path in ("/api", "/apis"):
        response = await client.raw("GET", path, accept=ACCEPT)
        answer = msgspec.json.decode(response.body)
        if answer.get("kind") != "APIGroupDiscoveryList":
            raise StatusError(406, "NotAcceptable", f"{path}: the server has no aggregated discovery")
        for group in answer.get("items") or ():
            for info in _of_group(group):
                found.setdefault((info.group, info.plural), info)
    return list(found.values())


def once_each(found: Iterable[ResourceInfo]) -> list[ResourceInfo]:
    """Without the group extensions: its kinds are the same objects as in their groups of today."""
    return [each for each in found if each.group != OLD_GROUP]


def _of_group(group: dict[str, Any]) -> list[ResourceInfo]:
    """Versions stand in order of preference."""
    name = group.get("metadata", {}).get("name", "")
    return [
        ResourceInfo(
            name, version["version"], each["resource"], each.get("scope") == "Namespaced",
            each.get("responseKind", {}).get("kind", ""), each.get("verbs") or (),
        )
        for version in group.get("versions") or () for each in version.get("resources") or ()
    ]

"""APIServices of what is built in: made when the server starts, and left alone afterwards (upstream's autoregister controller).

One that is deleted comes back with the next start; one that points to another server stays so until then.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from wherry.api.discovery import Registered, builtin_priorities, by_group
from wherry.api.resource import Object
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.apiserver.aggregator.controller import FALLBACK
from wherry.apiserver.aggregator.model import AUTOMANAGED, GROUP, PLURAL
from wherry.client import Client
from wherry.client.paths import ResourceInfo

if TYPE_CHECKING:
    from wherry.apiserver.server import APIServer

log = logging.getLogger(__name__)
ON_START = "onstart"
INFO = ResourceInfo(GROUP, "v1", PLURAL, False)


def wanted(server: APIServer) -> list[Object]:
    """The APIService of each built-in group version, but of the aggregator's own and of what others may register."""
    rows = builtin_priorities(by_group(server.registry.resources))
    return [_object(row) for row in rows if row.group != GROUP and (row.group, row.version) not in FALLBACK]


def _object(row: Registered) -> Object:
    spec: Object = {"version": row.version, "groupPriorityMinimum": row.group_priority, "versionPriority": row.version_priority}
    if row.group:
        spec["group"] = row.group
    metadata = {"name": f"{row.version}.{row.group}", "labels": {AUTOMANAGED: ON_START}}
    return {"apiVersion": f"{GROUP}/v1", "kind": "APIService", "metadata": metadata, "spec": spec}


def repaired(stored: Object, ours: Object) -> Object | None:
    """What a start makes of an APIService that is there: ours again, if it bears our label.  None when nothing is to do.  Pure."""
    if (stored["metadata"].get("labels") or {}).get(AUTOMANAGED) not in (ON_START, "true"):
        return None
    return None if stored.get("spec") == ours["spec"] else {**stored, "spec": ours["spec"]}


async def register(server: APIServer, client: Client) -> None:
    """Make what is missing, side by side: their commits are one."""
    await asyncio.gather(*(_one(server, client, each) for each in wanted(server)))
    known = {each["metadata"]["name"] for each in wanted(server)}
    for cached in server.cached_list(GROUP, PLURAL):  # of an earlier version, which served more
        if cached.labels.get(AUTOMANAGED) == ON_START and cached.name not in known:
            await _quietly(client.raw("DELETE", INFO.path("", cached.name)), cached.name)


async def _one(server: APIServer, client: Client, ours: Object) -> None:
    name = ours["metadata"]["name"]
    stored = server.read(GROUP, PLURAL, "", name)
    if stored is None:
        await _quietly(client.create_raw(INFO, ours), name)
    elif (changed := repaired(stored, ours)) is not None:
        await _quietly(client.update_raw(INFO, name, changed), name)


async def _quietly(writing: object, name: str) -> None:
    try:
        await writing  # type: ignore[misc]
    except StatusError as error:
        if not is_not_found(error) and error.reason != "AlreadyExists":
            log.warning("apiservice %s: %s", name, error)

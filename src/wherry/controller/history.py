"""The revisions of a workload: ControllerRevisions, as DaemonSets and StatefulSets keep them.

A revision holds the Pod template as a patch that brings it back, which is what `kubectl rollout undo`
sends.  A template that comes back is not a new revision: its old one becomes the newest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.apimachinery.errors import StatusError, is_already_exists, is_not_found
from wherry.client.client import Client
from wherry.controller.hashing import template_hash
from wherry.controller.ownership import controlled_by, controller_ref

HASH_LABEL = "controller-revision-hash"


class Collision(Exception):
    """The name of a revision is taken by another one: the owner's collisionCount has to grow."""


@dataclass(frozen=True, slots=True)
class Current:
    """The revision of the owner's template, and what has to be done for it to be the newest."""

    revision: apps_v1.ControllerRevision
    create: bool = False
    renumber: bool = False


def template_data(template: core_v1.PodTemplateSpec) -> dict[str, Any]:
    return {"spec": {"template": {"$patch": "replace", **msgspec.to_builtins(template)}}}


def template_of(revision: apps_v1.ControllerRevision) -> core_v1.PodTemplateSpec:
    """The template that a revision holds."""
    stored = revision.data["spec"]["template"]
    return msgspec.convert({key: value for key, value in stored.items() if key != "$patch"}, core_v1.PodTemplateSpec)


def new_revision(owner: Any, hash_label: str) -> apps_v1.ControllerRevision:
    """The owner's template as a revision without a number."""
    template = owner.spec.template
    digest = template_hash(template, owner.status.collision_count or None)
    meta = meta_v1.ObjectMeta(
        name=f"{owner.metadata.name[:223]}-{digest}", namespace=owner.metadata.namespace, annotations=owner.metadata.annotations,
        labels={**template.metadata.labels, hash_label: digest}, owner_references=[controller_ref(owner)],
    )
    return apps_v1.ControllerRevision(metadata=meta, data=template_data(template))


def number(revision: apps_v1.ControllerRevision) -> int:
    return revision.revision or 0


def find_current(revisions: Sequence[apps_v1.ControllerRevision], wanted: apps_v1.ControllerRevision) -> Current:
    """Which of the owner's `revisions` is the `wanted` one, or that it is to be made."""
    newest = max(map(number, revisions), default=0)
    equal = [each for each in revisions if each.data == wanted.data]
    if not equal:
        return Current(msgspec.structs.replace(wanted, revision=newest + 1), create=True)
    found = max(equal, key=number)
    if number(found) == newest:
        return Current(found)
    return Current(msgspec.structs.replace(found, revision=newest + 1), renumber=True)


def surplus(
    revisions: Sequence[apps_v1.ControllerRevision], live: Collection[str], limit: int,
) -> list[apps_v1.ControllerRevision]:
    """The oldest that no Pod has (`live` are names), beyond the `limit` that may be kept."""
    idle = sorted((each for each in revisions if each.metadata.name not in live), key=number)
    return idle[:max(0, len(idle) - limit)]


async def ensure(client: Client, owner: Any, current: Current) -> apps_v1.ControllerRevision:
    """Make the current revision exist with its number.  Raises Collision when another one has its name."""
    revision = current.revision
    meta = revision.metadata
    if current.renumber:
        body = {"metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version}, "revision": revision.revision}
        return await client.patch(apps_v1.ControllerRevision, meta.name, body, meta.namespace)
    if not current.create:
        return revision
    try:
        return await client.create(revision)
    except StatusError as error:
        if not is_already_exists(error):
            raise
    found = await client.get(apps_v1.ControllerRevision, meta.name, meta.namespace)
    if found.data == revision.data and controlled_by(found, owner):
        return found  # the cache had not shown it yet
    raise Collision(meta.name)


async def trim(client: Client, revisions: Sequence[apps_v1.ControllerRevision]) -> None:
    for revision in revisions:
        meta = revision.metadata
        try:
            await client.delete(apps_v1.ControllerRevision, meta.name, meta.namespace, uid=meta.uid)
        except StatusError as error:
            if not is_not_found(error):
                raise

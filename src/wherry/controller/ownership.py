"""Who controls what: controller references, adoption and release, as upstream's `ControllerRefManager`.

An object belongs to the controller that its controller reference names.  A controller adopts what
matches its selector and has none, and releases what it controls and matches no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from wherry.api.types import meta_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.apimachinery.labels import Selector
from wherry.client.client import Client

T = TypeVar("T")


def controller_of(obj: Any) -> meta_v1.OwnerReference | None:
    for ref in obj.metadata.owner_references:
        if ref.controller:
            return ref  # type: ignore[no-any-return]
    return None


def controlled_by(obj: Any, owner: Any) -> bool:
    ref = controller_of(obj)
    return ref is not None and ref.uid == owner.metadata.uid


def controller_ref(owner: Any) -> meta_v1.OwnerReference:
    """The reference that makes `owner` the controller of what bears it."""
    return meta_v1.OwnerReference(
        api_version=owner.api_version, kind=owner.kind, name=owner.metadata.name, uid=owner.metadata.uid,
        controller=True, block_owner_deletion=True,
    )


@dataclass(frozen=True, slots=True)
class Claim(Generic[T]):
    """What is the owner's (`owned`), what should become so, and what should not be any more."""

    owned: list[T] = field(default_factory=list)
    adopt: list[T] = field(default_factory=list)
    release: list[T] = field(default_factory=list)

    def add(self, more: Claim[T]) -> None:
        """Of further objects."""
        self.owned.extend(more.owned)
        self.adopt.extend(more.adopt)
        self.release.extend(more.release)


def claim(owner: Any, selector: Selector, objects: Iterable[T]) -> Claim[T]:
    """Sort `objects` of the owner's namespace.  An owner that is being deleted neither adopts nor releases."""
    result: Claim[T] = Claim()
    leaving = owner.metadata.deletion_timestamp is not None
    for obj in objects:
        meta: meta_v1.ObjectMeta = obj.metadata  # type: ignore[attr-defined]
        matches, ref = selector.matches(meta.labels), controller_of(obj)
        if ref is not None and ref.uid == owner.metadata.uid:
            if matches:
                result.owned.append(obj)
            elif not leaving:
                result.release.append(obj)
        elif ref is None and matches and not leaving and meta.deletion_timestamp is None:
            result.adopt.append(obj)
    return result


async def carry_out(client: Client, owner: Any, claimed: Claim[T]) -> list[T]:
    """Adopt and release; gives what is the owner's then.  An adoption that fails is raised."""
    owned = list(claimed.owned)
    for obj in claimed.release:
        await _patch(client, obj, [{"$patch": "delete", "uid": owner.metadata.uid}])
    if claimed.adopt:
        await _check_live(client, owner)
        ref = controller_ref(owner)
        for obj in claimed.adopt:
            if await _patch(client, obj, [ref]):
                owned.append(obj)
    return owned


async def _check_live(client: Client, owner: Any) -> None:
    """The cache may be old: one that is gone, or going, must adopt nothing."""
    live = await client.get(type(owner), owner.metadata.name, owner.metadata.namespace)
    if live.metadata.uid != owner.metadata.uid or live.metadata.deletion_timestamp is not None:
        raise StatusError(409, "Conflict", f"{owner.kind} {owner.metadata.name} is gone or going: it adopts nothing")


async def _patch(client: Client, obj: Any, references: list[Any]) -> bool:
    """Change owner references of exactly this object (by uid); False when it is gone."""
    meta = obj.metadata
    body = {"metadata": {"uid": meta.uid, "ownerReferences": references}}
    try:
        await client.patch(type(obj), meta.name, body, meta.namespace, patch_type="strategic")
    except StatusError as error:
        if is_not_found(error):
            return False
        raise
    return True

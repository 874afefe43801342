"""Carries out the plan: keeps the graph from informers of everything that is served, and deletes.

An owner that the graph does not hold is asked for live before anything is deleted because of it:
the graph is made of many informers, and any of them may be behind.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any, ClassVar

from wherry.api.types import meta_v1
from wherry.apimachinery.errors import StatusError, is_conflict, is_not_found
from wherry.client import PartialObjectMetadata, ResourceInfo
from wherry.client.discovery import discover, once_each
from wherry.client.informer import Handler, Informer
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.garbagecollector.graph import ORPHAN, Graph, Node, Work
from wherry.controller.garbagecollector.plan import (
    Delete,
    DropReferences,
    LookAt,
    Nothing,
    Owner,
    RemoveFinalizer,
    owner_state,
    plan,
    unblocked,
    without_finalizer,
    without_owners,
)

log = logging.getLogger(__name__)

DISCOVERY_PERIOD = 30.0  # seconds
INITIAL_SYNC = 30.0  # seconds: upstream's initialSyncTimeout
UNSEEN_OWNER = 5.0  # seconds until a dependent is looked at again whose owner no informer has shown yet
IGNORED = {("", "events"), ("events.k8s.io", "events")}
NEEDED = {"delete", "list", "watch", "patch"}
DELETE_KEY, ORPHAN_KEY = "delete/", "orphan/"


class GarbageCollector(Controller):
    name: ClassVar[str] = "generic-garbage-collector"
    workers: ClassVar[int] = 20

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.graph = Graph()
        self._monitors: dict[ResourceInfo, Informer[PartialObjectMetadata]] = {}
        self._by_kind: dict[tuple[str, str], ResourceInfo] = {}
        self._complete = asyncio.Event()  # the graph holds all there was at the start: before, every owner looks gone

    # -- the graph -----------------------------------------------------------------------------------

    def background(self) -> Iterable[Coroutine[Any, Any, None]]:
        return (self._discover(),)

    async def _discover(self) -> None:
        """Follow what is served: custom resources come and go."""
        while True:
            try:
                await self.resync()
                await self._synced()
                self._complete.set()
            except (StatusError, OSError) as error:
                log.warning("garbage collector: discovery: %s", error)
            await self.clock.sleep(DISCOVERY_PERIOD)

    async def _synced(self) -> None:
        """An API whose server tells of resources and cannot list them does not hold up all others."""
        try:
            async with asyncio.timeout(INITIAL_SYNC):
                for informer in list(self._monitors.values()):
                    await informer.wait_for_sync()
        except TimeoutError:
            log.warning("garbage collector: not all resource monitors could be synced, proceeding anyways")

    async def resync(self) -> None:
        """Start informers of resources that are new, end those of resources that are gone."""
        served = await discover(self.client)
        found = [*served.resources, *(each for each in self._monitors if each.api_version in served.stale)]
        self._by_kind = {(each.group, each.kind): each for each in found}
        wanted = {each for each in once_each(found) if each.verbs >= NEEDED and (each.group, each.plural) not in IGNORED}
        for resource in wanted - self._monitors.keys():
            self._monitor(resource)
        for resource in self._monitors.keys() - wanted:
            self.informers.stop(self._monitors.pop(resource))
            self.graph.forget(resource)

    def _monitor(self, resource: ResourceInfo) -> None:
        informer = self.informers.metadata_informer(resource)
        self._monitors[resource] = informer

        def put(obj: PartialObjectMetadata) -> None:
            self._enqueue(self.graph.put(resource, obj))

        informer.add_handler(Handler(
            put, lambda old, new: put(new), lambda obj: self._enqueue(self.graph.remove(obj.metadata.uid)),
        ))

    @property
    def idle(self) -> bool:
        synced = bool(self._monitors) and all(each.has_synced for each in self._monitors.values())
        return synced and self.queue.idle and self.recorder.idle

    def _enqueue(self, work: Work) -> None:
        for uid in work.delete:
            self.queue.add(DELETE_KEY + uid)
        for uid in work.orphan:
            self.queue.add(ORPHAN_KEY + uid)

    # -- one object ----------------------------------------------------------------------------------

    async def reconcile(self, key: str) -> RequeueAfter | None:
        await self._complete.wait()
        task, _, uid = key.partition("/")
        node = self.graph.nodes.get(uid)
        if node is None:
            return None
        if task + "/" == ORPHAN_KEY:
            await self._orphan(node)
            return None
        owners, unseen = await self._owners(node)
        await self._carry_out(node, plan(node, owners, self.graph))
        return RequeueAfter(UNSEEN_OWNER) if unseen else None

    async def _owners(self, node: Node) -> tuple[dict[str, Owner], bool]:
        """What each owner is, and whether one is there that the graph does not know."""
        owners: dict[str, Owner] = {}
        unseen = False
        if node.being_deleted:
            return owners, unseen
        for ref in node.meta.owner_references:
            known = self.graph.nodes.get(ref.uid)
            if known is not None and not known.is_named_by(ref):
                owners[ref.uid] = await self._live_owner(node, ref)
            elif known is not None and known.misplaced_for(node.meta):
                owners[ref.uid] = self._misplaced(node, ref)
            elif known is not None:
                owners[ref.uid] = owner_state(ref, known.meta)
            elif self.graph.is_absent(ref, node.meta.namespace):
                owners[ref.uid] = Owner.DANGLING
            else:
                owners[ref.uid] = await self._live_owner(node, ref)
                unseen = unseen or owners[ref.uid] is not Owner.DANGLING
        return owners, unseen

    def _misplaced(self, node: Node, ref: meta_v1.OwnerReference) -> Owner:
        """An owner in another namespace is none; but what is in no namespace is not deleted for naming one."""
        namespace = node.meta.namespace
        told = f"{ref.api_version}/{ref.kind}, namespace: {namespace}, name: {ref.name}, uid: {ref.uid}"
        message = f'ownerRef [{told}] does not exist in namespace "{namespace}"'
        self.recorder.warning(_Referrer(node), "OwnerRefInvalidNamespace", message)
        return Owner.DANGLING if namespace else Owner.SOLID

    async def _live_owner(self, node: Node, ref: meta_v1.OwnerReference) -> Owner:
        resource = self._by_kind.get((ref.api_version.rpartition("/")[0], ref.kind))
        if resource is None:
            raise StatusError(404, "NotFound", f"{node}: its owner's kind {ref.api_version} {ref.kind} is not served")
        if resource.namespaced and not node.meta.namespace:
            return self._misplaced(node, ref)
        try:
            namespace = node.meta.namespace if resource.namespaced else ""
            found = await self.client.get(PartialObjectMetadata, ref.name, namespace, resource=resource)
            state = owner_state(ref, found.metadata)
        except StatusError as error:
            if not is_not_found(error):
                raise
            state = Owner.DANGLING
        if state is Owner.DANGLING:
            self.graph.mark_absent(ref, node.meta.namespace)
        return state

    async def _carry_out(self, node: Node, action: Nothing | DropReferences | Delete | RemoveFinalizer | LookAt) -> None:
        match action:
            case DropReferences(uids):
                await self._patch(node, without_owners(node.meta, uids))
            case Delete(policy, unblock):
                if unblock:
                    for each in self.graph.dependents(node.uid):
                        await self._patch(each, unblocked(each.meta, node.uid))
                await self._delete(node, policy)
            case RemoveFinalizer(name):
                await self._patch(node, without_finalizer(node.meta, name))
            case LookAt(uids):
                self._enqueue(Work(delete=uids))

    async def _orphan(self, owner: Node) -> None:
        """Take the owner off all its dependents, then let it go."""
        if not owner.orphaning:
            return
        for each in self.graph.dependents(owner.uid):
            await self._patch(each, without_owners(each.meta, {owner.uid}))
        await self._patch(owner, without_finalizer(owner.meta, ORPHAN))

    async def _patch(self, node: Node, operations: list[dict[str, Any]]) -> None:
        """Raises a conflict when what the operations test has changed since it was seen."""
        if not operations:
            return
        guarded = [{"op": "test", "path": "/metadata/uid", "value": node.uid}, *operations]
        try:
            await self.client.patch(
                PartialObjectMetadata, node.meta.name, guarded, node.meta.namespace, patch_type="json", resource=node.resource,
            )
        except StatusError as error:
            if error.code == 422:
                raise StatusError(409, "Conflict", f"{node} has changed: {error.message}") from error
            if not is_not_found(error):
                raise

    async def _delete(self, node: Node, policy: str) -> None:
        try:
            await self.client.delete(
                PartialObjectMetadata, node.meta.name, node.meta.namespace, propagation_policy=policy, uid=node.uid,
                resource_version=node.meta.resource_version, resource=node.resource,
            )
        except StatusError as error:
            if is_conflict(error) and self.graph.nodes.get(node.uid) is not node:
                self.queue.add(DELETE_KEY + node.uid)  # a newer version has been seen meanwhile
            elif not is_not_found(error):
                raise


class _Referrer:
    """What the recorder needs to know of an object that is known by metadata alone."""

    def __init__(self, node: Node) -> None:
        self.kind, self.api_version, self.metadata = node.resource.kind, node.resource.api_version, node.meta

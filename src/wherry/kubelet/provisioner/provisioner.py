"""Carries out `plan`: one key is a claim (`namespace/name`), the other a volume (`name`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from wherry.api.types import core_v1, storage_v1
from wherry.api.volumes import PROVISIONER_FINALIZER, SELECTED_NODE, Claim, Volume, claim_class
from wherry.apimachinery.errors import StatusError, is_already_exists, is_not_found
from wherry.client import Client
from wherry.client.informer import Handler, SharedInformerFactory
from wherry.client.paths import info_of
from wherry.client.recorder import EventRecorder
from wherry.client.store import key_of
from wherry.client.workqueue import WorkQueue
from wherry.kubelet.config import Offload
from wherry.kubelet.provisioner import directories
from wherry.kubelet.provisioner.plan import (
    PROVISIONER,
    ClaimAction,
    Make,
    Refuse,
    Remove,
    Resize,
    SelectNode,
    SetFinalizers,
    node_of,
    plan_claim,
    plan_volume,
)
from wherry.util.clock import Clock, rfc3339

log = logging.getLogger(__name__)
WORKERS = 4


class LocalProvisioner:
    """`nodes` tells where each node of this machine has its volumes.  Without `files` (simulated nodes) there are none on disk."""

    def __init__(
        self, client: Client, clock: Clock, nodes: Mapping[str, Path], *, files: bool = True, offload: Offload = asyncio.to_thread,
    ) -> None:
        self._client, self._clock, self._nodes, self._files, self._offload = client, clock, nodes, files, offload
        self.informers = SharedInformerFactory(client, clock)
        self.recorder = EventRecorder(client, clock, f"{PROVISIONER}_{min(nodes)}" if nodes else PROVISIONER)
        self.queue: WorkQueue[str] = WorkQueue(clock)
        self._claims = self.informers.informer(Claim)
        self._volumes = self.informers.informer(core_v1.PersistentVolume)
        self._classes = self.informers.informer(storage_v1.StorageClass)
        add = self._enqueue
        self._claims.add_handler(Handler(add, lambda old, new: add(new)))
        self._volumes.add_handler(Handler(self._volume_changed, lambda old, new: self._volume_changed(new)))
        self._classes.add_handler(Handler(self._class_added))

    def _enqueue(self, obj: Any) -> None:
        self.queue.add(key_of(obj))

    def _volume_changed(self, volume: Volume) -> None:
        self._enqueue(volume)
        if volume.spec.claim_ref is not None:
            self.queue.add(f"{volume.spec.claim_ref.namespace}/{volume.spec.claim_ref.name}")

    def _class_added(self, added: storage_v1.StorageClass) -> None:
        for claim in self._claims.store:
            if claim_class(claim) == added.metadata.name:
                self._enqueue(claim)

    # -- running -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.recorder.run(), name="provisioner events")
            group.create_task(self.informers.run(), name="provisioner informers")
            await self.informers.wait_for_sync()
            group.create_task(self.queue.run(), name="provisioner delays")
            for number in range(WORKERS):
                group.create_task(self._work(), name=f"provisioner {number}")

    @property
    def idle(self) -> bool:
        return self._claims.has_synced and self._volumes.has_synced and self.queue.idle and self.recorder.idle

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            try:
                await self._reconcile(key)
                self.queue.forget(key)
            except (StatusError, OSError) as error:
                stale = isinstance(error, StatusError) and error.code in (404, 409)
                log.log(logging.DEBUG if stale else logging.WARNING, "%s: %s", key, error)
                self.queue.add_rate_limited(key)
            except Exception:
                log.exception("%s", key)
                self.queue.add_rate_limited(key)
            finally:
                self.queue.done(key)

    async def _reconcile(self, key: str) -> None:
        if "/" in key:
            claim = self._claims.store.get_by_key(key)
            if claim is not None:
                volume = self._volumes.store.get(claim.spec.volume_name) if claim.spec.volume_name else None
                action = plan_claim(claim, self._classes.store.get(claim_class(claim)), volume, self._nodes)
                await self._for_claim(claim, volume, action)
            return
        volume = self._volumes.store.get(key)
        if volume is None:
            return
        match plan_volume(volume, self._nodes):
            case Remove(path):
                await self._remove(volume, path)
            case SetFinalizers(finalizers):
                await self._patch(volume, {"metadata": {"finalizers": finalizers}})

    async def _for_claim(self, claim: Claim, volume: Volume | None, action: ClaimAction | None) -> None:
        match action:
            case SelectNode(node):
                await self._patch(claim, {"metadata": {"annotations": {SELECTED_NODE: node}}})
            case Make(path, manifest):
                await self._make(claim, path, manifest)
            case Refuse(why):
                self.recorder.warning(claim, "ProvisioningFailed", why)
            case Resize(size) if volume is not None:
                await self._resize(claim, volume, size)

    # -- volumes come and go -------------------------------------------------------------------------

    async def _make(self, claim: Claim, path: Path, manifest: dict[str, Any]) -> None:
        name = manifest["metadata"]["name"]
        if self._volumes.store.get(name) is not None:
            return  # the binder has not got to it yet
        of_claim = f"{claim.metadata.namespace}/{claim.metadata.name}"
        self.recorder.normal(claim, "Provisioning", f'External provisioner is provisioning volume for claim "{of_claim}"')
        try:
            if self._files:
                await self._offload(directories.make, path)
            await self._client.create_raw(info_of(core_v1.PersistentVolume), manifest)
        except (StatusError, OSError) as error:
            if isinstance(error, StatusError) and is_already_exists(error):
                return
            told = f'failed to provision volume with StorageClass "{claim_class(claim)}": {error}'
            self.recorder.warning(claim, "ProvisioningFailed", told)
            raise
        self.recorder.normal(claim, "ProvisioningSucceeded", f"Successfully provisioned volume {name}")

    async def _remove(self, volume: Volume, path: Path) -> None:
        meta = volume.metadata
        if self._files:
            try:
                await self._offload(directories.remove, path, self._nodes[node_of(volume)])
            except (OSError, ValueError) as error:
                self.recorder.warning(volume, "VolumeFailedDelete", str(error))
                raise
        try:
            await self._client.delete(core_v1.PersistentVolume, meta.name, uid=meta.uid)
            gone = await self._client.get(core_v1.PersistentVolume, meta.name)
            left = [each for each in gone.metadata.finalizers if each != PROVISIONER_FINALIZER]
            await self._patch(gone, {"metadata": {"finalizers": left}})
        except StatusError as error:
            if not is_not_found(error):
                raise

    async def _resize(self, claim: Claim, volume: Volume, size: str) -> None:
        """Told in upstream's steps, although there is nothing to do between them."""
        self.recorder.normal(claim, "Resizing", f"External resizer is resizing volume {volume.metadata.name}")
        under_way = {"type": "Resizing", "status": "True", "lastTransitionTime": rfc3339(self._clock.time())}
        claim = await self._patch(claim, {"status": {
            "allocatedResources": {"storage": size}, "allocatedResourceStatuses": {"storage": "ControllerResizeInProgress"},
            "conditions": [*_other_conditions(claim), under_way],
        }}, "status")
        await self._patch(volume, {"spec": {"capacity": {"storage": size}}})
        await self._patch(claim, {"status": {
            "capacity": {"storage": size}, "allocatedResourceStatuses": None, "conditions": _other_conditions(claim) or None,
        }}, "status")
        self.recorder.normal(claim, "VolumeResizeSuccessful", "Resize volume succeeded")

    async def _patch(self, obj: Any, body: dict[str, Any], subresource: str = "") -> Any:
        """For the version that was looked at."""
        meta = obj.metadata
        sent = {**body, "metadata": {**body.get("metadata", {}), "uid": meta.uid, "resourceVersion": meta.resource_version}}
        return await self._client.patch(type(obj), meta.name, sent, meta.namespace, subresource=subresource)


def _other_conditions(claim: Claim) -> list[Any]:
    return [msgspec.to_builtins(each) for each in claim.status.conditions if each.type not in ("Resizing", "FileSystemResizePending")]

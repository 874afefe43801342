"""Sums up what quotas have used, whenever something they count comes, goes or changes, and every five minutes.

Admission keeps the quotas by itself and writes their status as it admits; what is deleted, ends or fails to be written
is seen here.  Kinds that are only counted are known by their metadata, whose informers the garbage collector has anyway.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

from wherry.api.quota import TYPED, Kind, Weight, kinds_of, weigh
from wherry.api.registry import BUILTIN
from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client import ResourceInfo
from wherry.client.discovery import preferred_resources
from wherry.client.informer import Handler, Informer
from wherry.client.store import key_of
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.resourcequota.plan import next_end, status_change, used

RESYNC = 300.0
TOGETHER = 0.2  # seconds for which changes are gathered: a hundred Pods come and go as one
LOOK_AGAIN = 30.0  # seconds between discoveries, for kinds that come and go
LISTS = frozenset({"list", "watch"})
BUILT_IN: dict[Kind, ResourceInfo] = {
    (each.group, each.plural): ResourceInfo(each.group, each.hub.name, each.plural, each.namespaced, each.kind, each.verbs)
    for each in BUILTIN.resources
}


class ResourceQuotaController(Controller):
    name: ClassVar[str] = "resourcequota-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.quotas = self.informer(core_v1.ResourceQuota)
        self._informers: dict[Kind, Informer[Any]] = {}
        self._weights: dict[str, tuple[str, Weight]] = {}  # by uid, with the object's version; of what quotas count
        self._served: dict[Kind, ResourceInfo] = {}
        self._looked = float("-inf")
        self.quotas.add_handler(Handler(self.enqueue, self._quota_changed))
        for kind, struct in TYPED.items():
            self._follow(kind, self.informer(struct))

    def _quota_changed(self, old: core_v1.ResourceQuota, new: core_v1.ResourceQuota) -> None:
        """Admission writes the status before the object; should that fail, somebody has to put it right."""
        if old.spec != new.spec:
            self.enqueue(new)
        else:
            self.queue.add_after(key_of(new), TOGETHER)

    # -- what is counted -----------------------------------------------------------------------------

    def _follow(self, kind: Kind, informer: Informer[Any]) -> None:
        self._informers[kind] = informer
        informer.add_handler(Handler(partial(self._wake, kind), partial(self._changed, kind), partial(self._gone, kind)))

    def _changed(self, kind: Kind, old: Any, new: Any) -> None:
        """A kind that is only counted counts the same, whatever is in it."""
        if kind in TYPED and self._quotas_of(kind, new):
            known = self._weights.get(new.metadata.uid)
            if known is None or known[1] != self._weight(kind, new):
                self._wake(kind, new)

    def _gone(self, kind: Kind, obj: Any) -> None:
        self._weights.pop(obj.metadata.uid, None)
        self._wake(kind, obj)

    def _wake(self, kind: Kind, obj: Any) -> None:
        for quota in self._quotas_of(kind, obj):
            self.queue.add_after(key_of(quota), TOGETHER)

    def _quotas_of(self, kind: Kind, obj: Any) -> list[core_v1.ResourceQuota]:
        """The quotas that count the object, if it is in their scope."""
        return [
            quota for quota in self.quotas.store.by_index("namespace", obj.metadata.namespace) if kind in kinds_of(quota.spec.hard)
        ]

    def _weight(self, kind: Kind, obj: Any) -> Weight:
        meta = obj.metadata
        known = self._weights.get(meta.uid)
        if known is None or known[0] != meta.resource_version:
            known = self._weights[meta.uid] = meta.resource_version, weigh(kind, obj)
        return known[1]

    async def _informer_of(self, kind: Kind) -> Informer[Any] | None:
        """The informer of a kind that a quota names; None while nobody serves it."""
        if kind not in TYPED:
            resource = BUILT_IN.get(kind) or (await self._custom()).get(kind)
            if resource is None or not resource.namespaced or not resource.verbs >= LISTS:
                self._informers.pop(kind, None)
                return None
            informer = self.informers.metadata_informer(resource)
            if self._informers.get(kind) is not informer:  # the first time, or the kind went and came again
                self._follow(kind, informer)
        await self._informers[kind].wait_for_sync()
        return self._informers[kind]

    async def _custom(self) -> dict[Kind, ResourceInfo]:
        """What is served beside the built-in kinds."""
        now = self.clock.monotonic()
        if now - self._looked >= LOOK_AGAIN:
            self._looked = now
            self._served = {(each.group, each.plural): each for each in await preferred_resources(self.client)}
        return self._served

    # -- one quota -----------------------------------------------------------------------------------

    async def reconcile(self, key: str) -> RequeueAfter | None:
        quota = self.quotas.store.get_by_key(key)
        if quota is None:
            return None
        weights: list[Weight] = []
        built_in = True
        for kind in sorted(kinds_of(quota.spec.hard)):
            built_in = built_in and kind in BUILT_IN
            informer = await self._informer_of(kind)
            if informer is not None:
                weights += self._weighed(kind, informer.store.by_index("namespace", quota.metadata.namespace))
        now = self.clock.time()
        await self._write(quota, status_change(quota, used(quota.spec, weights, now)))
        again = [RESYNC if built_in else LOOK_AGAIN]
        if (ends := next_end(weights, now)) is not None:
            again.append(ends + 1.0)  # times are whole seconds
        return RequeueAfter(min(again))

    def _weighed(self, kind: Kind, objects: Iterable[Any]) -> Iterable[Weight]:
        if kind not in TYPED:
            counted = weigh(kind, None)
            return (counted for _ in objects)
        return (self._weight(kind, obj) for obj in objects)

    async def _write(self, quota: core_v1.ResourceQuota, status: dict[str, Any] | None) -> None:
        """Raises a conflict when admission has written meanwhile: it knows of more."""
        if status is None:
            return
        meta = quota.metadata
        body = {"metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version}, "status": status}
        try:
            await self.client.patch(core_v1.ResourceQuota, meta.name, body, meta.namespace, subresource="status")
        except StatusError as error:
            if not is_not_found(error):
                raise

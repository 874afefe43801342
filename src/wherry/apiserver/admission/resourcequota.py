"""ResourceQuota: nothing is made that a namespace's quotas have no room for.

Usage is summed from the caches, with what is admitted but not yet written, so concurrent writers never have more
together than there is; the quota's status is brought up to date on the way (the quota controller keeps it then).
https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import msgspec

from wherry.api.quota import TYPED, Kind, Usage, Weight, add, in_scope, kinds_of, unspecified, weigh
from wherry.api.resource import Object
from wherry.api.types.core_v1 import ResourceQuotaSpec
from wherry.apimachinery import errors
from wherry.apimachinery.quantity import ZERO, parse
from wherry.apiserver.admission.interface import Attributes, Writer
from wherry.apiserver.codec import decode_json
from wherry.storage.cached import CachedObject

_UPDATES = ("services", "persistentvolumeclaims")  # kinds whose usage changes with a write of the object itself


class ResourceQuota:
    """Runs last: it sees the object as it will be stored."""

    name = "ResourceQuota"

    def __init__(self, server: Writer) -> None:
        self._server = server
        self._pending: dict[tuple[str, str], list[Usage]] = {}  # (namespace, quota) -> what is on its way

    def handles(self, attributes: Attributes) -> bool:
        resource = attributes.resource
        if not resource.namespaced or resource.virtual or (resource.group, resource.plural) == ("", "resourcequotas"):
            return False
        if attributes.subresource:
            return resource.plural == "pods" and attributes.subresource == "resize"
        return attributes.operation == "CREATE" or (attributes.operation == "UPDATE" and resource.plural in _UPDATES)

    async def validate(self, attributes: Attributes) -> None:
        known = self._server.cached_list("", "resourcequotas", attributes.namespace)
        quotas: list[Object] = [decode_json(each.value) for each in known]
        if not quotas:
            return
        assert attributes.obj is not None
        kind = (attributes.resource.group, attributes.resource.plural)
        weight = weigh(kind, attributes.obj)
        concerned = [each for each in quotas if in_scope(_spec(each), weight)]
        for quota in concerned:  # what cannot be counted at all is told before what is too much
            if kind == ("", "pods") and (missing := unspecified(_spec(quota).hard, attributes.obj)):
                raise self._refused(attributes, f"failed quota: {quota['metadata']['name']}: must specify {missing}")
        charges = [(quota, delta) for quota in concerned if (delta := self._charge(quota, kind, weight, attributes))]
        if attributes.dry_run:
            return
        for quota, delta in charges:  # all of them have room: no await between the look and this
            key = (attributes.namespace, quota["metadata"]["name"])
            self._pending.setdefault(key, []).append(delta)
            attributes.on_finish.append(partial(self._settle, key, delta))
        for quota, _ in charges:
            await self._record(quota)

    def _charge(self, quota: Object, kind: Kind, weight: Weight, attributes: Attributes) -> Usage:
        """What the write adds to the quota.  Raises StatusError 403 when there is no room."""
        spec, name, old = _spec(quota), quota["metadata"]["name"], attributes.old
        hard = spec.hard
        former = weigh(kind, old) if old is not None else None
        before = former.usage if former is not None and in_scope(spec, former) else {}
        after = weight.usage
        delta = {each: after[each] - before.get(each, ZERO) for each in sorted(after) if each in hard}
        delta = {each: amount for each, amount in delta.items() if amount > ZERO}
        if not delta:
            return {}
        used = self._used(quota, spec, [kind])
        over = [each for each in delta if parse(hard[each]) < used.get(each, ZERO) + delta[each]]
        if over:
            told = [
                ",".join(f"{each}={amounts.get(each, ZERO)}" for each in over)
                for amounts in (delta, used, {each: parse(hard[each]) for each in over})
            ]
            raise self._refused(attributes, f"exceeded quota: {name}, requested: {told[0]}, used: {told[1]}, limited: {told[2]}")
        return delta

    def _settle(self, key: tuple[str, str], delta: Usage, success: bool) -> None:
        """The write is done: the caches have it, or it never was."""
        pending = self._pending[key]
        pending.remove(delta)
        if not pending:
            del self._pending[key]

    @staticmethod
    def _refused(attributes: Attributes, why: str) -> errors.StatusError:
        return errors.forbidden(attributes.resource.group, attributes.resource.plural, attributes.name, why)

    # -- usage -------------------------------------------------------------------------------------

    def _used(self, quota: Object, spec: ResourceQuotaSpec, kinds: Iterable[Kind]) -> Usage:
        """What the objects of `kinds` use of the quota, by the caches, and all that is on its way."""
        meta, now = quota["metadata"], self._server.clock.time()
        total: Usage = {}
        for kind in kinds:
            for cached in self._server.cached_list(*kind, meta["namespace"]):
                weight = _weight(kind, cached)
                if in_scope(spec, weight):
                    add(total, weight.at(now), spec.hard)
        for pending in self._pending.get((meta["namespace"], meta["name"]), ()):
            add(total, pending, spec.hard)
        return total

    async def _record(self, quota: Object) -> None:
        """Write what is used now into the quota's status."""
        spec, meta = _spec(quota), quota["metadata"]
        served = kinds_of(spec.hard)
        used = self._used(quota, spec, [kind for kind in self._server.kinds() if kind in served])
        status = {"hard": spec.hard, "used": {name: str(used.get(name, ZERO)) for name in spec.hard}}
        await self._server.write_status("", "resourcequotas", meta["namespace"], meta["name"], status)


def _spec(quota: Object) -> ResourceQuotaSpec:
    return msgspec.convert(quota.get("spec") or {}, ResourceQuotaSpec, strict=False)


def _weight(kind: Kind, cached: CachedObject) -> Weight:
    """Remembered with the object version."""
    found: Weight | None = cached.memo.get("quota weight")
    if found is None:
        found = weigh(kind, decode_json(cached.value) if kind in TYPED else None)
        cached.memo["quota weight"] = found
    return found

"""ResourceQuota: nothing is made that a namespace's quotas have no room for.

Usage is summed from the caches, with what is admitted but not yet written; the quota's status is brought up
to date on the way.  https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from functools import partial

from wherry.api.resource import Object
from wherry.apimachinery import errors
from wherry.apimachinery.quantity import Quantity, parse
from wherry.apiserver.admission.interface import Attributes, Writer
from wherry.apiserver.admission.quotausage import CLASSIC, Usage, count_name, in_scope, unspecified, usage_of
from wherry.apiserver.codec import decode_json
from wherry.storage.cached import CachedObject

ZERO = Quantity()
_UPDATES = ("services", "persistentvolumeclaims")  # kinds whose usage changes with a write of the object itself
_SERVICES = ("services.nodeports", "services.loadbalancers")
Kind = tuple[str, str]  # group and plural


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

    async def admit(self, attributes: Attributes) -> None:
        return None

    async def validate(self, attributes: Attributes) -> None:
        for cached in self._server.cached_list("", "resourcequotas", attributes.namespace):
            quota: Object = decode_json(cached.value)
            delta = self._charge(quota, attributes)
            if delta and not attributes.dry_run:
                await self._record(quota)

    def _charge(self, quota: Object, attributes: Attributes) -> Usage:
        """What the write adds to the quota, set aside until it is done.  Raises StatusError 403 when there is no room."""
        resource, obj, old = attributes.resource, attributes.obj, attributes.old
        assert obj is not None
        hard, name = quota["spec"].get("hard") or {}, quota["metadata"]["name"]
        if not in_scope(quota, resource.plural, obj):
            return {}
        if resource.plural == "pods" and not resource.group and (missing := unspecified(hard, obj)):
            raise self._refused(attributes, f"failed quota: {name}: must specify {missing}")
        kind = (resource.group, resource.plural)
        before = usage_of(*kind, old) if old is not None else {}
        after = usage_of(*kind, obj)
        delta = {each: after[each] - before.get(each, ZERO) for each in sorted(after) if each in hard}
        delta = {each: amount for each, amount in delta.items() if amount > ZERO}
        if not delta:
            return {}
        key = (attributes.namespace, name)
        used = self._used(quota, [kind])
        over = [each for each in delta if parse(str(hard[each])) < used.get(each, ZERO) + delta[each]]
        if over:
            told = [
                ",".join(f"{each}={amounts.get(each, ZERO)}" for each in over)
                for amounts in (delta, used, {each: parse(str(hard[each])) for each in over})
            ]
            raise self._refused(attributes, f"exceeded quota: {name}, requested: {told[0]}, used: {told[1]}, limited: {told[2]}")
        if not attributes.dry_run:
            self._pending.setdefault(key, []).append(delta)
            attributes.on_finish.append(partial(self._settle, key, delta))
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

    def _used(self, quota: Object, kinds: Iterable[Kind]) -> Usage:
        """What the objects of `kinds` use of the quota, by the caches, and all that is on its way."""
        hard, meta = quota["spec"].get("hard") or {}, quota["metadata"]
        total: Usage = {}
        for kind in kinds:
            for cached in self._server.cached_list(*kind, meta["namespace"]):
                if not _scoped(quota) or in_scope(quota, kind[1], decode_json(cached.value)):
                    _add(total, _usage(kind, cached), hard)
        for pending in self._pending.get((meta["namespace"], meta["name"]), ()):
            _add(total, pending, hard)
        return total

    async def _record(self, quota: Object) -> None:
        """Write what is used now into the quota's status."""
        hard, meta = quota["spec"].get("hard") or {}, quota["metadata"]
        used = self._used(quota, [kind for kind in self._server.kinds() if _counts(hard, kind)])
        status = {"hard": hard, "used": {name: str(used.get(name, ZERO)) for name in hard}}
        await self._server.write_status("", "resourcequotas", meta["namespace"], meta["name"], status)


def _add(total: Usage, more: Usage, names: Container[str]) -> None:
    for name, amount in more.items():
        if name in names:
            total[name] = total.get(name, ZERO) + amount


def _scoped(quota: Object) -> bool:
    return bool(quota["spec"].get("scopes") or quota["spec"].get("scopeSelector"))


def _usage(kind: Kind, cached: CachedObject) -> Usage:
    """Remembered with the object version."""
    found: Usage | None = cached.memo.get("quota usage")
    if found is None:
        found = cached.memo["quota usage"] = usage_of(*kind, decode_json(cached.value))
    return found


def _counts(hard: Iterable[str], kind: Kind) -> bool:
    """Whether a quota with these names counts anything of objects of `kind`."""
    group, plural = kind
    return any(name == count_name(group, plural) or (not group and _owner(name) == plural) for name in hard)


def _owner(name: str) -> str:
    """The kind, of the core group, that a quota's name is about ("": another `count/`)."""
    if name.startswith("count/"):
        return ""
    if name in CLASSIC or name == "pods":
        return name
    if name in _SERVICES:
        return "services"
    if name == "requests.storage" or ".storageclass.storage.k8s.io/" in name:
        return "persistentvolumeclaims"
    return "pods"


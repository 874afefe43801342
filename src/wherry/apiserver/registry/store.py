"""The generic registry: create, update, patch and delete of any resource over the storage.

Upstream's `registry.Store`.  Writes are optimistic: read the newest version (one that is still on its
way to disk counts), change, admit, validate, compare-and-swap; who loses starts again.  No lock is
held across admission, which may await a webhook that writes the same object.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from wherry.api.registry import storage_prefix
from wherry.api.resource import Object, Resource
from wherry.apimachinery import errors
from wherry.apimachinery.errors import Cause, StatusError
from wherry.apimachinery.fielderrors import invalid
from wherry.apimachinery.managedfields import same_but_for_times
from wherry.apimachinery.validation import validate_object_meta, validate_object_meta_update
from wherry.apiserver.admission.interface import Attributes, Chain
from wherry.apiserver.call import Call
from wherry.apiserver.codec import decode_json, encode_stored, with_revision, without_revision
from wherry.apiserver.endpoints.watch import Outbox
from wherry.apiserver.registry import deletion
from wherry.apiserver.registry.managed import STATUS_WRITES, Codecs, manage_update, reset_fields
from wherry.apiserver.registry.names import generate_name, new_uid
from wherry.storage.cached import CachedObject
from wherry.storage.cacher import Cacher
from wherry.storage.interface import Entry, KeyExists, KeyMissing, RevisionMismatch, Storage, StorageFull
from wherry.util.clock import rfc3339

MAX_TRIES = 64
MAX_OBJECT_BYTES = 3 << 20
Finish = Callable[[bool], None]
Transform = Callable[[Object | None], Object | Awaitable[Object]]


class Hook(Protocol):
    """What a kind does beside its strategy, for which it needs more than the object: allocations.

    Upstream's BeginCreate, BeginUpdate and AfterDelete.
    """

    async def begin_create(self, call: Call, obj: Object) -> Finish | None:
        """May change `obj`; what it returns is called when the write is done, with whether it came to be."""
        ...

    async def begin_update(self, call: Call, obj: Object, old: Object) -> Finish | None: ...

    def after_delete(self, obj: Object) -> None: ...


class Written:
    """The outcome of a write: the object in the hub's form, its bytes, and how it was reached."""

    __slots__ = ("created", "deleted", "dry", "obj", "revision", "value")

    def __init__(
        self, obj: Object, value: bytes, revision: int, *, created: bool = False, deleted: bool = False, dry: bool = False
    ) -> None:
        self.obj, self.value, self.revision = obj, value, revision
        self.created, self.deleted = created, deleted
        self.dry = dry  # nothing was written


class _Overtaken(Exception):
    """An object that a delete had marked was written or removed by another before the delete was through."""

    def __init__(self, written: Written) -> None:
        self.written = written


class Store:
    """All writes of one resource."""

    def __init__(self, resource: Resource, storage: Storage, cacher: Cacher, chain: Chain, codecs: Codecs) -> None:
        self.resource = resource
        self.storage = storage
        self.cacher = cacher
        self.chain = chain
        self.codecs = codecs
        self.prefix = storage_prefix(resource)
        self.hooks: list[Hook] = []
        self.outbox = Outbox()
        self.has_status = any(s.name == "status" for s in resource.subresources)

    # -- reading ---------------------------------------------------------------------------------

    def key(self, namespace: str, name: str) -> str:
        return f"{self.prefix}{namespace}/{name}" if self.resource.namespaced else f"{self.prefix}{name}"

    def cached(self, namespace: str, name: str) -> CachedObject | None:
        return self.cacher.get(namespace, name)

    def require(self, namespace: str, name: str) -> CachedObject:
        """The newest durable version.  Raises StatusError 404."""
        found = self.cacher.get(namespace, name)
        if found is None:
            raise self.missing(name)
        return found

    def missing(self, name: str) -> StatusError:
        return errors.not_found(self.resource.group, self.resource.plural, name)

    def newest(self, namespace: str, name: str) -> Entry | None:
        """The newest version, one not yet on disk included; a write based on it fails if that one does."""
        key = self.key(namespace, name)
        pending = self.storage.pending(key)
        if pending is not None:
            return pending
        cached = self.cacher.get(namespace, name)
        if cached is None:
            return None
        return Entry(key, without_revision(cached.value, cached.revision), cached.revision, 0)

    # -- create ----------------------------------------------------------------------------------

    async def create(self, call: Call, obj: Object, *, applied: bool = False) -> Written:
        """Store a new object (hub form).  `applied`: its managedFields are settled.  Raises StatusError."""
        strategy, meta = self.resource.strategy, obj.setdefault("metadata", {})
        managed = meta.get("managedFields") if applied else None
        self._begin_meta(call, obj, meta)
        if managed:
            meta["managedFields"] = managed
        strategy.default(obj)
        for attempt in range(8):
            if generated := bool(meta.get("generateName")) and (not meta.get("name") or attempt > 0):
                meta["name"] = generate_name(meta["generateName"])
            spec = obj.get("spec")
            try:
                return await self._try_create(call, obj, applied)
            except KeyExists:
                if not generated or attempt == 7:
                    raise errors.already_exists(self.resource.group, self.resource.plural, meta.get("name", "")) from None
                if spec is not None:
                    obj["spec"] = spec  # a strategy that adds to it does so to a copy, and anew for another name
        raise AssertionError("unreachable")

    def _begin_meta(self, call: Call, obj: Object, meta: dict[str, Any]) -> None:
        if meta.get("resourceVersion"):
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        for name in ("selfLink", "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "generation"):
            meta.pop(name, None)
        meta["uid"] = new_uid()
        meta["creationTimestamp"] = rfc3339(call.now)
        if self.resource.namespaced:
            meta["namespace"] = call.info.namespace
        else:
            meta.pop("namespace", None)
        if self.resource.strategy.has_generation:
            meta["generation"] = 1

    async def _try_create(self, call: Call, obj: Object, applied: bool) -> Written:
        strategy, meta = self.resource.strategy, obj["metadata"]
        if not applied:
            manage_update(call, self.codecs, None, obj)  # before admission: what that sets has no owner
        attributes = self._attributes(call, "CREATE", obj, None)
        await self.chain.admit(attributes)
        strategy.prepare_for_create(obj)
        finish = [f for hook in self.hooks if (f := await hook.begin_create(call, obj))]
        written: Written | None = None
        try:
            self._refuse(obj, [*self._meta_errors(obj), *strategy.validate(obj), *strategy.validate_create(obj),
                               *call.codec.version.validate_create(obj)])
            await self.chain.validate(attributes)
            for text in (*strategy.warnings_on_create(obj), *strategy.warnings(obj)):
                call.warn(text)
            value, key = self._encode(obj), self.key(meta.get("namespace", ""), meta["name"])
            if call.dry_run:
                if self.cacher.get(meta.get("namespace", ""), meta["name"]) is not None:
                    raise KeyExists
                return Written(obj, value, 0, created=True, dry=True)
            entry = await self._put(self.storage.create(key, value, self.resource.ttl))
            written = Written(obj, value, entry.revision, created=True)
            return written
        finally:
            for each in (*finish, *attributes.on_finish):
                each(written is not None)

    # -- update ----------------------------------------------------------------------------------

    async def update(
        self,
        call: Call,
        namespace: str,
        name: str,
        transform: Transform,
        *,
        create_missing: bool = False,
        unconditional: bool = True,
        applied: bool = False,
        trusted: bool = False,
    ) -> Written:
        """Replace the object by `transform(old)` (hub form, may be changed in place), again until nobody was faster.

        A `resourceVersion` in the result must be the current one, else 409.  `applied`: the result's
        managedFields are settled (server-side apply does its own, a binding has no owner).  A `trusted` transform is the
        server's own (binding, finalize): it may change what clients may not, in place the object and the maps in it
        (metadata, spec, status) alone, for what is below those is not copied; and it leaves nothing to default.
        """
        for _ in range(MAX_TRIES):
            entry = self.newest(namespace, name)
            if entry is None:
                if not create_missing:
                    raise self.missing(name)
                made = transform(None)
                obj = made if isinstance(made, dict) else await made
                obj.setdefault("metadata", {}).setdefault("name", name)
                return await self.create(call, obj, applied=applied)
            try:
                return await self._try_update(call, entry, transform, applied, trusted)
            except (RevisionMismatch, KeyMissing):
                if not unconditional:
                    raise errors.conflict(self.resource.group, self.resource.plural, name) from None
                await self._settle(entry.key)
        raise errors.conflict(self.resource.group, self.resource.plural, name)

    async def _try_update(
        self, call: Call, entry: Entry, transform: Transform, applied: bool, trusted: bool
    ) -> Written:
        old: Object = decode_json(entry.value)
        base: Object = _with_own_maps(old) if trusted else decode_json(entry.value)
        base["metadata"]["resourceVersion"] = str(entry.revision)
        made = transform(base)
        obj = made if isinstance(made, dict) else await made
        self._check_identity(obj, old, entry.revision)
        if not trusted:
            self.resource.strategy.default(obj)
        if not applied:
            if view := self.resource.strategy.views.get(call.subresource):
                view.keep(obj, old)  # what it cannot change has no new owner
            manage_update(call, self.codecs, old, obj)
        attributes = self._attributes(call, "UPDATE", obj, old)
        await self.chain.admit(attributes)
        if not trusted:
            self._before_update(call, obj, old)
        finish = [f for hook in self.hooks if (f := await hook.begin_update(call, obj, old))]
        written: Written | None = None
        try:
            if not trusted:
                self._validate_update(call, obj, old)
            await self.chain.validate(attributes)
            if same_but_for_times(obj, old):
                return await self._unchanged(old, entry)
            value = self._encode(obj)
            if call.dry_run:
                return Written(obj, value, entry.revision, dry=True)
            if deletion.is_finished(obj):
                gone = await self._put(self.storage.delete(entry.key, entry.revision))
                self._deleted(old)
                return Written(obj, value, gone.revision, deleted=True)
            changed = await self._put(self.storage.update(entry.key, value, entry.revision, self.resource.ttl))
            written = Written(obj, value, changed.revision)
            return written
        finally:
            for each in (*finish, *attributes.on_finish):
                each(written is not None)

    async def _unchanged(self, obj: Object, entry: Entry) -> Written:
        """Nothing to write; but an answer must not tell of a version that is not yet on disk."""
        await self._settle(entry.key)
        return Written(obj, entry.value, entry.revision)

    def _check_identity(self, obj: Object, old: Object, revision: int) -> None:
        meta, old_meta = obj.setdefault("metadata", {}), old["metadata"]
        given = meta.pop("resourceVersion", "") or "0"
        if given == "0" and not self.resource.strategy.allow_unconditional_update:
            cause = invalid("metadata.resourceVersion", 0, "must be specified for an update")
            raise errors.invalid(self.resource.group, self.resource.kind, old_meta["name"], [cause])
        if given not in ("0", str(revision)):
            raise errors.conflict(self.resource.group, self.resource.plural, old_meta["name"])
        uid = meta.get("uid")
        if uid and uid != old_meta["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old_meta['uid']}"
            raise errors.conflict(self.resource.group, self.resource.plural, old_meta["name"], why)
        for name in ("uid", "creationTimestamp", "generation", "namespace", "name", "deletionTimestamp", "deletionGracePeriodSeconds"):
            if name in old_meta:
                if name in ("name", "namespace") and meta.get(name, old_meta[name]) != old_meta[name]:
                    continue  # left to validation, which says that it is immutable
                meta[name] = old_meta[name]
            else:
                meta.pop(name, None)
        meta.pop("selfLink", None)
        obj["kind"], obj["apiVersion"] = old["kind"], old["apiVersion"]

    def _before_update(self, call: Call, obj: Object, old: Object) -> None:
        """Keep apart what the main resource and its status may change; count the generation."""
        strategy = self.resource.strategy
        view = strategy.views.get(call.subresource)
        if view is not None:
            view.keep(obj, old)
        elif call.subresource in STATUS_WRITES:
            _restore(obj, old, reset_fields(self.resource, call.subresource))
            return
        else:
            _restore(obj, old, reset_fields(self.resource, ""))
            strategy.prepare_for_update(obj, old)
        annotations = strategy.annotations_count and obj["metadata"].get("annotations") != old["metadata"].get("annotations")
        if strategy.has_generation and (annotations or _changed_outside_status(obj, old)):
            obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1

    def _validate_update(self, call: Call, obj: Object, old: Object) -> None:
        strategy = self.resource.strategy
        causes = [*self._meta_errors(obj), *validate_object_meta_update(obj["metadata"], old["metadata"])]
        if call.subresource in STATUS_WRITES:
            causes += strategy.validate_status(obj, old)
        else:
            view = strategy.views.get(call.subresource)
            causes += strategy.validate(obj)
            causes += (view or strategy).validate_update(obj, old)
            causes += call.codec.version.validate_update(obj, old)
            for text in strategy.warnings(obj):
                call.warn(text)
        self._refuse(obj, causes)

    # -- delete ----------------------------------------------------------------------------------

    async def delete(self, call: Call, namespace: str, name: str, options: deletion.DeleteOptions) -> Written:
        """Delete, or begin to: an object with finalizers or a grace period is only marked.  Raises StatusError.

        Who sees the mark (a kubelet) may take the object away before this does: then it is done all the same.
        """
        begun: Written | None = None
        for _ in range(MAX_TRIES):
            entry = self.newest(namespace, name)
            if entry is None:
                if begun is not None:
                    return begun
                raise self.missing(name)
            obj: Object = decode_json(entry.value)
            if begun is not None and obj["metadata"]["uid"] != begun.obj["metadata"]["uid"]:
                return begun  # another one of its name
            deletion.check_preconditions(self.resource, obj, entry.revision, options)
            await self.chain.admit(self._attributes(call, "DELETE", None, obj, name))
            await self.chain.validate(self._attributes(call, "DELETE", None, obj, name))
            try:
                return await self._try_delete(call, entry, obj, deletion.with_default_policy(options, obj, call.codec.version))
            except _Overtaken as overtaken:
                begun = overtaken.written
            except (RevisionMismatch, KeyMissing):
                await self._settle(entry.key)
        raise errors.conflict(self.resource.group, self.resource.plural, name)

    async def _try_delete(self, call: Call, entry: Entry, obj: Object, options: deletion.DeleteOptions) -> Written:
        step = deletion.plan(self.resource, obj, options, call.now)
        if step == deletion.Step.NOTHING:
            return await self._unchanged(obj, entry)
        if step == deletion.Step.MARK:
            value = self._encode(obj)
            if call.dry_run:
                return Written(obj, value, entry.revision, dry=True)
            written = await self._put(self.storage.update(entry.key, value, entry.revision, self.resource.ttl))
            return Written(obj, value, written.revision)
        if call.dry_run:
            return Written(obj, self._encode(obj), entry.revision, deleted=True, dry=True)
        value, revision = self._encode(obj), entry.revision
        if self.resource.strategy.graceful and value != entry.value:
            # Upstream marks what it can take away at once, too: watchers see the Pod go, with no grace left.
            revision = (await self._put(self.storage.update(entry.key, value, revision, self.resource.ttl))).revision
        try:
            gone = await self._put(self.storage.delete(entry.key, revision))
        except (RevisionMismatch, KeyMissing):
            await self._settle(entry.key)
            if revision == entry.revision:
                raise
            raise _Overtaken(Written(obj, value, revision, deleted=True)) from None
        self._deleted(obj)
        return Written(obj, value, gone.revision, deleted=True)

    # -- shared ----------------------------------------------------------------------------------

    def _deleted(self, obj: Object) -> None:
        for hook in self.hooks:
            hook.after_delete(obj)

    def _attributes(self, call: Call, operation: str, obj: Object | None, old: Object | None, name: str = "") -> Attributes:
        meta = (obj or old or {}).get("metadata", {})
        return Attributes(
            operation, self.resource, call.info.namespace, name or meta.get("name", ""), call.subresource, obj, old,
            call.user, call.dry_run, warnings=call.warnings,
        )

    def _meta_errors(self, obj: Object) -> list[Cause]:
        return validate_object_meta(obj["metadata"], namespaced=self.resource.namespaced, name_rule=self.resource.name_rule)

    def _refuse(self, obj: Object, causes: list[Cause]) -> None:
        if causes:
            raise errors.invalid(self.resource.group, self.resource.kind, obj["metadata"].get("name", ""), causes)

    def _encode(self, obj: Object) -> bytes:
        value = encode_stored(obj)
        if len(value) > MAX_OBJECT_BYTES:
            raise StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {MAX_OBJECT_BYTES}")
        return value

    async def _put(self, write: Awaitable[Entry]) -> Entry:
        """Await a staged write; the cache has it when this returns (storage publishes before it answers)."""
        try:
            return await write
        except StorageFull as error:
            raise _full(error) from None

    async def _settle(self, key: str) -> None:
        try:
            await self.storage.settle(key)
        except StorageFull as error:
            raise _full(error) from None

    def shown(self, written: Written) -> CachedObject | bytes:
        """The written version as the cache holds it (its encodings are shared), or as bytes."""
        meta = written.obj["metadata"]
        found = self.cacher.get(meta.get("namespace", ""), meta["name"])
        if found is not None and found.revision == written.revision and not (written.deleted or written.dry):
            return found
        return with_revision(written.value, written.revision) if written.revision else written.value


def _full(error: StorageFull) -> StatusError:
    return StatusError(507, "InsufficientStorage", f"the store cannot write: {error}")


def _with_own_maps(obj: Object) -> Object:
    """A copy whose fields that are maps are copies too; what is in these is shared."""
    return {key: dict(value) if type(value) is dict else value for key, value in obj.items()}


def _changed_outside_status(obj: Object, old: Object) -> bool:
    ignored = ("metadata", "status", "kind", "apiVersion")
    keys = {k for k in (*obj, *old) if k not in ignored}
    return any(obj.get(k) != old.get(k) for k in keys)


def _restore(obj: Object, old: Object, paths: tuple[str, ...]) -> None:
    """Put back what is at the dotted `paths` (of one or two steps); shared with `old`, which nobody changes."""
    for path in paths:
        above, _, last = path.rpartition(".")
        here, before = (obj[above], old[above]) if above else (obj, old)
        if last in before:
            here[last] = before[last]
        else:
            here.pop(last, None)

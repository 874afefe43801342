"""The watch cache of one resource (upstream's cacher): every read of the API but an old list is answered here.

It follows the storage's commits in the same turn of the loop that makes them visible, before their
writers are answered, so a read never misses what an answer told.  An object version's bytes are
made once, with its revision in them, and shared by GET, LIST and every watcher.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wherry.api.registry import storage_prefix
from wherry.api.resource import Resource
from wherry.apimachinery.fields import FieldSelector
from wherry.apimachinery.labels import Selector
from wherry.apimachinery.narrow import narrow
from wherry.storage.cached import CachedObject, CachedObjects, History, WatchEvent, WatchEvents
from wherry.storage.index import INDEXED_FIELDS, Index, Term
from wherry.storage.interface import Change, Compacted, Entry, FutureRevision, Storage
from wherry.storage.subscriptions import OnEvents, Subscription, Subscriptions, audience_of

__all__ = ["CachedObject", "Cacher", "Subscription", "WatchEvent"]

LOAD_PAGE = 2000  # entries

Encode = Callable[[bytes, int], bytes]


class Cacher:
    """Open with `await Cacher.open(…)`.  All of it runs on the loop; only `open` and `wait_until_fresh` wait."""

    def __init__(self, storage: Storage, resource: Resource, encode: Encode) -> None:
        self._storage = storage
        self._prefix = prefix = storage_prefix(resource)
        self._fields = [(name, field.get) for name, field in resource.selectable_fields.items()]
        self._read = narrow(["metadata.labels", *(path for field in resource.selectable_fields.values() for path in field.reads)])
        self._encode = encode
        self._index = Index()
        self._history = History(0)
        self._subscriptions = Subscriptions()
        self._early: list[Change] | None = []  # heard while loading
        self._unsubscribe = storage.subscribe(prefix, self._on_changes)

    @classmethod
    async def open(cls, storage: Storage, resource: Resource, encode: Encode) -> Cacher:
        """Load what the storage holds of `resource` and follow it from there.

        `encode` gives the bytes that clients see of a stored value and its revision.
        """
        cacher = cls(storage, resource, encode)
        try:
            await cacher._load()
        except BaseException:
            cacher.close()
            raise
        return cacher

    def close(self) -> None:
        """Drop every watcher and hear no more."""
        self._unsubscribe()
        self._subscriptions.drop_all()

    @property
    def revision(self) -> int:
        """The newest revision of the whole store: all of it that concerns this resource is in the cache."""
        return self._storage.revision

    @property
    def count(self) -> int:
        """How many objects there are."""
        return len(self._index)

    @property
    def watchers(self) -> int:
        """How many follow the resource."""
        return len(self._subscriptions)

    @property
    def oldest(self) -> int:
        """The oldest revision that can be watched from."""
        return self._history.oldest

    async def wait_until_fresh(self, revision: int) -> None:
        """Return once the cache shows `revision`."""
        await self._storage.wait_for(revision)

    # Reading

    def get(self, namespace: str, name: str) -> CachedObject | None:
        return self._index.get(f"{namespace}/{name}" if namespace else name)

    def list(self, namespace: str = "", labels: Selector | None = None, fields: FieldSelector | None = None) -> CachedObjects:
        """In key order, those in `namespace` ("": all) that may match: what no index can tell is left to the caller."""
        required: list[Term] = []
        if labels is not None:
            if labels.nothing:
                return []
            required += [Term("label", key, value) for key, value in labels.exact]
        if fields is not None:
            exact = ((name, fields.exact(name)) for name in INDEXED_FIELDS)
            required += [Term("field", name, value) for name, value in exact if value is not None]
        return self._index.list(namespace, required)

    def describe(self, entry: Entry, value: bytes) -> CachedObject:
        """An object version that is not, or no longer, in the cache.  `value` has its resourceVersion."""
        labels, fields = self._extract(value)
        return self._cached(entry.key, entry.revision, value, labels, fields)

    # Watching

    def subscribe(
        self,
        revision: int,
        namespace: str,
        on_events: OnEvents,
        on_dropped: Callable[[], None],
        field: tuple[str, str] | None = None,
    ) -> Subscription:
        """Call `on_events` with every event after `revision` in `namespace` ("": all): those of the past before this
        returns, later ones a commit at a time.  It must not wait; what it filters or sends is its own business.

        `field`, a name and the value that it must have, spares it the calls where there is an index; it is
        still told when an object gets or loses that value.  `on_dropped` is called if the cache ends the
        subscription.  Raises Compacted, FutureRevision.
        """
        if revision > self.revision:
            raise FutureRevision(self.revision)
        past = [event for event in self._history.after(revision) if not namespace or event.object.namespace == namespace]
        subscription = self._subscriptions.add(audience_of(namespace, field), on_events, on_dropped)
        if past:
            subscription.deliver(past)
        return subscription

    # Following the storage

    async def _load(self) -> None:
        while not await self._try_load():
            self._index = Index()

    async def _try_load(self) -> bool:
        """False when the revision being read was compacted meanwhile."""
        revision, after = self._storage.revision, ""
        try:
            while True:
                page = await self._storage.list(self._prefix, revision=revision, start_after=after, limit=LOAD_PAGE)
                for entry in page.entries:
                    self._index.put(entry.key[len(self._prefix) :], self._from_stored(entry.key, entry.value, entry.revision))
                if not page.more:
                    break
                after = page.entries[-1].key
        except Compacted:
            return False
        self._history = History(revision)
        early, self._early = self._early or [], None
        self._history.add([self._apply(change) for change in early if change.revision > revision])
        return True

    def _on_changes(self, changes: Sequence[Change]) -> None:
        if self._early is not None:
            self._early += changes
            return
        events: WatchEvents = [self._apply(change) for change in changes]
        self._history.add(events)
        self._subscriptions.publish(events)

    def _apply(self, change: Change) -> WatchEvent:
        key = change.key[len(self._prefix) :]
        if change.deleted:
            previous = self._index.pop(key)
            assert previous is not None, f"the cache has missed {change.key}"
            value = self._encode(change.value, change.revision)
            obj = self._cached(change.key, change.revision, value, previous.labels, previous.fields)
            return WatchEvent("DELETED", obj, previous, change.revision)
        obj = self._from_stored(change.key, change.value, change.revision)
        previous = self._index.put(key, obj)
        return WatchEvent("MODIFIED" if previous is not None else "ADDED", obj, previous, change.revision)

    def _from_stored(self, key: str, value: bytes, revision: int) -> CachedObject:
        labels, fields = self._extract(value)
        return self._cached(key, revision, self._encode(value, revision), labels, fields)

    def _cached(self, key: str, revision: int, value: bytes, labels: dict[str, str], fields: dict[str, str]) -> CachedObject:
        namespace, _, name = key[len(self._prefix) :].rpartition("/")
        return CachedObject(key, namespace, name, revision, value, labels, fields, {})

    def _extract(self, value: bytes) -> tuple[dict[str, str], dict[str, str]]:
        obj = self._read(value)
        return obj["metadata"].get("labels") or {}, {name: get(obj) for name, get in self._fields}

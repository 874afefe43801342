"""What an informer knows: objects by key, and indexes over them.  Reads never wait and never copy."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from wherry.apimachinery.labels import Selector

T = TypeVar("T")
Indexer = Callable[[Any], Iterable[str]]


def key_of(obj: Any) -> str:
    """`namespace/name`, or `name` for what is cluster-scoped."""
    metadata = obj.metadata
    return f"{metadata.namespace}/{metadata.name}" if metadata.namespace else str(metadata.name)


def split_key(key: str) -> tuple[str, str]:
    """The namespace (empty when cluster-scoped) and the name."""
    namespace, _, name = key.rpartition("/")
    return namespace, name


def by_namespace(obj: Any) -> Iterable[str]:
    return (obj.metadata.namespace,)


def by_controller_uid(obj: Any) -> Iterable[str]:
    """The uid of the controlling owner; empty for what nobody controls."""
    for ref in obj.metadata.owner_references:
        if ref.controller:
            return (ref.uid,)
    return ("",)


class Store(Generic[T]):
    """Objects by key.  Every index is exact after every call: `index[name][value]` holds the keys of that value."""

    def __init__(self) -> None:
        self._objects: dict[str, T] = {}
        self._indexers: dict[str, Indexer] = {"namespace": by_namespace}
        self._indexes: dict[str, dict[str, dict[str, None]]] = {"namespace": {}}  # inner dicts are ordered sets

    def add_indexer(self, name: str, indexer: Indexer) -> None:
        """Index by what `indexer` gives of an object.  Adding the same one again does nothing."""
        if self._indexers.get(name) is indexer:
            return
        if name in self._indexers:
            raise ValueError(f"another index has the name {name}")
        self._indexers[name] = indexer
        index = self._indexes[name] = {}
        for key, obj in self._objects.items():
            for value in indexer(obj):
                index.setdefault(value, {})[key] = None

    def put(self, obj: T) -> T | None:
        """Add or replace; gives what was there."""
        key = key_of(obj)
        old = self._objects.get(key)
        self._objects[key] = obj
        for name, indexer in self._indexers.items():
            after = tuple(indexer(obj))
            if old is not None:
                before = tuple(indexer(old))
                if before == after:  # as most changes
                    continue
                self._unindex(name, key, [value for value in before if value not in after])
            index = self._indexes[name]
            for value in after:
                index.setdefault(value, {}).setdefault(key)
        return old

    def remove(self, key: str) -> T | None:
        old = self._objects.pop(key, None)
        if old is not None:
            for name, indexer in self._indexers.items():
                self._unindex(name, key, indexer(old))
        return old

    def _unindex(self, name: str, key: str, values: Iterable[str]) -> None:
        index = self._indexes[name]
        for value in values:
            keys = index.get(value)
            if keys is not None:
                keys.pop(key, None)
                if not keys:
                    del index[value]

    def get(self, name: str, namespace: str = "") -> T | None:
        return self._objects.get(f"{namespace}/{name}" if namespace else name)

    def get_by_key(self, key: str) -> T | None:
        return self._objects.get(key)

    def keys(self) -> list[str]:
        return list(self._objects)

    def list(self, namespace: str = "", selector: Selector | None = None) -> list[T]:
        """Objects of a namespace (or of all) whose labels match."""
        found: Iterable[T] = self.by_index("namespace", namespace) if namespace else self._objects.values()
        if selector is None:
            return list(found)
        return [obj for obj in found if selector.matches(obj.metadata.labels)]  # type: ignore[attr-defined]

    def by_index(self, name: str, value: str) -> builtins.list[T]:
        return [self._objects[key] for key in self._indexes[name].get(value, ())]

    def has(self, name: str, value: str) -> bool:
        """Whether `by_index` would give anything."""
        return value in self._indexes[name]

    def index_values(self, name: str) -> builtins.list[str]:
        """Every value that at least one object has."""
        return list(self._indexes[name])

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._objects.values()))

    def __len__(self) -> int:
        return len(self._objects)

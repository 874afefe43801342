"""The cached objects of a resource, found by key, namespace, label or field without looking at the others."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from wherry.storage.cached import CachedObject, CachedObjects

INDEXED_FIELDS = ("spec.nodeName",)
"""As upstream's: what each of thousands of node agents asks for.  Others are compared object by object."""


class Term(NamedTuple):
    """A label or field that must have this value."""

    kind: str  # "label" or "field"
    name: str
    value: str


class Index:
    """Keys are those of the storage without the resource's prefix: `namespace/name`, or `name`."""

    def __init__(self) -> None:
        self._objects: dict[str, CachedObject] = {}
        self._keys: list[str] = []  # sorted, so a namespace's are a range of it
        self._terms: dict[Term, set[str]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, key: str) -> CachedObject | None:
        return self._objects.get(key)

    def put(self, key: str, obj: CachedObject) -> CachedObject | None:
        """Add or replace; returns what was there."""
        previous = self._objects.get(key)
        self._objects[key] = obj
        if previous is None:
            if not self._keys or key > self._keys[-1]:
                self._keys.append(key)
            else:
                insort(self._keys, key)
            self._add(key, terms(obj))
        elif previous.labels != obj.labels or any(previous.fields.get(name) != obj.fields.get(name) for name in INDEXED_FIELDS):
            old, new = set(terms(previous)), set(terms(obj))
            self._remove(key, old - new)
            self._add(key, new - old)
        return previous

    def pop(self, key: str) -> CachedObject | None:
        previous = self._objects.pop(key, None)
        if previous is not None:
            del self._keys[bisect_left(self._keys, key)]
            self._remove(key, terms(previous))
        return previous

    def list(self, namespace: str, required: list[Term]) -> CachedObjects:
        """In key order: those in `namespace` ("": all) that have every required term."""
        objects = self._objects
        if not objects:
            return []
        if required:
            smallest, *others = sorted((self._terms.get(term, set()) for term in required), key=len)
            keys = smallest.intersection(*others) if others else smallest
            if namespace:
                keys = {key for key in keys if key.startswith(f"{namespace}/")}
            return [objects[key] for key in sorted(keys)]
        if not namespace:
            return [objects[key] for key in self._keys]
        start = bisect_left(self._keys, f"{namespace}/")
        end = bisect_left(self._keys, f"{namespace}0", start)  # "0" is the character after "/"
        return [objects[key] for key in self._keys[start:end]]

    def _add(self, key: str, new: Iterable[Term]) -> None:
        for term in new:
            self._terms.setdefault(term, set()).add(key)

    def _remove(self, key: str, old: Iterable[Term]) -> None:
        for term in old:
            keys = self._terms[term]
            keys.discard(key)
            if not keys:
                del self._terms[term]


def terms(obj: CachedObject) -> Iterator[Term]:
    """What an object is found by."""
    for name, value in obj.labels.items():
        yield Term("label", name, value)
    for name in INDEXED_FIELDS:
        if name in obj.fields:
            yield Term("field", name, obj.fields[name])

"""Which objects a list or watch is about: a namespace, a label selector, a field selector."""

from __future__ import annotations

from wherry.apimachinery.fields import FieldSelector
from wherry.apimachinery.labels import Selector
from wherry.storage.cached import CachedObject, WatchEvent
from wherry.storage.index import INDEXED_FIELDS


class Selection:
    """Compiled once a request; `matches` is what every list item and watch event passes."""

    __slots__ = ("everything", "fields", "labels", "name", "namespace")

    def __init__(self, namespace: str, name: str, labels: Selector | None, fields: FieldSelector | None) -> None:
        self.namespace = namespace
        self.name = name
        self.labels = labels if labels is not None and not labels.everything else None
        self.fields = fields if fields is not None and fields.requirements else None
        self.everything = not name and self.labels is None and self.fields is None

    @property
    def indexed(self) -> tuple[str, str] | None:
        """The field and value that the cache has an index of, if the selection demands one."""
        for name in INDEXED_FIELDS:
            value = None if self.fields is None else self.fields.exact(name)
            if value is not None:
                return name, value
        return None

    def matches(self, cached: CachedObject) -> bool:
        if self.name and cached.name != self.name:
            return False
        if self.labels is not None and not self.labels.matches(cached.labels):
            return False
        return self.fields is None or self.fields.matches(lambda field: self.field(cached, field))

    @staticmethod
    def field(cached: CachedObject, field: str) -> str:
        """The value of a selectable field."""
        if field == "metadata.name":
            return cached.name
        if field == "metadata.namespace":
            return cached.namespace
        return cached.fields.get(field, "")

    def transition(self, event: WatchEvent) -> str:
        """The event's type for a watcher with this selection; "" when it concerns it not at all."""
        before = event.previous is not None and self.matches(event.previous)
        if event.type == "DELETED":
            return "DELETED" if before or (event.previous is None and self.matches(event.object)) else ""
        now = self.matches(event.object)
        if now:
            return "MODIFIED" if before else "ADDED"
        return "DELETED" if before else ""

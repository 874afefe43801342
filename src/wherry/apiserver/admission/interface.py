"""Admission: plugins that see a write before it is validated and stored, in upstream's order.

`admit` may change the object and may await (a webhook, which may itself write the same object: no
lock is held).  `validate` sees the final object.  A plugin is one file here and one line in `chain.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from wherry.api.resource import Object, Resource
from wherry.apimachinery.http import UserInfo
from wherry.storage.cached import CachedObject
from wherry.util.clock import Clock

REMEMBERED = 4096  # kinds of writes


@dataclass(slots=True)
class Attributes:
    """What is being done (upstream's `admission.Attributes`).  Objects are in the hub's form."""

    operation: str  # CREATE | UPDATE | DELETE | CONNECT
    resource: Resource
    namespace: str
    name: str
    subresource: str
    obj: Object | None
    old: Object | None
    user: UserInfo
    dry_run: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    on_finish: list[Callable[[bool], None]] = field(default_factory=list)  # called when the write is done: did it come to be?

    def is_for(self, group: str, plural: str, subresource: str = "") -> bool:
        """Whether this is about that resource (and subresource)."""
        return self.resource.plural == plural and self.resource.group == group and self.subresource == subresource


class Reader(Protocol):
    """How plugins read other objects: from the watch caches, without waiting."""

    def cached(self, group: str, plural: str, namespace: str, name: str) -> CachedObject | None: ...

    def cached_list(self, group: str, plural: str, namespace: str = "") -> list[CachedObject]: ...

    def read(self, group: str, plural: str, namespace: str, name: str) -> Object | None:
        """A fresh dict of the object, or None."""
        ...


class Writer(Reader, Protocol):
    """What plugins may do beside: keep the status of the objects that they act by."""

    clock: Clock

    def kinds(self) -> list[tuple[str, str]]:
        """(group, plural) of every kind that is stored."""
        ...

    async def write_status(self, group: str, plural: str, namespace: str, name: str, status: Object) -> None:
        """Replace an object's status, as the API server itself; nothing happens when the object is gone."""
        ...


class Plugin(Protocol):
    """One admission plugin, which is Mutating, Validating or both."""

    name: str

    def handles(self, attributes: Attributes) -> bool:
        """Whether `admit` and `validate` want to see it, by operation, resource, subresource and user alone: the answer is
        remembered."""
        ...


@runtime_checkable
class Mutating(Plugin, Protocol):
    async def admit(self, attributes: Attributes) -> None:
        """May change the object.  Raises StatusError to refuse.

        The object is defaulted already, and what is added to it must be too, as with upstream's own plugins.
        """
        ...


@runtime_checkable
class Validating(Plugin, Protocol):
    async def validate(self, attributes: Attributes) -> None:
        """Sees the object as it is to be stored.  Raises StatusError to refuse."""
        ...


class Asked(NamedTuple):
    """The plugins that see one kind of write."""

    mutating: tuple[Mutating, ...]
    validating: tuple[Validating, ...]


class Chain:
    """The plugins in order.  Which of them handle what is asked once for all writes of a kind by a user."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._plugins = tuple(plugins)
        self._asked: dict[tuple[Any, ...], Asked] = {}

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        return self._plugins

    def use(self, plugins: Sequence[Plugin]) -> None:
        """Have these from now on."""
        self._plugins = tuple(plugins)
        self._asked.clear()

    def _of(self, attributes: Attributes) -> Asked:
        resource, user = attributes.resource, attributes.user
        key = (attributes.operation, resource.group, resource.plural, attributes.subresource, user.name, user.groups)
        found = self._asked.get(key)
        if found is None:
            if len(self._asked) >= REMEMBERED:
                self._asked.clear()
            plugins = [plugin for plugin in self._plugins if plugin.handles(attributes)]
            found = self._asked[key] = Asked(
                tuple(plugin for plugin in plugins if isinstance(plugin, Mutating)),
                tuple(plugin for plugin in plugins if isinstance(plugin, Validating)),
            )
        return found

    async def admit(self, attributes: Attributes) -> None:
        for plugin in self._of(attributes).mutating:
            await plugin.admit(attributes)

    async def validate(self, attributes: Attributes) -> None:
        for plugin in self._of(attributes).validating:
            await plugin.validate(attributes)

"""Where a kind lives in the API: group, version, plural and scope, and the URL made of them.

The facts are the table of resources' (`wherry.api.registry`); typed structs name their own
group and version.  A custom resource is told by a `ResourceInfo` that discovery gave.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from wherry.api import registry


class ResourceInfo:
    """A served resource: enough to make its URLs.  Two of them are equal when they name the same one."""

    __slots__ = ("group", "kind", "namespaced", "plural", "verbs", "version")

    def __init__(
        self, group: str, version: str, plural: str, namespaced: bool, kind: str = "", verbs: Iterable[str] = (),
    ) -> None:
        self.group, self.version, self.plural, self.namespaced = group, version, plural, namespaced
        self.kind, self.verbs = kind, frozenset(verbs)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def _identity(self) -> tuple[str, str, str]:
        return self.group, self.version, self.plural

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResourceInfo) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        return f"ResourceInfo({self.plural}.{self.version}.{self.group})"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL's path (decoded).  Without a namespace it spans all of them."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)


_known: dict[type[Any], ResourceInfo] = {}


def info_of(kind: type[Any]) -> ResourceInfo:
    """The resource of a typed object.  Raises LookupError for a kind that is not served."""
    info = _known.get(kind)
    if info is None:
        resource, version = registry.resource_of(kind)
        group = registry.group_of(resource, version)
        info = ResourceInfo(group, version.name, resource.plural, resource.namespaced, resource.kind, resource.verbs)
        _known[kind] = info
    return info


def url(path: str, query: Iterable[tuple[str, str]]) -> str:
    """A path and its query, percent-encoded."""
    encoded = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in query)
    return quote(path, safe="/:@!$&'()*+,;=~") + (f"?{encoded}" if encoded else "")

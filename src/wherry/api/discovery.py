"""Discovery: what /api and /apis say of the served resources, in both forms, built from the table's rows.

Pure: rows in, documents out.  `Discovery` keeps them encoded, with an ETag for the aggregated form; when a
custom resource arrives, a new `Discovery` takes the old one's place.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from wherry.api.apipriorities import group_priority, version_priorities
from wherry.api.registry import group_of, version_key, version_order
from wherry.api.resource import Resource, Subresource, Version

Document = dict[str, Any]
Row = tuple[Resource, Version]
Groups = dict[str, dict[str, list[Row]]]
Told = dict[str, dict[str, Document]]


@dataclass(frozen=True, slots=True)
class Registered:
    """What an APIService adds: its priorities, and the resources of a server that is not this one (None: this one's own).

    `resources` are those of apidiscovery.k8s.io; `fresh` is False where they are what the server told long ago, or nothing.
    """

    group: str
    version: str
    group_priority: int
    version_priority: int
    resources: tuple[Document, ...] | None = None
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class Encoded:
    """A document as sent."""

    body: bytes
    etag: str


class Discovery:
    """Every discovery document over `resources`, encoded once.

    `registered` are the APIServices that change something: of other servers' APIs, or with other priorities.
    `hidden` are group versions whose APIService is deleted: they are served, but nobody is told.
    """

    def __init__(
        self, resources: Iterable[Resource], registered: Iterable[Registered] = (), hidden: Collection[tuple[str, str]] = (),
    ) -> None:
        groups = by_group(resources)
        self._lists = {
            (group, version): encode(api_resource_list(group, version, rows))
            for group, versions in groups.items() for version, rows in versions.items()
        }
        told = _merged(groups, registered, hidden)
        self.groups = tuple(told)
        self._groups = {group: encode(api_group(group, versions)) for group, versions in told.items() if group}
        named: Told = {group: versions for group, versions in told.items() if group}
        self.api_group_list = encode(api_group_list(named))
        legacy: Told = {group: versions for group, versions in told.items() if not group}
        self._aggregated = {
            (prefix, form): encode(api_group_discovery_list(part, form))
            for prefix, part in (("api", legacy), ("apis", named)) for form in ("v2", "v2beta1")
        }
        self._told = told

    def api_group(self, group: str) -> Encoded | None:
        """/apis/GROUP."""
        return self._groups.get(group)

    def api_resource_list(self, group: str, version: str) -> Encoded | None:
        """/api/v1 and /apis/GROUP/VERSION."""
        return self._lists.get((group, version))

    def aggregated(self, prefix: str, form: str = "v2") -> Encoded:
        """/api or /apis as apidiscovery.k8s.io/FORM: `prefix` is "api" or "apis", `form` is "v2" or "v2beta1"."""
        return self._aggregated[prefix, form]

    def paths(self) -> list[str]:
        """The paths of groups and versions, as / lists them."""
        found = ["/api", "/apis"]
        found += [f"/apis/{group}" for group in self._groups]
        served = {*self._lists, *((group, version) for group, versions in self._told.items() for version in versions)}
        found += [f"/apis/{group}/{version}" if group else f"/api/{version}" for group, version in served]
        return sorted(found)


def encode(document: Document) -> Encoded:
    body = msgspec.json.encode(document) + b"\n"
    return Encoded(body, f'"{hashlib.sha512(body).hexdigest().upper()}"')


def by_group(resources: Iterable[Resource]) -> Groups:
    """group -> version -> rows: groups in upstream's order, the preferred version first, rows by name."""
    rows = [
        (group_of(resource, version), resource, version) for resource in resources for version in resource.versions
    ]
    rows.sort(key=lambda row: (version_key(row[2]), row[1].plural))
    wanted = {group for group, _, version in rows if version.preferred}
    groups: Groups = {}
    for group, resource, version in sorted(rows, key=lambda row: (-group_priority(row[0], only_old=row[0] not in wanted), row[0])):
        groups.setdefault(group, {}).setdefault(version.name, []).append((resource, version))
    return groups


def builtin_priorities(groups: Groups) -> list[Registered]:
    """What is built in, as its own APIServices register it."""
    found = []
    for group, versions in groups.items():
        old = {version: not any(row[1].preferred for row in rows) for version, rows in versions.items()}
        priority = group_priority(group, only_old=all(old.values()))
        found += [Registered(group, name, priority, each) for name, each in version_priorities(group, list(old.items())).items()]
    return found


def _merged(groups: Groups, registered: Iterable[Registered], hidden: Collection[tuple[str, str]]) -> Told:
    """group -> version -> what aggregated discovery tells of it, everything in its order."""
    known = {(each.group, each.version): each for each in builtin_priorities(groups) if (each.group, each.version) not in hidden}
    for each in registered:
        if each.resources is not None or (each.group in groups and each.version in groups[each.group]):
            known[each.group, each.version] = each
    first: dict[str, int] = {}
    for each in known.values():
        first[each.group] = max(first.get(each.group, 0), each.group_priority)
    order = sorted(known.values(), key=lambda each: (
        -first[each.group], each.group, -each.version_priority, version_order(each.version), each.version,
    ))
    told: Told = {}
    for each in order:
        own = groups.get(each.group, {}).get(each.version, []) if each.resources is None else []
        resources = [_discovered(*row) for row in own] if each.resources is None else list(each.resources)
        freshness = "Current" if each.fresh else "Stale"
        told.setdefault(each.group, {})[each.version] = {"version": each.version, "resources": resources, "freshness": freshness}
    return told


def api_versions(server_address: str) -> Document:
    """/api: `server_address` is host:port."""
    cidrs = [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": cidrs}


def api_group_list(groups: Mapping[str, Iterable[str]]) -> Document:
    entries = [_group_entry(group, versions) for group, versions in groups.items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": entries}


def api_group(group: str, versions: Iterable[str]) -> Document:
    return {"kind": "APIGroup", "apiVersion": "v1", **_group_entry(group, versions)}


def _group_entry(group: str, versions: Iterable[str]) -> Document:
    entries = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": entries, "preferredVersion": entries[0]}


def api_resource_list(group: str, version: str, rows: Iterable[Row]) -> Document:
    entries = [entry for row in rows for entry in _resource_entries(*row)]
    entries.sort(key=lambda entry: str(entry["name"]))
    if group:
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{group}/{version}", "resources": entries}
    return {"kind": "APIResourceList", "groupVersion": version, "resources": entries}


# Old versions are in no category and have no short names: `kubectl get all` would show a Deployment once more
# for extensions, and `kubectl get deploy` would warn that the name is ambiguous.
def _resource_entries(resource: Resource, version: Version) -> Iterator[Document]:
    entry: Document = {
        "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
        "kind": resource.kind, "verbs": list(resource.verbs),
    }
    if resource.short_names and version.preferred:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories and version.preferred:
        entry["categories"] = list(resource.categories)
    if not resource.virtual:
        entry["storageVersionHash"] = storage_version_hash(resource)
    yield entry
    for sub in resource.subresources:
        foreign = {"group": sub.group, "version": sub.version} if sub.group is not None else {}
        yield {
            "name": f"{resource.plural}/{sub.name}", "singularName": "", "namespaced": resource.namespaced, **foreign,
            "kind": sub.kind, "verbs": list(sub.verbs),
        }


def storage_version_hash(resource: Resource) -> str:
    """What tells clients that objects are kept in another form than before: a hash of the hub's group, version, kind."""
    stored = f"{group_of(resource, resource.hub)}/{resource.hub.name}/{resource.kind}"
    return base64.b64encode(hashlib.sha256(stored.encode()).digest()[:8]).decode()


def api_group_discovery_list(groups: Told, form: str) -> Document:
    items = [
        {"metadata": {"name": group} if group else {}, "versions": list(versions.values())} for group, versions in groups.items()
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": f"apidiscovery.k8s.io/{form}", "metadata": {}, "items": items}


def _discovered(resource: Resource, version: Version) -> Document:
    entry: Document = {
        "resource": resource.plural, "responseKind": {"group": "", "version": "", "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster", "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names and version.preferred:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories and version.preferred:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [_discovered_part(sub) for sub in resource.subresources]
    return entry


def _discovered_part(sub: Subresource) -> Document:
    kind = {"group": sub.group or "", "version": sub.version or "", "kind": sub.kind}
    return {"subresource": sub.name, "responseKind": kind, "verbs": list(sub.verbs)}

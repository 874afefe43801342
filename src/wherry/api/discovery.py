"""Discovery: what /api and /apis say of the served resources, in both forms, built from the table's rows.

Pure: rows in, documents out.  `Discovery` keeps them encoded, with an ETag for the aggregated form; when a
custom resource arrives, a new `Discovery` takes the old one's place.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from wherry.api.registry import group_of, version_key
from wherry.api.resource import Resource, Subresource, Version

Document = dict[str, Any]
Row = tuple[Resource, Version]
Groups = dict[str, dict[str, list[Row]]]

# Upstream's order of groups (kube-aggregator's priorities); clients resolve a bare kind to the first.
_GROUP_ORDER = (
    "apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io", "authorization.k8s.io", "autoscaling",
    "batch", "certificates.k8s.io", "networking.k8s.io", "policy", "rbac.authorization.k8s.io", "storage.k8s.io",
    "admissionregistration.k8s.io", "apiextensions.k8s.io", "scheduling.k8s.io", "coordination.k8s.io", "node.k8s.io",
    "discovery.k8s.io", "resource.k8s.io", "flowcontrol.apiserver.k8s.io", "storagemigration.k8s.io",
)
_AFTER_CUSTOM = ("metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A document as sent."""

    body: bytes
    etag: str


class Discovery:
    """Every discovery document over `resources`, encoded once."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        groups = by_group(resources)
        self.groups = tuple(groups)
        self._lists: dict[tuple[str, str], Encoded] = {}
        self._groups: dict[str, Encoded] = {}
        for group, versions in groups.items():
            if group:
                self._groups[group] = encode(api_group(group, versions))
            for version, rows in versions.items():
                self._lists[group, version] = encode(api_resource_list(group, version, rows))
        named: Groups = {group: versions for group, versions in groups.items() if group}
        self.api_group_list = encode(api_group_list(named))
        legacy: Groups = {group: versions for group, versions in groups.items() if not group}
        self._aggregated = {
            (prefix, form): encode(api_group_discovery_list(part, form))
            for prefix, part in (("api", legacy), ("apis", named)) for form in ("v2", "v2beta1")
        }

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
        found += [f"/apis/{group}/{version}" if group else f"/api/{version}" for group, version in self._lists]
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
    for group, resource, version in sorted(rows, key=lambda row: _group_key(row[0], row[0] in wanted)):
        groups.setdefault(group, {}).setdefault(version.name, []).append((resource, version))
    return groups


def _group_key(group: str, preferred: bool) -> tuple[int, int, str]:
    if not preferred:  # only old versions: extensions never comes before apps
        return 3, 0, group
    if not group or group in _GROUP_ORDER:
        return 0, _GROUP_ORDER.index(group) if group else -1, ""
    return (2 if group in _AFTER_CUSTOM else 1), 0, group


def api_versions(server_address: str) -> Document:
    """/api: `server_address` is host:port."""
    cidrs = [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": cidrs}


def api_group_list(groups: Groups) -> Document:
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


def api_group_discovery_list(groups: Groups, form: str) -> Document:
    items = [
        {
            "metadata": {"name": group} if group else {},
            "versions": [
                {"version": version, "resources": [_discovered(*row) for row in rows], "freshness": "Current"}
                for version, rows in versions.items()
            ],
        }
        for group, versions in groups.items()
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

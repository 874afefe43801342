"""The table of resources: every built-in kind that is served, and the look-ups over it.

The rows stand in `table/`, one module a group.  A `Registry` indexes any rows, so that custom
resources later join the built-in ones; the functions below it look into the built-in table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec

from wherry.api.printers.default import DEFAULT
from wherry.api.resource import Resource, Version
from wherry.api.table import admission, apps, autoscaling, batch, cluster, core, metrics, networking, policy, rbac, storage

# Kinds that are served but that nothing in the cluster acts on yet: a write of one is answered with a
# Warning.  A controller that lands takes its kind out of here.
NOT_ACTED_ON = frozenset({
    "ingressclasses.networking.k8s.io", "ingresses.networking.k8s.io", "ipaddresses.networking.k8s.io",
    "networkpolicies.networking.k8s.io", "servicecidrs.networking.k8s.io",
    "csidrivers.storage.k8s.io", "csistoragecapacities.storage.k8s.io",
    "volumeattachments.storage.k8s.io", "volumeattributesclasses.storage.k8s.io",
    "storageversionmigrations.storagemigration.k8s.io",
    "mutatingadmissionpolicies.admissionregistration.k8s.io",
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "validatingadmissionpolicies.admissionregistration.k8s.io",
    "validatingadmissionpolicybindings.admissionregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "customresourcedefinitions.apiextensions.k8s.io",
    "flowschemas.flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
    "clustertrustbundles.certificates.k8s.io",
    "podcertificaterequests.certificates.k8s.io",
})

OLD_GROUP = "extensions"  # its kinds are those of other groups now, and the same objects

# etcd names of upstream that are not the plural: a store can be read with the tools that know them.
STORAGE_NAMES = {
    "nodes": "minions",
    "replicationcontrollers": "controllers",
    "services": "services/specs",
    "endpoints": "services/endpoints",
    "ingresses.networking.k8s.io": "ingress",
    "customresourcedefinitions.apiextensions.k8s.io": "apiextensions.k8s.io/customresourcedefinitions",
    "apiservices.apiregistration.k8s.io": "apiregistration.k8s.io/apiservices",
}

Found = tuple[Resource, Version]


def full_name(resource: Resource) -> str:
    """`deployments.apps`; the plural alone in the core group."""
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def group_of(resource: Resource, version: Version) -> str:
    """The group that a version is served in."""
    return resource.group if version.group is None else version.group


def version_order(name: str) -> tuple[int, int, int]:
    """Kubernetes' order: GA before beta before alpha, newest first (v2, v1, v1beta2, v1beta1)."""
    stages = {"": 0, "beta": 1, "alpha": 2}
    body = name.removeprefix("v")
    for stage in ("beta", "alpha"):
        major, found, minor = body.partition(stage)
        if found and major.isdigit() and minor.isdigit():
            return stages[stage], -int(major), -int(minor)
    return (stages[""], -int(body), 0) if body.isdigit() else (3, 0, 0)


def version_key(version: Version) -> tuple[bool, tuple[int, int, int]]:
    """Sorts a group's versions with the preferred one first."""
    return not version.preferred, version_order(version.name)


class Registry:
    """An index over rows, by what requests, manifests and typed clients know of a kind."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources = tuple(resources)
        self._by_path: dict[tuple[str, str, str], Found] = {}
        self._by_kind: dict[tuple[str, str, str], Found] = {}
        self._by_type: dict[type, Found] = {}
        for resource in self.resources:
            for version in resource.versions:
                served_in = (group_of(resource, version), version.name)
                for index, name in ((self._by_path, resource.plural), (self._by_kind, resource.kind)):
                    if (*served_in, name) in index:
                        raise ValueError(f"two rows for {name} in {'/'.join(served_in)}")
                    index[*served_in, name] = (resource, version)

    def by_path(self, group: str, version: str, plural: str) -> Found | None:
        return self._by_path.get((group, version, plural))

    def by_kind(self, group: str, version: str, kind: str) -> Found | None:
        return self._by_kind.get((group, version, kind))

    def resource_of(self, struct_type: type[Any]) -> Found:
        """The row of a typed object (`core_v1.Pod`).  Raises LookupError for a struct that is no served kind."""
        found = self._by_type.get(struct_type)
        if found is None:
            defaults = {field.encode_name: field.default for field in msgspec.structs.fields(struct_type)}
            group, _, version = str(defaults.get("apiVersion", "")).rpartition("/")
            found = self.by_kind(group, version, str(defaults.get("kind", "")))
            if found is None:
                raise LookupError(f"{struct_type.__name__} is no served kind")
            self._by_type[struct_type] = found
        return found


def storage_prefix(resource: Resource) -> str:
    """Where a resource's objects are kept: `/registry/pods/`, with upstream's etcd names."""
    return f"/registry/{STORAGE_NAMES.get(full_name(resource), resource.plural)}/"


def _row(resource: Resource) -> Resource:
    return replace(
        resource, singular=resource.singular or resource.kind.lower(), printer=resource.printer or DEFAULT,
        acted_on=full_name(resource) not in NOT_ACTED_ON,
    )


_GROUPS = (core, apps, autoscaling, batch, policy, networking, rbac, storage, admission, cluster, metrics)
RESOURCES: tuple[Resource, ...] = tuple(_row(resource) for group in _GROUPS for resource in group.ROWS)
BUILTIN = Registry(RESOURCES)

by_path = BUILTIN.by_path
by_kind = BUILTIN.by_kind
resource_of = BUILTIN.resource_of

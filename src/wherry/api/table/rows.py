"""The words that rows of the table are written with: schema names, common subresources, plain strategies."""

from __future__ import annotations

from collections.abc import Callable

from wherry.api.resource import Object, Strategy, Subresource, Version

READ_WRITE = ("get", "patch", "update")
PROXY = ("create", "delete", "get", "patch", "update")
STREAM = ("create", "get")

# Definitions whose name does not follow from the group.
_PACKAGES = {
    "apiextensions.k8s.io": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
    "apiregistration.k8s.io": "io.k8s.kube-aggregator.pkg.apis.apiregistration",
}


def drop_status(obj: Object) -> None:
    """A new object's status is its controller's to write."""
    obj.pop("status", None)


# Kinds without rules of their own: PLAIN ones have no metadata.generation, as upstream's do not.
PLAIN = Strategy(has_generation=False)
PLAIN_STATUS = Strategy(prepare_for_create=drop_status, has_generation=False)
STATUS = Strategy(prepare_for_create=drop_status)


def schema_name(group: str, version: str, kind: str) -> str:
    """`apps`, `v1`, `Deployment` -> `io.k8s.api.apps.v1.Deployment`."""
    package = _PACKAGES.get(group) or f"io.k8s.api.{group.split('.')[0] or 'core'}"
    return f"{package}.{version}.{kind}"


def served(group: str, kind: str, version: str = "v1") -> tuple[Version, ...]:
    """The one version of most kinds."""
    return (Version(version, schema_name(group, version, kind)),)


def old(
    api_version: str, kind: str, present: str, since: str, until: str, schema: str = "",
    to_hub: Callable[[Object], Object] | None = None, from_hub: Callable[[Object], Object] | None = None, orphans: bool = False,
) -> Version:
    """A version that upstream dropped, for old manifests: `since` it was deprecated, `until` it was served.

    `present` is the version that took its place; its schema is the old one's too, unless another is given.
    """
    group, _, version = api_version.partition("/")
    now_in, _, now = present.partition("/")
    return Version(
        version, schema or schema_name(now_in, now, kind), group=group, to_hub=to_hub, from_hub=from_hub, preferred=False, orphans=orphans,
        deprecation=f"{api_version} {kind} is deprecated in {since}+, unavailable in {until}+; use {present} {kind}",
    )


def status(kind: str) -> Subresource:
    return Subresource("status", kind)


SCALE = Subresource("scale", "Scale", group="autoscaling", version="v1")

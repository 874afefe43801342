"""The table of resources: its rows are whole, and are found by what requests and clients know of them."""

from __future__ import annotations

import copy
import importlib
import json
import pkgutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wherry.api import registry, schemas, selectable, strategy
from wherry.api.registry import RESOURCES, Registry, by_kind, by_path, full_name, group_of, resource_of, storage_prefix
from wherry.api.resource import Resource, Strategy, Version
from wherry.api.types import apps_v1, autoscaling_v1, core_v1, events_v1, meta_v1
from wherry.apimachinery.validation import NAME_RULES

# Served in an off-by-default form, or only as a part of another kind.
NOT_ROWS = {
    "APIGroup", "APIVersions", "Status", "TokenRequest", "Scale", "Eviction", "DeleteOptions", "WatchEvent",
}
each_resource = pytest.mark.parametrize("resource", RESOURCES, ids=full_name)


def test_every_stable_kind_of_the_published_schema_has_a_row() -> None:
    kinds = {
        (group, version, kind) for group, version, kind in schemas.kinds()
        if "alpha" not in version and "beta" not in version and not kind.endswith("List") and kind not in NOT_ROWS
    }
    assert len(kinds) > 60
    assert {kind for kind in kinds if by_kind(*kind) is None} == set()


@each_resource
def test_rows_are_whole(resource: Resource) -> None:
    assert resource.singular
    assert resource.printer is not None
    assert resource.name_rule in NAME_RULES
    assert len({sub.name for sub in resource.subresources}) == len(resource.subresources)
    for version in resource.versions:
        assert schemas.definition(version.schema).type == "object"
        assert by_path(group_of(resource, version), version.name, resource.plural) == (resource, version)
        assert by_kind(group_of(resource, version), version.name, resource.kind) == (resource, version)
        if version.deprecation:
            group = group_of(resource, version)
            named = f"{group}/{version.name}" if group else version.name
            assert version.deprecation.startswith(f"{named} {resource.kind} is deprecated in v1.")
        for ours in (version.field_labels or {}).values():
            assert ours in resource.selectable_fields
    assert resource.hub.from_hub is None
    assert resource.hub.to_hub is None
    assert resource.virtual == (
        set(resource.verbs) <= {"create"} or resource.plural == "componentstatuses" or resource.group == "metrics.k8s.io"
    )


@each_resource
def test_old_versions_come_with_a_warning(resource: Resource) -> None:
    for version in resource.versions:
        assert version.preferred or "unavailable in v1." in version.deprecation


def test_every_strategy_is_wired() -> None:
    modules = [importlib.import_module(each.name) for each in pkgutil.iter_modules(strategy.__path__, f"{strategy.__name__}.")]
    written = {id(each): name for module in modules for name, each in vars(module).items() if isinstance(each, Strategy)}
    assert len(written) > 40
    wired = {id(resource.strategy) for resource in RESOURCES}
    assert {name for key, name in written.items() if key not in wired} == set()


def test_names_are_used_once() -> None:
    short = [name for resource in RESOURCES for name in resource.short_names]
    assert len(short) == len(set(short))
    prefixes = [storage_prefix(resource) for resource in RESOURCES if not resource.virtual]
    assert len(prefixes) == len(set(prefixes))
    assert not [(a, b) for a in prefixes for b in prefixes if a != b and b.startswith(a)]


def test_what_is_not_acted_on_is_in_the_table() -> None:
    assert {full_name(resource) for resource in RESOURCES} >= registry.NOT_ACTED_ON
    assert {full_name(resource) for resource in RESOURCES if not resource.acted_on} == registry.NOT_ACTED_ON


@pytest.mark.parametrize(
    ("path", "prefix"),
    [
        (("", "v1", "pods"), "/registry/pods/"), (("", "v1", "nodes"), "/registry/minions/"),
        (("", "v1", "services"), "/registry/services/specs/"), (("", "v1", "endpoints"), "/registry/services/endpoints/"),
        (("apps", "v1", "deployments"), "/registry/deployments/"), (("events.k8s.io", "v1", "events"), "/registry/events/"),
        (("networking.k8s.io", "v1", "ingresses"), "/registry/ingress/"),
    ],
    ids=str,
)
def test_storage_prefixes_are_upstreams(path: tuple[str, str, str], prefix: str) -> None:
    found = by_path(*path)
    assert found is not None
    assert storage_prefix(found[0]) == prefix


def test_typed_objects_find_their_row() -> None:
    pod, version = resource_of(core_v1.Pod)
    assert (pod.plural, version.name) == ("pods", "v1")
    assert resource_of(apps_v1.Deployment)[0].group == "apps"
    core, events = resource_of(core_v1.Event), resource_of(events_v1.Event)
    assert core[0] is events[0]
    assert events[1].group == "events.k8s.io"
    assert resource_of(autoscaling_v1.HorizontalPodAutoscaler)[1].name == "v1"
    with pytest.raises(LookupError, match="ObjectMeta is no served kind"):
        resource_of(meta_v1.ObjectMeta)


def test_what_is_not_served_is_not_found() -> None:
    assert by_path("apps", "v2", "deployments") is None
    assert by_path("", "v1", "deployments") is None
    assert by_kind("apps", "v1", "Nothing") is None


def test_custom_rows_join_and_may_not_collide() -> None:
    row = Resource("foos", "Foo", "ex.io", (Version("v1", ""), Version("v1beta1", "")), singular="foo")
    joined = Registry((*RESOURCES, row))
    assert joined.by_path("ex.io", "v1beta1", "foos") == (row, row.versions[1])
    assert joined.by_path("", "v1", "pods") == by_path("", "v1", "pods")
    with pytest.raises(ValueError, match=r"two rows for foos in ex\.io/v1"):
        Registry((row, replace(row, kind="Other")))


def test_versions_are_ordered_as_kubernetes_does() -> None:
    names = ["v1beta1", "v10", "v1", "foo", "v2alpha1", "v2", "v1beta2", "v2beta1"]
    ordered = sorted((Version(name, "") for name in names), key=registry.version_key)
    assert [version.name for version in ordered] == ["v10", "v2", "v1", "v2beta1", "v1beta2", "v1beta1", "v2alpha1", "foo"]
    assert registry.version_key(Version("v3", "", preferred=False)) > registry.version_key(Version("v1beta1", ""))


@each_resource
def test_selectable_fields_of_an_object_with_nothing_in_it_are_text(resource: Resource) -> None:
    for get in resource.selectable_fields.values():
        assert isinstance(get({}), str)
        assert get({}) == get({"spec": None, "status": None})


@pytest.mark.parametrize(
    ("fields", "name", "obj", "value"),
    [
        (selectable.POD, "spec.nodeName", {"spec": {"nodeName": "n"}}, "n"),
        (selectable.POD, "spec.hostNetwork", {"spec": {"hostNetwork": True}}, "true"),
        (selectable.POD, "spec.hostNetwork", {}, "false"),
        (selectable.POD, "status.podIPs", {"status": {"podIPs": [{"ip": "1.1.1.1"}, {"ip": "::1"}]}}, "1.1.1.1,::1"),
        (selectable.EVENT, "source", {"source": {}, "reportingComponent": "c"}, "c"),
        (selectable.EVENT, "involvedObject.name", {"involvedObject": {"name": "p"}}, "p"),
        (selectable.JOB, "status.successful", {"status": {"succeeded": 2}}, "2"),
        (selectable.JOB, "status.successful", {}, "0"),
        (selectable.NODE, "spec.unschedulable", {"spec": {}}, "false"),
    ],
)
def test_selectable_values(fields: Any, name: str, obj: Any, value: str) -> None:
    assert fields[name](obj) == value


def test_old_cronjobs_are_the_same_objects() -> None:
    new, old = by_path("batch", "v1", "cronjobs"), by_path("batch", "v1beta1", "cronjobs")
    assert new is not None
    assert old is not None
    assert new[0] is old[0]
    assert old[1].deprecation == (
        "batch/v1beta1 CronJob is deprecated in v1.21+, unavailable in v1.25+; use batch/v1 CronJob"
    )


def recorded_creations(shared: Path) -> list[tuple[str, Resource, dict[str, Any], dict[str, Any]]]:
    cases = []
    for case in json.loads((shared / "upstream/api/defaults.json").read_text()):
        body = case["response"]["body"]
        if case["response"]["status"] != 201 or not isinstance(body, dict) or not (body.get("metadata") or {}).get("uid"):
            continue
        group, _, version = body["apiVersion"].rpartition("/")
        found = by_kind(group, version, body["kind"])
        if found is not None:
            cases.append((case["name"], found[0], case["request"]["body"], body))
    return cases


def test_kinds_count_generations_as_upstream_does(shared: Path) -> None:
    cases = recorded_creations(shared)
    assert len(cases) > 40
    ours = {name: resource.strategy.has_generation for name, resource, _, _ in cases}
    assert ours == {name: "generation" in body["metadata"] for name, _, _, body in cases}


def test_a_new_object_starts_in_no_status_but_its_kinds_own(shared: Path) -> None:
    for name, resource, given, created in recorded_creations(shared):
        if resource.kind in ("Node", "Namespace") or not any(sub.name == "status" for sub in resource.subresources):
            continue
        obj = {**copy.deepcopy(given), "status": {"forged": True}}
        resource.strategy.default(obj)
        resource.strategy.prepare_for_create(obj)
        assert "forged" not in (obj.get("status") or {}), name
        if "phase" in (created.get("status") or {}):
            assert obj["status"]["phase"] == created["status"]["phase"], name


def test_old_ingresses_have_their_own_schema() -> None:
    networking, extensions = by_path("networking.k8s.io", "v1beta1", "ingresses"), by_path("extensions", "v1beta1", "ingresses")
    assert networking is not None
    assert extensions is not None
    assert networking[0] is extensions[0]
    spec = schemas.definition(networking[1].schema).fields["spec"]
    backend = spec.fields["backend"]
    assert (backend.fields["serviceName"].type, backend.fields["servicePort"].type) == ("string", "int-or-string")
    assert "defaultBackend" not in spec.fields
    assert schemas.kinds()["extensions", "v1beta1", "Ingress"] == networking[1].schema
    with pytest.raises(ValueError, match="another definition is already called"):
        schemas.add(networking[1].schema, {"type": "string"})

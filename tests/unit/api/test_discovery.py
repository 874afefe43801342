"""Discovery against what a real 1.36.2 server answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wherry.api.discovery import Discovery, api_versions
from wherry.api.registry import RESOURCES

# Kinds that 1.37 serves and 1.36 did not: GA in 1.37.
NEW = {
    "clustertrustbundles", "podcertificaterequests", "podcertificaterequests/status", "devicetaintrules",
    "devicetaintrules/status", "storageversionmigrations", "storageversionmigrations/status",
}
# Group versions that today's servers do not have: for old manifests.
OLD = {
    "batch/v1beta1", "policy/v1beta1", "autoscaling/v2beta2", "autoscaling/v2beta1", "networking.k8s.io/v1beta1", "extensions/v1beta1",
    "apps/v1beta1", "apps/v1beta2", "rbac.authorization.k8s.io/v1beta1", "storage.k8s.io/v1beta1", "scheduling.k8s.io/v1beta1",
    "apiregistration.k8s.io/v1beta1",
}
# Group versions that upstream serves from an add-on, which the recorded server had not.
ADDED = {"metrics.k8s.io/v1beta1"}
DISCOVERY = Discovery(RESOURCES)


@pytest.fixture(scope="module")
def recorded(shared: Path) -> dict[str, Any]:
    return {case["name"]: case["response"]["body"] for case in json.loads((shared / "upstream/api/discovery.json").read_text())}


def decoded(encoded: Any) -> Any:
    assert encoded is not None
    return json.loads(encoded.body)


@pytest.mark.parametrize(("name", "group", "version"), [("v1", "", "v1"), ("apps-v1", "apps", "v1"), ("batch-v1", "batch", "v1")])
def test_resource_list_is_the_recorded_one(recorded: dict[str, Any], name: str, group: str, version: str) -> None:
    ours, theirs = decoded(DISCOVERY.api_resource_list(group, version)), recorded[name]
    assert {k: v for k, v in ours.items() if k != "resources"} == {k: v for k, v in theirs.items() if k != "resources"}
    assert {r["name"]: r for r in ours["resources"]} == {r["name"]: r for r in theirs["resources"]}
    assert [r["name"] for r in ours["resources"]] == [r["name"] for r in theirs["resources"]]


def test_group_list_has_the_recorded_order_and_preferred_versions(recorded: dict[str, Any]) -> None:
    groups = decoded(DISCOVERY.api_group_list)["groups"]
    for group in groups:
        group["versions"] = [each for each in group["versions"] if each["groupVersion"] not in OLD | ADDED]
    ours = [group for group in groups if group["versions"] and group["name"] != "storagemigration.k8s.io"]
    assert ours == recorded["apis"]["groups"]


def flat(document: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{group['metadata'].get('name', '')}/{version['version']}/{resource['resource']}": resource
        for group in document["items"] for version in group["versions"] for resource in version["resources"]
    }


@pytest.mark.parametrize("prefix", ["api", "apis"])
def test_aggregated_is_the_recorded_one(recorded: dict[str, Any], prefix: str) -> None:
    ours, theirs = flat(decoded(DISCOVERY.aggregated(prefix))), flat(recorded[f"{prefix}-aggregated"])
    assert {name: ours.get(name) for name in theirs} == theirs
    more = {name for name in ours if name not in theirs and name.rsplit("/", 1)[0] not in OLD | ADDED}
    assert {name.rsplit("/", 1)[1] for name in more} <= NEW


def test_extensions_is_the_last_group_and_apps_before_it() -> None:
    names = [group["name"] for group in decoded(DISCOVERY.api_group_list)["groups"]]
    assert names.index("apps") == 1
    if "extensions" in names:
        assert names[-1] == "extensions"


def test_old_versions_are_never_preferred() -> None:
    preferred = {g["name"]: g["preferredVersion"]["groupVersion"] for g in decoded(DISCOVERY.api_group_list)["groups"]}
    assert {group for group, version in preferred.items() if version in OLD} <= {"extensions"}
    assert preferred["batch"] == "batch/v1"
    assert preferred["autoscaling"] == "autoscaling/v2"


def test_get_all_finds_a_kind_once() -> None:
    found = flat(decoded(DISCOVERY.aggregated("apis")))
    assert {name.rsplit("/", 1)[0] for name in found} >= OLD
    assert not {name.rsplit("/", 1)[0] for name, resource in found.items() if resource.get("categories")} & OLD
    old = decoded(DISCOVERY.api_resource_list("extensions", "v1beta1"))["resources"]
    assert {each["name"] for each in old if "/" not in each["name"]} == {
        "daemonsets", "deployments", "ingresses", "networkpolicies", "replicasets",
    }
    assert not [each for each in old if "categories" in each]


def test_old_cronjobs_are_served() -> None:
    resources = decoded(DISCOVERY.api_resource_list("batch", "v1beta1"))["resources"]
    assert [each["name"] for each in resources] == ["cronjobs", "cronjobs/status"]


def test_beta_form_differs_in_its_version_only() -> None:
    new, old = (decoded(DISCOVERY.aggregated("apis", form)) for form in ("v2", "v2beta1"))
    assert (new.pop("apiVersion"), old.pop("apiVersion")) == ("apidiscovery.k8s.io/v2", "apidiscovery.k8s.io/v2beta1")
    assert new == old


def test_etag_follows_the_content() -> None:
    again, fewer = Discovery(RESOURCES), Discovery(RESOURCES[:-1])
    assert again.aggregated("apis").etag == DISCOVERY.aggregated("apis").etag
    assert fewer.aggregated("apis").etag != DISCOVERY.aggregated("apis").etag


def test_what_is_not_served_has_no_document() -> None:
    assert DISCOVERY.api_group("no.such.group") is None
    assert DISCOVERY.api_resource_list("apps", "v9") is None


def test_paths_and_versions() -> None:
    assert {"/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1"} <= set(DISCOVERY.paths())
    assert api_versions("192.0.2.2:7443")["serverAddressByClientCIDRs"][0]["serverAddress"] == "192.0.2.2:7443"

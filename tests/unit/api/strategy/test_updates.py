"""Updates: what was recorded, and the rules of Services, Pods and namespaces beyond it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from wherry.api.strategy.job import JOB
from wherry.api.strategy.namespace import NAMESPACE
from wherry.api.strategy.pod import POD
from wherry.api.strategy.pod.update import keep_all_but_ephemeral_containers, validate_ephemeral_containers_update, validate_resize
from wherry.api.strategy.service import SERVICE

from .recordings import cases
from .strategies import STRATEGIES

CREATED = {
    (case["request"]["path"].rpartition("/")[2], case["response"]["body"]["metadata"]["name"]): case["response"]["body"]
    for case in cases("defaults").values()
    if case["response"]["status"] == 201 and "name" in case["response"]["body"].get("metadata", {})
}
PATCHES = {
    name: case for name, case in cases("errors").items()
    if case["request"]["method"] == "PATCH" and isinstance(case["request"]["body"], dict)
}


def merge(old: Any, patch: Any) -> Any:
    """A JSON merge patch, but that lists of named things merge by name."""
    if isinstance(patch, dict) and isinstance(old, dict):
        return {**old, **{key: merge(old.get(key), value) for key, value in patch.items()}}
    if isinstance(patch, list) and patch and "name" in patch[0] and old:
        return [merge(o, next(p for p in patch if p["name"] == o["name"])) for o in old]
    return copy.deepcopy(patch)


def update(strategy: Any, old: dict[str, Any], patch: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """As the server updates."""
    new = merge(copy.deepcopy(old), patch)
    strategy.default(new)
    strategy.prepare_for_update(new, old)
    strategy.default(new)
    return new, [cause.to_json() for cause in (*strategy.validate(new), *strategy.validate_update(new, old))]


@pytest.mark.parametrize("name", PATCHES)
def test_an_update_goes_as_recorded(name: str) -> None:
    case = PATCHES[name]
    resource, object_name = case["request"]["path"].split("/")[-2:]
    old = copy.deepcopy(CREATED[resource, object_name])
    if name == "configmap-immutable2":
        old["immutable"] = True
    _, causes = update(STRATEGIES[resource], old, case["request"]["body"])
    answer = case["response"]["body"]
    assert causes == answer.get("details", {}).get("causes", [])


def pod(**spec: Any) -> dict[str, Any]:
    made = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}], **spec}}
    POD.default(made)
    POD.prepare_for_create(made)
    return made


def first(causes: list[Any]) -> str:
    return f"{causes[0]['field']}: {causes[0]['message']}" if causes else ""


@pytest.mark.parametrize(
    ("old", "patch", "expected"),
    [
        ({}, {"activeDeadlineSeconds": 5}, ""),
        ({"activeDeadlineSeconds": 5}, {"activeDeadlineSeconds": 6},
         "spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"),
        ({"terminationGracePeriodSeconds": -1}, {"terminationGracePeriodSeconds": 1}, ""),
        ({}, {"tolerations": [{"operator": "Exists"}]}, ""),
        ({"tolerations": [{"operator": "Exists"}]}, {"tolerations": []},
         "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"),
        ({"schedulingGates": [{"name": "a"}]}, {"schedulingGates": []}, ""),
        ({}, {"schedulingGates": [{"name": "a"}]},
         "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'a'"),
        ({"schedulingGates": [{"name": "a"}]}, {"nodeSelector": {"a": "b"}}, ""),
        ({}, {"containers": [{"name": "c", "image": ""}]}, "spec.containers[0].image: Required value"),
    ],
    ids=["deadline-set", "deadline-later", "negative-grace", "toleration-added", "toleration-removed", "gate-removed", "gate-added",
         "gated-narrowed", "no-image"],
)
def test_what_may_change_in_a_pod(old: dict[str, Any], patch: dict[str, Any], expected: str) -> None:
    _, causes = update(POD, pod(**old), {"spec": patch})
    assert first(causes) == expected


def test_containers_may_not_come_or_go() -> None:
    old = pod()
    new = pod(containers=[{"name": "c", "image": "x"}, {"name": "d", "image": "x"}])
    assert [c.to_json()["field"] for c in POD.validate_update(new, old)] == ["spec.containers"]


@pytest.mark.parametrize(
    ("policy", "exit_code", "refused"),
    [("Never", 0, True), ("Never", 1, True), ("OnFailure", 0, True), ("OnFailure", 1, False), ("Always", 0, False)],
)
def test_containers_that_ended_for_good_stay_ended(policy: str, exit_code: int, refused: bool) -> None:
    old, new = pod(restartPolicy=policy), pod(restartPolicy=policy)
    old["status"]["containerStatuses"] = [{"name": "c", "state": {"terminated": {"exitCode": exit_code}}}]
    new["status"]["containerStatuses"] = [{"name": "c", "state": {"running": {}}}]
    fields = [cause.field for cause in POD.validate_status(new, old)]
    assert fields == (["status.containerStatuses[0].state"] if refused else [])


def test_ephemeral_containers_are_only_added() -> None:
    old = pod()
    new = copy.deepcopy(old)
    new["spec"]["ephemeralContainers"] = [{"name": "e", "image": "x"}]
    new["spec"]["nodeName"] = "n"
    keep_all_but_ephemeral_containers(new, old)
    POD.default(new)
    assert "nodeName" not in new["spec"]
    assert POD.validate(new) == []
    assert validate_ephemeral_containers_update(new, old) == []
    causes = validate_ephemeral_containers_update(old, new)
    assert causes[0].message == 'Forbidden: existing ephemeral containers "e" may not be removed\n'


def test_a_resize_changes_amounts_of_compute_alone() -> None:
    old = pod(containers=[{"name": "c", "image": "x", "resources": {"requests": {"cpu": "1"}}}])
    new = copy.deepcopy(old)
    new["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "2"
    assert validate_resize(new, old) == []
    new["spec"]["containers"][0]["image"] = "y"
    assert [cause.message for cause in validate_resize(new, old)] == ["Forbidden: only cpu and memory resources are mutable"]


def service(**spec: Any) -> dict[str, Any]:
    made = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], **spec}}
    SERVICE.default(made)
    SERVICE.prepare_for_create(made)
    return made


def test_a_service_keeps_what_was_allocated() -> None:
    old = service(type="NodePort", clusterIP="10.0.0.1")
    old["spec"]["ports"][0]["nodePort"] = 30000
    new = service(type="NodePort")
    SERVICE.prepare_for_update(new, old)
    assert new["spec"] == old["spec"]


def test_a_service_that_becomes_an_alias_gives_its_address_back() -> None:
    old = service(clusterIP="10.0.0.1")
    new, causes = update(SERVICE, old, {"spec": {"type": "ExternalName", "externalName": "example.com"}})
    assert causes == []
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & new["spec"].keys()


def test_a_service_that_is_no_longer_on_nodes_gives_its_ports_back() -> None:
    old = service(type="NodePort", clusterIP="10.0.0.1")
    old["spec"]["ports"][0]["nodePort"] = 30000
    new, causes = update(SERVICE, old, {"spec": {"type": "ClusterIP"}})
    assert causes == []
    assert "nodePort" not in new["spec"]["ports"][0]
    assert "externalTrafficPolicy" not in new["spec"]


def test_only_the_finalize_subresource_changes_finalizers() -> None:
    old: dict[str, Any] = {"metadata": {"name": "n"}}
    NAMESPACE.default(old)
    NAMESPACE.prepare_for_create(old)
    new, causes = update(NAMESPACE, old, {"spec": {"finalizers": []}})
    assert (new["spec"]["finalizers"], causes) == (["kubernetes"], [])


RUNNING = {"startTime": "2026-01-01T00:00:00Z", "active": 1}
RESTS = {"conditions": [{"type": "Suspended", "status": "True"}], **RUNNING, "active": 0}


@pytest.mark.parametrize(("suspend", "status", "patch", "refused"), [
    pytest.param(True, {}, {"nodeSelector": {"a": "b"}}, False, id="placing before it begins"),
    pytest.param(True, RESTS, {"nodeSelector": {"a": "b"}}, False, id="placing while it rests"),
    pytest.param(True, RUNNING, {"nodeSelector": {"a": "b"}}, True, id="its Pods are still going"),
    pytest.param(False, RUNNING, {"nodeSelector": {"a": "b"}}, True, id="it runs"),
    pytest.param(True, RESTS, {"containers": [{"name": "c", "resources": {"requests": {"cpu": "2"}}}]}, False, id="resources"),
    pytest.param(False, RUNNING, {"containers": [{"name": "c", "resources": {"requests": {"cpu": "2"}}}]}, True, id="resources while it runs"),
    pytest.param(True, RESTS, {"containers": [{"name": "c", "image": "y"}]}, True, id="never the image"),
])
def test_what_may_change_of_a_job_that_rests(suspend: bool, status: dict[str, Any], patch: dict[str, Any], refused: bool) -> None:
    pod_spec = {"containers": [{"name": "c", "image": "x"}], "restartPolicy": "Never"}
    old = {"metadata": {"name": "j", "uid": "u"}, "spec": {"suspend": suspend, "template": {"spec": pod_spec}}, "status": status}
    JOB.default(old)
    JOB.prepare_for_create(old)
    JOB.default(old)
    old["status"] = status
    _, causes = update(JOB, old, {"spec": {"template": {"spec": patch}}})
    assert [cause["field"] for cause in causes] == (["spec.template"] if refused else [])

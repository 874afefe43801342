"""Old objects in the words of the present versions: what they meant stays, and what cannot be mended is named."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from wherry.api.modernize import modernize
from wherry.api.registry import RESOURCES, group_of

TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
OLD = [
    pytest.param(f"{group_of(row, version)}/{version.name}", row.kind, id=f"{group_of(row, version)}/{version.name} {row.kind}")
    for row in RESOURCES for version in row.versions if not version.preferred
]


def made(api_version: str, kind: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "n"}, "spec": spec}


@pytest.mark.parametrize(("api_version", "kind"), OLD)
def test_every_old_version_becomes_the_one_that_is_stored(api_version: str, kind: str) -> None:
    old = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "n"}}
    done = modernize(old)
    assert done.obj["apiVersion"] != api_version
    assert done.troubles == []
    assert "is deprecated in" in done.changes[0]
    again = modernize(done.obj)
    assert (again.obj, again.changes, again.troubles) == (done.obj, [], [])
    assert old == {"apiVersion": api_version, "kind": kind, "metadata": {"name": "n"}}


def test_a_cronjob_changes_its_version_only() -> None:
    old = made("batch/v1beta1", "CronJob", schedule="* * * * *", jobTemplate={"spec": {"template": TEMPLATE}})
    assert modernize(old).obj == {**old, "apiVersion": "batch/v1"}


def test_a_deployment_keeps_what_it_meant_and_no_more() -> None:
    extensions = modernize(made("extensions/v1beta1", "Deployment", template=TEMPLATE)).obj["spec"]
    assert extensions["selector"] == {"matchLabels": {"app": "web"}}
    assert extensions["strategy"] == {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}
    assert extensions["progressDeadlineSeconds"] == extensions["revisionHistoryLimit"] == 2147483647
    apps = modernize(made("apps/v1beta1", "Deployment", template=TEMPLATE)).obj["spec"]
    assert apps == {"template": TEMPLATE, "selector": {"matchLabels": {"app": "web"}}, "revisionHistoryLimit": 2}


def test_an_autoscalers_target_is_of_a_present_version_too() -> None:
    target = {"kind": "Deployment", "name": "web", "apiVersion": "extensions/v1beta1"}
    done = modernize(made("autoscaling/v1", "HorizontalPodAutoscaler", maxReplicas=2, scaleTargetRef=target))
    assert done.obj["spec"]["scaleTargetRef"]["apiVersion"] == "apps/v1"
    assert done.changes == ["HorizontalPodAutoscaler n: spec.scaleTargetRef.apiVersion: extensions/v1beta1 became apps/v1"]
    assert target["apiVersion"] == "extensions/v1beta1"


def test_an_empty_selector_keeps_its_meaning_and_says_why() -> None:
    done = modernize(made("policy/v1beta1", "PodDisruptionBudget", selector={}))
    assert done.obj["spec"]["selector"]["matchExpressions"][0]["operator"] == "Exists"
    assert done.changes[1].endswith("(empty, it matched no Pod; in policy/v1 it matches every Pod)")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


BACKEND = {"serviceName": "s", "servicePort": 80}
WHOLE = [
    made("extensions/v1beta1", "Deployment", template=TEMPLATE, selector={"matchLabels": {"a": "b"}}, strategy={"rollingUpdate": {"maxSurge": 1}}),
    made("extensions/v1beta1", "DaemonSet", template=TEMPLATE, templateGeneration=1, updateStrategy={"type": "OnDelete"}),
    made("extensions/v1beta1", "Ingress", backend=BACKEND, tls=[{"hosts": ["a"]}], rules=[{"host": "h", "http": {"paths": [{"backend": BACKEND}]}}]),
    made("policy/v1beta1", "PodDisruptionBudget", selector={"matchLabels": {"a": "b"}}),
    made("autoscaling/v2beta1", "HorizontalPodAutoscaler", scaleTargetRef={"apiVersion": "apps/v1beta1", "kind": "Deployment", "name": "d"}, metrics=[
        {"type": "Object", "object": {"target": {"kind": "Service", "name": "s"}, "metricName": "m", "targetValue": "5"}},
        {"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": 50}},
    ]),
    {"apiVersion": "rbac.authorization.k8s.io/v1beta1", "kind": "Role", "rules": [{"apiGroups": ["extensions"], "resources": ["ingresses"]}]},
]


@pytest.mark.parametrize("whole", WHOLE, ids=lambda obj: obj["kind"])
def test_a_null_anywhere_is_no_obstacle(whole: dict[str, Any]) -> None:
    for path in places(whole):
        holed = copy.deepcopy(whole)
        at: Any = holed
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = None
        done = modernize(holed)
        if path not in (("kind",), ("apiVersion",)):
            assert done.obj["apiVersion"] != whole["apiVersion"], path


def test_what_a_server_counted_is_left_out() -> None:
    done = modernize(made("extensions/v1beta1", "DaemonSet", templateGeneration=4, template=TEMPLATE))
    assert done.obj["spec"].keys() == {"template", "selector", "updateStrategy"}
    assert "annotations" not in done.obj["metadata"]
    assert done.changes[-1] == "DaemonSet n: spec.templateGeneration: removed (the server counts it)"


@pytest.mark.parametrize("groups", [["extensions", "apps", "networking.k8s.io"], ["*"], ["extensions", "*"]], ids=str)
def test_rules_that_grant_the_kinds_where_they_are_now_are_fine(groups: list[str]) -> None:
    rule = {"apiGroups": groups, "resources": ["deployments", "ingresses"], "verbs": ["get"]}
    assert modernize({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": [rule]}).troubles == []


def test_a_list_is_rewritten_item_by_item() -> None:
    items = [made("batch/v1beta1", "CronJob"), made("batch/v1", "Job")]
    done = modernize({"apiVersion": "v1", "kind": "List", "items": items})
    assert [each["apiVersion"] for each in done.obj["items"]] == ["batch/v1", "batch/v1"]
    typed = modernize({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudgetList", "items": [{"spec": {"selector": {}}}]})
    assert typed.obj["apiVersion"] == "policy/v1"
    assert typed.obj["items"][0].keys() == {"spec"}
    assert typed.obj["items"][0]["spec"]["selector"]


@pytest.mark.parametrize(
    ("obj", "trouble"),
    [
        pytest.param(made("batch/v1beta1", "CronJob", jobTemplete={}),
                     'CronJob n: unknown field "spec.jobTemplete": did you mean "spec.jobTemplate"?', id="misspelt"),
        pytest.param(made("apps/v1", "Deployment", zzz=1), 'Deployment n: unknown field "spec.zzz"', id="nothing like it"),
        pytest.param(made("apps/v1", "Deployment", replicas="3"),
                     "Deployment n: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32", id="another type"),
        pytest.param(made("policy/v1beta1", "PodSecurityPolicy"),
                     "PodSecurityPolicy n: policy/v1beta1 PodSecurityPolicy is gone since v1.25: label the namespaces for"
                     " Pod Security admission (pod-security.kubernetes.io/enforce)", id="gone"),
        pytest.param(made("apps/v2", "Deployment"), "Deployment n: there is no Deployment in apps/v2: write it as apps/v1, by hand", id="no version"),
        pytest.param(made("extensions/v1beta1", "Job"), "Job n: there is no Job in extensions/v1beta1: write it as batch/v1, by hand", id="no group"),
        pytest.param(made("apps/v1", "Deploymnt"), "Deploymnt n: apps/v1 has no kind 'Deploymnt': did you mean 'Deployment'?", id="kind"),
        pytest.param(made("app/v1", "Foo"), "Foo n: there is no group 'app': did you mean 'apps'?", id="group"),
        pytest.param(made("apps/v1beta1", "Deployment", rollbackTo={"revision": 2}, template=TEMPLATE),
                     'Deployment n: unknown field "spec.rollbackTo": gone since v1.16: `kubectl rollout undo --to-revision` does its work', id="order"),
        pytest.param({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "n"}, "rules": [
            {"apiGroups": ["", "extensions", "apps"], "resources": ["pods", "ingresses", "deployments"], "verbs": ["get"]},
        ]}, "Role n: rules[0].apiGroups: has 'extensions', but not 'networking.k8s.io', where these resources are now", id="rules"),
        pytest.param({"kind": "Pod"}, "no apiVersion and kind", id="no version at all"),
        pytest.param("text", "not an object", id="no object"),
    ],
)
def test_what_the_writer_must_mend_is_named(obj: Any, trouble: str) -> None:
    before = copy.deepcopy(obj)
    assert modernize(obj).troubles == [trouble]
    assert obj == before


def test_custom_resources_stay_as_they_are() -> None:
    done = modernize(made("stable.example.com/v1beta1", "CronTab", whatever=1))
    assert (done.changes, done.troubles) == ([], [])

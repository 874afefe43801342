"""Converters between served versions and the hub: nothing is lost, and the recorded forms come out."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.api.conversion import event, hpa, hpa_v2beta1, ingress, old_apps, pdb


@pytest.fixture(scope="module")
def recorded(shared: Path) -> dict[str, Any]:
    cases = [case for name in ("defaults", "reads") for case in json.loads((shared / f"upstream/api/{name}.json").read_text())]
    return {case["name"]: case["response"]["body"] for case in cases}


texts = st.text("abcxyz./-", min_size=1, max_size=8)
quantities = st.sampled_from(["100m", "5", "2Gi", "1k"])
references = st.fixed_dictionaries({"kind": texts, "name": texts}, optional={"apiVersion": texts, "namespace": texts})
times = st.sampled_from([None, "2026-11-23T20:23:50Z"])
core_events = st.fixed_dictionaries(
    {
        "kind": st.just("Event"), "apiVersion": st.just("v1"), "metadata": st.fixed_dictionaries({"name": texts}),
        "involvedObject": references, "source": st.fixed_dictionaries({}, optional={"component": texts, "host": texts}),
        "firstTimestamp": times, "lastTimestamp": times, "eventTime": times, "reportingComponent": st.just("") | texts,
        "reportingInstance": st.just("") | texts,
    },
    optional={
        "reason": texts, "message": texts, "type": texts, "count": st.integers(1, 99), "action": texts, "related": references,
        "series": st.fixed_dictionaries({"count": st.integers(2, 9), "lastObservedTime": times}),
    },
)


@given(core_events)
def test_event_survives_the_other_version(core: dict[str, Any]) -> None:
    before = copy.deepcopy(core)
    new = event.from_hub(core)
    assert new["apiVersion"] == "events.k8s.io/v1"
    assert not {"involvedObject", "message", "source", "firstTimestamp", "lastTimestamp", "count"} & new.keys()
    assert event.to_hub(new) == core
    assert event.from_hub(event.to_hub(new)) == new
    assert core == before


def test_event_is_shown_as_recorded(recorded: dict[str, Any]) -> None:
    assert event.from_hub(recorded["event"]) == recorded["event-as-events.k8s.io"]
    assert event.to_hub(recorded["event-as-events.k8s.io"]) == recorded["event"]


def test_event_of_the_new_api_gets_the_old_fields() -> None:
    new = {"metadata": {"name": "e"}, "eventTime": "2026-11-23T20:23:50.000000Z", "regarding": {"kind": "Pod", "name": "p"},
           "note": "told", "reportingController": "k.io/c", "reportingInstance": "c-1", "action": "Do", "reason": "R"}
    old = event.to_hub(new)
    assert (old["involvedObject"], old["message"], old["reportingComponent"]) == ({"kind": "Pod", "name": "p"}, "told", "k.io/c")
    assert (old["source"], old["firstTimestamp"]) == ({}, None)


def target(*kinds: str) -> st.SearchStrategy[dict[str, Any]]:
    values = {"Utilization": ("averageUtilization", st.integers(1, 100)), "AverageValue": ("averageValue", quantities),
              "Value": ("value", quantities)}
    shapes = [{"type": st.just(kind), values[kind][0]: values[kind][1]} for kind in kinds]
    return st.one_of(*(st.fixed_dictionaries(shape) for shape in shapes))


identifiers = st.fixed_dictionaries({"name": texts}, optional={"selector": st.just({"matchLabels": {"a": "b"}})})
other_metrics = st.one_of(
    st.fixed_dictionaries({"type": st.just("Resource"), "resource": st.fixed_dictionaries(
        {"name": st.just("memory"), "target": target("Utilization", "AverageValue")})}),
    st.fixed_dictionaries({"type": st.just("ContainerResource"), "containerResource": st.fixed_dictionaries(
        {"name": st.just("cpu"), "container": texts, "target": target("Utilization", "AverageValue")})}),
    st.fixed_dictionaries({"type": st.just("Pods"), "pods": st.fixed_dictionaries(
        {"metric": identifiers, "target": target("AverageValue")})}),
    st.fixed_dictionaries({"type": st.just("Object"), "object": st.fixed_dictionaries(
        {"describedObject": references, "metric": identifiers, "target": target("Value", "AverageValue")})}),
    st.fixed_dictionaries({"type": st.just("External"), "external": st.fixed_dictionaries(
        {"metric": identifiers, "target": target("Value", "AverageValue")})}),
)
cpu = st.fixed_dictionaries({"type": st.just("Resource"), "resource": st.fixed_dictionaries(
    {"name": st.just("cpu"), "target": target("Utilization")})})
scaling = st.fixed_dictionaries({}, optional={
    "stabilizationWindowSeconds": st.integers(0, 9), "selectPolicy": st.sampled_from(["Max", "Disabled"]),
    "policies": st.lists(st.fixed_dictionaries(
        {"type": st.just("Pods"), "value": st.integers(1, 9), "periodSeconds": st.integers(1, 9)}), min_size=1, max_size=2),
})
autoscalers = st.builds(
    lambda others, first, **spec: {
        "kind": "HorizontalPodAutoscaler", "apiVersion": "autoscaling/v2", "metadata": {"name": "h"},
        "spec": {"maxReplicas": 3, **({"metrics": others + first} if others or first else {}), **spec},
        "status": {"desiredReplicas": 1, "currentReplicas": 2, "currentMetrics": None},
    },
    st.lists(other_metrics, max_size=3), st.lists(cpu, max_size=1),
    behavior=st.fixed_dictionaries({}, optional={"scaleUp": scaling, "scaleDown": scaling}),
)


@given(autoscalers)
def test_autoscaler_survives_v1(v2: dict[str, Any]) -> None:
    before = copy.deepcopy(v2)
    v1 = hpa.from_hub(v2)
    assert not {"metrics", "behavior"} & v1["spec"].keys()
    assert hpa.to_hub(v1) == v2
    assert hpa.from_hub(hpa.to_hub(v1)) == v1
    assert v2 == before


@given(autoscalers)
def test_autoscaler_survives_v2beta1(v2: dict[str, Any]) -> None:
    before = copy.deepcopy(v2)
    old = hpa_v2beta1.from_hub(v2)
    assert "behavior" not in old["spec"]
    assert hpa_v2beta1.to_hub(old) == v2
    assert hpa_v2beta1.from_hub(hpa_v2beta1.to_hub(old)) == old
    assert v2 == before


def test_old_autoscalers_have_flat_metrics() -> None:
    spec = {"maxReplicas": 1, "metrics": [
        {"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": 50}},
        {"type": "Object", "object": {"target": {"kind": "Service", "name": "s"}, "metricName": "m", "targetValue": "5"}},
    ]}
    new = hpa_v2beta1.to_hub({"metadata": {}, "spec": spec})
    assert new["spec"]["metrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},
        {"type": "Object", "object": {
            "describedObject": {"kind": "Service", "name": "s"}, "metric": {"name": "m"}, "target": {"type": "Value", "value": "5"},
        }},
    ]
    assert hpa_v2beta1.from_hub(new)["spec"] == spec


@pytest.mark.parametrize(("v1", "v2"), [("hpa-v1", "hpa-v1-as-v2"), ("hpa-v2-as-v1", "hpa-v2")])
def test_autoscaler_is_shown_as_recorded(recorded: dict[str, Any], v1: str, v2: str) -> None:
    assert hpa.from_hub(recorded[v2]) == recorded[v1]
    assert hpa.to_hub(recorded[v1]) == recorded[v2]


def test_autoscaler_status_and_conditions_stand_in_annotations() -> None:
    v2 = {
        "metadata": {"name": "h", "annotations": {"mine": "kept"}}, "spec": {"maxReplicas": 3},
        "status": {
            "currentReplicas": 2, "desiredReplicas": 2,
            "conditions": [{"type": "AbleToScale", "status": "True"}],
            "currentMetrics": [
                {"type": "Pods", "pods": {"metric": {"name": "m"}, "current": {"averageValue": "4"}}},
                {"type": "Resource", "resource": {"name": "cpu", "current": {"averageValue": "10m", "averageUtilization": 7}}},
            ],
        },
    }
    v1 = hpa.from_hub(v2)
    assert v1["status"] == {"currentReplicas": 2, "desiredReplicas": 2, "currentCPUUtilizationPercentage": 7}
    notes = v1["metadata"]["annotations"]
    assert json.loads(notes[hpa.CURRENT_METRICS])[0] == {"type": "Pods", "pods": {"metricName": "m", "currentAverageValue": "4"}}
    assert hpa.to_hub(v1) == {**v2, "apiVersion": "autoscaling/v2"}


def test_behavior_is_annotated_in_upstreams_spelling() -> None:
    spec = {"maxReplicas": 1, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods"}]}}}
    v1 = hpa.from_hub({"metadata": {}, "spec": spec})
    told = v1["metadata"]["annotations"][hpa.BEHAVIOR]
    assert told == '{"ScaleDown":{"StabilizationWindowSeconds":0,"Policies":[{"Type":"Pods"}]}}'


def test_an_unreadable_annotation_is_left_alone() -> None:
    v1 = {"metadata": {"annotations": {hpa.METRICS: "{nonsense"}}, "spec": {"maxReplicas": 1}}
    assert hpa.to_hub(v1)["metadata"] == v1["metadata"]


@pytest.mark.parametrize(
    ("beta", "v1"),
    [
        ({}, {"matchExpressions": [{"key": "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match", "operator": "Exists"}]}),
        (
            {"matchExpressions": [
                {"key": "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match", "operator": "DoesNotExist"}]},
            {},
        ),
        ({"matchLabels": {"a": "b"}}, {"matchLabels": {"a": "b"}}),
        (None, None),
    ],
    ids=["none", "all", "some", "absent"],
)
def test_budget_selectors_keep_their_meaning(beta: Any, v1: Any) -> None:
    assert pdb.to_hub({"spec": {"selector": beta}})["spec"]["selector"] == v1
    assert pdb.from_hub({"spec": {"selector": v1}})["spec"]["selector"] == beta


def test_old_deployments_mean_what_they_meant() -> None:
    old = {"spec": {"replicas": 1, "template": {"metadata": {"labels": {"a": "b"}}}}}
    spec = old_apps.extensions_deployment_to_hub(old)["spec"]
    assert spec["selector"] == {"matchLabels": {"a": "b"}}
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}
    assert spec["progressDeadlineSeconds"] == spec["revisionHistoryLimit"] == 2147483647
    assert old_apps.apps_v1beta1_deployment_to_hub(old)["spec"]["revisionHistoryLimit"] == 2
    recreated = old_apps.apps_v1beta1_deployment_to_hub({"spec": {"strategy": {"type": "Recreate"}}})["spec"]
    assert recreated["strategy"] == {"type": "Recreate"}
    assert old == {"spec": {"replicas": 1, "template": {"metadata": {"labels": {"a": "b"}}}}}


def test_old_workloads_are_labelled_as_their_pods_and_wait_for_deletion() -> None:
    old = {"metadata": {"name": "w"}, "spec": {"template": {"metadata": {"labels": {"a": "b"}}}}}
    for convert in (old_apps.labelled, old_apps.on_delete, old_apps.daemonset_to_hub, old_apps.extensions_deployment_to_hub):
        new = convert(old)
        assert (new["metadata"]["labels"], new["spec"]["selector"]) == ({"a": "b"}, {"matchLabels": {"a": "b"}})
    assert old_apps.on_delete(old)["spec"]["updateStrategy"] == {"type": "OnDelete"}
    own = {**old, "metadata": {"labels": {"c": "d"}}, "spec": {**old["spec"], "selector": {}, "updateStrategy": {"type": "RollingUpdate"}}}
    new = old_apps.on_delete(own)
    assert (new["metadata"]["labels"], new["spec"]["selector"]) == ({"c": "d"}, {})
    assert new["spec"]["updateStrategy"] == {"type": "RollingUpdate"}


def test_a_daemonsets_template_generation_is_an_annotation_now() -> None:
    old = {"metadata": {"annotations": {"mine": "kept"}}, "spec": {"templateGeneration": 3, "updateStrategy": {"type": "OnDelete"}}}
    new = old_apps.daemonset_to_hub(old)
    assert new["metadata"]["annotations"] == {"mine": "kept", "deprecated.daemonset.template.generation": "3"}
    assert "templateGeneration" not in new["spec"]
    assert {**old_apps.daemonset_from_hub(new), "apiVersion": ""} == {**old, "apiVersion": ""}


def optional(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


label_maps = st.dictionaries(texts, texts, min_size=1, max_size=2)
amounts = st.integers(0, 3) | st.sampled_from(["0%", "25%"])
strategies = st.sampled_from(["RollingUpdate", "Recreate", "OnDelete", ""]).flatmap(lambda kind: st.fixed_dictionaries(
    {"type": st.just(kind)}, optional={"rollingUpdate": st.none() | optional(maxSurge=amounts, maxUnavailable=amounts)}))
workloads = st.fixed_dictionaries(
    {"metadata": optional(name=texts, labels=label_maps, annotations=label_maps)},
    optional={"spec": optional(
        replicas=st.integers(0, 3), selector=st.none() | st.builds(lambda labels: {"matchLabels": labels}, label_maps) | st.just({}),
        template=optional(metadata=optional(labels=label_maps)), strategy=st.none() | strategies, updateStrategy=st.none() | strategies,
        progressDeadlineSeconds=st.integers(1, 9) | st.none(), revisionHistoryLimit=st.integers(0, 9),
    )},
)
OLD_WORKLOADS = {
    "labelled": (old_apps.labelled, None), "on-delete": (old_apps.on_delete, None),
    "daemonset": (old_apps.daemonset_to_hub, old_apps.daemonset_from_hub),
    "extensions": (old_apps.extensions_deployment_to_hub, None), "apps-v1beta1": (old_apps.apps_v1beta1_deployment_to_hub, None),
}


def holds(whole: Any, part: Any) -> bool:
    """Whether all that `part` says is in `whole`; what it says nothing of may be there too."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(not value or holds(whole.get(name), value) for name, value in part.items())
    return bool(whole == part)


@pytest.mark.parametrize(("to_hub", "from_hub"), OLD_WORKLOADS.values(), ids=OLD_WORKLOADS)
@given(old=workloads)
def test_old_workloads_survive_apps_v1(to_hub: Any, from_hub: Any, old: dict[str, Any]) -> None:
    before = copy.deepcopy(old)
    new = to_hub(old)
    assert old == before
    assert holds(new, old), "nothing that was said is lost or changed"
    shown = from_hub(new) if from_hub else new
    assert to_hub(shown) == new, "what the old version shows of it means the same"


@given(workloads, st.integers(1, 99))
def test_a_daemonset_survives_the_old_version(hub: dict[str, Any], generation: int) -> None:
    hub["metadata"]["annotations"] = {**hub["metadata"].get("annotations", {}), old_apps.TEMPLATE_GENERATION: str(generation)}
    hub = old_apps.daemonset_to_hub(hub)
    old = old_apps.daemonset_from_hub(hub)
    assert old["spec"]["templateGeneration"] == generation
    assert old_apps.daemonset_to_hub(old) == hub


ports = st.integers(1, 65535) | st.sampled_from(["http", "web"])
old_backends = st.fixed_dictionaries({"serviceName": texts, "servicePort": ports}) | st.just(
    {"resource": {"kind": "Bucket", "name": "b"}})
old_paths = st.fixed_dictionaries(
    {"backend": old_backends, "pathType": st.sampled_from(["Prefix", "ImplementationSpecific"])}, optional={"path": texts})
old_ingresses = st.fixed_dictionaries({
    "apiVersion": st.just("networking.k8s.io/v1beta1"), "metadata": st.just({"name": "i"}),
    "spec": st.fixed_dictionaries({}, optional={
        "backend": old_backends, "ingressClassName": texts,
        "rules": st.lists(st.fixed_dictionaries(
            {"host": texts}, optional={"http": st.fixed_dictionaries({"paths": st.lists(old_paths, max_size=2)})}), max_size=2),
    }),
})


@given(old_ingresses)
def test_old_ingress_survives_v1(old: dict[str, Any]) -> None:
    new = ingress.to_hub(old)
    assert "backend" not in new["spec"]
    back = ingress.from_hub(new)
    assert {**back, "apiVersion": old["apiVersion"]} == old


def test_old_ingress_gets_v1s_backend() -> None:
    old = {"spec": {"rules": [{"http": {"paths": [{"path": "/", "backend": {"serviceName": "s", "servicePort": "http"}}]}}]}}
    path = ingress.to_hub(old)["spec"]["rules"][0]["http"]["paths"][0]
    backend = path.pop("backend")
    assert path == {"path": "/", "pathType": "ImplementationSpecific"}
    assert backend == {"service": {"name": "s", "port": {"name": "http"}}}

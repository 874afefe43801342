"""Converters between served versions and the hub: nothing is lost, and the recorded forms come out."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.api.conversion import deployment, event, hpa, ingress, pdb


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
    spec = deployment.extensions_to_hub(old)["spec"]
    assert spec["selector"] == {"matchLabels": {"a": "b"}}
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}
    assert spec["progressDeadlineSeconds"] == spec["revisionHistoryLimit"] == 2147483647
    assert deployment.apps_v1beta1_to_hub(old)["spec"]["revisionHistoryLimit"] == 2
    recreated = deployment.apps_v1beta1_to_hub({"spec": {"strategy": {"type": "Recreate"}}})["spec"]
    assert recreated["strategy"] == {"type": "Recreate"}
    assert old == {"spec": {"replicas": 1, "template": {"metadata": {"labels": {"a": "b"}}}}}


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

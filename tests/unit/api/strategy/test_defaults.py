"""Every creation that was recorded: defaults and preparation of the request give the object that the server answered."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from .recordings import cases, decoded
from .strategies import STRATEGIES

SERVER = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "namespace", "generation", "name")
RECORDED = {
    name: case for name, case in cases("defaults").items()
    if case["response"]["status"] == 201 and case["request"]["path"].rpartition("/")[2] in STRATEGIES
    and name != "hpa-v1"  # converted first
}


def created(case: dict[str, Any]) -> dict[str, Any]:
    """The request as the strategy makes it: kind and names as the server sets them before."""
    answer, obj = case["response"]["body"], decoded(case["request"]["body"])
    obj["kind"], obj["apiVersion"] = answer["kind"], answer["apiVersion"]
    meta = obj.setdefault("metadata", {})
    meta.update({key: answer["metadata"][key] for key in ("uid", "creationTimestamp", "namespace") if key in answer["metadata"]})
    strategy = STRATEGIES[case["request"]["path"].rpartition("/")[2]]
    strategy.default(obj)
    strategy.prepare_for_create(obj)
    strategy.default(obj)
    return obj


def without_admission(obj: dict[str, Any]) -> dict[str, Any]:
    """The answer without what admission and the server add."""
    obj["metadata"] = {key: value for key, value in obj["metadata"].items() if key not in SERVER}
    spec = obj.get("spec", {})
    if obj["kind"] == "Pod":
        volumes = [v for v in spec.get("volumes", []) if not v["name"].startswith("kube-api-access-")]
        spec["volumes"] = volumes
        if not volumes:
            del spec["volumes"]
        for container in (*spec["containers"], *spec.get("initContainers", [])):
            container.pop("volumeMounts", None)
        for name in ("serviceAccountName", "serviceAccount", "priority", "preemptionPolicy"):
            spec.pop(name, None)
        own = [t for t in spec["tolerations"] if t.get("tolerationSeconds") != 300]
        spec["tolerations"] = own
        if not own:
            del spec["tolerations"]
    elif obj["kind"] == "Service" and spec.get("clusterIP") != "None":
        spec.pop("clusterIP", None)  # the allocator's
        spec.pop("clusterIPs", None)
    elif obj["kind"] == "Node":
        del spec["taints"]  # TaintNodesByCondition
    obj["metadata"].pop("finalizers", None)  # StorageObjectInUseProtection
    return obj


@pytest.mark.parametrize("name", RECORDED)
def test_a_created_object_is_as_recorded(name: str) -> None:
    case = copy.deepcopy(RECORDED[name])
    made = created(case)
    made["metadata"] = {key: value for key, value in made["metadata"].items() if key not in SERVER}
    assert made == without_admission(case["response"]["body"])


@pytest.mark.parametrize("name", RECORDED)
def test_what_the_server_accepted_is_valid(name: str) -> None:
    case = copy.deepcopy(RECORDED[name])
    strategy = STRATEGIES[case["request"]["path"].rpartition("/")[2]]
    answer = case["response"]["body"]
    strategy.default(answer)
    assert strategy.validate(answer) == []
    assert strategy.validate_create(answer) == []
    assert strategy.validate_update(answer, answer) == []
    assert strategy.validate_status(answer, answer) == []


@pytest.mark.parametrize("name", RECORDED)
def test_defaults_of_an_object_that_has_them_change_nothing(name: str) -> None:
    case = copy.deepcopy(RECORDED[name])
    once = case["response"]["body"]
    again, before = copy.deepcopy(once), copy.deepcopy(once)
    STRATEGIES[case["request"]["path"].rpartition("/")[2]].default(again)
    assert again == before

"""The admission plugin for RuntimeClasses: overhead, placement, and refusals in upstream's words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_harness import API

CLASSES, PODS = "/apis/node.k8s.io/v1/runtimeclasses", "/api/v1/namespaces/n/pods"


@pytest.fixture
async def api(api: API) -> API:
    await api.namespace("n")
    taint = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
    await api.call("POST", CLASSES, {
        "metadata": {"name": "heavy"}, "handler": "h", "overhead": {"podFixed": {"cpu": "10m"}},
        "scheduling": {"nodeSelector": {"kind": "big"}, "tolerations": [taint]},
    })
    await api.call("POST", CLASSES, {"metadata": {"name": "light"}, "handler": "h"})
    return api


def pod(name: str = "p", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


async def test_a_pod_gets_what_its_class_says(api: API) -> None:
    spec = (await api.call("POST", PODS, pod(runtimeClassName="heavy", nodeSelector={"zone": "a"})))["spec"]
    assert spec["overhead"] == {"cpu": "10m"}
    assert spec["nodeSelector"] == {"zone": "a", "kind": "big"}
    assert [each["key"] for each in spec["tolerations"]].count("gpu") == 1
    assert "overhead" not in (await api.call("POST", PODS, pod("q", runtimeClassName="light")))["spec"]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"runtimeClassName": "none"}, 'RuntimeClass "none" not found'),
        ({"runtimeClassName": "heavy", "overhead": {"cpu": "5m"}}, "Pod's Overhead doesn't match RuntimeClass's defined Overhead"),
        ({"runtimeClassName": "light", "overhead": {"cpu": "5m"}}, "Pod Overhead set without corresponding RuntimeClass defined Overhead"),
        ({"overhead": {"cpu": "5m"}}, "Pod Overhead set without corresponding RuntimeClass defined Overhead"),
        ({"runtimeClassName": "heavy", "nodeSelector": {"kind": "small"}},
         "conflict: runtimeClass.scheduling.nodeSelector[kind] = big; pod.spec.nodeSelector[kind] = small"),
    ],
)
async def test_what_is_refused(api: API, spec: dict[str, Any], told: str) -> None:
    response = await api.send("POST", PODS, pod(**spec))
    assert response.status == 403
    assert json.loads(response.body)["message"] == f'pods "p" is forbidden: pod rejected: {told}'

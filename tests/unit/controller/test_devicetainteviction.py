"""Pods whose devices are tainted: when they have to go."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from wherry.api.resourceclaims import Claim
from wherry.api.types import core_v1, meta_v1, resource_v1
from wherry.controller.devicetainteviction.controller import DeviceTaintEvictionController
from wherry.controller.devicetainteviction.plan import evict_at
from wherry.util.clock import rfc3339

DEVICE = {"driver": "dra.example.com", "pool": "p", "device": "d"}


def taint(effect: str = "NoExecute", added: float | None = 100.0) -> resource_v1.DeviceTaint:
    return resource_v1.DeviceTaint(key="k", value="v", effect=effect, time_added=rfc3339(added) if added is not None else None)


def claim(*tolerations: dict[str, Any]) -> Claim:
    result = {"request": "r", **DEVICE, "tolerations": list(tolerations)}
    return msgspec.convert({"metadata": {"name": "c"}, "status": {"allocation": {"devices": {"results": [result]}}}}, Claim)


FOREVER, OTHER = {"operator": "Exists"}, {"operator": "Exists", "key": "other"}


@pytest.mark.parametrize(("of", "taints", "expected"), [
    (claim(), [], None), (claim(), [taint()], 100.0), (claim(), [taint(added=None)], 150.0), (claim(), [taint("NoSchedule")], None), (claim(FOREVER), [taint()], None),
    (claim(OTHER), [taint()], 100.0), (claim({**FOREVER, "tolerationSeconds": 30}), [taint()], 130.0),
    (claim({**FOREVER, "tolerationSeconds": 30}, {**FOREVER, "tolerationSeconds": 10}, FOREVER), [taint()], 110.0),
    (claim({"operator": "Equal", "key": "k", "value": "v", "effect": "NoExecute"}), [taint()], None), (claim({"operator": "Equal", "key": "k", "value": "w"}), [taint()], 100.0),
    (claim({**FOREVER, "tolerationSeconds": 30}), [taint(), taint(added=50.0)], 80.0), (Claim(), [taint()], None),
])
def test_when(of: Claim, taints: list[resource_v1.DeviceTaint], expected: float | None):
    assert evict_at([of], lambda device: taints if device == ("dra.example.com", "p", "d") else [], 150.0) == expected


async def test_a_rule_evicts_and_may_be_taken_back(world: Any):
    async with world() as here:
        await here.namespace()
        await here.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name="n")))
        pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
        await here.client.create(msgspec.convert({"metadata": {"name": "s"}, "spec": {"driver": "dra.example.com", "pool": pool, "nodeName": "n", "devices": [{"name": "d"}]}}, resource_v1.ResourceSlice))
        for name, tolerations in (("patient", [{**FOREVER, "tolerationSeconds": 60}]), ("plain", [])):
            spec = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "gpu"}}]}}
            await here.client.create(msgspec.convert({"metadata": {"name": name, "namespace": "default"}, "spec": spec}, Claim))
            container = {"name": "c", "image": "i"}
            user = await here.client.create(msgspec.convert({
                "metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [container], "nodeName": "n", "resourceClaims": [{"name": "x", "resourceClaimName": name}]},
            }, core_v1.Pod))
            reserved = [{"resource": "pods", "name": name, "uid": user.metadata.uid}]
            results = [{"request": "r", **DEVICE, "tolerations": tolerations}]
            await here.client.patch(Claim, name, {"status": {"allocation": {"devices": {"results": results}}, "reservedFor": reserved}}, "default", subresource="status")
        here.start(DeviceTaintEvictionController)
        await here.settle()
        rule = {"metadata": {"name": "broken"}, "spec": {"deviceSelector": {"device": "d"}, "taint": {"key": "k", "effect": "NoExecute"}}}
        await here.client.create(msgspec.convert(rule, resource_v1.DeviceTaintRule))
        await here.settle()

        def going(pods: list[core_v1.Pod]) -> list[str]:
            return [pod.metadata.name for pod in pods if pod.metadata.deletion_timestamp is not None]

        pods = await here.pods()
        assert going(pods) == ["plain"]
        assert any(each.type == "DisruptionTarget" and each.reason == "DeletionByDeviceTaintManager" for each in pods[1].status.conditions)
        await here.advance(30)
        await here.client.delete(resource_v1.DeviceTaintRule, "broken")
        await here.advance(60)
        assert going(await here.pods()) == ["plain"]
        assert [each for each in await here.events() if each[1] == "DeviceTaintManagerEviction"] == [
            ("Pod/plain", "DeviceTaintManagerEviction", "Marking for deletion"), ("Pod/patient", "DeviceTaintManagerEviction", "Cancelling deletion"),
        ]

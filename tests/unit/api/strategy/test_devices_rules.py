"""Dynamic resource allocation: defaults, what is dropped, and one row a rule, as of upstream's validation tests."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from wherry.api.strategy.resource import claims, classes, slices

Dict = dict[str, Any]
UID = "b3a5e2a0-0000-4000-8000-000000000001"
CLASS = {"deviceClassName": "gpu.example.com"}
EXACT = {"name": "r", "exactly": CLASS}


def claim(*requests: Dict, **devices: Any) -> Dict:
    return {"metadata": {"name": "c", "namespace": "n"}, "spec": {"devices": {"requests": list(requests), **devices}}}


def exact(**fields: Any) -> Dict:
    return claim({"name": "r", "exactly": {**CLASS, **fields}})


def found(strategy: Any, obj: Dict) -> list[str]:
    """`path: type` of every fault of a new object."""
    obj = copy.deepcopy(obj)
    strategy.default(obj)
    strategy.prepare_for_create(obj)
    causes = [*strategy.validate(obj), *strategy.validate_create(obj)]
    return [f"{cause.field}: {cause.message}" for cause in causes]


def check(strategy: Any, obj: Dict, expected: list[str]) -> None:
    told = found(strategy, obj)
    assert len(told) == len(expected), told
    for each, words in zip(told, expected, strict=True):
        assert words in each


SELECTOR = {"cel": {"expression": "true"}}
OPAQUE = {"opaque": {"driver": "dra.example.com", "parameters": {"a": 1}}}


@pytest.mark.parametrize(("obj", "expected"), [
    (claim(EXACT), []), (claim(), []), (exact(selectors=[SELECTOR], count=2, tolerations=[{"operator": "Exists"}]), []),
    (claim({"name": "r"}), ["spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required"]),
    (claim({**EXACT, "firstAvailable": [{"name": "a", **CLASS}]}), ["but multiple fields are set"]),
    (claim({"name": "R_", "exactly": CLASS}), ["spec.devices.requests[0].name: Invalid value"]), (claim(EXACT, EXACT), ["requests[1]: Duplicate value: \"r\""]),
    (claim(*({"name": f"r{i}", "exactly": CLASS} for i in range(33))), ["spec.devices.requests: Too many: 33: must have at most 32 items"]),
    (claim({"name": "r", "exactly": {}}), ["exactly.deviceClassName: Required value"]), (exact(deviceClassName="A_"), ["exactly.deviceClassName: Invalid value"]),
    (exact(count=-1), ["exactly.count: Invalid value: -1: must be greater than zero"]),
    (exact(allocationMode="All", count=2), ["must not be specified when allocationMode is 'All'"]), (exact(allocationMode="All"), []),
    (exact(allocationMode="Odd"), ['Unsupported value: "Odd": supported values: "All", "ExactCount"']), (exact(selectors=[{}]), ["selectors[0].cel: Required value"]),
    (exact(selectors=[{"cel": {"expression": "nope"}}]),
     ['exactly.selectors[0].cel.expression: Invalid value: "nope": compilation failed: ERROR: <input>:1:1: undeclared reference to \'nope\'']),
    (exact(selectors=[{"cel": {"expression": "1"}}]), ["must evaluate to bool or the unknown type, not int"]),
    (exact(selectors=[{"cel": {"expression": "true" + " " * 10240}}]), ["Too long: may not be more than 10240 bytes"]),
    (exact(selectors=[{"cel": {"expression": "device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, device.attributes.all(d, a + b + c + d != ''))))"}}]),
     ["Forbidden: too complex, exceeds cost limit"]),
    (exact(tolerations=[{"operator": "Exists", "value": "v"}]), ["must be empty for operator `Exists`"]), (exact(tolerations=[{}]), ["tolerations[0].operator: Required value"]),
    (exact(tolerations=[{"operator": "Equal", "key": "a b", "effect": "Odd"}]), ["tolerations[0].key", "tolerations[0].effect: Unsupported value"]),
    (claim({"name": "r", "firstAvailable": [{"name": "a", **CLASS}, {"name": "b", **CLASS}]}), []),
    (claim({"name": "r", "firstAvailable": [{"name": "a", **CLASS}, {"name": "a", **CLASS}]}), ["firstAvailable[1]: Duplicate value"]),
    (claim({"name": "r", "firstAvailable": [{"name": f"a{i}", **CLASS} for i in range(9)]}), ["firstAvailable: Too many: 9: must have at most 8 items"]),
    (claim(EXACT, constraints=[{"requests": ["r"], "matchAttribute": "a.example.com/x"}]), []), (claim(EXACT, constraints=[{"distinctAttribute": "a.example.com/x"}]), []),
    (claim(EXACT, constraints=[{"requests": ["s"], "matchAttribute": "a.example.com/x"}]), ["constraints[0].requests[0]: Invalid value: \"s\": must be the name of a request"]),
    (claim(EXACT, constraints=[{"matchAttribute": "x"}]), ["a fully qualified name must be a domain and a name separated by a slash"]),
    (claim(EXACT, constraints=[{"matchAttribute": "a.example.com/x-y"}]), ["a valid C identifier must start with"]), (claim(EXACT, constraints=[{}]), ["constraints[0]: Required value"]),
    (claim(EXACT, config=[OPAQUE]), []), (claim(EXACT, config=[{}]), ["config[0].opaque: Required value"]),
    (claim(EXACT, config=[{"opaque": {"driver": "", "parameters": {}}}]), ["config[0].opaque.driver: Required value"]),
    (claim(EXACT, config=[{"opaque": {"driver": "a.b", "parameters": [1]}}]), ["<value omitted>", ]), (claim(EXACT, config=[{"opaque": {"driver": "a.b"}}]), ["parameters: Required value"]),
    (claim(EXACT, config=[{"requests": ["r/x/y"], **OPAQUE}]), ["config[0].requests[0]"]),
])
def test_claim(obj: Dict, expected: list[str]):
    check(claims.CLAIM, obj, expected)
    template = {"metadata": {"name": "t", "namespace": "n"}, "spec": {"spec": obj["spec"]}}
    check(claims.TEMPLATE, template, expected)


def test_claim_defaults_and_what_is_dropped():
    obj = copy.deepcopy(claim(EXACT, {"name": "s", "firstAvailable": [{"name": "a", **CLASS, "allocationMode": "All", "derivedAttributes": [{}]}]}))
    obj["status"] = {"reservedFor": []}
    claims.CLAIM.default(obj)
    claims.CLAIM.prepare_for_create(obj)
    assert "status" not in obj
    assert obj["spec"]["devices"]["requests"] == [
        {"name": "r", "exactly": {**CLASS, "allocationMode": "ExactCount", "count": 1}}, {"name": "s", "firstAvailable": [{"name": "a", **CLASS, "allocationMode": "All"}]},
    ]


def test_the_spec_is_immutable():
    [cause] = claims.CLAIM.validate_update(exact(count=2), exact(count=1))
    assert (cause.field, "field is immutable" in cause.message) == ("spec", True)
    assert claims.TEMPLATE.validate_update(claim(EXACT), claim(EXACT)) == []


RESULT = {"request": "r", "driver": "dra.example.com", "pool": "p", "device": "d"}
CONSUMER = {"resource": "pods", "name": "a", "uid": UID}


def status(**fields: Any) -> Dict:
    return {**claim(EXACT), "status": fields}


def allocated(*results: Dict, **fields: Any) -> Dict:
    return status(allocation={"devices": {"results": list(results or [RESULT])}}, **fields)


DEVICE = {"driver": "dra.example.com", "pool": "p", "device": "d"}


@pytest.mark.parametrize(("new", "old", "expected"), [
    (allocated(reservedFor=[CONSUMER]), status(), []), (status(reservedFor=[CONSUMER]), status(), ["status.reservedFor: Forbidden: may not be specified when `allocated` is not set"]),
    (allocated(reservedFor=[{}]), status(), ["reservedFor[0].resource", "reservedFor[0].name", "reservedFor[0].uid"]),
    (allocated(reservedFor=[CONSUMER, CONSUMER]), status(), ["status.reservedFor[1]: Duplicate value"]),
    (allocated(reservedFor=[{**CONSUMER, "uid": str(i)} for i in range(257)]), status(), ["Too many: 257: must have at most 256 items"]),
    (allocated({**RESULT, "request": "x"}), status(), ["results[0].request: Invalid value: \"x\": must be the name of a request in the claim"]),
    (allocated({**RESULT, "device": "other"}), allocated(), ["status.allocation: Invalid value"]), (status(), allocated(), []),
    (allocated({**RESULT, "pool": "a/_"}), status(), ["results[0].pool"]), (allocated({**RESULT, "shareID": "x"}), status(), ["results[0].shareID: Invalid value: \"x\": error validating uid"]),
    (allocated(devices=[{**DEVICE, "networkData": {"ips": ["10.0.0.1/8"]}}]), status(), []),
    (allocated(devices=[{**DEVICE, "device": "x"}]), status(), ["must be an allocated device in the claim"]),
    (allocated(devices=[{**DEVICE, "networkData": {"ips": ["10.0.0.1"], "interfaceName": "x" * 257}}]), status(), ["interfaceName: Too long", "must be a valid address in CIDR form"]),
    (allocated(devices=[{**DEVICE, "conditions": [{"type": "a", "status": "Odd"}]}]), status(), ["conditions[0].status", "lastTransitionTime", "reason"]),
    (status(allocation={"devices": {"results": [RESULT], "config": [{**OPAQUE, "source": "Odd"}]}}), status(), ["config[0].source: Unsupported value"]),
])
def test_claim_status(new: Dict, old: Dict, expected: list[str]):
    told = [f"{cause.field}: {cause.message}" for cause in claims.CLAIM.validate_status(new, old)]
    assert len(told) == len(expected), told
    for each, words in zip(told, expected, strict=True):
        assert words in each


def test_nobody_new_while_it_goes():
    new = allocated(reservedFor=[CONSUMER])
    new["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    [cause] = claims.CLAIM.validate_status(new, allocated())
    assert "new entries may not be added" in cause.message
    assert claims.CLAIM.validate_status(new, allocated(reservedFor=[CONSUMER])) == []


def test_device_statuses_go_with_their_devices():
    new = status(devices=[DEVICE])
    claims.drop_deallocated(new, allocated(devices=[DEVICE]))
    assert new["status"] == {}


# --- slices ------------------------------------------------------------------------------------


def slice_of(*devices: Dict, **fields: Any) -> Dict:
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": "dra.example.com", "pool": pool, "nodeName": "n", "devices": list(devices), **fields}
    return {"metadata": {"name": "s"}, "spec": {key: value for key, value in spec.items() if value is not None}}


def device(**fields: Any) -> Dict:
    return {"name": "d", **fields}


TERM = {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
TAINT = {"key": "k", "effect": "NoSchedule"}
SHARED = {"allowMultipleAllocations": True}


def shared(**policy: Any) -> Dict:
    return slice_of(device(**SHARED, capacity={"memory": {"value": "10Gi", "requestPolicy": policy}}))


@pytest.mark.parametrize(("obj", "expected"), [
    (slice_of(device(attributes={"a": {"int": 1}, "x.example.com/b": {"version": "1.0.0"}}, capacity={"m": {"value": "1Gi"}})), []),
    (slice_of(driver=""), ["spec.driver: Required value"]), (slice_of(pool={"name": "", "generation": -1}), ["pool.name", "resourceSliceCount: Invalid value: 0", "pool.generation"]),
    (slice_of(nodeName=None), ["spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"]),
    (slice_of(allNodes=True), ["spec: Invalid value: \"{`nodeName`, `allNodes`}\""]), (slice_of(nodeName=None, allNodes=False), ["must be either unset or set to true", "is required"]),
    (slice_of(nodeName=None, nodeSelector={"nodeSelectorTerms": [TERM, TERM]}), ["must have exactly one node selector term"]),
    (slice_of(device(), device()), ["spec.devices[1]: Duplicate value: \"d\""]), (slice_of(*(device(name=f"d{i}") for i in range(129))), ["spec.devices: Too many: 129: must have at most 128 items"]),
    (slice_of(*(device(name=f"d{i}", taints=[TAINT]) for i in range(65))), ["Too many: 65: must have at most 64 items"]), (slice_of(device(name="D_")), ["devices[0].name"]),
    (slice_of(device(attributes={f"a{i}": {"int": 1} for i in range(33)})), ["the total number of attributes and capacities must not exceed 32"]),
    (slice_of(device(attributes={"a": {}})), ["attributes[a]: Invalid value: \"\": exactly one value must be specified"]),
    (slice_of(device(attributes={"a": {"int": 1, "bool": True}})), ["exactly one value must be specified"]), (slice_of(device(attributes={"a": {"ints": [1]}})), ["exactly one value must be specified"]),
    (slice_of(device(attributes={"a": {"version": "1.0"}})), ["must be a string compatible with semver.org spec 2.0.0"]), (slice_of(device(attributes={"a": {"string": "x" * 65}})), ["Too long"]),
    (slice_of(device(attributes={"a/b/c": {"int": 1}})), ["must not contain more than one slash"]), (slice_of(device(attributes={"/b": {"int": 1}})), ["the domain must not be empty"]),
    (slice_of(device(attributes={"b" * 33: {"int": 1}})), ["Too long: may not be more than 32 bytes"]), (slice_of(device(taints=[{"key": "a b"}])), ["taints[0].key", "taints[0].effect: Required value"]),
    (slice_of(device(nodeName="n")), ["can only be set if `perDeviceNodeSelection` is set to true"]),
    (slice_of(device(), nodeName=None, perDeviceNodeSelection=True), ["exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when"]),
    (slice_of(device(allNodes=True), nodeName=None, perDeviceNodeSelection=True), []),
    (slice_of(device(bindingConditions=["a"])), ["bindingFailureConditions are required to use bindingConditions"]),
    (slice_of(device(bindingConditions=["a"], bindingFailureConditions=["a"])), ["must not overlap with bindingConditions"]),
    (slice_of(device(consumesCounters=[{"counterSet": "c", "counters": {"m": {"value": "1"}}}])), []),
    (slice_of(device(consumesCounters=[{}])), ["counterSet: Required value", "counters: Required value"]),
    (slice_of(devices=None, sharedCounters=[{"name": "c", "counters": {"m": {"value": "1"}}}]), []),
    (slice_of(sharedCounters=[{"name": "c", "counters": {"m": {"value": "1"}}}]), ["only one of `sharedCounters` or `devices` is allowed"]),
    (slice_of(device(capacity={"m": {"value": "1", "requestPolicy": {}}})), ["requestPolicy: Forbidden: allowMultipleAllocations must be true"]), (shared(default="1Gi"), []),
    (shared(validValues=["1Gi"]), ["default: Required value: required when validValues is defined"]), (shared(default="2Gi", validValues=["1Gi", "2Gi"]), []),
    (shared(default="3Gi", validValues=["2Gi", "1Gi", "20Gi"]), ["values must be sorted", "option is larger than capacity value: 10Gi", "default value is not valid"]),
    (shared(default="1Gi", validRange={"min": "1Gi", "max": "4Gi", "step": "1Gi"}), []), (shared(default="1", validRange={"min": "1Gi"}), ["default is less than min: 1Gi"]),
    (shared(default="1Gi", validRange={"min": "1Gi", "max": "4Gi", "step": "2Gi"}), ["value is not a multiple of a given step (2Gi) from (1Gi)"]),
    (shared(default="1Gi", validValues=["1Gi"], validRange={"min": "1"}), ["exactly one policy can be specified"]),
])
def test_slice(obj: Dict, expected: list[str]):
    check(slices.SLICE, obj, expected)


def test_slices_keep_their_pool_and_node():
    causes = slices.SLICE.validate_update(slice_of(driver="b.c", nodeName="m"), slice_of())
    assert [cause.field for cause in causes] == ["spec.driver", "spec.nodeName"]


# --- classes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "expected"), [
    ({}, []), ({"selectors": [SELECTOR], "config": [OPAQUE], "extendedResourceName": "example.com/gpu"}, []), ({"selectors": [{}]}, ["spec.selectors[0].cel"]),
    ({"selectors": [{"cel": {"expression": "?!"}}]}, ["Syntax error"]), ({"selectors": [SELECTOR] * 33}, ["Too many: 33"]), ({"config": [{}]}, ["spec.config[0].opaque"]),
    ({"extendedResourceName": "cpu"}, ["must be a valid extended resource name"]),
])
def test_class(spec: Dict, expected: list[str]):
    check(classes.DEVICE_CLASS, {"metadata": {"name": "c"}, "spec": spec}, expected)


def test_rules_of_taints():
    check(classes.DEVICE_TAINT_RULE, {"spec": {"deviceSelector": {"driver": "a.b", "device": "d"}, "taint": TAINT}}, [])
    check(classes.DEVICE_TAINT_RULE, {"spec": {"deviceSelector": {"pool": "_"}, "taint": {"effect": "Odd"}}}, ["deviceSelector.pool", "taint.key", "taint.key", "taint.effect"])

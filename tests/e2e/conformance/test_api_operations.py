"""Every kind through all that its API offers: what upstream's "should support ... API operations" tests ask, for all at once.

Discovery names it; it is created, read, listed, watched, patched, updated and deleted, alone and as a collection, and
its status is a thing apart.  Kinds that nothing acts on yet must pass too, and say so.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from raw_api import RawAPI

POD = {"containers": [{"name": "c", "image": "busybox:1.36"}]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
SELECTOR = {"matchLabels": {"a": "b"}}
HOOK = {"name": "a.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "clientConfig": {"url": "https://x.example.com/y"}}
RULES = {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]}
CONDITION = {"type": "Tested", "status": "True", "reason": "Test", "message": "told", "lastTransitionTime": "2026-11-28T10:00:00Z"}
IDLE = "nothing in this cluster acts on it yet"
INGRESS = {"rules": [{"host": "h", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}]}


def request() -> str:
    """A certificate signing request, as its API wants it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


# (group, version, plural, namespaced, body, a status or None)
Kind = tuple[str, str, str, bool, dict[str, Any], dict[str, Any] | None]
KINDS: list[Kind] = [
    ("", "v1", "configmaps", True, {"data": {"a": "b"}}, None),
    ("", "v1", "secrets", True, {"stringData": {"a": "b"}}, None),
    ("", "v1", "serviceaccounts", True, {}, None),
    ("", "v1", "podtemplates", True, {"template": TEMPLATE}, None),
    ("", "v1", "limitranges", True, {"spec": {"limits": [{"type": "Pod", "max": {"cpu": "1"}}]}}, None),
    ("", "v1", "resourcequotas", True, {"spec": {"hard": {"pods": "9"}}}, {"hard": {"pods": "9"}}),
    ("", "v1", "services", True, {"spec": {"ports": [{"port": 80}]}}, {"conditions": [CONDITION]}),
    ("", "v1", "endpoints", True, {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]}, None),
    ("", "v1", "replicationcontrollers", True, {"spec": {"replicas": 0, "selector": {"a": "b"}, "template": TEMPLATE}}, {"replicas": 0, "conditions": [CONDITION]}),
    ("", "v1", "persistentvolumes", False, {"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}}, {"message": "told"}),
    ("", "v1", "events", True, {"involvedObject": {"kind": "Pod", "name": "p", "namespace": "ops"}, "type": "Normal", "reason": "R"}, None),
    ("events.k8s.io", "v1", "events", True, {
        "eventTime": "2026-11-28T10:00:00.000001Z", "reportingController": "example.com/c", "reportingInstance": "i", "action": "Do",
        "reason": "R", "type": "Normal", "regarding": {"kind": "Pod", "name": "p", "namespace": "ops"},
    }, None),
    ("apps", "v1", "deployments", True, {"spec": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE}}, {"conditions": [CONDITION]}),
    ("apps", "v1", "replicasets", True, {"spec": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE}}, {"replicas": 0, "conditions": [CONDITION]}),
    ("apps", "v1", "statefulsets", True, {"spec": {"replicas": 0, "serviceName": "s", "selector": SELECTOR, "template": TEMPLATE}}, {"replicas": 0, "conditions": [CONDITION]}),
    ("apps", "v1", "controllerrevisions", True, {"revision": 1, "data": {"x": 1}}, None),
    ("batch", "v1", "jobs", True, {"spec": {"suspend": True, "template": {"spec": {**POD, "restartPolicy": "Never"}}}}, {"conditions": [CONDITION]}),
    ("batch", "v1", "cronjobs", True, {"spec": {"suspend": True, "schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}}}}, {"lastScheduleTime": "2026-11-28T10:00:00Z"}),
    ("autoscaling", "v2", "horizontalpodautoscalers", True, {"spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "nope"}}}, {"desiredReplicas": 2, "currentMetrics": None}),
    ("policy", "v1", "poddisruptionbudgets", True, {"spec": {"minAvailable": 1, "selector": SELECTOR}}, {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}),
    ("coordination.k8s.io", "v1", "leases", True, {"spec": {"holderIdentity": "me"}}, None),
    ("discovery.k8s.io", "v1", "endpointslices", True, {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": []}, None),
    ("networking.k8s.io", "v1", "ingresses", True, {"spec": INGRESS}, {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}),
    ("networking.k8s.io", "v1", "ingressclasses", False, {"spec": {"controller": "example.com/c"}}, None),
    ("networking.k8s.io", "v1", "networkpolicies", True, {"spec": {"podSelector": {}}}, None),
    ("networking.k8s.io", "v1", "servicecidrs", False, {"spec": {"cidrs": ["10.200.0.0/24"]}}, {"conditions": [CONDITION]}),
    ("rbac.authorization.k8s.io", "v1", "roles", True, {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}, None),
    ("rbac.authorization.k8s.io", "v1", "clusterroles", False, {"rules": []}, None),
    ("scheduling.k8s.io", "v1", "priorityclasses", False, {"value": 5}, None),
    ("node.k8s.io", "v1", "runtimeclasses", False, {"handler": "runc"}, None),
    ("storage.k8s.io", "v1", "storageclasses", False, {"provisioner": "example.com/p"}, None),
    ("storage.k8s.io", "v1", "csidrivers", False, {"spec": {"attachRequired": False}}, None),
    ("storage.k8s.io", "v1", "csinodes", False, {"spec": {"drivers": []}}, None),
    ("storage.k8s.io", "v1", "volumeattachments", False, {"spec": {"attacher": "a.example.com", "nodeName": "n", "source": {"persistentVolumeName": "p"}}}, {"attached": True}),
    ("certificates.k8s.io", "v1", "certificatesigningrequests", False, {"spec": {"request": request(), "signerName": "example.com/s", "usages": ["client auth"]}}, {"conditions": [CONDITION]}),
    ("flowcontrol.apiserver.k8s.io", "v1", "flowschemas", False, {"spec": {"priorityLevelConfiguration": {"name": "x"}}}, {"conditions": [{**CONDITION, "type": "Dangling"}]}),
    ("flowcontrol.apiserver.k8s.io", "v1", "prioritylevelconfigurations", False, {"spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}}, {"conditions": [CONDITION]}),
    ("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", False, {"webhooks": [HOOK]}, None),
    ("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", False, {"webhooks": [HOOK]}, None),
    ("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", False, {"spec": {"matchConstraints": RULES, "validations": [{"expression": "true"}]}}, {"conditions": [CONDITION]}),
    ("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings", False, {"spec": {"policyName": "p", "validationActions": ["Deny"]}}, None),
]
IDLE_GROUPS = ("admissionregistration.k8s.io", "flowcontrol.apiserver.k8s.io")


@pytest.fixture(scope="module", autouse=True)
def namespace(api: RawAPI) -> None:
    api.namespace("ops")


@pytest.mark.parametrize("kind", KINDS, ids=[f"{plural}.{group}" if group else plural for group, _, plural, *_ in KINDS])
def test_all_operations(api: RawAPI, kind: Kind) -> None:
    group, version, plural, namespaced, body, status = kind
    prefix = f"/apis/{group}/{version}" if group else f"/api/{version}"
    listed = {each["name"]: each for each in api.do("GET", prefix)["resources"]}
    assert listed[plural]["namespaced"] is namespaced
    assert {"create", "delete", "get", "list", "patch", "update", "watch"} <= set(listed[plural]["verbs"])
    assert (f"{plural}/status" in listed) is (status is not None)
    path = f"{prefix}/namespaces/ops/{plural}" if namespaced else f"{prefix}/{plural}"
    selected = f"{path}?labelSelector=e2e%3D{plural}"
    made = api.ask("POST", path, {**body, "metadata": {"generateName": "e2e-", "labels": {"e2e": plural}}})
    assert made.status == 201, made.body
    assert (IDLE in made.headers.get("warning", "")) >= (group in IDLE_GROUPS), "who is idle says so"
    name, revision = made.body["metadata"]["name"], made.body["metadata"]["resourceVersion"]
    assert name.startswith("e2e-")
    assert api.do("GET", f"{path}/{name}")["metadata"]["uid"] == made.body["metadata"]["uid"]
    assert [each["metadata"]["name"] for each in api.do("GET", selected)["items"]] == [name]
    assert name in [each["metadata"]["name"] for each in api.do("GET", f"{prefix}/{plural}")["items"]], "over all namespaces"
    with api.watch(f"{selected}&watch=1&resourceVersion={revision}&timeoutSeconds=15") as events:
        patched = api.patch(f"{path}/{name}", {"metadata": {"annotations": {"patched": "yes"}}})
        assert patched["metadata"]["annotations"]["patched"] == "yes"
        assert next(e["type"] for e in events if e["object"]["metadata"].get("annotations", {}).get("patched")) == "MODIFIED"
        updated = api.update(f"{path}/{name}", lambda latest: latest["metadata"]["annotations"].update(updated="yes"))
        assert updated["metadata"]["annotations"]["updated"] == "yes"
        if status is not None:
            _status(api, f"{path}/{name}", status)
        api.do("DELETE", f"{path}/{name}")
        if plural not in ("persistentvolumes", "servicecidrs"):  # which finalizers hold
            assert next(e for e in events if e["type"] == "DELETED")["object"]["metadata"]["name"] == name
    api.do("POST", path, {**body, "metadata": {"name": "e2e-last", "labels": {"e2e": plural}}})
    if "deletecollection" in listed[plural]["verbs"]:
        api.do("DELETE", selected)
        left = [each for each in api.do("GET", selected)["items"] if "deletionTimestamp" not in each["metadata"]]
        assert left == []


def _status(api: RawAPI, path: str, status: dict[str, Any]) -> None:
    """What is written through /status, is there; and what else is written along, is not."""
    status = {key: value for key, value in status.items() if value is not None}
    spec = api.do("GET", f"{path}/status").get("spec")
    patched = api.patch(f"{path}/status", {"status": status, "spec": {"bogus": True}, "metadata": {"annotations": {"by": "status"}}})
    for key, value in status.items():
        assert _within(value, patched["status"][key]), patched["status"]
    assert patched.get("spec") == spec
    updated = api.update(path, lambda latest: latest.update(status={**latest.get("status", {}), **status}), "/status")
    assert _within(status, updated["status"])


def _within(wanted: Any, found: Any) -> bool:
    """Whether all of `wanted` is in `found`, list items in any place."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_within(value, found.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and all(any(_within(each, one) for one in found) for each in wanted)
    return bool(wanted == found)

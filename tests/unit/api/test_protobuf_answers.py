"""Objects written as protobuf are the same when they are read again."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from wherry.api.protobuf import MAGIC, ProtobufError, to_object
from wherry.api.protobuf_answers import to_protobuf, watch_frame

TIME, MICRO = "2026-11-28T10:00:00Z", "2026-11-28T10:00:00.000120Z"
META = {"name": "x", "namespace": "n", "labels": {"a": "b", "empty": ""}, "creationTimestamp": TIME}
TEMPLATE = {
    "metadata": {"labels": {"a": "b"}},
    "spec": {
        "containers": [{
            "name": "c", "image": "i", "ports": [{"containerPort": 80, "protocol": "TCP"}],
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "resources": {"requests": {"cpu": "100m", "memory": "1Gi"}},
            "livenessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 3},
            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        }],
        "volumes": [{"name": "v", "configMap": {"name": "m", "defaultMode": 420}}, {"name": "e", "emptyDir": {}}],
        "tolerations": [{"key": "k", "tolerationSeconds": -1}],
    },
}
OBJECTS: dict[str, dict[str, Any]] = {
    "Pod": {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {**META, "managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {"f:x": {}}}, "time": TIME}]},
        "spec": TEMPLATE["spec"],
        "status": {
            "phase": "Running", "observedGeneration": 3, "resources": {"requests": {"cpu": "1"}}, "allocatedResources": {"cpu": "1"},
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": TIME, "observedGeneration": 3}],
            "containerStatuses": [{"name": "c", "restartCount": 0, "state": {"running": {"startedAt": TIME}}, "ready": True}],
        },
    },
    "Deployment": {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": META,
        "spec": {
            "replicas": 0, "template": TEMPLATE, "selector": {"matchLabels": {"a": "b"}},
            "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}},
        },
        "status": {"terminatingReplicas": 0},
    },
    "Secret": {"apiVersion": "v1", "kind": "Secret", "metadata": META, "data": {"a": "AAEC"}, "immutable": True},
    "Lease": {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": META, "spec": {"renewTime": MICRO}},
    "StatefulSet": {
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": META,
        "spec": {"volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}]},
    },
    "List": {"apiVersion": "v1", "kind": "ConfigMapList", "metadata": {"resourceVersion": "7"}, "items": [{"metadata": META, "data": {"k": "v"}}]},
    "Metadata": {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": META},
    "Status": {
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": "no",
        "details": {"name": "x", "causes": [{"reason": "r", "field": "f"}]},
    },
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_there_and_back(kind: str) -> None:
    obj = OBJECTS[kind]
    assert to_object(to_protobuf(obj)) == obj


def test_the_type_of_an_object_within_another_is_not_said() -> None:
    claim = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"name": "d"}}
    body = {"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"volumeClaimTemplates": [claim]}}
    assert to_object(to_protobuf(body))["spec"]["volumeClaimTemplates"] == [{"metadata": {"name": "d"}}]


def test_a_list_that_has_a_name_in_go() -> None:
    extra = {"scopes": ["a", "b"]}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": {"user": {"username": "u", "extra": extra}}}
    written = to_object(to_protobuf(body))
    assert written["status"]["user"]["extra"]["scopes"] == {"items": ["a", "b"]}, "a message of its own"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"apiVersion": "v1", "kind": "ConfigMap", "later": 1}, "has no number for its field later"),
        ({"apiVersion": "example.com/v1", "kind": "Foo"}, "no protobuf message"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "data": []}, "data is no map"),
        ({"apiVersion": "v1", "kind": "Secret", "data": {"a": "*"}}, "value: "),
    ],
)
def test_what_cannot_be_said(body: dict[str, Any], words: str) -> None:
    with pytest.raises(ProtobufError, match=words):
        to_protobuf(body)


def test_an_event_of_a_watch_has_its_length_before_it() -> None:
    frame = watch_frame("ADDED", OBJECTS["Secret"])
    (length,) = struct.unpack(">I", frame[:4])
    assert length == len(frame) - 4
    assert frame[4:].startswith(b"\x0a\x05ADDED\x12")
    assert to_object(frame[frame.index(MAGIC) :]) == OBJECTS["Secret"]

"""What upstream recorded: owners after creation, and a long sequence of patches of one Deployment."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from wherry.api import schemas
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.managedfields import apply_patch, update_managed
from wherry.apimachinery.managedfields.fieldset import difference, members
from wherry.apimachinery.patch import apply_json_patch, apply_merge_patch, apply_strategic_merge_patch
from wherry.apimachinery.schema import Schema

Object = dict[str, Any]
Recorded = Callable[[str], list[dict[str, Any]]]
META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
NOW = "2026-11-23T20:23:58Z"

# Set by admission, the strategy or the registry after the owner was noted.
SET_LATER = (
    ".metadata.finalizers", ".metadata.annotations", ".spec.priority", ".spec.preemptionPolicy", ".spec.serviceAccount",
    ".spec.tolerations", ".spec.volumes", ".spec.clusterIP", ".spec.ipFamil", ".spec.finalizers", ".spec.audiences",
    ".spec.selector",    ".metadata.labels.batch.",
    ".metadata.labels.controller-uid", ".metadata.labels.job-name", ".spec.template.metadata.labels.",
)  # fmt: skip
ADMITTED = ("volumeMounts", "resources.limits", "resources.requests")


def schema_of(obj: Object) -> Schema:
    """The schema of a built-in kind; the custom resource has that of the recorded one."""
    group, _, version = obj["apiVersion"].rpartition("/")
    name = schemas.kinds().get((group, version, obj["kind"]))
    if name is not None:
        return schemas.definition(name)
    spec = Schema(type="object", fields={"n": Schema(type="integer"), "m": Schema(type="string")})
    return Schema(type="object", fields={"metadata": schemas.definition(META), "spec": spec})


def _creations(recorded: Recorded) -> list[dict[str, Any]]:
    found = []
    for each in [*recorded("defaults"), *recorded("errors")]:
        body = each["response"]["body"]
        if each["request"]["method"] == "POST" and isinstance(body, dict) and body.get("metadata", {}).get("managedFields"):
            found.append(each)
    return found


def test_creating_owns_what_upstream_says(recorded: Recorded) -> None:
    seen = 0
    for each in _creations(recorded):
        obj = copy.deepcopy(each["response"]["body"])
        want = obj["metadata"].pop("managedFields")[0]
        entries = update_managed(
            None, obj, schema=schema_of(obj), manager="unknown", api_version=obj["apiVersion"], now=NOW,
            subresource=want.get("subresource", ""), ignored=("status",),
        )  # fmt: skip
        assert len(entries) == 1, each["name"]
        got = entries[0]
        assert {**got, "fieldsV1": 0, "time": 0} == {**want, "fieldsV1": 0, "time": 0}, each["name"]
        assert not difference(want["fieldsV1"], got["fieldsV1"]), each["name"]
        more = list(members(difference(got["fieldsV1"], want["fieldsV1"])))
        unexpected = [path for path in more if not path.startswith(SET_LATER) and not any(a in path for a in ADMITTED)]
        assert unexpected == [], each["name"]
        seen += 1
    assert seen > 40


def _default(obj: Object) -> None:
    """As much of the defaults of a Deployment as the recording needs."""
    spec = obj["spec"]
    for name, value in (
        ("strategy", {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}),
        ("revisionHistoryLimit", 10), ("progressDeadlineSeconds", 600),
    ):  # fmt: skip
        spec.setdefault(name, value)
    pod = spec["template"]["spec"]
    for name, value in (
        ("restartPolicy", "Always"), ("terminationGracePeriodSeconds", 30), ("dnsPolicy", "ClusterFirst"),
        ("securityContext", {}), ("schedulerName", "default-scheduler"),
    ):  # fmt: skip
        pod.setdefault(name, value)
    for container in pod["containers"]:
        for name, value in (
            ("resources", {}), ("terminationMessagePath", "/dev/termination-log"),
            ("terminationMessagePolicy", "File"), ("imagePullPolicy", "IfNotPresent"),
        ):  # fmt: skip
            container.setdefault(name, value)


def _by_controller(obj: Object) -> list[Object]:
    return [each for each in obj["metadata"]["managedFields"] if each["manager"] == "kube-controller-manager"]


def _live_before(previous: Object, current: Object, name: str) -> Object:
    """The last recorded object, and what the controller wrote between the two requests."""
    live = copy.deepcopy(previous)
    if name in ("json-patch", "merge-null"):
        return live
    meta = live["metadata"]
    others = [each for each in meta["managedFields"] if each not in _by_controller(previous)]
    meta["managedFields"] = others + copy.deepcopy(_by_controller(current))
    if "annotations" in current["metadata"]:
        meta["annotations"] = copy.deepcopy(current["metadata"]["annotations"])
    return live


def _ordered(entries: list[Object]) -> list[Object]:
    found = sorted(entries, key=lambda each: (each["operation"], each["manager"], each.get("subresource", "")))
    return [{**each, "time": ""} for each in found]


def _timeless(obj: Object) -> Object:
    kept = {k: v for k, v in obj["metadata"].items() if k in ("name", "labels", "annotations")}
    return {"metadata": kept, "managed": _ordered(obj["metadata"]["managedFields"]), "spec": obj["spec"]}


PATCHES = {
    "application/json-patch+json": lambda live, body, schema: apply_json_patch(live, body),
    "application/merge-patch+json": lambda live, body, schema: apply_merge_patch(live, body),
    "application/strategic-merge-patch+json": apply_strategic_merge_patch,
}


def _write(live: Object | None, request: dict[str, Any], obj: Object) -> Object:
    _, _, query = request["path"].partition("?")
    options = dict(each.split("=") for each in query.split("&")) if query else {}
    subresource = "status" if "/status" in request["path"] else ""
    manager, schema = options.get("fieldManager", "unknown"), schema_of(obj)
    ignored = ("spec", "metadata.labels") if subresource else ("status",)
    if request["contentType"] == "application/apply-patch+yaml":
        return apply_patch(
            live, request["body"], schema=schema, manager=manager, api_version="apps/v1", now=NOW,
            force="force" in options, default=_default, ignored=ignored,
        )  # fmt: skip
    assert live is not None
    new = PATCHES[request["contentType"]](copy.deepcopy(live), request["body"], schema)  # defaults are set in place
    if subresource:
        new["spec"] = live["spec"]
    _default(new)
    new["metadata"]["managedFields"] = update_managed(
        live, new, schema=schema, manager=manager, api_version="apps/v1", now=NOW, subresource=subresource, ignored=ignored
    )
    return new


def test_patches_of_a_deployment(recorded: Recorded) -> None:
    previous: Object | None = None
    done = []
    for each in recorded("patches"):
        request, answer = each["request"], each["response"]["body"]
        if request["method"] != "PATCH" or "/deployments/ap" not in request["path"] or "/scale" in request["path"]:
            continue
        done.append(each["name"])
        if each["response"]["status"] >= 400:
            with pytest.raises(StatusError) as error:
                _write(previous, request, answer | {"apiVersion": "apps/v1", "kind": "Deployment"})
            assert error.value.to_json() == answer
            continue
        live = None if previous is None else _live_before(previous, answer, each["name"])
        before = copy.deepcopy(live)
        written = _write(live, request, answer)
        assert live == before, each["name"]
        assert _timeless(written) == _timeless(answer), each["name"]
        if "dryRun" not in request["path"]:
            previous = answer
    assert len(done) == 14

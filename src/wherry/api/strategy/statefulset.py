"""StatefulSets."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.pod.defaults import default_claim_spec, default_template
from wherry.api.strategy.pod.validation import validate_pod_annotations
from wherry.api.strategy.pod.warnings import template_warnings
from wherry.api.strategy.rules import Causes, annotation_values, labels, not_negative
from wherry.api.strategy.workload import (
    fill,
    int_or_percent,
    spec_of,
    validate_collisions,
    validate_long_running,
    validate_selected,
    validate_selector,
)
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import forbidden, invalid, not_supported, required

Dict = dict[str, Any]
MUTABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
FROZEN = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def default(obj: Dict) -> None:
    spec = spec_of(obj)
    if not spec.get("podManagementPolicy"):
        spec["podManagementPolicy"] = "OrderedReady"
    strategy = spec.get("updateStrategy")
    if strategy is None:
        strategy = spec["updateStrategy"] = {}
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        fill(strategy, rollingUpdate={})
    if strategy["type"] == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
        fill(strategy["rollingUpdate"], partition=0)
    if spec.get("persistentVolumeClaimRetentionPolicy") is None:
        spec["persistentVolumeClaimRetentionPolicy"] = {}
    retention = spec["persistentVolumeClaimRetentionPolicy"]
    for name in ("whenDeleted", "whenScaled"):
        if not retention.get(name):
            retention[name] = "Retain"
    fill(spec, replicas=1, revisionHistoryLimit=10)
    default_template(spec)
    for claim in spec.get("volumeClaimTemplates") or ():
        fill(claim, kind="PersistentVolumeClaim", apiVersion="v1", metadata={}, spec={}, status={})
        default_claim_spec(claim["spec"])
        if not claim["status"].get("phase"):
            claim["status"]["phase"] = "Pending"


def prepare_for_create(obj: Dict) -> None:
    obj["status"] = {"replicas": 0, "availableReplicas": 0}


def _strategy(strategy: Dict, errs: Causes) -> None:
    path, kind, rolling = "spec.updateStrategy", strategy.get("type"), strategy.get("rollingUpdate")
    if not kind:
        errs.append(required(path))
    elif kind == "OnDelete":
        if rolling is not None:
            shown = {"Partition": rolling.get("partition") or 0, "MaxUnavailable": rolling.get("maxUnavailable")}
            errs.append(invalid(f"{path}.rollingUpdate", shown, "only allowed for updateStrategy 'RollingUpdate'"))
    elif kind != "RollingUpdate":
        errs.append(invalid(path, {"Type": kind, "RollingUpdate": rolling}, "must be 'RollingUpdate' or 'OnDelete'"))
    elif rolling is not None:
        not_negative(rolling.get("partition"), f"{path}.rollingUpdate.partition", errs)
        unavailable = rolling.get("maxUnavailable")
        if unavailable is not None:
            int_or_percent(unavailable, f"{path}.rollingUpdate.maxUnavailable", errs)
            if unavailable in (0, "0%"):
                errs.append(invalid(f"{path}.rollingUpdate.maxUnavailable", unavailable, "cannot be 0"))


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    policy = spec.get("podManagementPolicy")
    if policy not in ("OrderedReady", "Parallel"):
        where = "spec.podManagementPolicy"
        errs.append(invalid(where, policy, "must be 'OrderedReady' or 'Parallel'") if policy else required(where))
    _strategy(spec.get("updateStrategy") or {}, errs)
    for name, value in (spec.get("persistentVolumeClaimRetentionPolicy") or {}).items():
        if value not in ("Retain", "Delete"):
            where = f"spec.persistentVolumeClaimRetentionPolicy.{name}"
            errs.append(not_supported(where, value, ("Retain", "Delete")))
    not_negative(spec.get("replicas"), "spec.replicas", errs)
    not_negative(spec.get("minReadySeconds"), "spec.minReadySeconds", errs)
    not_negative((spec.get("ordinals") or {}).get("start"), "spec.ordinals.start", errs)
    if validate_selector(spec, "statefulset", errs):
        _template(spec, errs)
    not_negative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit", errs)
    return errs


def _template(spec: Dict, errs: Causes) -> None:
    """As upstream, the Pod spec is left to the Pods: the claims of the set are volumes that it does not name."""
    template, path = spec.get("template") or {}, "spec.template"
    validate_selected(spec, path, errs)
    meta = template.get("metadata") or {}
    labels(meta.get("labels"), f"{path}.labels", errs)
    annotation_values(meta.get("annotations"), f"{path}.annotations", errs)
    validate_pod_annotations(meta.get("annotations"), template.get("spec") or {}, f"{path}.annotations", errs)
    validate_long_running(template, path, "StatefulSet", errs)


def validate_update(obj: Dict, old: Dict) -> list[Cause]:
    new, before = ({k: v for k, v in o["spec"].items() if k not in MUTABLE} for o in (obj, old))
    return [forbidden("spec", FROZEN)] if new != before else []


COUNTS = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas", "observedGeneration")


def validate_status(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    status = obj.get("status") or {}
    for name in COUNTS:
        not_negative(status.get(name), f"status.{name}", errs)
    whole = status.get("replicas") or 0
    for name in ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"):
        if (status.get(name) or 0) > whole:
            errs.append(invalid(f"status.{name}", status[name], "cannot be greater than status.replicas"))
    if (status.get("availableReplicas") or 0) > (status.get("readyReplicas") or 0):
        words = "cannot be greater than status.readyReplicas"
        errs.append(invalid("status.availableReplicas", status["availableReplicas"], words))
    validate_collisions(obj, old, errs)
    return errs


STATEFUL_SET = Strategy(
    default=default,
    prepare_for_create=prepare_for_create,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=lambda obj: template_warnings((obj.get("spec") or {}).get("template"), "spec.template"),
)

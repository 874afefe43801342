"""ReplicaSets, their ancestor ReplicationController, PodTemplates and ControllerRevisions."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.pod.defaults import default_template
from wherry.api.strategy.pod.validation import validate_template
from wherry.api.strategy.pod.warnings import template_warnings
from wherry.api.strategy.rules import Causes, immutable, not_negative
from wherry.api.strategy.workload import (
    fill,
    spec_of,
    validate_counts,
    validate_long_running,
    validate_owned_template,
    validate_selector,
)
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import invalid, required

Dict = dict[str, Any]
COUNTS = (
    "replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "terminatingReplicas", "observedGeneration",
)


def _template_warnings(obj: Dict) -> list[str]:
    return template_warnings((obj.get("spec") or {}).get("template"), "spec.template")


def default(obj: Dict) -> None:
    spec = spec_of(obj)
    fill(spec, replicas=1)
    default_template(spec)


def prepare_for_create(obj: Dict) -> None:
    obj["status"] = {"replicas": 0}


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    not_negative(spec.get("replicas"), "spec.replicas", errs)
    not_negative(spec.get("minReadySeconds"), "spec.minReadySeconds", errs)
    if validate_selector(spec, "deployment", errs):  # upstream's word here too
        validate_owned_template(spec, "ReplicaSet", errs)
    return errs


def validate_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    immutable(obj["spec"].get("selector"), old["spec"].get("selector"), "spec.selector", errs)
    return errs


def validate_status(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    validate_counts(obj.get("status") or {}, COUNTS, errs)
    return errs


REPLICA_SET = Strategy(
    default=default,
    prepare_for_create=prepare_for_create,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=_template_warnings,
)


# --- ReplicationController ---------------------------------------------------------------------


def default_controller(obj: Dict) -> None:
    spec = spec_of(obj)
    fill(spec, replicas=1)
    if spec.get("template") is not None:
        default_template(spec)
        labels = spec["template"]["metadata"].get("labels")
        if labels:
            meta = obj.setdefault("metadata", {})
            if not spec.get("selector"):
                spec["selector"] = dict(labels)
            if not meta.get("labels"):
                meta["labels"] = dict(labels)


def validate_controller(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    not_negative(spec.get("minReadySeconds"), "spec.minReadySeconds", errs)
    selector, template = spec.get("selector") or {}, spec.get("template")
    if not selector:
        errs.append(required("spec.selector"))
    not_negative(spec.get("replicas"), "spec.replicas", errs)
    if template is None:
        errs.append(required("spec.template"))
        return errs
    labels = (template.get("metadata") or {}).get("labels")
    if any((labels or {}).get(key) != value for key, value in selector.items()):
        errs.append(invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"))
    validate_template(template, "spec.template", errs)
    validate_long_running(template, "spec.template", "ReplicationController", errs)
    return errs


REPLICATION_CONTROLLER = Strategy(
    default=default_controller,
    prepare_for_create=prepare_for_create,
    validate=validate_controller,
    validate_status=validate_status,
    warnings=_template_warnings,
)


# --- PodTemplate and ControllerRevision --------------------------------------------------------


def _validate_pod_template(obj: Dict) -> list[Cause]:
    errs: Causes = []
    validate_template(obj.get("template") or {}, "template", errs)
    return errs


POD_TEMPLATE = Strategy(
    default=default_template,
    validate=_validate_pod_template,
    warnings=lambda obj: template_warnings(obj.get("template"), "template"),
)


def _default_revision(obj: Dict) -> None:
    fill(obj, revision=0)


def _validate_revision(obj: Dict) -> list[Cause]:
    errs: Causes = []
    not_negative(obj.get("revision"), "revision", errs)
    if obj.get("data") is None:
        errs.append(required("data", "data is mandatory"))
    return errs


def _validate_revision_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    immutable(obj.get("data"), old.get("data"), "data", errs)
    return errs


CONTROLLER_REVISION = Strategy(
    default=_default_revision, validate=_validate_revision, validate_update=_validate_revision_update, has_generation=False,
)

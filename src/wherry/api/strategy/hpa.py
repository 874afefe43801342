"""HorizontalPodAutoscalers, in autoscaling/v2's form."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.rules import Causes, label_selector, one_of, supported_if_set
from wherry.api.strategy.workload import fill, spec_of
from wherry.apimachinery import names
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import forbidden, invalid, required
from wherry.apimachinery.quantity import parse

Dict = dict[str, Any]
SOURCES = {
    "ContainerResource": "containerResource", "External": "external", "Object": "object", "Pods": "pods", "Resource": "resource",
}
TARGETS = ("AverageValue", "Utilization", "Value")
SELECT = ("Disabled", "Max", "Min")
MAX_STABILIZATION, MAX_PERIOD = 3600, 1800
_UP = {
    "stabilizationWindowSeconds": 0, "selectPolicy": "Max",
    "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}],
}
_DOWN = {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}


def default(obj: Dict) -> None:
    spec = spec_of(obj)
    fill(spec, minReplicas=1, scaleTargetRef={})
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is not None:
        for name, rules in (("scaleUp", _UP), ("scaleDown", _DOWN)):
            fill(behavior, **{name: {}})
            fill(behavior[name], **{k: [dict(p) for p in v] if isinstance(v, list) else v for k, v in rules.items()})
    fill(obj, status={})
    fill(obj["status"], desiredReplicas=0)
    obj["status"].setdefault("currentMetrics", None)


def prepare_for_create(obj: Dict) -> None:
    obj["status"] = {"desiredReplicas": 0, "currentMetrics": None}


# --- validation --------------------------------------------------------------------------------


def _segment(value: str | None, path: str, errs: Causes) -> None:
    if not value:
        errs.append(required(path))
        return
    errs.extend(invalid(path, value, fault) for fault in names.is_path_segment_name(value))


def _reference(ref: Dict, path: str, errs: Causes, core: bool = False) -> None:
    """`core`: objects of the core group (a Service) may be meant."""
    _segment(ref.get("kind"), f"{path}.kind", errs)
    _segment(ref.get("name"), f"{path}.name", errs)
    version = ref.get("apiVersion") or ""
    if version.count("/") > 1:
        errs.append(invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}"))
    elif not core and "/" not in version and not (version and ref.get("kind") == "ReplicationController"):
        errs.append(invalid(f"{path}.apiVersion", version, "apiVersion must specify API group"))


def _target(target: Dict | None, path: str, errs: Causes) -> None:
    if target is None:
        errs.append(required(path, "must specify a target"))
        return
    one_of(target.get("type"), TARGETS, f"{path}.type", errs)
    for name in ("value", "averageValue"):
        if target.get(name) is not None and parse(target[name]).nanos <= 0:
            errs.append(invalid(f"{path}.{name}", target[name], "must be positive"))
    share = target.get("averageUtilization")
    if share is not None and share < 1:
        errs.append(invalid(f"{path}.averageUtilization", share, "must be greater than 0"))


def _resource(source: Dict, path: str, errs: Causes) -> None:
    if not source.get("name"):
        errs.append(required(f"{path}.name", "must specify a resource name"))
    target = source.get("target") or {}
    _target(target, f"{path}.target", errs)
    share, value = target.get("averageUtilization"), target.get("averageValue")
    if share is None and value is None:
        words = "must set either a target raw value or a target utilization"
        errs.append(required(f"{path}.target.averageUtilization", words))
    elif share is not None and value is not None:
        words = "may not set both a target raw value and a target utilization"
        errs.append(forbidden(f"{path}.target.averageValue", words))


def _metric_identifier(source: Dict, path: str, errs: Causes) -> None:
    metric = source.get("metric") or {}
    _segment(metric.get("name"), f"{path}.metric.name", errs)
    label_selector(metric.get("selector"), f"{path}.metric.selector", errs)


def _metric(metric: Dict, path: str, errs: Causes) -> None:
    kind = metric.get("type")
    if not kind:
        errs.append(required(f"{path}.type", "must specify a metric source type"))
    elif kind not in SOURCES:
        one_of(kind, tuple(SOURCES), f"{path}.type", errs)
        return
    wanted = SOURCES.get(kind or "", "")
    for name in SOURCES.values():
        source, where = metric.get(name), f"{path}.{name}"
        if source is None:
            if name == wanted:
                errs.append(required(where, "must populate information for the given metric source"))
            continue
        if name != wanted:
            errs.append(forbidden(where, "must populate the given metric source only"))
        if name in ("resource", "containerResource"):
            if name == "containerResource" and not source.get("container"):
                errs.append(required(f"{where}.container", "must specify a container"))
            _resource(source, where, errs)
            continue
        if name == "object":
            _reference(source.get("describedObject") or {}, f"{where}.describedObject", errs, core=True)
        _metric_identifier(source, where, errs)
        target = source.get("target") or {}
        _target(target, f"{where}.target", errs)
        if target.get("value") is None and target.get("averageValue") is None:
            words = "must set either a target value for metric or a per-pod target"
            if name == "pods":
                words = "must specify a positive target averageValue"
            errs.append(required(f"{where}.target.averageValue", words))


def _rules(rules: Dict | None, path: str, errs: Causes) -> None:
    if rules is None:
        return
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        errs.append(invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero"))
    if window is not None and window > MAX_STABILIZATION:
        errs.append(invalid(f"{path}.stabilizationWindowSeconds", window, f"must be less than or equal to {MAX_STABILIZATION}"))
    tolerance = rules.get("tolerance")
    if tolerance is not None and parse(tolerance).nanos < 0:
        errs.append(invalid(f"{path}.tolerance", tolerance, "must be greater than or equal to 0"))
    supported_if_set(rules.get("selectPolicy"), SELECT, f"{path}.selectPolicy", errs)
    if not rules.get("policies"):
        errs.append(required(f"{path}.policies", "must specify at least one Policy"))
    for i, policy in enumerate(rules.get("policies") or ()):
        where = f"{path}.policies[{i}]"
        if policy.get("type") not in ("Pods", "Percent"):
            one_of(policy.get("type"), ("Percent", "Pods"), f"{where}.type", errs)
        for name in ("value", "periodSeconds"):
            if (policy.get(name) or 0) <= 0:
                errs.append(invalid(f"{where}.{name}", policy.get(name) or 0, "must be greater than zero"))
        if (policy.get("periodSeconds") or 0) > MAX_PERIOD:
            words = f"must be less than or equal to {MAX_PERIOD}"
            errs.append(invalid(f"{where}.periodSeconds", policy["periodSeconds"], words))


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if least is not None and least < 0:
        errs.append(invalid("spec.minReplicas", least, "must be greater than or equal to 0"))
    if most < 1:
        errs.append(invalid("spec.maxReplicas", most, "must be greater than 0"))
    if least is not None and most < least:
        errs.append(invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    _reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef", errs)
    for i, metric in enumerate(spec.get("metrics") or ()):
        _metric(metric, f"spec.metrics[{i}]", errs)
    if least == 0 and not any(metric.get("type") in ("Object", "External") for metric in spec.get("metrics") or ()):
        words = "must specify at least one Object or External metric to support scaling to zero replicas"
        errs.append(forbidden("spec.metrics", words))
    behavior = spec.get("behavior")
    if behavior is not None:
        _rules(behavior.get("scaleUp"), "spec.behavior.scaleUp", errs)
        _rules(behavior.get("scaleDown"), "spec.behavior.scaleDown", errs)
    return errs


HORIZONTAL_POD_AUTOSCALER = Strategy(
    default=default, prepare_for_create=prepare_for_create, validate=validate, has_generation=False,
)

"""HorizontalPodAutoscalers, in autoscaling/v2's form."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.pod.resources import container_resource_faults
from wherry.api.strategy.rules import Causes, dns_label, label_selector, not_negative, one_of, supported_if_set
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


def _target(target: Dict, path: str, errs: Causes) -> None:
    kind = target.get("type") or ""
    if not kind:
        errs.append(required(f"{path}.type", "must specify a metric target type"))
    elif kind not in TARGETS:
        errs.append(invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue"))
    for name in ("value", "averageValue"):
        if target.get(name) is not None and parse(target[name]).nanos <= 0:
            errs.append(invalid(f"{path}.{name}", target[name], "must be positive"))
    share = target.get("averageUtilization")
    if share is not None and share < 1:
        errs.append(invalid(f"{path}.averageUtilization", share, "must be greater than 0"))


def _resource(source: Dict, path: str, errs: Causes) -> None:
    if not source.get("name"):
        errs.append(required(f"{path}.name", "must specify a resource name"))
    _share(source.get("target") or {}, f"{path}.target", errs)


def _container_resource(source: Dict, path: str, errs: Causes) -> None:
    name, container = source.get("name"), source.get("container")
    if name:
        errs += [invalid(f"{path}.name", name, fault) for fault in container_resource_faults(name)]
    else:
        errs.append(required(f"{path}.name", "must specify a resource name"))
    if container:
        dns_label(container, f"{path}.container", errs)
    else:
        errs.append(required(f"{path}.container", "must specify a container"))
    _share(source.get("target") or {}, f"{path}.target", errs)


def _share(target: Dict, path: str, errs: Causes) -> None:
    _target(target, path, errs)
    share, value = target.get("averageUtilization"), target.get("averageValue")
    if share is None and value is None:
        errs.append(required(f"{path}.averageUtilization", "must set either a target raw value or a target utilization"))
    elif share is not None and value is not None:
        errs.append(forbidden(f"{path}.averageValue", "may not set both a target raw value and a target utilization"))


def _metric_identifier(source: Dict, path: str, errs: Causes) -> None:
    metric = source.get("metric") or {}
    if metric.get("name"):
        _segment(metric["name"], f"{path}.metric.name", errs)
    else:
        errs.append(required(f"{path}.metric.name", "must specify a metric name"))
    label_selector(metric.get("selector"), f"{path}.metric.selector", errs)


def _object(source: Dict, path: str, errs: Causes) -> None:
    _reference(source.get("describedObject") or {}, f"{path}.describedObject", errs, core=True)
    _valued(source, path, "must set either a target value or averageValue", errs)


def _external(source: Dict, path: str, errs: Causes) -> None:
    _valued(source, path, "must set either a target value for metric or a per-pod target", errs)
    target = source.get("target") or {}
    if target.get("value") is not None and target.get("averageValue") is not None:
        errs.append(forbidden(f"{path}.target.value", "may not set both a target value for metric and a per-pod target"))


def _valued(source: Dict, path: str, neither: str, errs: Causes) -> None:
    target = source.get("target") or {}
    _metric_identifier(source, path, errs)
    _target(target, f"{path}.target", errs)
    if target.get("value") is None and target.get("averageValue") is None:
        errs.append(required(f"{path}.target.averageValue", neither))


def _pods(source: Dict, path: str, errs: Causes) -> None:
    target = source.get("target") or {}
    _metric_identifier(source, path, errs)
    _target(target, f"{path}.target", errs)
    if target.get("averageValue") is None:
        errs.append(required(f"{path}.target.averageValue", "must specify a positive target averageValue"))


_SOURCES = {  # in upstream's order: of several, the first is looked into
    "object": _object, "external": _external, "pods": _pods, "resource": _resource, "containerResource": _container_resource,
}


def _metric(metric: Dict, path: str, errs: Causes) -> None:
    kind = metric.get("type") or ""
    if not kind:
        errs.append(required(f"{path}.type", "must specify a metric source type"))
    elif kind not in SOURCES:
        one_of(kind, tuple(SOURCES), f"{path}.type", errs)
    present = [name for name in _SOURCES if metric.get(name) is not None]
    if present:
        _SOURCES[present[0]](metric[present[0]], f"{path}.{present[0]}", errs)
    wanted = SOURCES.get(kind, "")
    if wanted and wanted not in present:
        errs.append(required(f"{path}.{wanted}", "must populate information for the given metric source"))
    if len(present) > 1:
        errs += [forbidden(f"{path}.{name}", "must populate the given metric source only") for name in sorted(present) if name != wanted]


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


def validate_status(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    status = obj.get("status") or {}
    for name in ("currentReplicas", "desiredReplicas"):
        not_negative(status.get(name), f"status.{name}", errs)
    return errs


HORIZONTAL_POD_AUTOSCALER = Strategy(
    default=default, prepare_for_create=prepare_for_create, validate=validate, validate_status=validate_status, has_generation=False,
)

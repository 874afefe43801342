"""HorizontalPodAutoscaler between its hub (autoscaling/v2) and autoscaling/v1.

v1 knows one metric, the CPU's utilization; what else a v2 object says stands in v1's annotations, in the
names and the JSON that upstream gives them, so that a v1 client can write back what it read.
"""

from __future__ import annotations

import json
from typing import Any

from wherry.api.conversion import hpa_metrics as metrics
from wherry.api.resource import Object

_PREFIX = "autoscaling.alpha.kubernetes.io/"
METRICS, CURRENT_METRICS = _PREFIX + "metrics", _PREFIX + "current-metrics"
CONDITIONS, BEHAVIOR = _PREFIX + "conditions", _PREFIX + "behavior"
_ANNOTATIONS = (METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR)


def from_hub(hpa: Object) -> Object:
    """v2 -> v1."""
    spec, status = dict(hpa.get("spec") or {}), dict(hpa.get("status") or {})
    notes: dict[str, str] = {}
    cpu, others = _split(spec.pop("metrics", None) or [])
    if cpu is not None:
        spec["targetCPUUtilizationPercentage"] = cpu["resource"]["target"]["averageUtilization"]
    if others:
        notes[METRICS] = dump([metrics.spec_to_v1(each) for each in others])
    if (behavior := spec.pop("behavior", None)) is not None:
        notes[BEHAVIOR] = dump(go_names(behavior))
    current = status.pop("currentMetrics", None) or []
    if current:
        notes[CURRENT_METRICS] = dump([metrics.status_to_v1(each) for each in current])
    used = next((_utilization(each, "current") for each in current if _is_cpu(each, "current")), None)
    if used is not None:
        status["currentCPUUtilizationPercentage"] = used
    if conditions := status.pop("conditions", None):
        notes[CONDITIONS] = dump(conditions)
    new = {**hpa, "apiVersion": "autoscaling/v1", "metadata": annotated(hpa.get("metadata") or {}, notes), "spec": spec}
    if "status" in hpa:
        new["status"] = {"currentReplicas": 0, "desiredReplicas": 0, **status}
    return new


def to_hub(hpa: Object) -> Object:
    """v1 -> v2.  An annotation that cannot be read is left where it is."""
    metadata = dict(hpa.get("metadata") or {})
    notes = dict(metadata.get("annotations") or {})
    read = {name: load(notes[name]) for name in _ANNOTATIONS if name in notes}
    read = {name: value for name, value in read.items() if value is not None}
    kept = {name: value for name, value in notes.items() if name not in read}
    metadata.pop("annotations", None)
    if kept:
        metadata["annotations"] = kept

    spec, status = dict(hpa.get("spec") or {}), dict(hpa.get("status") or {})
    found = [metrics.spec_to_v2(each) for each in read.get(METRICS, [])]
    if (percent := spec.pop("targetCPUUtilizationPercentage", None)) is not None:
        found.append(_cpu("target", {"type": "Utilization", "averageUtilization": percent}))
    if found:
        spec["metrics"] = found
    if BEHAVIOR in read:
        spec["behavior"] = json_names(read[BEHAVIOR])
    new = {**hpa, "apiVersion": "autoscaling/v2", "metadata": metadata, "spec": spec}
    if "status" in hpa or CURRENT_METRICS in read or CONDITIONS in read:
        new["status"] = _status_to_hub(status, read)
    return new


def _status_to_hub(status: Object, read: dict[str, Any]) -> Object:
    used = status.pop("currentCPUUtilizationPercentage", None)
    current = [metrics.status_to_v2(each) for each in read.get(CURRENT_METRICS, [])]
    if used is not None and not any(_is_cpu(each, "current") for each in current):
        current.append(_cpu("current", {"averageUtilization": used}))
    if not status.get("currentReplicas"):
        status.pop("currentReplicas", None)
    status.setdefault("desiredReplicas", 0)
    if CONDITIONS in read:
        status["conditions"] = read[CONDITIONS]
    status["currentMetrics"] = current or None
    return status


def _split(found: list[Object]) -> tuple[Object | None, list[Object]]:
    """The metric that v1 has a field for, and the others."""
    cpu = next((each for each in found if _is_cpu(each, "target")), None)
    return cpu, [each for each in found if each is not cpu]


def _is_cpu(metric: Object, part: str) -> bool:
    name = (metric.get("resource") or {}).get("name")
    return metric.get("type") == "Resource" and name == "cpu" and _utilization(metric, part) is not None


def _utilization(metric: Object, part: str) -> Any:
    return ((metric.get("resource") or {}).get(part) or {}).get("averageUtilization")


def _cpu(part: str, value: Object) -> Object:
    return {"type": "Resource", "resource": {"name": "cpu", part: value}}


def annotated(metadata: Object, notes: dict[str, str]) -> Object:
    """With these annotations, and none that an older object left there."""
    kept = {name: text for name, text in (metadata.get("annotations") or {}).items() if name not in _ANNOTATIONS}
    rest = {name: value for name, value in metadata.items() if name != "annotations"}
    return {**rest, "annotations": {**kept, **notes}} if kept or notes else rest


def dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def load(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


# Upstream writes the behaviour from a Go struct without JSON names: {"ScaleUp":{"Policies":[{"Type":...}]}}.
def go_names(value: Any) -> Any:
    return _renamed(value, lambda name: name[:1].upper() + name[1:])


def json_names(value: Any) -> Any:
    return _renamed(value, lambda name: name[:1].lower() + name[1:])


def _renamed(value: Any, rename: Any) -> Any:
    if isinstance(value, dict):
        return {rename(name): _renamed(inner, rename) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_renamed(each, rename) for each in value]
    return value

"""HorizontalPodAutoscaler between its hub (autoscaling/v2) and autoscaling/v2beta1: flat metrics, no behavior.

A metric is told as v1's annotations tell it, and behavior stands in v1's annotation.
"""

from __future__ import annotations

from wherry.api.conversion import hpa_metrics as metrics
from wherry.api.conversion.hpa import BEHAVIOR, annotated, dump, go_names, json_names, load
from wherry.api.resource import Object


def from_hub(hpa: Object) -> Object:
    """v2 -> v2beta1."""
    spec, notes = dict(hpa.get("spec") or {}), dict[str, str]()
    if (behavior := spec.pop("behavior", None)) is not None:
        notes[BEHAVIOR] = dump(go_names(behavior))
    if spec.get("metrics"):
        spec["metrics"] = [metrics.spec_to_v1(each) for each in spec["metrics"]]
    new = {**hpa, "metadata": annotated(hpa.get("metadata") or {}, notes)}
    if "spec" in hpa:
        new["spec"] = spec
    status = hpa.get("status") or {}
    if status.get("currentMetrics"):
        new["status"] = {**status, "currentMetrics": [metrics.status_to_v1(each) for each in status["currentMetrics"]]}
    return new


def to_hub(hpa: Object) -> Object:
    """v2beta1 -> v2.  An annotation that cannot be read is left where it is."""
    metadata, spec = hpa.get("metadata") or {}, dict(hpa.get("spec") or {})
    behavior = load((metadata.get("annotations") or {}).get(BEHAVIOR, ""))
    if isinstance(behavior, dict):
        spec["behavior"] = json_names(behavior)
        kept = {name: text for name, text in metadata["annotations"].items() if name != BEHAVIOR}
        metadata = {name: value for name, value in metadata.items() if name != "annotations"} | ({"annotations": kept} if kept else {})
    if spec.get("metrics"):
        spec["metrics"] = [metrics.spec_to_v2(each) for each in spec["metrics"]]
    new = {**hpa, "metadata": metadata, "apiVersion": "autoscaling/v2"}
    if spec or "spec" in hpa:
        new["spec"] = spec
    status = hpa.get("status") or {}
    if status.get("currentMetrics"):
        new["status"] = {**status, "currentMetrics": [metrics.status_to_v2(each) for each in status["currentMetrics"]]}
    return new

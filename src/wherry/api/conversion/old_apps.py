"""Workloads between apps/v1 and their old versions (extensions, apps/v1beta1): the same fields, other defaults.

What an old version left out meant something else than it means in apps/v1, so it is written out on the way to the
hub.  Only a DaemonSet changes on the way back: its template's generation was a field, and is an annotation now.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wherry.api.resource import Object

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
_MAX_INT32 = 2147483647  # extensions/v1beta1: no deadline, and every old ReplicaSet kept

Convert = Callable[[Object], Object]


def labelled(workload: Object) -> Object:
    """The template's labels select, and are the object's own, unless said otherwise."""
    spec: dict[str, Any] = dict(workload.get("spec") or {})
    metadata = workload.get("metadata") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if labels and spec.get("selector") is None:
        spec["selector"] = {"matchLabels": dict(labels)}
    if labels and not metadata.get("labels"):
        metadata = {**metadata, "labels": dict(labels)}
    return {**workload, "metadata": metadata, "spec": spec, "apiVersion": "apps/v1"}


def _deployment(rolling: Object, defaults: Object) -> Convert:
    def to_hub(deployment: Object) -> Object:
        new = labelled(deployment)
        spec = new["spec"]
        strategy = dict(spec.get("strategy") or {})
        strategy["type"] = strategy.get("type") or "RollingUpdate"
        if strategy["type"] == "RollingUpdate":
            strategy["rollingUpdate"] = _filled(strategy.get("rollingUpdate"), rolling)
        new["spec"] = {**_filled(spec, defaults), "strategy": strategy}
        return new

    return to_hub


def _filled(given: Object | None, defaults: Object) -> Object:
    """A null is left out, as in Go."""
    return {**(given or {}), **{name: value for name, value in defaults.items() if (given or {}).get(name) is None}}


def on_delete(workload: Object) -> Object:
    """Old StatefulSets and DaemonSets change a Pod only when someone deletes it."""
    new = labelled(workload)
    strategy = new["spec"].get("updateStrategy") or {}
    if not strategy.get("type"):
        new["spec"]["updateStrategy"] = {**strategy, "type": "OnDelete"}
    return new


def daemonset_to_hub(daemonset: Object) -> Object:
    new = on_delete(daemonset)
    generation = new["spec"].pop("templateGeneration", None)
    if generation:
        metadata = new["metadata"]
        new["metadata"] = {**metadata, "annotations": {**(metadata.get("annotations") or {}), TEMPLATE_GENERATION: str(generation)}}
    return new


def daemonset_from_hub(daemonset: Object) -> Object:
    metadata, spec = daemonset.get("metadata") or {}, daemonset.get("spec")
    notes = dict(metadata.get("annotations") or {})
    text = notes.pop(TEMPLATE_GENERATION, "")
    if spec is None or not (text.isascii() and text.isdigit()):
        return daemonset
    rest = {name: value for name, value in metadata.items() if name != "annotations"}
    if notes:
        rest["annotations"] = notes
    return {**daemonset, "metadata": rest, "spec": {**spec, "templateGeneration": int(text)}}


extensions_deployment_to_hub = _deployment(
    {"maxUnavailable": 1, "maxSurge": 1}, {"progressDeadlineSeconds": _MAX_INT32, "revisionHistoryLimit": _MAX_INT32},
)
apps_v1beta1_deployment_to_hub = _deployment(
    {"maxUnavailable": "25%", "maxSurge": "25%"}, {"progressDeadlineSeconds": 600, "revisionHistoryLimit": 2},
)

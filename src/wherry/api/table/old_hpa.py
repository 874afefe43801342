"""The definitions of autoscaling/v2beta1, which the published document no longer has: facts in the compiled table's words."""

from __future__ import annotations

from typing import Any

from wherry.api import schemas

PACKAGE = "io.k8s.api.autoscaling.v2beta1"
HPA = f"{PACKAGE}.HorizontalPodAutoscaler"
_V2 = "@io.k8s.api.autoscaling.v2"
_SELECTOR = "@io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"
_INT = {"type": "integer", "format": "int32"}
_REFERENCE = f"{_V2}.CrossVersionObjectReference"


def _object(required: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    return {"type": "object", "fields": fields, "required": list(required)}


def _metrics(part: str, now: str) -> dict[str, dict[str, Any]]:
    """Sources (`part` is MetricSource, `now` is target) or statuses of each kind of metric; values have flat names."""
    value, average, share = f"{now}Value", f"{now}AverageValue", f"{now}AverageUtilization"
    usage = {share: _INT, average: "quantity"}
    needed = (average,) if now == "current" else ()  # of a status only
    return {
        f"Object{part}": _object(
            ("target", "metricName", value), target=_REFERENCE, metricName="string", selector=_SELECTOR, averageValue="quantity",
            **{value: "quantity"},
        ),
        f"Pods{part}": _object(("metricName", average), metricName="string", selector=_SELECTOR, **{average: "quantity"}),
        f"Resource{part}": _object(("name", *needed), name="string", **usage),
        f"ContainerResource{part}": _object(("name", "container", *needed), name="string", container="string", **usage),
        f"External{part}": _object(
            ("metricName", *((value,) if needed else ())), metricName="string", metricSelector=_SELECTOR,
            **{value: "quantity", average: "quantity"},
        ),
    }


def _metric(part: str) -> dict[str, Any]:
    kinds = {"object": "Object", "pods": "Pods", "resource": "Resource", "containerResource": "ContainerResource", "external": "External"}
    return _object(("type",), type="string", **{name: f"@{PACKAGE}.{kind}{part}" for name, kind in kinds.items()})


def _list(item: str, **more: Any) -> dict[str, Any]:
    return {"listType": "atomic", "type": "array", "items": f"@{PACKAGE}.{item}", **more}


def add() -> str:
    """Add the definitions; the kind's name."""
    spec = schemas.facts("io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec")
    status = schemas.facts("io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatus")
    fields = {name: node for name, node in spec["fields"].items() if name != "behavior"}
    found = {
        **_metrics("MetricSource", "target"), **_metrics("MetricStatus", "current"),
        "MetricSpec": _metric("MetricSource"), "MetricStatus": _metric("MetricStatus"),
        "HorizontalPodAutoscalerSpec": {**spec, "fields": {**fields, "metrics": _list("MetricSpec")}},
        "HorizontalPodAutoscalerStatus": {
            **status, "fields": {**status["fields"], "currentMetrics": _list("MetricStatus", nullable=True)},
        },
        "HorizontalPodAutoscaler": {
            **_object(
                apiVersion="string", kind="string", metadata="@io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
                spec=f"@{HPA}Spec", status=f"@{HPA}Status",
            ),
            "gvk": [["autoscaling", "v2beta1", "HorizontalPodAutoscaler"]],
        },
    }
    for name, facts in found.items():
        schemas.add(f"{PACKAGE}.{name}", facts)
    return HPA

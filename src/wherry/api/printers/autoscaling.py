"""HorizontalPodAutoscalers (in v2's form) and PodDisruptionBudgets."""

from __future__ import annotations

from typing import Any

from wherry.api.printers.text import AGE, NAME, NONE, UNSET, age, column, name, part
from wherry.api.resource import Cell, Object, Printer

_SHOWN = 2
_SOURCES = {
    "External": "external", "Pods": "pods", "Object": "object", "Resource": "resource",
    "ContainerResource": "containerResource",
}
_UNKNOWN = "<unknown>"


def _metrics(autoscaler: Object) -> str:
    specs = part(autoscaler, "spec").get("metrics") or []
    statuses = part(autoscaler, "status").get("currentMetrics") or []
    if not specs:
        return NONE
    texts = [_metric(spec, statuses[i] if i < len(statuses) else {}) for i, spec in enumerate(specs[:_SHOWN])]
    more = f" + {len(specs) - _SHOWN} more..." if len(specs) > _SHOWN else ""
    return ", ".join(texts) + more


def _metric(spec: Object, status: Object) -> str:
    """`cpu: 40%/80%`: what is measured, and what is wanted."""
    kind = spec.get("type", "")
    source = _SOURCES.get(kind)
    if source is None:
        return "<unknown type>"
    target, current = part(spec, source, "target"), part(status, source, "current")
    if kind in ("Resource", "ContainerResource"):
        measured = part(spec, source).get("name", "")
        if target.get("averageValue") is not None:
            return f"{measured}: {current.get('averageValue', _UNKNOWN)}/{target['averageValue']}"
        return f"{measured}: {_percent(current, _UNKNOWN)}/{_percent(target, '<auto>')}"
    if kind == "Pods":
        return f"{current.get('averageValue', _UNKNOWN)}/{target.get('averageValue', '')}"
    if target.get("averageValue") is not None:
        return f"{current.get('averageValue', _UNKNOWN)}/{target['averageValue']} (avg)"
    return f"{current.get('value', _UNKNOWN)}/{target.get('value', '')}"


def _percent(value: dict[str, Any], absent: str) -> str:
    percent = value.get("averageUtilization")
    return absent if percent is None else f"{percent}%"


def _autoscaler(obj: Object) -> list[Cell]:
    spec = part(obj, "spec")
    target, least = part(spec, "scaleTargetRef"), spec.get("minReplicas")
    return [
        name(obj), f"{target.get('kind')}/{target.get('name')}", _metrics(obj), UNSET if least is None else str(least),
        spec.get("maxReplicas", 0), part(obj, "status").get("currentReplicas", 0), age(obj),
    ]


def _budget(obj: Object) -> list[Cell]:
    spec = part(obj, "spec")
    bounds = ["N/A" if spec.get(bound) is None else str(spec[bound]) for bound in ("minAvailable", "maxUnavailable")]
    return [name(obj), *bounds, part(obj, "status").get("disruptionsAllowed", 0), age(obj)]


HORIZONTAL_POD_AUTOSCALER = Printer(
    (
        NAME, column("Reference", "What it scales."), column("Targets", "What is measured, and what is wanted."),
        column("MinPods", "The fewest replicas."), column("MaxPods", "The most replicas."),
        column("Replicas", "Replicas now."), AGE,
    ),
    _autoscaler,
)
POD_DISRUPTION_BUDGET = Printer(
    (
        NAME, column("Min Available", "Pods that must stay."), column("Max Unavailable", "Pods that may be gone."),
        column("Allowed Disruptions", "Pods that may be evicted now.", "integer"), AGE,
    ),
    _budget,
)

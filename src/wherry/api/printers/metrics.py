"""NodeMetrics and PodMetrics, as the metrics server shows them to `kubectl get`."""

from __future__ import annotations

from wherry.api.printers.text import NAME, column, name, part
from wherry.api.resource import Cell, Object, Printer
from wherry.apimachinery import quantity

_COLUMNS = (
    NAME, column("cpu", "CPU in use, in cores."), column("memory", "Memory in use: the working set."),
    column("Window", "How long the measurement took."),
)


def _node(obj: Object) -> list[Cell]:
    return [name(obj), *_figures([part(obj, "usage")]), obj.get("window", "")]


def _pod(obj: Object) -> list[Cell]:
    return [name(obj), *_figures([part(each, "usage") for each in obj.get("containers") or ()]), obj.get("window", "")]


def _figures(used: list[Object]) -> list[str]:
    """CPU and memory, summed."""
    return [str(sum((quantity.parse(each.get(what, "0")) for each in used), quantity.ZERO)) for what in ("cpu", "memory")]


NODE_METRICS = Printer(_COLUMNS, _node)
POD_METRICS = Printer(_COLUMNS, _pod)

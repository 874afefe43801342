"""Printers of kinds that upstream has none for, of custom resources without columns, and of Scale."""

from __future__ import annotations

from wherry.api.printers.text import AGE, CREATED_AT, NAME, age, column, created, name, part
from wherry.api.resource import Cell, Object, Printer


def _scale(obj: Object) -> list[Cell]:
    return [name(obj), part(obj, "spec").get("replicas", 0), part(obj, "status").get("replicas", 0), age(obj)]


NAME_AGE = Printer((NAME, AGE), lambda obj: [name(obj), age(obj)])
DEFAULT = Printer((NAME, CREATED_AT), lambda obj: [name(obj), created(obj)])
SCALE = Printer(
    (
        column("Name", "The name of what is scaled."), column("Desired", "Replicas wanted.", "integer"),
        column("Available", "Replicas there.", "integer"), AGE,
    ),
    _scale,
)

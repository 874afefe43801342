"""Rows of autoscaling: HorizontalPodAutoscaler, kept in v2's form and served as v2 and v1."""

from __future__ import annotations

from wherry.api.resource import Resource, Version
from wherry.api.table.rows import PLAIN, schema_name, status

GROUP = "autoscaling"
KIND = "HorizontalPodAutoscaler"

HORIZONTAL_POD_AUTOSCALER = Resource(
    "horizontalpodautoscalers", KIND, GROUP,
    (
        Version("v2", schema_name(GROUP, "v2", KIND)),
    ),
    short_names=("hpa",), categories=("all",), subresources=(status(KIND),), strategy=PLAIN,
)

ROWS = (HORIZONTAL_POD_AUTOSCALER,)

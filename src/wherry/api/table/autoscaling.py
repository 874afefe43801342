"""Rows of autoscaling: HorizontalPodAutoscaler, kept in v2's form, served as v2, v1 and the old v2beta2."""

from __future__ import annotations

from wherry.api.conversion import hpa
from wherry.api.printers import autoscaling
from wherry.api.resource import Resource, Version
from wherry.api.strategy import hpa as hpa_strategy
from wherry.api.table.rows import schema_name, status

GROUP = "autoscaling"
KIND = "HorizontalPodAutoscaler"

HORIZONTAL_POD_AUTOSCALER = Resource(
    "horizontalpodautoscalers", KIND, GROUP,
    (
        Version("v2", schema_name(GROUP, "v2", KIND)),
        Version("v1", schema_name(GROUP, "v1", KIND), from_hub=hpa.from_hub, to_hub=hpa.to_hub),
        # v2beta2 became v2 as it was.
        Version(
            "v2beta2", schema_name(GROUP, "v2", KIND), preferred=False, deprecation="autoscaling/v2beta2 HorizontalPodAutoscaler"
            " is deprecated in v1.23+, unavailable in v1.26+; use autoscaling/v2 HorizontalPodAutoscaler",
        ),
    ),
    short_names=("hpa",), categories=("all",), subresources=(status(KIND),), strategy=hpa_strategy.HORIZONTAL_POD_AUTOSCALER,
    printer=autoscaling.HORIZONTAL_POD_AUTOSCALER,
)

ROWS = (HORIZONTAL_POD_AUTOSCALER,)

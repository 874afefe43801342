"""Rows of autoscaling: HorizontalPodAutoscaler, kept in v2's form, served as v2, v1 and the old v2beta2 and v2beta1."""

from __future__ import annotations

from wherry.api.conversion import hpa, hpa_v2beta1
from wherry.api.printers import autoscaling
from wherry.api.resource import Resource, Version
from wherry.api.strategy import hpa as hpa_strategy
from wherry.api.table import old_hpa
from wherry.api.table.rows import old, schema_name, status

GROUP = "autoscaling"
KIND = "HorizontalPodAutoscaler"

HORIZONTAL_POD_AUTOSCALER = Resource(
    "horizontalpodautoscalers", KIND, GROUP,
    (
        Version("v2", schema_name(GROUP, "v2", KIND)),
        Version("v1", schema_name(GROUP, "v1", KIND), from_hub=hpa.from_hub, to_hub=hpa.to_hub),
        # v2beta2 became v2 as it was.
        old("autoscaling/v2beta2", KIND, "autoscaling/v2", "v1.23", "v1.26"),
        old("autoscaling/v2beta1", KIND, "autoscaling/v2", "v1.22", "v1.25", old_hpa.add(), hpa_v2beta1.to_hub, hpa_v2beta1.from_hub),
    ),
    short_names=("hpa",), categories=("all",), subresources=(status(KIND),), strategy=hpa_strategy.HORIZONTAL_POD_AUTOSCALER,
    printer=autoscaling.HORIZONTAL_POD_AUTOSCALER,
)

ROWS = (HORIZONTAL_POD_AUTOSCALER,)

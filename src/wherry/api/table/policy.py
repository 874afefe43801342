"""Rows of policy: PodDisruptionBudget (Eviction is a subresource of Pod only)."""

from __future__ import annotations

from wherry.api.conversion import pdb
from wherry.api.printers import autoscaling
from wherry.api.resource import Resource, Version
from wherry.api.strategy import pdb as pdb_strategy
from wherry.api.table.rows import old, schema_name, status

GROUP = "policy"
KIND = "PodDisruptionBudget"

POD_DISRUPTION_BUDGET = Resource(
    "poddisruptionbudgets", KIND, GROUP,
    (
        Version("v1", schema_name(GROUP, "v1", KIND)),
        old("policy/v1beta1", KIND, "policy/v1", "v1.21", "v1.25", to_hub=pdb.to_hub, from_hub=pdb.from_hub),
    ),
    short_names=("pdb",), subresources=(status(KIND),), printer=autoscaling.POD_DISRUPTION_BUDGET,
    strategy=pdb_strategy.POD_DISRUPTION_BUDGET,
)

ROWS = (POD_DISRUPTION_BUDGET,)

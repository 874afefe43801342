"""Rows of policy: PodDisruptionBudget (Eviction is a subresource of Pod only)."""

from __future__ import annotations

from wherry.api.resource import Resource
from wherry.api.table.rows import served, status

GROUP = "policy"

POD_DISRUPTION_BUDGET = Resource(
    "poddisruptionbudgets", "PodDisruptionBudget", GROUP, served(GROUP, "PodDisruptionBudget"), short_names=("pdb",),
    subresources=(status("PodDisruptionBudget"),),
)

ROWS = (POD_DISRUPTION_BUDGET,)

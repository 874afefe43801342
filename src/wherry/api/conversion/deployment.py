"""Deployment from its old versions to apps/v1: the same fields, other defaults.

What an old version left out meant something else than it means in apps/v1, so it is written out on
the way to the hub.  On the way back nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wherry.api.resource import Object

_MAX_INT32 = 2147483647  # extensions/v1beta1: no deadline, and every old ReplicaSet kept


def _completer(rolling: Object, defaults: Object) -> Callable[[Object], Object]:
    def to_hub(deployment: Object) -> Object:
        spec: dict[str, Any] = {**defaults, **(deployment.get("spec") or {})}
        labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
        if not spec.get("selector") and labels:
            spec["selector"] = {"matchLabels": labels}
        strategy = dict(spec.get("strategy") or {})
        strategy.setdefault("type", "RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            strategy["rollingUpdate"] = {**rolling, **(strategy.get("rollingUpdate") or {})}
        spec["strategy"] = strategy
        return {**deployment, "apiVersion": "apps/v1", "spec": spec}

    return to_hub


extensions_to_hub = _completer(
    {"maxUnavailable": 1, "maxSurge": 1}, {"progressDeadlineSeconds": _MAX_INT32, "revisionHistoryLimit": _MAX_INT32},
)
apps_v1beta1_to_hub = _completer(
    {"maxUnavailable": "25%", "maxSurge": "25%"}, {"progressDeadlineSeconds": 600, "revisionHistoryLimit": 2},
)

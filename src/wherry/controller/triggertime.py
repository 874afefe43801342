"""When that came about which changes a Service's endpoints: kept in an annotation, so that a proxy can say how late it is.

Upstream's TriggerTimeTracker: of the Service's creation and its Pods' last changes of readiness, the earliest that is new.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from wherry.api.pod import get_condition
from wherry.api.types import core_v1

LAST_CHANGE = "endpoints.kubernetes.io/last-change-trigger-time"


@dataclass(slots=True)
class _Seen:
    service: str = ""
    pods: dict[str, str] = field(default_factory=dict)


class TriggerTimes:
    """Remembers, for each Service, what it was asked about last.  Times are as the API writes them, which sorts."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def newest(self, service: core_v1.Service, pods: Iterable[core_v1.Pod]) -> str:
        """The earliest time that is new since the last call; "" when nothing is."""
        key = f"{service.metadata.namespace}/{service.metadata.name}"
        seen = self._seen.get(key, _Seen())
        times = {pod.metadata.name: ready.last_transition_time for pod in pods if (ready := get_condition(pod, "Ready")) is not None}
        now = _Seen(service.metadata.creation_timestamp or "", {name: at for name, at in times.items() if at})
        changed = [at for name, at in now.pods.items() if at > seen.pods.get(name, "")]
        if now.service > seen.service:
            changed.append(now.service)
        self._seen[key] = now
        return min(changed, default="")

    def forget(self, key: str) -> None:
        self._seen.pop(key, None)

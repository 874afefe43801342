"""What most filters have in common: nothing to do beforehand, always relevant."""

from __future__ import annotations

from wherry.api.types import core_v1
from wherry.scheduler.framework import CycleState, Refusal, Snapshot


class Filter:
    """Defaults for FilterPlugin."""

    name = ""
    static = False

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> Refusal | None:
        return None

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        return True

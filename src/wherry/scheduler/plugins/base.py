"""What most filters have in common: nothing to do beforehand, always relevant, nothing that helps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wherry.api.types import core_v1
from wherry.scheduler.framework import CycleState, EventHint, Refusal, Snapshot
from wherry.scheduler.nodeinfo import NodeInfo


class Filter:
    """Defaults for FilterPlugin."""

    name = ""
    local = False
    static = False

    def events(self) -> Sequence[EventHint]:
        return ()

    def sign(self, pod: core_v1.Pod) -> Any:
        raise NotImplementedError(f"{self.name} is local and does not say what it looks at")

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> Refusal | frozenset[str] | None:
        return None

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        return True

    def add_pod(self, state: CycleState, pod: core_v1.Pod, other: core_v1.Pod, node: NodeInfo) -> None:
        return

    def remove_pod(self, state: CycleState, pod: core_v1.Pod, other: core_v1.Pod, node: NodeInfo) -> None:
        return

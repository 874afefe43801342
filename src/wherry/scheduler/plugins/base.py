"""What most plugins have in common: nothing to do beforehand, always relevant, nothing that helps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wherry.api.types import core_v1
from wherry.scheduler.framework import CycleState, EventHint, Refusal, Snapshot
from wherry.scheduler.nodeinfo import NodeInfo


class _Signed:
    name = ""

    def sign(self, pod: core_v1.Pod, snapshot: Snapshot) -> Any:
        raise NotImplementedError(f"{self.name} is local and does not say what it looks at")


class Filter(_Signed):
    """Defaults for FilterPlugin."""

    local = False

    def events(self) -> Sequence[EventHint]:
        return ()

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> Refusal | frozenset[str] | None:
        return None

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        return True

    def add_pod(self, state: CycleState, pod: core_v1.Pod, other: core_v1.Pod, node: NodeInfo) -> None:
        return

    def remove_pod(self, state: CycleState, pod: core_v1.Pod, other: core_v1.Pod, node: NodeInfo) -> None:
        return


class Score(_Signed):
    """Defaults for ScorePlugin."""

    local_score = False

    def scores(self, pod: core_v1.Pod, snapshot: Snapshot) -> bool:
        return True

    def prepare(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> None:
        return

    def pre_score(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot, nodes: Sequence[NodeInfo]) -> bool:
        return True

    def normalize(self, scores: list[float]) -> list[float]:
        return scores

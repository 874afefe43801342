"""What the local plugins say of the nodes, kept for equal Pods (upstream's opportunistic batching).

A thousand replicas ask the same questions of the same nodes.  Verdicts and scores that depend on the Pod's signature
and one node alone are kept, best node first; after each decision only the nodes that changed are asked again.
"""

from __future__ import annotations

import random
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from wherry.api.types import core_v1
from wherry.scheduler.framework import CycleState, FilterPlugin, Refusal, ScorePlugin
from wherry.scheduler.nodeinfo import NodeInfo

if TYPE_CHECKING:
    from wherry.scheduler.snapshot import Snapshot

Verdict = tuple[str, Refusal]
Place = tuple[float, float, str]  # minus the score, chance, node: sorted, the best comes first
RECORDS = 200_000  # verdicts kept over all rankings


def refused(plugins: Sequence[FilterPlugin], state: CycleState, pod: core_v1.Pod, info: NodeInfo) -> Verdict | None:
    """The first plugin that refuses the node, and why."""
    for plugin in plugins:
        refusal = plugin.filter(state, pod, info)
        if refusal is not None:
            return plugin.name, refusal
    return None


def refused_beside(
    plugins: Sequence[FilterPlugin], state: CycleState, pod: core_v1.Pod, info: NodeInfo, rivals: Sequence[core_v1.Pod],
) -> Verdict | None:
    """As if `rivals`, who are nominated for the node, were on it already.

    All plugins are told, and what matters is asked then: a rival may keep a Pod away whom nothing else does.
    """
    state, info = state.clone(), info.clone()
    for other in rivals:
        info.add(other)
        for plugin in plugins:
            plugin.add_pod(state, pod, other, info)
    return refused([plugin for plugin in plugins if plugin.relevant(state, pod)], state, pod, info)


class Ranking:
    """Nodes for Pods of one signature."""

    def __init__(
        self, pod: core_v1.Pod, state: CycleState, filters: Sequence[FilterPlugin], scores: Sequence[tuple[ScorePlugin, int]],
        rng: random.Random,
    ) -> None:
        self._pod, self._state, self._rng = pod, state, rng
        self._filters, self._scores = filters, scores
        self.remembered: tuple[int, Any] = (-1, None)  # a conclusion, and up to which change it holds
        self.refused: dict[str, Verdict] = {}
        self.places: list[Place] = []
        self._place: dict[str, Place] = {}
        self._topology = -1
        self.position = 0  # in the journal of changes
        self._asked, self._start, self._total = 0, 0, 0  # so many of the order's nodes have been asked, from `_start` on

    def __len__(self) -> int:
        return len(self.refused) + len(self.places)

    @property
    def complete(self) -> bool:
        """Every node has been asked."""
        return self._asked >= self._total

    def refresh(self, snapshot: Snapshot, wanted: int) -> None:
        """Ask the nodes that changed again, then new ones until `wanted` will do or all were asked."""
        changed = snapshot.touched.since(self.position) if self._topology == snapshot.topology else None
        if changed is None:
            self.refused.clear()
            self.places.clear()
            self._place.clear()
            self._topology, self._asked, self._total = snapshot.topology, 0, len(snapshot.order)
            self._start = self._rng.randrange(self._total) if self._total else 0  # so that all get their turn
        else:
            for name in dict.fromkeys(changed):
                if self._forget(name) and (place := self._ask(snapshot.nodes[name])) is not None:
                    insort(self.places, place)
        self.position = snapshot.touched.end
        self._ask_more(snapshot, wanted)

    def _forget(self, name: str) -> bool:
        """Whether the node had been asked."""
        place = self._place.pop(name, None)
        if place is not None:
            del self.places[bisect_left(self.places, place)]
            return True
        return self.refused.pop(name, None) is not None

    def _ask_more(self, snapshot: Snapshot, wanted: int) -> None:
        order, total, found = snapshot.order, self._total, self.places
        if self._asked >= total or len(found) >= wanted:
            return
        while self._asked < total and len(found) < wanted:
            place = self._ask(order[(self._start + self._asked) % total])
            self._asked += 1
            if place is not None:
                found.append(place)
        found.sort()

    def _ask(self, info: NodeInfo) -> Place | None:
        verdict = refused(self._filters, self._state, self._pod, info)
        if verdict is not None:
            self.refused[info.name] = verdict
            return None
        score = 0.0
        for plugin, weight in self._scores:
            score += weight * plugin.score(self._state, self._pod, info)
        place = self._place[info.name] = (-score, self._rng.random(), info.name)
        return place


class Rankings:
    """Those of one profile, by signature; the least used are dropped."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Ranking] = OrderedDict()

    def get(self, key: bytes) -> Ranking | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: bytes, ranking: Ranking) -> None:
        self._kept[key] = ranking
        while len(self._kept) > 4 and sum(map(len, self._kept.values())) > RECORDS:
            self._kept.popitem(last=False)


def signature(pod: core_v1.Pod, snapshot: Snapshot, plugins: Sequence[FilterPlugin | ScorePlugin]) -> bytes:
    """Everything that local plugins look at beside the node."""
    return msgspec.json.encode([plugin.sign(pod, snapshot) for plugin in plugins])

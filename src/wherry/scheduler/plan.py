"""One scheduling decision, pure: a Pod and a snapshot in, a node or the reasons why not out.

Local plugins are asked through a ranking that equal Pods share (`ranking.py`); the others look at what was counted
over all Pods.  When only local scores matter, nodes are tried best first and the first that passes is the one.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from wherry.api.types import core_v1
from wherry.scheduler.framework import CycleState, FilterPlugin, Refusal, ScorePlugin
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.nominator import Nominator
from wherry.scheduler.profile import Profile
from wherry.scheduler.ranking import Place, Ranking, Verdict, refused, refused_beside, signature
from wherry.scheduler.snapshot import Snapshot

MIN_FEASIBLE = 100
NO_NODES = "no nodes available to schedule pods"


@dataclass(frozen=True, slots=True)
class Decision:
    """`node` is "" when none will do; then `diagnosis` says, a node, which plugin refused it and why."""

    node: str = ""
    diagnosis: dict[str, Verdict] = field(default_factory=dict)
    message: str = ""  # "0/3 nodes are available: ...", without what preemption has to say
    total: int = 0
    state: CycleState = field(default_factory=CycleState)
    silently: frozenset[str] = frozenset()  # who left nodes out and told no reason
    afterwards: bool = False  # there was a node, and a plugin refused it when it was to be taken: making room does not help

    @property
    def plugins(self) -> frozenset[str]:
        """Those that refused a node: their events can help."""
        return self.silently.union(plugin for plugin, _ in self.diagnosis.values())


def enough_feasible(nodes: int, percentage: int = 0) -> int:
    """How many feasible nodes are enough to choose from (upstream's numFeasibleNodesToFind)."""
    if nodes <= MIN_FEASIBLE or percentage >= 100:
        return nodes
    return max(MIN_FEASIBLE, nodes * (percentage or max(5, 50 - nodes // 125)) // 100)


class Cycle:
    """The questions about one Pod."""

    def __init__(self, pod: core_v1.Pod, snapshot: Snapshot, profile: Profile, rng: random.Random, nominator: Nominator) -> None:
        self.pod, self.snapshot, self.profile, self.rng, self.nominator = pod, snapshot, profile, rng, nominator
        self.state = CycleState()
        self.total = len(snapshot.order)
        self.wanted = enough_feasible(self.total, profile.percentage_of_nodes_to_score)
        self.seen: dict[str, Verdict | None] = {}  # nodes that the plugins which are not local were asked about
        self.refused: dict[str, Verdict] = {}  # what is known of other nodes when some are feasible

    def decide(self) -> Decision:
        found = self.feasible()
        return found if isinstance(found, Decision) else self.best(found)

    def feasible(self, *, several: bool = False) -> Decision | list[Place]:
        """The nodes to choose from, or that there are none.  `several`: others have a word yet, so the best alone is not enough."""
        names: frozenset[str] | None = None
        narrowed: list[str] = []
        for plugin in self.profile.filters:
            answer = plugin.pre_filter(self.state, self.pod, self.snapshot)
            if isinstance(answer, Refusal):
                return self._nowhere(plugin.name, answer)
            if answer is not None:
                names = answer if names is None else names & answer
                narrowed.append(plugin.name)
        relevant = [plugin for plugin in self.profile.filters if plugin.relevant(self.state, self.pod)]
        nominated = self.nominator.node_of(self.pod.metadata.uid)
        if nominated in self.snapshot.nodes and self._refused(relevant, self.snapshot.nodes[nominated]) is None:
            return [(0.0, 0.0, nominated)]
        if names is not None:
            return self._among(names, narrowed, relevant)
        return self._ranked(relevant, several)

    def _nowhere(self, plugin: str, refusal: Refusal) -> Decision:
        everywhere = dict.fromkeys(self.snapshot.nodes, (plugin, refusal))
        message = f"0/{self.total} nodes are available: {refusal.reason}."
        return Decision("", everywhere, message, self.total, self.state)

    def _refused(self, plugins: Sequence[FilterPlugin], info: NodeInfo) -> Verdict | None:
        verdict = refused(plugins, self.state, self.pod, info)
        if verdict is None and (rivals := self.nominator.rivals(self.pod, info.name)):
            return refused_beside(self.profile.filters, self.state, self.pod, info, rivals)
        return verdict

    def _among(self, names: frozenset[str], narrowed: list[str], relevant: Sequence[FilterPlugin]) -> Decision | list[Place]:
        """A few nodes by name: no ranking is worth its while."""
        rest = Refusal(f"node(s) didn't satisfy plugin(s) [{' '.join(sorted(narrowed))}]")
        diagnosis: dict[str, Verdict] = {}
        places: list[Place] = []
        local = self._local_scores(self.state)
        for name in names:
            info = self.snapshot.nodes.get(name)
            if info is None:
                continue
            verdict = self._refused(relevant, info)
            if verdict is not None:
                diagnosis[name] = verdict
                continue
            score = sum(weight * plugin.score(self.state, self.pod, info) for plugin, weight in local)
            places.append((-score, self.rng.random(), name))
        if places:
            self.refused = diagnosis
            return sorted(places)
        everywhere = {name: diagnosis.get(name, (narrowed[0], rest)) for name in self.snapshot.nodes}
        return Decision("", everywhere, explain(everywhere, self.total), self.total, self.state)

    def _local_scores(self, state: CycleState) -> list[tuple[ScorePlugin, int]]:
        found = [(p, w) for p, w in self.profile.scores if p.local_score and p.scores(self.pod, self.snapshot)]
        for plugin, _ in found:
            plugin.prepare(state, self.pod, self.snapshot)
        return found

    def _global_scores(self) -> list[tuple[ScorePlugin, int]]:
        return [(p, w) for p, w in self.profile.scores if not p.local_score and p.scores(self.pod, self.snapshot)]

    def _ranking(self, relevant: Sequence[FilterPlugin]) -> Ranking:
        rankings = self.snapshot.rankings[self.profile.scheduler_name]
        key = signature(self.pod, self.snapshot, self.profile.local)
        ranking = rankings.get(key)
        if ranking is None:
            filters = [plugin for plugin in relevant if plugin.local]
            state = CycleState({p.name: self.state.data[p.name] for p in filters if p.name in self.state.data})
            ranking = Ranking(self.pod, state, filters, self._local_scores(state), self.rng)
            rankings.put(key, ranking)
        return ranking

    def _ranked(self, relevant: Sequence[FilterPlugin], several: bool) -> Decision | list[Place]:
        ranking = self._ranking(relevant)
        others = [plugin for plugin in relevant if not plugin.local]
        places = self._feasible(ranking, others, self.wanted if several or self._global_scores() else 1)
        if places:
            if several:
                self.refused = {**ranking.refused, **{name: verdict for name, verdict in self.seen.items() if verdict is not None}}
            return places
        if not others and not any(self.seen.values()):  # equal Pods are refused for equal reasons
            position, known = ranking.remembered
            if position == ranking.position:
                return known  # type: ignore[no-any-return]
        diagnosis = {**ranking.refused, **{name: verdict for name, verdict in self.seen.items() if verdict is not None}}
        decision = Decision("", diagnosis, explain(diagnosis, self.total), self.total, self.state)
        if not others and not any(self.seen.values()):
            ranking.remembered = ranking.position, decision
        return decision

    def _feasible(self, ranking: Ranking, others: Sequence[FilterPlugin], enough: int) -> list[Place]:
        """The best places that the other filters let pass."""
        found: list[Place] = []
        wanted, nodes, seen = self.wanted, self.snapshot.nodes, self.seen
        while True:
            ranking.refresh(self.snapshot, wanted)
            for place in ranking.places:
                name = place[2]
                if name in seen:
                    continue
                verdict = seen[name] = self._refused(others, nodes[name])
                if verdict is None:
                    found.append(place)
                    if len(found) >= enough:
                        return found
            if ranking.complete:
                return found
            wanted = len(ranking.places) + self.wanted

    def best(self, places: list[Place], extra: Mapping[str, float] = MappingProxyType({})) -> Decision:
        """`extra`: what others score, by node."""
        scores = self._global_scores() if len(places) > 1 else []
        if scores or extra:
            nodes = [self.snapshot.nodes[place[2]] for place in places]
            totals = [extra.get(place[2], 0) - place[0] for place in places]
            for plugin, weight in scores:
                if plugin.pre_score(self.state, self.pod, self.snapshot, nodes):
                    found = plugin.normalize([plugin.score(self.state, self.pod, info) for info in nodes])
                    totals = [total + weight * score for total, score in zip(totals, found, strict=True)]
            top = max(totals)
            places = [self.rng.choice([p for p, total in zip(places, totals, strict=True) if total == top])]
        return Decision(places[0][2], total=self.total, state=self.state)


def schedule(
    pod: core_v1.Pod, snapshot: Snapshot, profile: Profile, rng: random.Random, nominator: Nominator | None = None
) -> Decision:
    """Filter nodes, score those that pass, take the best."""
    snapshot.arrange()
    if not snapshot.order:
        return Decision(message=NO_NODES)
    return Cycle(pod, snapshot, profile, rng, nominator or Nominator()).decide()


def explain(diagnosis: dict[str, Verdict], total: int) -> str:
    """How many nodes were refused for which reason (upstream's FitError)."""
    reasons: Counter[str] = Counter()
    for refusal, count in Counter(refusal for _, refusal in diagnosis.values()).items():
        for line in refusal.reason.split("\n"):
            reasons[line] += count
    told = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    return f"0/{total} nodes are available: {told}." if told else f"0/{total} nodes are available."

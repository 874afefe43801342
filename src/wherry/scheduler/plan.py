"""One scheduling decision, pure: a Pod and a snapshot in, a node or the reasons why not out.

What a Pod's spec and a Node object alone decide (static filters) is remembered for Pods of one
template, so that a thousand replicas ask those questions once a node.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from wherry.api.types import core_v1
from wherry.scheduler.framework import CycleState, FilterPlugin, NodeInfo, Refusal
from wherry.scheduler.profile import Profile
from wherry.scheduler.snapshot import Snapshot

MIN_FEASIBLE = 100


@dataclass(frozen=True, slots=True)
class Decision:
    """`node` is "" when none will do; then `diagnosis` says, a node, which plugin refused it and why."""

    node: str = ""
    diagnosis: dict[str, tuple[str, Refusal]] = field(default_factory=dict)
    message: str = ""


def enough_feasible(nodes: int) -> int:
    """How many feasible nodes are enough to choose from (upstream's numFeasibleNodesToFind)."""
    if nodes <= MIN_FEASIBLE:
        return nodes
    return max(MIN_FEASIBLE, nodes * max(5, 50 - nodes // 125) // 100)


def schedule(pod: core_v1.Pod, snapshot: Snapshot, profile: Profile, rng: random.Random, start: int = 0) -> Decision:
    """Filter nodes (beginning at index `start`, so that all get their turn), score those that pass, take the best."""
    total = len(snapshot.order)
    if not total:
        return Decision(message="no nodes available to schedule pods")
    state = CycleState()
    for plugin in profile.filters:
        refusal = plugin.pre_filter(state, pod, snapshot)
        if refusal is not None:
            everywhere = dict.fromkeys(snapshot.nodes, (plugin.name, refusal))
            return Decision(diagnosis=everywhere, message=explain(everywhere, total))
    feasible, diagnosis = _filter(pod, snapshot, profile, state, start)
    if not feasible:
        return Decision(diagnosis=diagnosis, message=explain(diagnosis, total))
    if len(feasible) == 1:
        return Decision(feasible[0].name, diagnosis)
    return Decision(_best(pod, feasible, profile, state, rng), diagnosis)


def _filter(
    pod: core_v1.Pod, snapshot: Snapshot, profile: Profile, state: CycleState, start: int
) -> tuple[list[NodeInfo], dict[str, tuple[str, Refusal]]]:
    total = len(snapshot.order)
    wanted = enough_feasible(total)
    plugins = [plugin for plugin in profile.filters if plugin.relevant(state, pod)]
    static = [plugin for plugin in plugins if plugin.static]
    dynamic = [plugin for plugin in plugins if not plugin.static]
    known = snapshot.static_results(pod)
    feasible: list[NodeInfo] = []
    diagnosis: dict[str, tuple[str, Refusal]] = {}
    for index in range(total):
        info = snapshot.order[(start + index) % total]
        name = info.name
        verdict = known.get(name)
        if verdict is None and name not in known:
            verdict = known[name] = _refused(static, state, pod, info)
        if verdict is None:
            verdict = _refused(dynamic, state, pod, info)
        if verdict is None:
            feasible.append(info)
            if len(feasible) >= wanted:
                break
        else:
            diagnosis[name] = verdict
    return feasible, diagnosis


def _refused(plugins: list[FilterPlugin], state: CycleState, pod: core_v1.Pod, info: NodeInfo) -> tuple[str, Refusal] | None:
    """The first plugin that refuses the node, and why."""
    for plugin in plugins:
        refusal = plugin.filter(state, pod, info)
        if refusal is not None:
            return plugin.name, refusal
    return None


def _best(pod: core_v1.Pod, feasible: list[NodeInfo], profile: Profile, state: CycleState, rng: random.Random) -> str:
    totals = [0.0] * len(feasible)
    for plugin, weight in profile.scores:
        if plugin.pre_score(state, pod, feasible):
            scores = plugin.normalize([plugin.score(state, pod, info) for info in feasible])
            totals = [total + weight * score for total, score in zip(totals, scores, strict=True)]
    top = max(totals)
    return rng.choice([info.name for info, total in zip(feasible, totals, strict=True) if total == top])


def explain(diagnosis: dict[str, tuple[str, Refusal]], total: int) -> str:
    """The message of FailedScheduling: how many nodes were refused for which reason."""
    reasons = Counter(line for _, refusal in diagnosis.values() for line in refusal.reason.split("\n"))
    told = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    helpless = sum(not refusal.resolvable for _, refusal in diagnosis.values())
    tried = len(diagnosis) - helpless
    parts = [f"{tried} No preemption victims found for incoming pod"] if tried else []
    parts += [f"{helpless} Preemption is not helpful for scheduling"] if helpless else []
    preemption = f"preemption: 0/{total} nodes are available: {', '.join(sorted(parts))}."
    return f"0/{total} nodes are available: {told}. no new claims to deallocate, {preemption}"

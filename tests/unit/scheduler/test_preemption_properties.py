"""Properties of preemption: nobody as important goes, nobody goes in vain, and what is found is what the plain rules find."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Picture, feasible, passes, priority
from scheduler_makers import Cluster, placed
from strategies import NODES, nodes, pods
from test_preemption_plan import budget

from wherry.api.types import core_v1, policy_v1
from wherry.scheduler.preemption import Candidate, DryRun, select

budgets = st.lists(st.tuples(st.sampled_from([{"app": "x"}, {"app": "y"}]), st.integers(0, 2)), max_size=2)
worlds = st.lists(nodes(), min_size=1, max_size=4)
crowds = st.lists(st.tuples(pods(near=False), st.sampled_from(NODES)), min_size=1, max_size=10)
claims = st.lists(st.tuples(pods(near=False), st.sampled_from(NODES)), max_size=1)


def made(given_nodes: list[Any], there: list[Any], nominated: list[Any]) -> tuple[Cluster, Picture]:
    picture = Picture({node.metadata.name: node for node in given_nodes})
    for each, where in there:
        if where in picture.nodes and passes(each, picture.nodes[where], picture):
            picture.pods[each.metadata.uid] = placed(each, where)
    cluster = Cluster(*picture.nodes.values(), *picture.pods.values())
    for each, where in nominated:
        cluster.nominator.put(each, where)
    return cluster, picture


def dry_run(cluster: Cluster, wanted: core_v1.Pod, kept: list[policy_v1.PodDisruptionBudget]) -> DryRun | None:
    decision = cluster.decide(wanted)
    if decision.node:
        return None
    run = DryRun(wanted, cluster.snapshot, cluster.profile, decision, cluster.nominator, kept)
    for _ in run.steps(random.Random(1)):
        pass
    return run


def violations(victims: tuple[core_v1.Pod, ...], allowed: list[tuple[dict[str, str], int]]) -> int:
    """How far the budgets would be overdrawn, at least."""
    return max((sum(labels.items() <= v.metadata.labels.items() for v in victims) - number for labels, number in allowed), default=0)


@settings(max_examples=300, deadline=None)
@given(worlds, crowds, claims, pods(near=False), budgets)
def test_victims(given_nodes: list[Any], there: list[Any], nominated: list[Any], wanted: core_v1.Pod, allowed: list[Any]) -> None:
    cluster, picture = made(given_nodes, there, nominated)
    kept = [budget(f"b{i}", labels, number) for i, (labels, number) in enumerate(allowed)]
    run = dry_run(cluster, wanted, kept)
    if run is None:
        return
    found = {candidate.node: candidate for candidate in run.candidates}
    for name in picture.nodes:
        gone = [other for other in picture.on(name) if priority(other) < priority(wanted)]
        possible = bool(gone) and name in feasible(wanted, picture.with_pods((), gone), nominated)
        assert (name in found) is possible, run.told
    for name, candidate in found.items():
        victims = candidate.victims
        assert all(priority(victim) < priority(wanted) for victim in victims)
        assert all(victim.spec.node_name == name for victim in victims)
        assert name in feasible(wanted, picture.with_pods((), victims), nominated), "they make room"
        for spared in victims:
            others = [victim for victim in victims if victim is not spared]
            assert name not in feasible(wanted, picture.with_pods((), others), nominated), f"{spared.metadata.name} could have stayed"
        assert candidate.violations >= min(1, max(0, violations(victims, allowed)))
    if found:
        _chosen(run.candidates)


def _chosen(candidates: list[Candidate]) -> None:
    """Upstream's order of harm, one criterion after the other."""
    best, left = select(candidates), candidates
    for harm in (
        lambda c: c.violations,
        lambda c: max((priority(v) for v in c.victims), default=-(2**31)),
        lambda c: sum(priority(v) + 2**31 for v in c.victims),
        lambda c: len(c.victims),
    ):
        least = min(map(harm, left))
        left = [each for each in left if harm(each) == least]
        assert best in left

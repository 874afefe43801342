"""Properties of scores: what is counted over all Pods and kept says the same as counting anew, and the best node is taken."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Picture, counted, meant, selected, terms, together, tolerated
from scheduler_makers import Cluster, affinity, namespace, placed, pod, spread
from strategies import HOST, NODES, ZONE, apps, nodes, pods

from wherry.api.types import core_v1
from wherry.scheduler.framework import CycleState
from wherry.scheduler.plugins.interpodaffinity import InterPodAffinity
from wherry.scheduler.plugins.podtopologyspread import PodTopologySpread

PREFERRED = "preferred_during_scheduling_ignored_during_execution"
EFFECTS = ("NoSchedule", "NoExecute")
keys = st.sampled_from([ZONE, HOST])


@st.composite
def drawn(draw: Any) -> core_v1.Pod:
    """With a wish, or without."""
    wish = draw(st.sampled_from(["podAffinity", "podAntiAffinity", ""]))
    more: dict[str, Any] = draw(st.sampled_from([{}, {"namespaceSelector": {}}, {"namespaces": ["other"]}]))
    made = affinity(wish, draw(keys), draw(apps), weight=draw(st.sampled_from([1, 50, 100])), **more) if wish else None
    return pod(labels=draw(apps), namespace=draw(st.sampled_from(["default", "other"])), **({"affinity": made} if made else {}))


@st.composite
def soft(draw: Any) -> core_v1.Pod:
    policies = draw(st.sampled_from([{}, {"nodeTaintsPolicy": "Honor"}, {"nodeAffinityPolicy": "Ignore"}]))
    wishes = [spread(key, {"app": "x"}, draw(st.integers(1, 3)), "ScheduleAnyway", **policies) for key in draw(st.sampled_from([[ZONE], [HOST], [ZONE, HOST]]))]
    return pod(labels=draw(apps), topologySpreadConstraints=wishes, nodeSelector=draw(st.sampled_from([{}, {"pool": "p"}])))


def world(given_nodes: list[core_v1.Node], there: list[tuple[core_v1.Pod, str]]) -> tuple[Cluster, Picture]:
    picture = Picture({node.metadata.name: node for node in given_nodes}, {}, {"default": {}, "other": {}})
    for each, where in there:
        picture.pods[each.metadata.uid] = placed(each, where)
    cluster = Cluster(*picture.nodes.values(), *picture.pods.values())
    cluster.put(namespace("default"), namespace("other"))
    return cluster, picture


def drawn_to(wanted: core_v1.Pod, node: core_v1.Node, picture: Picture) -> int:
    """The sum over all Pods, of their wishes about this one and of its own about them; a required affinity counts 1."""
    total = 0
    for other in picture.pods.values():
        there = picture.nodes.get(other.spec.node_name)
        for owner, about in ((wanted, other), (other, wanted)):
            for kind, sign in (("pod_affinity", 1), ("pod_anti_affinity", -1)):
                for each in terms(owner, kind, PREFERRED):
                    term = each.pod_affinity_term
                    if meant(term, owner, about, picture) and together(node, there, term.topology_key):
                        total += sign * each.weight
        for term in terms(other, "pod_affinity"):
            if meant(term, other, wanted, picture) and together(node, there, term.topology_key):
                total += 1
    return total


@settings(max_examples=200, deadline=None)
@given(st.lists(nodes(), min_size=1, max_size=4), st.lists(st.tuples(st.one_of(drawn(), pods(namespaces=True)), st.sampled_from(NODES)), max_size=8), drawn())
def test_wishes_about_other_pods(given_nodes: list[Any], there: list[Any], wanted: core_v1.Pod) -> None:
    cluster, picture = world(given_nodes, there)
    plugin = next(each for each, _ in cluster.profile.scores if isinstance(each, InterPodAffinity))
    infos, state = list(cluster.snapshot.nodes.values()), CycleState()
    expected = [drawn_to(wanted, picture.nodes[info.name], picture) for info in infos]
    if not plugin.scores(wanted, cluster.snapshot) or not plugin.pre_score(state, wanted, cluster.snapshot, infos):
        assert not any(expected)
        return
    found = [plugin.score(state, wanted, info) for info in infos]
    assert found == expected
    least, most = min(expected), max(expected)
    assert plugin.normalize(found) == [int(100 * (each - least) / (most - least)) if most > least else 0 for each in expected]


def crowd(wanted: core_v1.Pod, node: core_v1.Node, picture: Picture, names: list[str]) -> int | None:
    """Upstream's sum for a node; None when it lacks a label."""
    wishes = wanted.spec.topology_spread_constraints
    labels, whole = node.metadata.labels, [n for n in picture.nodes.values() if all(w.topology_key in n.metadata.labels for w in wishes)]
    if node not in whole:
        return None
    total = 0.0
    for wish in wishes:
        domains = [n for n in whole if n.metadata.labels[wish.topology_key] == labels[wish.topology_key]]
        if wish.node_affinity_policy != "Ignore":
            domains = [n for n in domains if selected(wanted, n)]
        if wish.node_taints_policy == "Honor":
            domains = [n for n in domains if all(tolerated(wanted, t) for t in n.spec.taints if t.effect in EFFECTS)]
        count = sum(
            counted(wish, wanted, other) for n in domains for other in picture.on(n.metadata.name)
            if other.metadata.namespace == wanted.metadata.namespace
        )
        size = len({n.metadata.labels[wish.topology_key] for n in whole if n.metadata.name in names})
        total += count * math.log(size + 2) + (wish.max_skew or 1) - 1
    return math.floor(total + 0.5)


@settings(max_examples=200, deadline=None)
@given(st.lists(nodes(), min_size=1, max_size=4), st.lists(st.tuples(pods(), st.sampled_from(NODES)), max_size=10), soft())
def test_soft_spreading(given_nodes: list[Any], there: list[Any], wanted: core_v1.Pod) -> None:
    cluster, picture = world(given_nodes, there)
    plugin = next(each for each, _ in cluster.profile.scores if isinstance(each, PodTopologySpread))
    infos, state = list(cluster.snapshot.nodes.values()), CycleState()
    assert plugin.scores(wanted, cluster.snapshot)
    assert plugin.pre_score(state, wanted, cluster.snapshot, infos)
    found = [plugin.score(state, wanted, info) for info in infos]
    expected = [crowd(wanted, picture.nodes[info.name], picture, list(picture.nodes)) for info in infos]
    assert found == [-1 if each is None else each for each in expected]
    assert all(0 <= each <= 100 for each in plugin.normalize(found))


@settings(max_examples=150, deadline=None)
@given(st.lists(nodes(), min_size=1, max_size=4), st.lists(st.one_of(drawn(), pods(), soft()), min_size=1, max_size=10))
def test_the_best_node_is_taken_whatever_is_remembered(given_nodes: list[Any], wanted: list[core_v1.Pod]) -> None:
    """Each Pod and equal ones after it, so that rankings are used again: every plugin, asked anew, finds no better node."""
    cluster, _ = world(given_nodes, [])
    for number, each in enumerate(wanted):
        made = _copy(each if number % 2 else wanted[0], number)
        decision = cluster.decide(made)
        if decision.node:
            totals = _anew(cluster, made)
            assert totals[decision.node] == max(totals.values())
            cluster.snapshot.put_pod(placed(made, decision.node))


def _copy(made: core_v1.Pod, number: int) -> core_v1.Pod:
    """Another Pod of the same template."""
    raw = pod(f"copy{number}", namespace=made.metadata.namespace, labels=made.metadata.labels)
    return core_v1.Pod(metadata=raw.metadata, spec=made.spec)


def _anew(cluster: Cluster, wanted: core_v1.Pod) -> dict[str, float]:
    """Weighted totals of the nodes that pass, without anything that is kept."""
    fresh = Cluster(*(info.node for info in cluster.snapshot.nodes.values() if info.node is not None))
    fresh.put(namespace("default"), namespace("other"), *(p for info in cluster.snapshot.nodes.values() for p in info.pods.values()))
    state = CycleState()
    filters = fresh.profile.filters
    assert not any(plugin.pre_filter(state, wanted, fresh.snapshot) for plugin in filters)
    asked = [plugin for plugin in filters if plugin.relevant(state, wanted)]
    infos = [info for info in fresh.snapshot.nodes.values() if not any(plugin.filter(state, wanted, info) for plugin in asked)]
    totals = {info.name: 0.0 for info in infos}
    for plugin, weight in fresh.profile.scores:
        if not plugin.scores(wanted, fresh.snapshot):
            continue
        if plugin.local_score:
            plugin.prepare(state, wanted, fresh.snapshot)
        elif not plugin.pre_score(state, wanted, fresh.snapshot, infos):
            continue
        found = [plugin.score(state, wanted, info) for info in infos]
        for info, score in zip(infos, found if plugin.local_score else plugin.normalize(found), strict=True):
            totals[info.name] += weight * score
    return totals

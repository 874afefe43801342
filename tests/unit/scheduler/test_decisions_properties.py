"""Properties of decisions: whatever came and went, they are those of the plain rules, and nothing that is kept is out of date."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Picture, feasible, priority
from scheduler_makers import Cluster, namespace, placed
from strategies import APPS, NODES, nodes, pods

from wherry.api.types import core_v1
from wherry.scheduler.plugins.affinityterms import ExistingTerms
from wherry.scheduler.plugins.podcounts import DomainCounts, MatchCounts
from wherry.scheduler.snapshot import Snapshot

TEAMS = ({}, {"team": "t"}, {"team": "u"})
PLAIN = settings(max_examples=150, deadline=None)

operations = st.one_of(
    st.tuples(st.just("node"), nodes()),
    st.tuples(st.just("unnode"), st.sampled_from(NODES)),
    st.tuples(st.just("put"), pods(namespaces=True), st.sampled_from(NODES)),
    st.tuples(st.just("remove"), st.integers(0, 9)),
    st.tuples(st.just("relabel"), st.integers(0, 9), st.sampled_from(APPS)),
    st.tuples(st.just("leave"), st.integers(0, 9)),
    st.tuples(st.just("move"), st.integers(0, 9), st.sampled_from(NODES)),
    st.tuples(st.just("again"), st.integers(0, 9)),
    st.tuples(st.just("team"), st.sampled_from(TEAMS)),
    st.tuples(st.just("nominate"), pods(namespaces=True), st.sampled_from(NODES)),
    st.tuples(st.just("schedule"), pods(namespaces=True)),
    st.tuples(st.just("schedule"), pods(namespaces=True)),
)


class Both:
    """The same things told to the fast structures and to a plain picture."""

    def __init__(self) -> None:
        self.cluster, self.picture = Cluster(), Picture(namespaces={"default": {}, "other": {}})
        self.nominated: dict[str, tuple[core_v1.Pod, str]] = {}
        self.cluster.put(namespace("default"), namespace("other"))

    def apply(self, kind: str, *given: Any) -> None:
        getattr(self, f"_{kind}")(*given)

    def _node(self, node: core_v1.Node) -> None:
        self.cluster.put(node)
        self.picture.nodes[node.metadata.name] = node

    def _unnode(self, name: str) -> None:
        self.cluster.snapshot.remove_node(name)
        self.picture.nodes.pop(name, None)

    def _put(self, pod: core_v1.Pod, node: str) -> None:
        self._version(placed(pod, node))

    def _version(self, pod: core_v1.Pod) -> None:
        self.cluster.put(pod)
        self.picture.pods[pod.metadata.uid] = pod

    def _some(self, index: int) -> core_v1.Pod | None:
        known = list(self.picture.pods.values())
        return known[index % len(known)] if known else None

    def _remove(self, index: int) -> None:
        if (pod := self._some(index)) is not None:
            self.cluster.snapshot.remove_pod(pod)
            del self.picture.pods[pod.metadata.uid]

    def _relabel(self, index: int, labels: dict[str, str]) -> None:
        if (pod := self._some(index)) is not None:
            self._version(msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, labels=labels)))

    def _leave(self, index: int) -> None:
        if (pod := self._some(index)) is not None:
            self._version(msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, deletion_timestamp="2026-01-01T00:00:00Z")))

    def _move(self, index: int, node: str) -> None:
        """Bound elsewhere than was assumed."""
        if (pod := self._some(index)) is not None:
            self._version(placed(pod, node))

    def _again(self, index: int) -> None:
        if (pod := self._some(index)) is not None:
            self._version(msgspec.convert(msgspec.to_builtins(pod), core_v1.Pod))

    def _team(self, labels: dict[str, str]) -> None:
        self.cluster.put(namespace("other", **labels))
        self.picture.namespaces["other"] = labels

    def _nominate(self, pod: core_v1.Pod, node: str) -> None:
        self.cluster.nominator.put(pod, node)
        self.nominated[pod.metadata.uid] = (pod, node)

    def _schedule(self, pod: core_v1.Pod) -> None:
        """The decision is one of the plain rules', and a failure names every node."""
        expected = feasible(pod, self.picture, self.nominated.values())
        decision = self.cluster.decide(pod)
        if not expected:
            assert decision.node == ""
            assert set(decision.diagnosis) == set(self.picture.nodes)
            return
        assert decision.node in expected
        self._version(placed(pod, decision.node))


def contents(snapshot: Snapshot) -> dict[str, Any]:
    snapshot.arrange()
    found: dict[str, Any] = {
        "images": snapshot.images, "avoided": snapshot.avoided, "priorities": dict(snapshot.priorities),
        "order": [info.name for info in snapshot.order],
    }
    for name, info in snapshot.nodes.items():
        sums = [{key: amount for key, amount in each.items() if amount} for each in (info.requested, info.nonzero, info.ports, info.allocatable)]
        found[name] = info.node, dict(sorted(info.pods.items())), *sums
    return found


def derived(value: Any) -> Any:
    """What a kept count says."""
    if isinstance(value, MatchCounts | DomainCounts):
        return value.counts
    assert isinstance(value, ExistingTerms)
    return [
        {(term, domain): number for term, counts in index._terms.items() for domain, number in counts.items()}
        for index in (value.anti, value.scored)
    ]


@PLAIN
@given(st.lists(operations, max_size=30))
def test_the_snapshot_is_always_the_one_that_would_be_built_anew(steps: list[tuple[Any, ...]]) -> None:
    both = Both()
    for step in steps:
        both.apply(*step)
        anew = Snapshot()
        for node in both.picture.nodes.values():
            anew.set_node(node)
        for pod in both.picture.pods.values():
            anew.put_pod(pod)
        snapshot = both.cluster.snapshot
        assert contents(snapshot) == contents(anew)
        for key, kept in list(snapshot._derived.items()):
            now = snapshot.derived(key, lambda: None)  # type: ignore[arg-type,return-value]
            assert now is kept.value
            before = derived(now)
            now.rebuild(anew.nodes.values())
            assert before == derived(now), key


@settings(max_examples=300, deadline=None)
@given(st.lists(operations, max_size=30))
def test_decisions_are_those_of_the_plain_rules(steps: list[tuple[Any, ...]]) -> None:
    """Never too much on a node, no port twice, no skew and no affinity broken; and a node is found when there is one."""
    both = Both()
    for step in steps:
        both.apply(*step)


@PLAIN
@given(st.lists(nodes(), min_size=1, max_size=4), st.lists(st.tuples(pods(), st.sampled_from(NODES)), max_size=8), pods())
def test_every_node_of_a_failure_has_a_plugin_and_a_reason(given_nodes: list[Any], there: list[Any], wanted: core_v1.Pod) -> None:
    both = Both()
    for node in given_nodes:
        both.apply("node", node)
    for pod, name in there:
        both.apply("put", pod, name)
    decision = both.cluster.decide(wanted)
    if not decision.node:
        assert set(decision.diagnosis) == set(both.picture.nodes)
        assert all(plugin and refusal.reason for plugin, refusal in decision.diagnosis.values())
        assert decision.message.startswith(f"0/{len(both.picture.nodes)} nodes are available: ")


@PLAIN
@given(st.lists(nodes(), min_size=1, max_size=4), st.lists(st.tuples(pods(), st.sampled_from(NODES)), max_size=6), pods(), pods(), st.sampled_from(NODES))
def test_room_that_is_kept_is_taken_by_the_more_important_alone(
    given_nodes: list[Any], there: list[Any], waiting: core_v1.Pod, wanted: core_v1.Pod, name: str,
) -> None:
    both = Both()
    for node in given_nodes:
        both.apply("node", node)
    for pod, where in there:
        both.apply("put", pod, where)
    both.apply("nominate", waiting, name)
    decision = both.cluster.decide(wanted)
    if decision.node == name and priority(wanted) <= priority(waiting):
        assert name in feasible(wanted, both.picture.with_pods([placed(waiting, name)]))

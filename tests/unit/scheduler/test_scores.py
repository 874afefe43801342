"""Scores: figures worked out by hand from upstream's formulas."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from scheduler_makers import Cluster, node, pod, spread

from wherry.api.types import core_v1
from wherry.scheduler.args import NodeResourcesFitArgs
from wherry.scheduler.framework import CycleState
from wherry.scheduler.plugins.imagelocality import ImageLocality
from wherry.scheduler.plugins.noderesources import Ignored, NodeResourcesBalancedAllocation, NodeResourcesFit
from wherry.scheduler.plugins.podtopologyspread import PodTopologySpread

ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
GPU = {"example.com/gpu": "4"}


def scored(plugin: Any, cluster: Cluster, wanted: core_v1.Pod, name: str = "n") -> float:
    state = CycleState()
    plugin.prepare(state, wanted, cluster.snapshot)
    return plugin.score(state, wanted, cluster.snapshot.nodes[name])  # type: ignore[no-any-return]


def strategy(**scoring: Any) -> NodeResourcesFit:
    return NodeResourcesFit(**msgspec.convert({"scoringStrategy": scoring}, NodeResourcesFitArgs).settings())


SHAPE = {"shape": [{"utilization": 0, "score": 0}, {"utilization": 100, "score": 10}]}
CPU_ONLY = [{"name": "cpu", "weight": 1}]
FITS: dict[str, tuple[dict[str, Any], core_v1.Pod, int]] = {
    "least: (75 + 50) / 2": ({}, pod(cpu="1", memory="4Gi"), 62),
    "least: what is not asked for is assumed, 100m and 200Mi": ({}, pod(), 97),
    "most: (25 + 50) / 2": ({"type": "MostAllocated"}, pod(cpu="1", memory="4Gi"), 37),
    "ratio: rounded, not cut": ({"type": "RequestedToCapacityRatio", "requestedToCapacityRatio": SHAPE}, pod(cpu="1", memory="4Gi"), 38),
    "ratio: what scores nothing does not weigh": (
        {"type": "RequestedToCapacityRatio", "requestedToCapacityRatio": SHAPE, "resources": [*CPU_ONLY, {"name": "memory", "weight": 9}]},
        pod(cpu="2", memory="1Mi"), 50,
    ),
    "weights: (3 * 75 + 50) / 4": ({"resources": [{"name": "cpu", "weight": 3}, {"name": "memory"}]}, pod(cpu="1", memory="4Gi"), 68),
    "an extended resource that is not asked for does not count": ({"resources": [*CPU_ONLY, {"name": "example.com/gpu"}]}, pod(cpu="1"), 75),
    "ephemeral storage counts always": ({"resources": [*CPU_ONLY, {"name": "ephemeral-storage"}]}, pod(cpu="1"), 87),
}


@pytest.mark.parametrize(("scoring", "wanted", "score"), FITS.values(), ids=FITS.keys())
def test_resources_fit(scoring: dict[str, Any], wanted: core_v1.Pod, score: int) -> None:
    cluster = Cluster(node("n", extended={**GPU, "ephemeral-storage": "10Gi"}))
    assert scored(strategy(**scoring), cluster, wanted) == score


BALANCES: dict[str, tuple[core_v1.Pod, core_v1.Pod, int]] = {
    "no change": (pod(on="n", cpu="1", memory="2Gi"), pod(cpu="1", memory="2Gi"), 75),
    "worse: from 100 to 87": (pod(on="n", cpu="1", memory="2Gi"), pod(cpu="1"), 68),
    "better: from 75 to 100": (pod(on="n", cpu="2"), pod(memory="4Gi"), 87),
    "from all to nothing": (pod(on="n", cpu="4"), pod(memory="8Gi"), 100),
    "from nothing to all": (pod(on="n"), pod(cpu="4"), 50),
}


@pytest.mark.parametrize(("there", "wanted", "score"), BALANCES.values(), ids=BALANCES.keys())
def test_balance(there: core_v1.Pod, wanted: core_v1.Pod, score: int) -> None:
    assert scored(NodeResourcesBalancedAllocation(), Cluster(node("n"), there), wanted) == score


def test_of_three_resources_the_deviation_counts() -> None:
    """Shares 0, 0 and 1/2 afterwards: a deviation of 0.2357."""
    plugin = NodeResourcesBalancedAllocation([("cpu", 1), ("memory", 1), ("example.com/gpu", 1)])
    wanted = pod(cpu="1m")
    wanted.spec.containers[0].resources.requests["example.com/gpu"] = "2"
    assert scored(plugin, Cluster(node("n", extended=GPU)), wanted) == 50 + (50 + 76 - 100) // 2


def image(name: str, mebibytes: int) -> dict[str, Any]:
    return {"names": [name], "sizeBytes": mebibytes << 20}


IMAGES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], int]] = {
    "one of one container": ([image("app:latest", 523)], {}, 51),
    "an image volume counts like a container": (
        [image("app:latest", 523), image("data:1", 500)], {"volumes": [{"name": "v", "image": {"reference": "data:1"}}]}, 50,
    ),
    "and when it is not there": ([image("app:latest", 523)], {"volumes": [{"name": "v", "image": {"reference": "data:1"}}]}, 25),
    "too small to matter": ([image("app:latest", 22)], {}, 0),
}


@pytest.mark.parametrize(("images", "spec", "score"), IMAGES.values(), ids=IMAGES.keys())
def test_images(images: list[dict[str, Any]], spec: dict[str, Any], score: int) -> None:
    raw = msgspec.to_builtins(node("n"))
    raw["status"]["images"] = images
    assert scored(ImageLocality(), Cluster(msgspec.convert(raw, core_v1.Node)), pod(**spec)) == score


def test_an_image_on_half_the_nodes_counts_half() -> None:
    raw = msgspec.to_builtins(node("n"))
    raw["status"]["images"] = [image("app:latest", 1000)]
    assert scored(ImageLocality(), Cluster(msgspec.convert(raw, core_v1.Node), node("m")), pod()) == 100 * (500 - 23) // (1000 - 23)


def spread_scores(cluster: Cluster, wanted: core_v1.Pod, plugin: PodTopologySpread | None = None) -> list[float]:
    plugin, state = plugin or PodTopologySpread(), CycleState()
    nodes = [cluster.snapshot.nodes[name] for name in sorted(cluster.snapshot.nodes)]
    assert plugin.pre_score(state, wanted, cluster.snapshot, nodes)
    return plugin.normalize([plugin.score(state, wanted, info) for info in nodes])


def test_spreading_prefers_the_domain_with_fewer() -> None:
    """3 of a against 1 of b, times log 4: 4 and 1, so 100 * (4 + 1 - score) / 4."""
    cluster = Cluster(node("a", labels={ZONE: "a"}), node("b", labels={ZONE: "b"}), node("c"))
    cluster.put(*(pod(on="a", labels={"app": "x"}) for _ in range(3)), pod(on="b", labels={"app": "x"}))
    wanted = pod(labels={"app": "x"}, topologySpreadConstraints=[spread(ZONE, {"app": "x"}, when="ScheduleAnyway")])
    assert spread_scores(cluster, wanted) == [25, 100, 0]


@pytest.mark.parametrize(("name", "ignored"), [("cpu", False), ("example.com/gpu", True), ("kubernetes.io/x", False)])
def test_only_extended_resources_can_be_ignored(name: str, ignored: bool) -> None:
    assert (name in Ignored(frozenset({name}))) is ignored

"""Which node is the best, with one plugin's score alone: what upstream's integration tests of scoring try, over a real API server."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from scheduling_world import CORE, Object, World, open_world

from wherry.scheduler.config import SchedulerConfig, parse

PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
HEAD = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"


def only(plugin: str) -> SchedulerConfig:
    return parse(HEAD + f"""
profiles:
- plugins:
    preScore: {{disabled: [{{name: "*"}}], enabled: [{{name: {plugin}}}]}}
    score: {{disabled: [{{name: "*"}}], enabled: [{{name: {plugin}, weight: 1}}]}}
""")


def liking(weight: int, *, key: str = "topology", labels: list[str] | None = None, value: str = "", **more: Any) -> Object:
    """A weighted term: Pods that have the labels, or "bar" with a value."""
    wanted: list[Object] = [{"key": each, "operator": "Exists"} for each in labels or []]
    wanted += [{"key": "bar", "operator": "In", "values": [value]}] if value else []
    return {"weight": weight, "podAffinityTerm": {"topologyKey": key, "labelSelector": {"matchExpressions": wanted}, **more}}


def soft(key: str, **more: Any) -> Object:
    selector = {"matchExpressions": [{"key": "foo", "operator": "Exists"}]}
    return {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector, **more}


def hard(key: str) -> Object:
    return {**soft(key), "whenUnsatisfiable": "DoNotSchedule"}


async def chosen(world: World, nodes: dict[str, Object], there: list[tuple[str, Object]], labels: Object, **spec: Any) -> str:
    for name, more in nodes.items():
        await world.node(name, **more)
    for index, (node, of) in enumerate(there):
        await world.pod(f"there-{index}", labels=of, nodeName=node)
    await world.settle(1)
    await world.pod("p", labels=labels, **spec)
    await world.settle(1)
    return await world.where("p")


FUGA, HOGE, A = {"foo": "", "bar": "fuga"}, {"foo": "", "bar": "hoge"}, {"foo": "", "bar": "a"}


@pytest.mark.parametrize(("kind", "terms", "there", "best"), [
    pytest.param("podAffinity", [liking(50, labels=["foo"])], [("n1", A)], "n1 n4", id="near"),
    pytest.param("podAntiAffinity", [liking(50, labels=["foo"], matchLabelKeys=["bar"])], [("n1", FUGA), ("n2", A), ("n3", A)], "n1 n4", id="far, same"),
    pytest.param("podAntiAffinity", [liking(50, labels=["foo"], mismatchLabelKeys=["bar"])], [("n1", FUGA), ("n2", A), ("n3", HOGE)], "n2", id="far, others"),
    pytest.param(
        "podAffinity", [liking(50, labels=["foo"], matchLabelKeys=["bar"]), liking(10, value="hoge")], [("n1", HOGE), ("n2", HOGE), ("n3", A)],
        "n3", id="near, same",
    ),
    pytest.param(
        "podAffinity", [liking(50, labels=["foo"], mismatchLabelKeys=["bar"]), liking(10, value="a")], [("n1", A), ("n2", A), ("n3", HOGE)],
        "n3", id="near, others",
    ),
    pytest.param("podAffinity", [liking(50, labels=["foo"], namespaceSelector={})], [("n2", A)], "n2", id="in all namespaces"),
])
async def test_affinity(kind: str, terms: list[Object], there: list[tuple[str, Object]], best: str) -> None:
    nodes = {name: {"labels": {"topology": value}} for name, value in (("n1", "1"), ("n2", "2"), ("n3", "3"), ("n4", "1"))}
    async with open_world(only("InterPodAffinity")) as world:
        assert await chosen(world, nodes, there, A, affinity={kind: {PREFERRED: terms}}) in best.split()


TAINT = [{"key": "k1", "value": "v1", "effect": "NoSchedule"}]
FOUR = {
    "n0": {"labels": {"node": "0", "zone": "0"}, "taints": TAINT}, "n1": {"labels": {"node": "1", "zone": "0"}},
    "n2": {"labels": {"node": "2", "zone": "1"}}, "n3": {"labels": {"node": "3", "zone": "1"}},
}
MIXED = {
    "n1": {"labels": {"node": "1", "zone": "1", "foo": ""}}, "n2": {"labels": {"node": "2", "zone": "1", "foo": ""}, "taints": TAINT},
    "n3": {"labels": {"node": "3", "zone": "2", "foo": ""}}, "n4": {"labels": {"node": "4", "zone": "2"}},
}
FOO, BAR = {"foo": ""}, {"foo": "", "bar": ""}


def times(**counts: int) -> list[tuple[str, Object]]:
    return [(name, FOO) for name, count in counts.items() for _ in range(count)]


@pytest.mark.parametrize(("nodes", "constraints", "there", "best", "more"), [
    pytest.param(FOUR, [soft("node")], times(n1=1, n2=2, n3=3), "n1", {}, id="a node each"),
    pytest.param(FOUR, [soft("node"), hard("zone")], times(n0=4, n2=1, n3=2), "n2", {}, id="with a hard one"),
    pytest.param(MIXED, [soft("zone"), soft("node")], times(n1=1, n2=2, n4=1), "n3", {"nodeSelector": FOO}, id="nodes that count"),
    pytest.param(
        MIXED, [soft("zone", nodeAffinityPolicy="Ignore"), soft("node", nodeTaintsPolicy="Honor")], times(n1=1, n2=2, n4=1), "n3",
        {"nodeSelector": FOO}, id="policies",
    ),
    pytest.param(
        FOUR, [soft("node", matchLabelKeys=["bar"])], [("n1", BAR), ("n2", FOO), ("n2", FOO), ("n3", BAR), ("n3", BAR), ("n3", FOO)], "n2",
        {"labels": BAR}, id="of one revision",
    ),
    pytest.param(
        FOUR, [soft("node", labelSelector={}, matchLabelKeys=["foo"])], times(n1=1, n2=2, n3=3), "n1", {}, id="of one revision, whatever else",
    ),
])
async def test_spreading(nodes: dict[str, Object], constraints: list[Object], there: list[tuple[str, Object]], best: str, more: Object) -> None:
    async with open_world(only("PodTopologySpread")) as world:
        labels = more.pop("labels", FOO)
        assert await chosen(world, nodes, there, labels, topologySpreadConstraints=constraints, **more) == best


async def test_pods_of_a_service_spread_over_zones() -> None:
    async with open_world(only("PodTopologySpread")) as world:
        for index in range(30):
            await world.node(f"n{index}", labels={"topology.kubernetes.io/zone": f"z{index % 3}"})
        service = {"metadata": {"name": "s"}, "spec": {"selector": {"service": "s"}, "ports": [{"port": 80}]}}
        await world.ask("POST", f"{CORE}/namespaces/default/services", service)
        await world.settle(1)
        for before, total in ((0, 3), (3, 12), (12, 27)):
            for index in range(before, total):
                await world.pod(f"p{index}", labels={"service": "s"})
            await world.settle(2)
            zones = Counter([int((await world.where(f"p{index}"))[1:]) % 3 for index in range(total)])
            assert set(zones.values()) == {total // 3}


@pytest.mark.parametrize(("strategy", "best"), [("LeastAllocated", "n2"), ("MostAllocated", "n1")])
async def test_sidecars_count_among_resources(strategy: str, best: str) -> None:
    config = parse(HEAD + f"""
profiles:
- pluginConfig:
  - name: NodeResourcesFit
    args: {{scoringStrategy: {{type: {strategy}, resources: [
      {{name: cpu, weight: 1}}, {{name: memory, weight: 1}}, {{name: example.com/gpu, weight: 2}}]}}}}
""")

    main = {"name": "c", "image": "i", "resources": {"limits": {"example.com/gpu": "1", "cpu": "2", "memory": "4G"}}}
    sidecar = {"name": "s", "image": "i", "restartPolicy": "Always", "resources": {"limits": {"cpu": "2", "memory": "2G"}}}
    async with open_world(config) as world:
        for name in ("n1", "n2"):
            await world.node(name, cpu="8", memory="16G", **{"example.com/gpu": "4"})
        await world.pod("one", containers=[main], initContainers=[sidecar], nodeName="n1")
        await world.pod("two", containers=[main], nodeName="n2")
        await world.settle(1)
        await world.pod("p", containers=[main])
        await world.settle(1)
        assert await world.where("p") == best

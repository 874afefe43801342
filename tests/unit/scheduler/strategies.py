"""Small clusters, where Pods are in each other's way, as hypothesis draws them."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import strategies as st
from scheduler_makers import affinity, node, pod, spread

from wherry.api.types import core_v1

ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
NODES = tuple(f"n{i}" for i in range(4))
APPS = ({"app": "x"}, {"app": "y"}, {"app": "x", "rev": "1"})
PRIORITIES = (0, 5, 10)
_numbers = itertools.count()
apps = st.sampled_from(APPS)


@st.composite
def nodes(draw: Any, name: str | None = None) -> core_v1.Node:
    name = name or draw(st.sampled_from(NODES))
    labels = {}
    if zone := draw(st.sampled_from(["a", "b", "b", ""])):
        labels[ZONE] = zone
    if draw(st.booleans()):
        labels["pool"] = "p"
    spec: dict[str, Any] = {}
    if draw(st.integers(0, 5)) == 0:
        spec["unschedulable"] = True
    if draw(st.integers(0, 4)) == 0:
        spec["taints"] = [{"key": "k", "value": "v", "effect": draw(st.sampled_from(["NoSchedule", "NoExecute", "PreferNoSchedule"]))}]
    return node(name, cpu=draw(st.sampled_from(["1", "2", "3"])), memory="4Gi", pods=draw(st.sampled_from(["2", "4", "110"])), labels=labels, **spec)


@st.composite
def affinities(draw: Any, *, near: bool = True, namespaces: bool = False) -> dict[str, Any]:
    kind = draw(st.sampled_from(["podAffinity", "podAntiAffinity"] if near else ["podAntiAffinity"]))
    more: dict[str, Any] = {}
    if namespaces:
        more = draw(st.sampled_from([
            {}, {"namespaces": ["other"]}, {"namespaceSelector": {}}, {"namespaceSelector": {"matchLabels": {"team": "t"}}},
            {"matchLabelKeys": ["rev"]}, {"mismatchLabelKeys": ["rev"]},
        ]))
    return affinity(kind, draw(st.sampled_from([ZONE, HOST])), draw(st.sampled_from([{"app": "x"}, {"app": "y"}])), **more)


@st.composite
def spreads(draw: Any) -> list[dict[str, Any]]:
    more = draw(st.sampled_from([
        {}, {}, {"minDomains": 2}, {"nodeAffinityPolicy": "Ignore"}, {"nodeTaintsPolicy": "Honor"}, {"matchLabelKeys": ["rev"]},
    ]))
    keys = draw(st.sampled_from([[ZONE], [HOST], [ZONE, HOST]]))
    return [spread(key, draw(st.sampled_from([{"app": "x"}, {"app": "y"}])), draw(st.integers(1, 2)), **more) for key in keys]


@st.composite
def pods(draw: Any, *, near: bool = True, namespaces: bool = False, on: str = "") -> core_v1.Pod:
    spec: dict[str, Any] = {}
    feature = draw(st.integers(0, 7))
    if feature in (0, 1):
        spec["affinity"] = draw(affinities(near=near, namespaces=namespaces))
    elif feature in (2, 3):
        spec["topologySpreadConstraints"] = draw(spreads())
    elif feature == 4:
        spec["ports"] = [{"hostPort": draw(st.sampled_from([80, 81])), "hostIP": draw(st.sampled_from(["", "10.0.0.1", "10.0.0.2"]))}]
    elif feature == 5:
        spec["nodeSelector"] = {"pool": "p"}
    if draw(st.integers(0, 3)) == 0:
        spec["tolerations"] = [draw(st.sampled_from([{"operator": "Exists"}, {"key": "k", "value": "v"}, {"key": "k", "value": "w"}]))]
    return pod(
        f"p{next(_numbers)}", cpu=draw(st.sampled_from(["", "500m", "1", "2"])), labels=draw(apps), priority=draw(st.sampled_from(PRIORITIES)),
        namespace=draw(st.sampled_from(["default", "other"])) if namespaces else "default", on=on, **spec,
    )

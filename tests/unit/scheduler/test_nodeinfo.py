"""The sums of the Pods on a node agree with the Pods after every change."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from scheduler_makers import node, pod

from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.resources import pod_ports, pod_requests, scoring_requests


def version(number: int, cpu: str, colour: str, going: bool, port: int) -> Any:
    made = pod(f"p{number}", cpu=cpu, labels={"colour": colour}, ports=[{"hostPort": port}] if port else [])
    meta = msgspec.structs.replace(made.metadata, uid=str(number), deletion_timestamp="2026-01-01T00:00:00Z" if going else None)
    return msgspec.structs.replace(made, metadata=meta)


versions = st.builds(
    version, st.integers(0, 3), st.sampled_from(["", "1", "250m"]), st.sampled_from("rg"), st.booleans(), st.sampled_from([0, 80]),
)


def total(parts: Any) -> dict[Any, int]:
    found: Counter[Any] = Counter()
    for each in parts:
        found.update(each)
    return {key: value for key, value in found.items() if value}


def agrees(info: NodeInfo) -> None:
    pods = list(info.pods.values())
    assert {k: v for k, v in info.requested.items() if v} == total(map(pod_requests, pods))
    assert {k: v for k, v in info.nonzero.items() if v} == total(map(scoring_requests, pods))
    assert info.ports == total(map(pod_ports, pods))


@given(st.lists(st.tuples(st.booleans(), versions), max_size=12))
def test_what_a_node_sums_up_is_what_its_pods_say(changes: Any) -> None:
    info = NodeInfo(node("n"), "n")
    copy = info.clone()
    for added, each in changes:
        if added:
            info.add(each)
        else:
            info.remove(each)
        agrees(info)
    assert not copy.pods
    agrees(copy)  # a copy is on its own
    for each in list(info.pods.values()):
        info.remove(each)
    assert not any(info.requested.values())

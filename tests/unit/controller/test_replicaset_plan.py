"""Which Pods a ReplicaSet deletes, how many it makes, and what its status says."""

from __future__ import annotations

import msgspec
import pytest
from controller_objects import replica_set
from hypothesis import given
from hypothesis import strategies as st

from wherry.api.types import core_v1, meta_v1
from wherry.controller.replicaset.plan import BURST, Cheapest, Tally, by_node, deletion_cost, shortage, status
from wherry.util.clock import rfc3339

NOW = 1_700_000_000.0


def pod(uid: str, *, node: str = "n1", phase: str = "Running", ready_for: float | None = 100, cost: str = "", restarts: int = 0,
        age: float = 1000, going: bool = False) -> core_v1.Pod:
    ready = [] if ready_for is None else [
        core_v1.PodCondition(type="Ready", status="True", last_transition_time=rfc3339(NOW - ready_for)),
    ]
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(
            name=uid, uid=uid, labels={"a": "web"}, creation_timestamp=rfc3339(NOW - age),
            deletion_timestamp=rfc3339(NOW) if going else None,
            annotations={"controller.kubernetes.io/pod-deletion-cost": cost} if cost else {},
        ),
        spec=core_v1.PodSpec(node_name=node),
        status=core_v1.PodStatus(
            phase=phase, conditions=ready, container_statuses=[core_v1.ContainerStatus(name="c", restart_count=restarts)],
        ),
    )


@pytest.mark.parametrize(("goes", "stays"), [
    pytest.param({"node": ""}, {}, id="unscheduled-before-scheduled"),
    pytest.param({"phase": "Pending", "ready_for": None}, {"ready_for": None}, id="pending-before-running"),
    pytest.param({"ready_for": None}, {}, id="unready-before-ready"),
    pytest.param({"cost": "-5"}, {}, id="cheap-before-dear"),
    pytest.param({"ready_for": 10}, {"ready_for": 1000}, id="ready-for-a-shorter-time"),
    pytest.param({"restarts": 3}, {}, id="restarted-before-steady"),
    pytest.param({"age": 200}, {"age": 5000}, id="newer-before-older"),
    pytest.param({"ready_for": None, "cost": "100"}, {"cost": "-100"}, id="readiness-before-cost"),
])
def test_what_costs_least_goes_first(goes, stays):
    pods = [pod("a-stays", **stays), pod("b-goes", **goes)]
    assert [each.metadata.uid for each in Cheapest(1, by_node(pods), NOW).add(pods).pods] == ["b-goes"]


def test_of_equal_pods_one_goes_from_the_fuller_node():
    pods = [pod("a", node="n1"), pod("b", node="n2"), pod("c", node="n2")]
    assert Cheapest(1, by_node(pods), NOW).add(pods).pods[0].spec.node_name == "n2"


@given(st.lists(st.tuples(st.sampled_from(["n1", "n2", ""]), st.booleans(), st.integers(0, 3)), max_size=20), st.data())
def test_pods_given_in_slices_count_as_those_given_at_once(kinds, data):
    pods = [
        pod(f"p{number}", node=node, ready_for=50 if ready else None, restarts=restarts, going=restarts == 3)
        for number, (node, ready, restarts) in enumerate(kinds)
    ]
    cut = data.draw(st.integers(0, len(pods)))
    count = data.draw(st.integers(0, len(pods)))
    rs = replica_set(min_ready_seconds=60)
    whole, sliced = Tally(rs, NOW).add(pods), Tally(rs, NOW).add(pods[:cut]).add(pods[cut:])
    assert vars(whole) == vars(sliced)
    on_node = by_node(pods)
    assert by_node(pods[:cut]) + by_node(pods[cut:]) == on_node
    assert Cheapest(count, on_node, NOW).add(pods[:cut]).add(pods[cut:]).pods == Cheapest(count, on_node, NOW).add(pods).pods


@pytest.mark.parametrize(("text", "cost"), [
    ("7", 7), ("-7", -7), ("+7", 0), ("x", 0), ("", 0), ("99999999999", 0), (" 7", 0), ("008", 0), ("0", 0), ("1_0", 0), ("-08", -8), ("-", 0),
])
def test_a_deletion_cost_that_is_none_counts_as_zero(text, cost):
    assert deletion_cost(pod("p", cost=text)) == cost


@pytest.mark.parametrize(("replicas", "have", "short"), [(3, 1, 2), (3, 3, 0), (1, 3, -2), (2000, 0, BURST), (0, 2000, -BURST)])
def test_the_difference_is_made_up_but_never_too_fast(replicas, have, short):
    rs = replica_set(replicas=replicas)
    assert shortage(rs, Tally(rs, NOW).add([pod(f"p{n}") for n in range(have)])) == short


def test_pods_that_have_failed_or_are_going_are_replaced():
    pods = [pod("ok"), pod("failed", phase="Failed"), pod("going", going=True)]
    rs = replica_set(replicas=3)
    assert shortage(rs, Tally(rs, NOW).add(pods)) == 2


def test_the_status_counts_only_active_pods_and_tells_of_those_that_go():
    rs = replica_set(replicas=3, min_ready_seconds=30)
    pods = [pod("long", ready_for=60), pod("short", ready_for=10), pod("not", ready_for=None), pod("going", going=True)]
    tally = Tally(rs, NOW).add(pods)
    counts = {k: v for k, v in status(rs, tally, NOW).items() if k.endswith("eplicas")}
    assert counts == {
        "replicas": 3, "fullyLabeledReplicas": 3, "readyReplicas": 2, "availableReplicas": 1, "terminatingReplicas": 1,
    }
    assert tally.next_available == 20


def test_a_failure_is_a_condition_until_it_is_over():
    rs = replica_set()
    failed = status(rs, Tally(rs, NOW), NOW, ("FailedCreate", "quota"))["conditions"]
    assert [(c["type"], c["status"], c["reason"]) for c in failed] == [("ReplicaFailure", "True", "FailedCreate")]
    known = msgspec.structs.replace(rs, status=msgspec.convert({"replicas": 0, "conditions": failed}, type(rs.status)))
    assert status(known, Tally(known, NOW), NOW + 9, ("FailedDelete", "other"))["conditions"] == failed, "the first one, until none is left"
    assert status(known, Tally(known, NOW), NOW)["conditions"] == []

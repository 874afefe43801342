"""Which Pods a ReplicaSet deletes, how many it makes, and what its status says."""

from __future__ import annotations

import msgspec
import pytest
from controller_objects import replica_set

from wherry.api.types import core_v1, meta_v1
from wherry.controller.replicaset.plan import BURST, deletion_cost, next_check, plan, pods_to_delete, status
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
    assert [each.metadata.uid for each in pods_to_delete(pods, pods, 1, NOW)] == ["b-goes"]


def test_of_equal_pods_one_goes_from_the_fuller_node():
    pods = [pod("a", node="n1"), pod("b", node="n2"), pod("c", node="n2")]
    assert pods_to_delete(pods, pods, 1, NOW)[0].spec.node_name == "n2"


@pytest.mark.parametrize(("text", "cost"), [
    ("7", 7), ("-7", -7), ("+7", 0), ("x", 0), ("", 0), ("99999999999", 0), (" 7", 0), ("008", 0), ("0", 0), ("1_0", 0), ("-08", -8), ("-", 0),
])
def test_a_deletion_cost_that_is_none_counts_as_zero(text, cost):
    assert deletion_cost(pod("p", cost=text)) == cost


@pytest.mark.parametrize(("replicas", "have", "create", "delete"), [(3, 1, 2, 0), (3, 3, 0, 0), (1, 3, 0, 2), (2000, 0, BURST, 0)])
def test_the_difference_is_made_up_but_never_too_fast(replicas, have, create, delete):
    pods = [pod(f"p{n}") for n in range(have)]
    steps = plan(replica_set(replicas=replicas), pods, pods, NOW)
    assert (steps.create, len(steps.delete)) == (create, delete)


def test_pods_that_have_failed_or_are_going_are_replaced():
    pods = [pod("ok"), pod("failed", phase="Failed"), pod("going", going=True)]
    assert plan(replica_set(replicas=3), pods, pods, NOW).create == 2


def test_the_status_counts_only_active_pods_and_tells_of_those_that_go():
    rs = replica_set(replicas=3, min_ready_seconds=30)
    pods = [pod("long", ready_for=60), pod("short", ready_for=10), pod("not", ready_for=None), pod("going", going=True)]
    counts = {k: v for k, v in status(rs, pods, NOW).items() if k.endswith("eplicas")}
    assert counts == {
        "replicas": 3, "fullyLabeledReplicas": 3, "readyReplicas": 2, "availableReplicas": 1, "terminatingReplicas": 1,
    }
    assert next_check(rs, pods, NOW) == 20


def test_a_failure_is_a_condition_until_it_is_over():
    rs = replica_set()
    failed = status(rs, [], NOW, ("FailedCreate", "quota"))["conditions"]
    assert [(c["type"], c["status"], c["reason"]) for c in failed] == [("ReplicaFailure", "True", "FailedCreate")]
    known = msgspec.structs.replace(rs, status=msgspec.convert({"replicas": 0, "conditions": failed}, type(rs.status)))
    assert status(known, [], NOW + 9, ("FailedDelete", "other"))["conditions"] == failed, "the first one, until none is left"
    assert status(known, [], NOW)["conditions"] == []

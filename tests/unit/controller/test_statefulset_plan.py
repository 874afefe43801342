"""Which Pods StatefulSets make and end, in which order, in a world without a server."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.controller.ownership import controller_ref
from wherry.controller.statefulset.identity import build, build_claims, claim_owners, is_of_former_pod, ordinal_of
from wherry.controller.statefulset.plan import View, plan, status
from wherry.util.clock import rfc3339

NOW = 1_700_000_000.0
replace = msgspec.structs.replace
CLAIM = core_v1.PersistentVolumeClaim(metadata=meta_v1.ObjectMeta(name="www"))


def stateful_set(
    replicas: int = 3, parallel: bool = False, kind: str = "RollingUpdate", rolling: dict[str, Any] | None = None,
    retention: tuple[str, str] = ("Retain", "Retain"), **spec: Any,
) -> apps_v1.StatefulSet:
    labels = {"a": "web"}
    template = core_v1.PodTemplateSpec(
        metadata=meta_v1.ObjectMeta(labels=labels), spec=core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")]),
    )
    update = apps_v1.RollingUpdateStatefulSetStrategy(**(rolling or {"partition": 0})) if kind == "RollingUpdate" else None
    policy = apps_v1.StatefulSetPersistentVolumeClaimRetentionPolicy(when_deleted=retention[0], when_scaled=retention[1])
    return apps_v1.StatefulSet(
        metadata=meta_v1.ObjectMeta(name="web", namespace="default", uid="set-uid"),
        spec=apps_v1.StatefulSetSpec(
            replicas=replicas, selector=meta_v1.LabelSelector(match_labels=labels), template=template, service_name="svc",
            pod_management_policy="Parallel" if parallel else "OrderedReady", persistent_volume_claim_retention_policy=policy,
            update_strategy=apps_v1.StatefulSetUpdateStrategy(type=kind, rolling_update=update), **spec,
        ),
    )


def pod(ss: apps_v1.StatefulSet, ordinal: int, look: str = "ready", revision: str = "new", uid: str = "") -> core_v1.Pod:
    made = build(ss, ss.spec.template, ordinal, revision)
    phase = {"pending": "Pending", "failed": "Failed", "succeeded": "Succeeded"}.get(look, "Running")
    ready = core_v1.PodCondition(
        type="Ready", status="True" if look in ("ready", "going") else "False", last_transition_time=rfc3339(NOW - 5),
    )
    going = rfc3339(NOW) if look == "going" else None
    meta = replace(made.metadata, uid=uid or f"uid-{ordinal}", deletion_timestamp=going)
    return replace(made, metadata=meta, status=core_v1.PodStatus(phase=phase, conditions=[ready]))


def see(ss: apps_v1.StatefulSet, *pods: core_v1.Pod) -> View:
    return View.of(ss, pods, "old", "new", NOW)


def done(ss: apps_v1.StatefulSet, *looks: str, revision: str = "new") -> dict[str, list[int]]:
    """What is done with Pods that look so, from ordinal 0 on (`-` is none; a capital O is of the old revision)."""
    pods = [
        pod(ss, i, look.removeprefix("O:"), "old" if look.startswith("O:") else revision) for i, look in enumerate(looks) if look != "-"
    ]
    found = plan(see(ss, *pods))
    acts = {
        "create": [each.ordinal for each in found.create], "delete": [ordinal_of(ss, each) for each in found.delete],
        "condemn": [ordinal_of(ss, each) for each in found.condemn],
    }
    return {name: value for name, value in acts.items() if value}


SET, PARALLEL = stateful_set(), stateful_set(parallel=True)
ONE, NONE = stateful_set(1), stateful_set(0)


@pytest.mark.parametrize(("ss", "looks", "expected"), [
    pytest.param(SET, [], {"create": [0]}, id="the first"),
    pytest.param(SET, ["pending"], {}, id="waits for the first"),
    pytest.param(SET, ["ready"], {"create": [1]}, id="then the second"),
    pytest.param(SET, ["ready", "-", "ready"], {"create": [1]}, id="a gap"),
    pytest.param(SET, ["unready", "-", "ready"], {}, id="a gap waits for those before it"),
    pytest.param(SET, ["ready", "going", "ready"], {}, id="waits for one that goes"),
    pytest.param(SET, ["ready", "failed"], {"delete": [1]}, id="failed"),
    pytest.param(SET, ["ready", "ready", "ready"], {}, id="done"),
    pytest.param(PARALLEL, ["pending"], {"create": [1, 2]}, id="parallel"),
    pytest.param(PARALLEL, ["failed", "-", "going"], {"create": [1], "delete": [0]}, id="parallel, failed"),
    pytest.param(ONE, ["ready", "ready", "ready"], {"condemn": [2]}, id="smaller, the highest first"),
    pytest.param(ONE, ["ready", "ready", "going"], {}, id="smaller, waits"),
    pytest.param(ONE, ["ready", "unready", "ready"], {"condemn": [2]}, id="smaller, the highest serves"),
    pytest.param(ONE, ["ready", "unready", "unready"], {}, id="smaller, those before must serve"),
    pytest.param(ONE, ["unready", "ready"], {}, id="smaller, not while a replica is ill"),
    pytest.param(ONE, ["ready", "ready", "unready"], {"condemn": [2]}, id="smaller, the ill one itself"),
    pytest.param(stateful_set(1, parallel=True), ["ready", "unready", "ready"], {"condemn": [2, 1]}, id="smaller, parallel"),
    pytest.param(SET, ["O:ready"] * 3, {"delete": [2]}, id="update, the highest first"),
    pytest.param(SET, ["O:ready", "O:ready", "unready"], {}, id="update waits"),
    pytest.param(SET, ["O:ready", "O:ready", "ready"], {"delete": [1]}, id="update goes on"),
    pytest.param(stateful_set(rolling={"partition": 2}), ["O:ready", "O:ready", "ready"], {}, id="partition"),
    pytest.param(stateful_set(rolling={"partition": 2}), ["O:ready"] * 3, {"delete": [2]}, id="above the partition"),
    pytest.param(stateful_set(rolling={"max_unavailable": 2}), ["O:ready"] * 3, {"delete": [2, 1]}, id="two unavailable"),
    pytest.param(stateful_set(rolling={"max_unavailable": "10%"}), ["O:ready"] * 3, {"delete": [2]}, id="at least one"),
    pytest.param(stateful_set(kind="OnDelete"), ["O:ready"] * 3, {}, id="on delete"),
    pytest.param(PARALLEL, ["O:unready", "O:ready", "O:ready"], {"delete": [0]}, id="parallel update, the ill one costs nothing"),
    pytest.param(stateful_set(min_ready_seconds=10), ["ready"], {}, id="ready, not available"),
    pytest.param(stateful_set(min_ready_seconds=5), ["ready"], {"create": [1]}, id="available"),
])
def test_plan(ss, looks, expected):
    assert done(ss, *looks) == expected


def test_below_the_partition_comes_back_as_it_was():
    ss = stateful_set(rolling={"partition": 2}, parallel=True)
    assert [(new.ordinal, new.revision) for new in plan(see(ss)).create] == [(0, "old"), (1, "old"), (2, "new")]


def test_start_ordinal():
    ss = stateful_set(2, parallel=True, ordinals=apps_v1.StatefulSetOrdinals(start=5))
    found = plan(see(ss, pod(ss, 0)))
    assert ([new.ordinal for new in found.create], [each.metadata.name for each in found.condemn]) == ([5, 6], ["web-0"])


@pytest.mark.parametrize(("name", "ordinal"), [("web-0", 0), ("web-12", 12), ("web-01", None), ("web-x", None), ("web", None), ("we-1", None)])
def test_ordinal(name, ordinal):
    assert ordinal_of(SET, core_v1.Pod(metadata=meta_v1.ObjectMeta(name=name))) == ordinal


def test_pod_is_as_upstreams():
    made = msgspec.to_builtins(build(stateful_set(volume_claim_templates=[CLAIM]), SET.spec.template, 1, "web-7cfdb8b9d9"))
    assert made["metadata"]["name"] == made["spec"]["hostname"] == "web-1"
    assert (made["metadata"]["generateName"], made["spec"]["subdomain"]) == ("web-", "svc")
    assert made["metadata"]["labels"] == {
        "a": "web", "apps.kubernetes.io/pod-index": "1", "controller-revision-hash": "web-7cfdb8b9d9",
        "statefulset.kubernetes.io/pod-name": "web-1",
    }
    assert made["spec"]["volumes"] == [{"name": "www", "persistentVolumeClaim": {"claimName": "www-web-1"}}]


@pytest.mark.parametrize(("retention", "condemned", "owner"), [
    (("Retain", "Retain"), False, None), (("Retain", "Retain"), True, None), (("Delete", "Retain"), True, "set-uid"),
    (("Delete", "Delete"), False, "set-uid"), (("Delete", "Delete"), True, "uid-1"), (("Retain", "Delete"), True, "uid-1"),
    (("Retain", "Delete"), False, None),
])
def test_owner_of_claims(retention, condemned, owner):
    ss = stateful_set(retention=retention, volume_claim_templates=[CLAIM])
    other = meta_v1.OwnerReference(kind="ConfigMap", name="x", uid="x")
    before = [other, controller_ref(pod(ss, 1)) if owner != "uid-1" else controller_ref(ss)]
    refs = claim_owners(ss, pod(ss, 1), condemned, before)
    assert [ref.uid for ref in refs or ()] == ["x", *([owner] if owner else [])]
    assert claim_owners(ss, pod(ss, 1), condemned, refs or []) is None, "what is right stays"


def test_claim_of_a_former_pod_is_not_used():
    ss = stateful_set(volume_claim_templates=[CLAIM])
    (claim,) = build_claims(ss, 1)
    assert (claim.metadata.name, claim.metadata.labels) == ("www-web-1", {"a": "web"})
    assert not is_of_former_pod(claim, "web-1")
    owned = replace(claim, metadata=replace(claim.metadata, owner_references=[controller_ref(pod(ss, 1))]))
    assert is_of_former_pod(owned, "web-1")


def test_status_as_recorded_while_scaling_down():
    ss = stateful_set(0)
    found = status(View.of(ss, [pod(ss, 0), pod(ss, 1, "going")], "new", "new", NOW))
    counts = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
    assert [found[name] for name in counts] == [2, 2, 1, 1, 2]


def test_rollout_ends_with_the_new_revision_as_current():
    assert status(see(SET, *(pod(SET, i) for i in range(3))))["currentRevision"] == "new"
    assert status(see(SET, *(pod(SET, i) for i in range(2)), pod(SET, 2, revision="old")))["currentRevision"] == "old"


@settings(max_examples=120, deadline=None)
@given(
    before=st.integers(0, 5), replicas=st.integers(0, 5), parallel=st.booleans(), unavailable=st.integers(1, 3),
    choices=st.lists(st.tuples(st.sampled_from(["sync", "sync", "ready", "gone", "see"]), st.integers(0, 9)), max_size=100),
)
def test_any_stale_view_reaches_the_goal_and_keeps_the_promises(before, replicas, parallel, unavailable, choices):
    """What it asked for itself it knows of (expectations); of the kubelet's news any may be late."""
    ss = stateful_set(replicas, parallel, rolling={"partition": 0, "max_unavailable": unavailable})
    real = {i: pod(ss, i, revision="old", uid=f"old-{i}") for i in range(before)}
    seen, serials = dict(real), iter(range(10_000))
    stable = min(before, replicas)

    def sync() -> None:
        steps = plan(see(ss, *seen.values()))
        if not parallel:
            assert len(steps.create) + len(steps.condemn) <= 1, "one at a time"
        for new in steps.create:
            assert new.ordinal not in real, "at most one Pod per ordinal"
            if not parallel:
                assert all(real[i].status.conditions[0].status == "True" for i in range(new.ordinal)), "in order"
            real[new.ordinal] = seen[new.ordinal] = pod(ss, new.ordinal, "pending", new.revision, f"new-{next(serials)}")
        for each in [*steps.delete, *steps.condemn]:
            i = ordinal_of(ss, each)
            if i in real and real[i].metadata.uid == each.metadata.uid:
                going = replace(each.metadata, deletion_timestamp=rfc3339(NOW))
                real[i], seen[i] = replace(real[i], metadata=going), replace(each, metadata=going)

    def act(what: str, choice: int) -> None:
        i = choice % 6
        if what == "sync":
            sync()
        elif what == "ready" and i in real:
            on = core_v1.PodCondition(type="Ready", status="True", last_transition_time=rfc3339(NOW - 60))
            real[i] = replace(real[i], status=core_v1.PodStatus(phase="Running", conditions=[on]))
        elif what == "gone" and i in real and real[i].metadata.deletion_timestamp:
            del real[i]
        elif what == "see":
            if i in real:
                seen[i] = real[i]
            else:
                seen.pop(i, None)
        up = sum(
            i in real and real[i].metadata.deletion_timestamp is None and real[i].status.conditions[0].status == "True"
            for i in range(stable)
        )
        assert up >= stable - unavailable, "never more unavailable than it may"

    for what, choice in choices:
        act(what, choice)
    for _ in range(40):
        for what in ("ready", "gone", "see"):
            for i in range(6):
                act(what, i)
        sync()
    assert sorted(real) == list(range(replicas))
    assert all(each.metadata.labels["controller-revision-hash"] == "new" for each in real.values())

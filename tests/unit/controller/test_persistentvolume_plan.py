"""The binder's plan, a row a case of upstream's own."""

from __future__ import annotations

from typing import Any

import pytest
from volume_objects import claim, going, on_node, pod_with, storage_class, volume

from wherry.api.types import core_v1, meta_v1
from wherry.api.volumes import BIND_COMPLETED, BOUND_BY_CONTROLLER, PROVISIONED_BY, SELECTED_NODE, Claim, Volume, find_volume
from wherry.controller.persistentvolume.model import Plan, View
from wherry.controller.persistentvolume.plan import plan_claim, plan_volume

FREE = {"phase": "Available"}
DONE = {BIND_COMPLETED: "yes"}
OURS = {BOUND_BY_CONTROLLER: "yes"}
WAIT = storage_class("slow", mode="WaitForFirstConsumer")


def view(*volumes: Volume, classes: tuple[Any, ...] = (), pods: tuple[core_v1.Pod, ...] = ()) -> View:
    by_name, known = {each.metadata.name: each for each in volumes}, {each.metadata.name: each for each in classes}
    default = next((c for c in classes if c.metadata.annotations), None)
    return View(by_name.get, lambda: volumes, known.get, lambda: default, lambda claim: pods)


def node(name: str) -> core_v1.Node:
    return core_v1.Node(metadata=meta_v1.ObjectMeta(name=name, labels={"kubernetes.io/hostname": name}))


@pytest.mark.parametrize(("wanted", "volumes", "found"), [
    pytest.param(claim(), [volume("big", "5Gi", **FREE), volume("fits", "2Gi", **FREE), volume("small", "1Mi", **FREE)], "fits", id="smallest"),
    pytest.param(claim(), [volume("b", **FREE), volume("a", **FREE)], "a", id="first by name"),
    pytest.param(claim(), [volume(phase="Released")], None, id="not available"),
    pytest.param(claim(), [volume()], None, id="not looked at yet"),
    pytest.param(claim(), [going(volume(**FREE))], None, id="going"),
    pytest.param(claim(), [volume(storage="fast", **FREE)], None, id="another class"),
    pytest.param(claim(storage="fast"), [volume(storage="fast", **FREE)], "pv", id="its class"),
    pytest.param(claim(modes=("ReadWriteMany",)), [volume(**FREE)], None, id="another access mode"),
    pytest.param(claim(), [volume(modes=("ReadWriteMany", "ReadWriteOnce"), **FREE)], "pv", id="one of its access modes"),
    pytest.param(claim(volume_mode="Block"), [volume(**FREE)], None, id="another volume mode"),
    pytest.param(
        claim(selector=meta_v1.LabelSelector(match_labels={"a": "1"})), [volume("x", **FREE), volume("y", labels={"a": "1"}, **FREE)],
        "y", id="selector",
    ),
    pytest.param(
        claim(phase="Pending"), [volume("small", **FREE), volume("kept", "9Gi", to="data", storage="other", **FREE)], "kept",
        id="kept for it, whatever its class",
    ),
    pytest.param(claim(phase="Pending"), [volume("kept", "1Mi", to="data", **FREE)], None, id="kept for it but too small"),
    pytest.param(claim(phase="Pending"), [volume(to="data", uid="another", **FREE)], None, id="of a namesake that is gone"),
    pytest.param(claim(), [volume(to="other", **FREE)], None, id="kept for another"),
])
def test_which_volume_fits(wanted: Claim, volumes: list[Volume], found: str | None):
    best = find_volume(wanted, volumes)
    assert (best.metadata.name if best else None) == found


def test_a_node_has_a_say_and_without_one_a_delayed_claim_waits():
    here, there = volume("here", "9Gi", node_affinity=on_node("n1"), **FREE), volume("there", node_affinity=on_node("n2"), **FREE)
    best = find_volume(claim(), [here, there], node=node("n1"), delayed=True)
    assert best is here
    assert find_volume(claim(), [here], node=node("n1"), excluded={"here"}) is None
    assert find_volume(claim(), [here, there], delayed=True) is None
    kept = volume("kept", to="data", node_affinity=on_node("n2"), **FREE)
    assert find_volume(claim(), [kept], delayed=True) is kept
    assert find_volume(claim(), [kept], node=node("n1"), delayed=True) is None


def told(plan: Plan) -> list[tuple[str, str, str]]:
    return [(event.type, event.reason, event.message) for event in plan.events]


MAKING = (
    "Waiting for a volume to be created either by the external provisioner 'example.com/disk' or manually by the system administrator. "
    "If volume creation is delayed, please verify that the provisioner is running and correctly registered."
)


@pytest.mark.parametrize(("looked_at", "seen", "event", "phase"), [
    pytest.param(
        claim(phase="Pending"), view(),
        ("Normal", "FailedBinding", "no persistent volumes available for this claim and no storage class is set"), None, id="nothing",
    ),
    pytest.param(
        claim(phase="Pending", storage="none"), view(), ("Warning", "ProvisioningFailed", 'storageclass.storage.k8s.io "none" not found'),
        None, id="no such class",
    ),
    pytest.param(
        claim(phase="Pending", storage="l"), view(classes=(storage_class("l", "kubernetes.io/no-provisioner"),)),
        ("Warning", "ProvisioningFailed", "no volume plugin matched name: kubernetes.io/no-provisioner"), None, id="nobody makes them",
    ),
    pytest.param(
        claim(phase="Pending", storage="fast"), view(classes=(storage_class(),)), ("Normal", "ExternalProvisioning", MAKING), None,
        id="somebody makes them",
    ),
    pytest.param(
        claim(phase="Pending", storage="slow"), view(volume(storage="slow", **FREE), classes=(WAIT,)),
        ("Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding"), None, id="waits for a Pod",
    ),
    pytest.param(
        claim(phase="Pending", storage="slow"), view(classes=(WAIT,), pods=(pod_with(), pod_with(name="q", node="n"))),
        ("Normal", "WaitForPodScheduled", "waiting for pod p to be scheduled"), None, id="waits for the scheduler",
    ),
    pytest.param(
        claim(phase="Pending", storage="slow", annotations={SELECTED_NODE: "n"}), view(classes=(WAIT,)),
        ("Normal", "ExternalProvisioning", MAKING), None, id="node selected",
    ),
    pytest.param(
        claim(phase="Pending", volume="pv"), view(volume(size="1Mi", **FREE)),
        ("Warning", "VolumeMismatch", 'Cannot bind to requested volume "pv": requested PV is too small'), None, id="asked for, too small",
    ),
    pytest.param(
        claim(phase="Pending", volume="pv", modes=("ReadWriteMany",)), view(volume(**FREE)),
        ("Warning", "VolumeMismatch", 'Cannot bind to requested volume "pv": incompatible accessMode'), None, id="asked for, other mode",
    ),
    pytest.param(
        claim(phase="Pending", volume="pv", storage="a"), view(volume(**FREE)),
        ("Warning", "VolumeMismatch", 'Cannot bind to requested volume "pv": storageClassName does not match'), None, id="other class",
    ),
    pytest.param(
        claim(phase="Pending", volume="pv"), view(volume(to="other", uid="u")),
        ("Warning", "FailedBinding", 'volume "pv" already bound to a different claim.'), None, id="asked for, taken",
    ),
    pytest.param(claim(phase="Pending", volume="pv"), view(), None, None, id="asked for, not there yet"),
    pytest.param(
        claim(phase="Bound", volume="pv", annotations=DONE), view(),
        ("Warning", "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"), "Lost", id="volume gone",
    ),
    pytest.param(
        claim(phase="Bound", annotations=DONE), view(),
        ("Warning", "ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"), "Lost", id="name gone",
    ),
    pytest.param(
        claim(phase="Bound", volume="pv", annotations=DONE), view(volume(to="other", uid="u")),
        ("Warning", "ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly"), "Lost", id="another's",
    ),
    pytest.param(claim(phase="Lost", volume="pv", annotations=DONE), view(), None, None, id="lost, and said so"),
    pytest.param(going(claim(phase="Pending")), view(volume(**FREE)), None, None, id="going"),
])
def test_claims_that_are_not_bound(looked_at: Claim, seen: View, event: tuple[str, str, str] | None, phase: str | None):
    plan = plan_claim(looked_at, seen)
    assert told(plan) == ([event] if event else [])
    assert plan.claim_status.get("phase") == phase
    assert plan.volume is None


def test_a_provisioner_is_told_once():
    seen = view(classes=(storage_class(),))
    plan = plan_claim(claim(phase="Pending", storage="fast"), seen)
    annotations = plan.claim_patch["metadata"]["annotations"]
    assert set(annotations.values()) == {"example.com/disk"}
    assert len(annotations) == 2
    assert plan_claim(claim(phase="Pending", storage="fast", annotations=annotations), seen).claim_patch == {}


def test_a_claim_without_a_class_gets_the_default_later():
    default = storage_class("standard", default=True)
    assert plan_claim(claim(phase="Pending", storage=None), view(classes=(default,))).claim_patch == {"spec": {"storageClassName": "standard"}}
    assert plan_claim(claim(phase="Pending", storage=""), view(classes=(default,))).claim_patch == {}


def test_bound_to_each_other():
    plan = plan_claim(claim(phase="Pending"), view(volume(size="2Gi", **FREE)))
    assert plan.volume_patch["metadata"] == {"annotations": OURS}
    assert plan.volume_patch["spec"]["claimRef"]["uid"] == "uid-data"
    assert plan.volume_status["phase"] == "Bound"
    assert plan.claim_patch == {"metadata": {"annotations": {**OURS, **DONE}}, "spec": {"volumeName": "pv"}}
    assert plan.claim_status == {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "2Gi"}}


@pytest.mark.parametrize(("asked", "kept", "volume_by_us", "claim_by_us"), [
    pytest.param("", "data", False, True, id="the volume was kept"),
    pytest.param("pv", "", True, False, id="the claim asked"),
    pytest.param("pv", "data", False, False, id="both said so"),
])
def test_who_bound_them_is_remembered(asked: str, kept: str, volume_by_us: bool, claim_by_us: bool):
    plan = plan_claim(claim(phase="Pending", volume=asked), view(volume(to=kept, **FREE)))
    assert ("metadata" in plan.volume_patch) is volume_by_us
    assert (BOUND_BY_CONTROLLER in plan.claim_patch["metadata"]["annotations"]) is claim_by_us


def test_what_is_bound_is_left_alone():
    bound = claim(phase="Bound", volume="pv", annotations=DONE)
    bound.status.capacity.update(storage="1Gi")
    bound.status.access_modes.append("ReadWriteOnce")
    mine = volume(phase="Bound", to="data", uid="uid-data", size="3Gi")  # larger than the claim knows: the resizer's to tell
    plan = plan_claim(bound, view(mine))
    assert (plan.volume_patch, plan.volume_status, plan.claim_patch, plan.claim_status) == ({}, {}, {}, {})
    lost_ref = plan_claim(bound, view(volume(phase="Available")))
    assert lost_ref.volume_patch["spec"]["claimRef"]["name"] == "data"


MINE = claim(phase="Bound", volume="pv", annotations=DONE)
REFERS = {"to": "data", "uid": "uid-data"}
NO_DELETER = 'error getting deleter volume plugin for volume "pv": no deletable volume plugin matched'


@pytest.mark.parametrize(("looked_at", "of", "phase", "reason"), [
    pytest.param(volume(), None, "Available", None, id="new"),
    pytest.param(volume(to="data"), None, "Available", None, id="kept for a claim"),
    pytest.param(volume(phase="Available", **REFERS), MINE, "Bound", None, id="bound"),
    pytest.param(volume(phase="Bound", **REFERS), MINE, None, None, id="bound, and says so"),
    pytest.param(volume(phase="Pending", **REFERS), claim(phase="Pending"), None, None, id="the claim's turn"),
    pytest.param(volume(phase="Bound", **REFERS), None, "Released", None, id="claim gone"),
    pytest.param(volume(phase="Bound", to="data", uid="former"), MINE, "Released", None, id="a namesake came"),
    pytest.param(volume(phase="Released", **REFERS), None, None, None, id="retained"),
    pytest.param(volume(phase="Released", policy="Delete", **REFERS), None, "Failed", ("VolumeFailedDelete", NO_DELETER), id="no deleter"),
    pytest.param(volume(phase="Failed", policy="Delete", **REFERS), None, None, None, id="failed, and said so"),
    pytest.param(
        volume(phase="Released", policy="Recycle", **REFERS), None, "Failed",
        ("VolumeFailedRecycle", "No recycler plugin found for the volume!"), id="no recycler",
    ),
    pytest.param(
        volume(phase="Released", policy="Delete", annotations={PROVISIONED_BY: "example.com/disk"}, **REFERS), None, None, None,
        id="its provisioner's to delete",
    ),
    pytest.param(
        volume(phase="Bound", policy="Delete", annotations={PROVISIONED_BY: "example.com/disk"}, **REFERS),
        claim(phase="Bound", volume="other"), "Released", None, id="made in vain",
    ),
])
def test_volumes(looked_at: Volume, of: Claim | None, phase: str | None, reason: tuple[str, str] | None):
    plan = plan_volume(looked_at, of)
    assert plan.volume_status.get("phase") == phase
    assert [(event.reason, event.message) for event in plan.events] == ([reason] if reason else [])


def test_a_volume_kept_for_a_claim_of_another_mode_says_so_to_both():
    plan = plan_volume(volume(phase="Pending", **REFERS), claim(phase="Pending", volume_mode="Block"))
    assert (plan.volume_patch, plan.volume_status) == ({}, {})
    assert [(type(event.about).__name__, event.type, event.reason, event.message) for event in plan.events] == [
        (kind, "Warning", "VolumeMismatch", f"Cannot bind PersistentVolume {what} due to incompatible volumeMode.") for kind, what in (
            ("PersistentVolume", 'to requested PersistentVolumeClaim "data"'),
            ("PersistentVolumeClaim", '"pv" to requested PersistentVolumeClaim'),
        )
    ]


def test_a_volume_whose_claim_has_another_is_free_again():
    other = claim(phase="Bound", volume="other", annotations=DONE)
    ours = plan_volume(volume(phase="Bound", annotations=OURS, **REFERS), other)
    assert ours.volume_patch == {"metadata": {"annotations": {BOUND_BY_CONTROLLER: None}}, "spec": {"claimRef": None}}
    theirs = plan_volume(volume(phase="Bound", **REFERS), other)
    assert theirs.volume_patch == {"spec": {"claimRef": {"uid": None, "resourceVersion": None}}}
    assert theirs.volume_status["phase"] == "Available"

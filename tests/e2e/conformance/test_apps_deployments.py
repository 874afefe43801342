"""Deployments as upstream's conformance suite wants them: strategies, rollover, scaling in mid-rollout, history, endpoints."""

from __future__ import annotations

import os

import pytest
from cluster_harness import eventually
from workloads import FOREVER, Json, Room, condition, is_ready, owner, set_env, template, workload

pytest_plugins = ("workload_cluster",)
pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]
BROKEN = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "registry.invalid/none:1", "imagePullPolicy": "Never"}]}}}}
REVISION = "deployment.kubernetes.io/revision"


def sizes(room: Room, name: str) -> dict[str, int]:
    """The size of each ReplicaSet by its revision."""
    return {each["metadata"]["annotations"][REVISION]: each["spec"]["replicas"] for each in room.items("rs", f"app={name}")}


def history(room: Room, name: str) -> dict[str, str]:
    """The change cause of each revision, as kubectl tells it."""
    lines = room.kubectl("rollout", "history", f"deployment/{name}").splitlines()[2:]
    return dict(line.split(maxsplit=1) for line in lines if line)


def test_recreate_never_mixes_revisions(room: Room) -> None:
    slow = template("trap 'sleep 1; exit' TERM; while :; do sleep 1000 & wait; done", terminationGracePeriodSeconds=5)
    room.create(workload("Deployment", "one", slow, replicas=2, strategy={"type": "Recreate"}))
    room.rolled_out("deployment/one")
    old = set(room.pods())
    room.patch("deployment/one", set_env("2"), type_="strategic")

    def replaced() -> bool:
        pods = room.pods()
        assert not (old & set(pods)) or set(pods) <= old, f"old and new Pods at the same time: {sorted(pods)}"
        return not old & set(pods) and sum(map(is_ready, pods.values())) == 2

    for _ in range(200):
        if replaced():
            break
    room.rolled_out("deployment/one")
    assert not old & set(room.pods())


def test_a_rolling_update_adopts_and_orphans(room: Room) -> None:
    room.create(workload("ReplicaSet", "web", replicas=1, meta={"labels": {"app": "web"}}))
    eventually(lambda: all(map(is_ready, room.pods().values())) and room.pods(), "the ReplicaSet's Pod is ready")
    [bare] = room.items("rs")
    made = workload("Deployment", "web", template(container={"env": [{"name": "V", "value": "1"}]}), replicas=1)
    room.create(made)
    room.rolled_out("deployment/web")
    by_name = {each["metadata"]["name"]: each for each in room.items("rs")}
    assert owner(by_name.pop("web")) == "Deployment/web"
    [new] = by_name.values()
    hash_ = new["metadata"]["labels"]["pod-template-hash"]
    assert new["metadata"]["name"] == f"web-{hash_}"
    eventually(lambda: [each["metadata"]["labels"].get("pod-template-hash") for each in room.pods().values()] == [hash_], "the old Pod is gone")
    room.kubectl("delete", "deployment", "web", "--cascade=orphan")
    eventually(lambda: [owner(each) for each in room.items("rs")] == ["", ""], "its ReplicaSets are orphans")
    room.create(made)
    eventually(lambda: [owner(each) for each in room.items("rs")] == ["Deployment/web"] * 2, "they are adopted again")
    room.rolled_out("deployment/web")
    assert {each["metadata"]["uid"] for each in room.items("rs")} == {bare["metadata"]["uid"], new["metadata"]["uid"]}


def test_rollover_leaves_the_revision_that_cannot_start(room: Room) -> None:
    room.create(workload("Deployment", "web", replicas=2, minReadySeconds=1,
                         strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}))
    room.rolled_out("deployment/web")
    room.patch("deployment/web", BROKEN, type_="strategic")
    eventually(lambda: sizes(room, "web") == {"1": 2, "2": 1}, "the broken revision surges by one")
    whole = workload("Deployment", "web", template(container={"env": [{"name": "V", "value": "3"}]}))
    room.patch("deployment/web", {"spec": {"template": {"spec": whole["spec"]["template"]["spec"]}}})
    room.rolled_out("deployment/web")
    assert sizes(room, "web") == {"1": 0, "2": 0, "3": 2}


def test_scaling_in_mid_rollout_is_proportional(room: Room) -> None:
    room.create(workload("Deployment", "web", replicas=10, strategy={"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}))
    room.rolled_out("deployment/web")
    room.patch("deployment/web", BROKEN, type_="strategic")
    eventually(lambda: sizes(room, "web") == {"1": 8, "2": 5}, "the rollout is stuck")
    eventually(lambda: room.get("deploy/web")["status"].get("availableReplicas") == 8, "eight serve")
    room.kubectl("scale", "deployment/web", "--replicas=30")
    eventually(lambda: sizes(room, "web") == {"1": 20, "2": 13}, "both have grown")
    room.kubectl("scale", "deployment/web", "--replicas=5")
    eventually(lambda: sum(sizes(room, "web").values()) == 8, "both have shrunk")


def test_history_and_what_kubectl_says_of_it(room: Room) -> None:
    room.create(workload("Deployment", "web", replicas=1, revisionHistoryLimit=1, strategy={"type": "Recreate"},
                         meta={"annotations": {"kubernetes.io/change-cause": "first"}}))
    room.rolled_out("deployment/web")
    for value in ("2", "3"):
        room.patch("deployment/web", set_env(value), type_="strategic")
        room.rolled_out("deployment/web")
        room.kubectl("annotate", "deployment/web", f"kubernetes.io/change-cause=cause {value}", "--overwrite")
    eventually(lambda: sizes(room, "web") == {"2": 0, "3": 1}, "one old revision is kept")
    eventually(lambda: history(room, "web") == {"2": "cause 2", "3": "cause 3"}, "the causes are told")
    assert "skipped rollback (current template already matches revision 3)" in room.kubectl("rollout", "undo", "deployment/web", "--to-revision=3")
    assert "unable to find specified revision 1 in history" in room.kubectl("rollout", "undo", "deployment/web", "--to-revision=1", check=False)
    room.kubectl("rollout", "undo", "deployment/web")
    room.rolled_out("deployment/web")
    assert sizes(room, "web") == {"3": 0, "4": 1}
    assert history(room, "web").keys() == {"3", "4"}
    room.kubectl("rollout", "pause", "deployment/web")
    assert "you cannot rollback a paused deployment" in room.kubectl("rollout", "undo", "deployment/web", check=False)
    room.patch("deployment/web", set_env("5"), type_="strategic")
    eventually(lambda: condition(room.get("deploy/web"), "Progressing") == ("Unknown", "DeploymentPaused"), "it is paused")
    room.kubectl("scale", "deployment/web", "--replicas=2")
    eventually(lambda: sizes(room, "web").get("4") == 2, "a paused one can be scaled")
    room.kubectl("rollout", "resume", "deployment/web")
    room.rolled_out("deployment/web")
    assert sizes(room, "web")["5"] == 2


def test_progress_has_a_deadline_and_undo_heals(room: Room) -> None:
    room.create(workload("Deployment", "web", replicas=1, progressDeadlineSeconds=2, minReadySeconds=1))
    room.rolled_out("deployment/web")
    room.patch("deployment/web", BROKEN, type_="strategic")
    told = room.kubectl("rollout", "status", "deployment/web", check=False)
    assert 'error: deployment "web" exceeded its progress deadline' in told
    assert condition(room.get("deploy/web"), "Progressing") == ("False", "ProgressDeadlineExceeded")
    assert condition(room.get("deploy/web"), "Available") == ("True", "MinimumReplicasAvailable")
    room.kubectl("rollout", "undo", "deployment/web")
    room.rolled_out("deployment/web")
    eventually(lambda: condition(room.get("deploy/web"), "Progressing") == ("True", "NewReplicaSetAvailable"), "it has progressed")


def test_scale_and_status_are_resources_of_their_own(room: Room) -> None:
    room.create(workload("Deployment", "web", replicas=1))
    room.rolled_out("deployment/web")
    path = f"/apis/apps/v1/namespaces/{room.name}/deployments/web"
    scale = room.raw(f"{path}/scale")
    assert (scale["kind"], scale["spec"], scale["status"]) == ("Scale", {"replicas": 1}, {"replicas": 1, "selector": "app=web"})
    scale["spec"]["replicas"] = 2
    del scale["metadata"]["resourceVersion"]  # the status may be written meanwhile
    room.replace(scale, "--raw", f"{path}/scale")
    assert room.get("deploy/web")["spec"]["replicas"] == 2
    room.patch("deployment/web", {"spec": {"replicas": 3}}, "--subresource=scale")
    room.rolled_out("deployment/web")
    assert room.raw(f"{path}/scale")["status"]["replicas"] == 3
    ours: Json = {"type": "Ours", "status": "True", "reason": "Test", "message": "set by a person"}
    room.patch("deployment/web", {"status": {"conditions": [*room.get("deploy/web")["status"]["conditions"], ours]}}, "--subresource=status")
    room.kubectl("scale", "deployment/web", "--replicas=1")
    eventually(lambda: room.get("deploy/web")["status"]["replicas"] == 1, "the controller has written since")
    assert condition(room.get("deploy/web"), "Ours") == ("True", "Test")
    assert "field is immutable" in room.patch("deployment/web", {"spec": {"selector": {"matchLabels": {"app": "other"}}}}, check=False)


def test_pods_that_are_going_are_told(room: Room) -> None:
    slow = template("trap : TERM; " + FOREVER.split("; ", 1)[1], terminationGracePeriodSeconds=3)
    room.create(workload("Deployment", "web", slow, replicas=2))
    room.rolled_out("deployment/web")
    room.kubectl("scale", "deployment/web", "--replicas=0")
    eventually(lambda: room.get("deploy/web")["status"].get("terminatingReplicas") == 2, "two are going", 20)
    eventually(lambda: room.get("deploy/web")["status"].get("terminatingReplicas") == 0, "and gone", 20)
    assert "replicas" not in room.get("deploy/web")["status"]


def test_a_hash_that_is_taken_is_made_anew(room: Room) -> None:
    room.create(workload("Deployment", "web", replicas=0))
    [first] = eventually(lambda: room.items("rs"), "it has a ReplicaSet")
    name = first["metadata"]["name"]
    room.kubectl("delete", "deployment", "web")
    eventually(lambda: not room.items("rs"), "all is gone")
    squatter = workload("ReplicaSet", name, replicas=0)
    room.create(squatter)
    room.create(workload("Deployment", "web", replicas=1))
    room.rolled_out("deployment/web")
    assert room.get("deploy/web")["status"]["collisionCount"] == 1
    assert {owner(each) for each in room.items("rs")} == {"", "Deployment/web"}

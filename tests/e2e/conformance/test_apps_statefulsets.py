"""StatefulSets as upstream's conformance suite wants them: order, halts, canaries, rollbacks, identities, claims."""

from __future__ import annotations

import os
from typing import Any

import pytest
from cluster_harness import eventually
from workloads import FOREVER, Json, Room, condition, is_ready, owner, pod, set_env, template, workload

pytest_plugins = ("workload_cluster",)
pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]
HASH = "controller-revision-hash"
PROBED = {"readinessProbe": {"exec": {"command": ["test", "-e", "/ready"]}, "periodSeconds": 1, "failureThreshold": 1}}


def stateful(name: str = "db", script: str = FOREVER, container: Json | None = None, **spec: Any) -> list[Json]:
    made = workload("StatefulSet", name, template(script, container=container), serviceName=name, **spec)
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
               "spec": {"clusterIP": "None", "selector": {"app": name}, "ports": [{"port": 80}]}}
    return [service, made]


def ready(room: Room) -> list[str]:
    return sorted(name for name, each in room.pods().items() if is_ready(each))


def touch(room: Room, name: str, script: str = "touch /ready") -> None:
    eventually(lambda: room.kubectl("exec", name, "--", "sh", "-c", script) == "", f"{name} runs")


def revisions(room: Room, name: str = "db") -> tuple[str, str]:
    status = room.get("sts", name)["status"]
    return status["currentRevision"], status["updateRevision"]


def of_each(room: Room) -> dict[str, str]:
    return {name: each["metadata"]["labels"][HASH] for name, each in sorted(room.pods().items())}


def test_scales_in_order_and_halts_at_the_unhealthy(room: Room) -> None:
    room.create(*stateful(replicas=2, container=PROBED))
    touch(room, "db-0")
    touch(room, "db-1")
    eventually(lambda: ready(room) == ["db-0", "db-1"], "both serve")
    touch(room, "db-1", "rm /ready")
    eventually(lambda: ready(room) == ["db-0"], "the second does not")
    room.kubectl("scale", "sts/db", "--replicas=3")
    eventually(lambda: room.get("sts", "db")["status"]["observedGeneration"] == 2, "it has seen the new size")
    assert sorted(room.pods()) == ["db-0", "db-1"], "halted on the way up"
    touch(room, "db-1")
    touch(room, "db-2")
    eventually(lambda: len(ready(room)) == 3, "three serve")
    for name in ("db-0", "db-1", "db-2"):
        touch(room, name, "rm /ready")
    eventually(lambda: ready(room) == [], "none serves")
    room.kubectl("scale", "sts/db", "--replicas=0")
    eventually(lambda: room.get("sts", "db")["status"]["observedGeneration"] == 3, "it has seen the new size")
    assert sorted(room.pods()) == ["db-0", "db-1", "db-2"], "halted on the way down"
    for name in ("db-0", "db-1"):
        touch(room, name)
    eventually(lambda: not room.pods(), "all are gone")
    told = [message.split()[0:3:2] for reason, message in room.events("StatefulSet", "db") if reason.startswith("Successful")]
    assert told == [["Create", f"db-{n}"] for n in (0, 1, 2)] + [["Delete", f"db-{n}"] for n in (2, 1, 0)]


def test_burst_scaling_does_not_wait(room: Room) -> None:
    room.create(*stateful(replicas=2, container=PROBED, podManagementPolicy="Parallel"))
    eventually(lambda: len(room.pods()) == 2, "both come at once")
    room.kubectl("scale", "sts/db", "--replicas=3")
    eventually(lambda: len(room.pods()) == 3, "and a third beside unhealthy ones")
    room.kubectl("scale", "sts/db", "--replicas=0")
    eventually(lambda: not room.pods(), "all are gone")


def test_canary_phases_and_rollback(room: Room) -> None:
    rolling: Json = {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}
    room.create(*stateful(replicas=3, updateStrategy=rolling))
    room.rolled_out("sts/db")
    old, update = revisions(room)
    assert old == update
    room.patch("sts/db", set_env("2"), type_="strategic")
    eventually(lambda: revisions(room)[1] != old, "there is a new revision")
    new = revisions(room)[1]
    assert set(of_each(room).values()) == {old}, "none is updated at a partition of three"
    room.patch("sts/db", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 2}}}})
    eventually(lambda: of_each(room) == {"db-0": old, "db-1": old, "db-2": new} and len(ready(room)) == 3, "the canary")
    assert "partitioned roll out complete: 1 new pods have been updated" in room.kubectl("rollout", "status", "sts/db")
    room.kubectl("delete", "pod", "db-0", "db-2")
    eventually(lambda: len(ready(room)) == 3, "they have come back")
    assert of_each(room) == {"db-0": old, "db-1": old, "db-2": new}, "each as it was"
    room.patch("sts/db", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}})
    eventually(lambda: set(of_each(room).values()) == {new} and revisions(room) == (new, new), "all are updated")
    room.kubectl("rollout", "undo", "sts/db")
    room.rolled_out("sts/db")
    eventually(lambda: revisions(room) == (old, old), "the former revision is the newest again")
    assert [each["revision"] for each in sorted(room.items("controllerrevisions"), key=lambda each: str(each["metadata"]["name"] == old))] == [2, 3]


def test_a_broken_revision_halts_and_may_be_unblocked(room: Room) -> None:
    room.create(*stateful(replicas=2))
    room.rolled_out("sts/db")
    old = revisions(room)[0]
    room.patch("sts/db", {"spec": {"template": {"spec": {"containers": [{"name": "c", "readinessProbe": {
        "exec": {"command": ["false"]}, "periodSeconds": 1}}]}}}}, type_="strategic")
    eventually(lambda: of_each(room).get("db-1") not in (None, old), "the last has been replaced")
    eventually(lambda: room.get("pod", "db-1")["status"]["phase"] == "Running", "and runs")
    assert of_each(room)["db-0"] == old, "the first waits for it"
    room.kubectl("rollout", "undo", "sts/db")
    eventually(lambda: revisions(room)[1] == old, "the old template is back")
    room.kubectl("delete", "pod", "db-1")  # as the documentation says: ordered management does not do it itself
    eventually(lambda: set(of_each(room).values()) == {old} and len(ready(room)) == 2, "healed")


def test_a_pod_that_has_failed_is_made_anew(room: Room) -> None:
    port = {"ports": [{"containerPort": 80, "hostPort": 21017}]}
    room.create(pod("squatter", container=port))
    room.wait("pod/squatter", "condition=Ready")
    node = room.get("pod", "squatter")["spec"]["nodeName"]
    _, made = stateful(replicas=1, container=port)
    made["spec"]["template"]["spec"]["nodeName"] = node
    room.create(made)
    first = eventually(lambda: room.get("pod", "db-0")["metadata"]["uid"], "the first try")
    eventually(lambda: room.get("pod", "db-0")["metadata"]["uid"] != first, "the node refuses it, and it is made again")
    room.kubectl("delete", "pod", "squatter")
    eventually(lambda: ready(room) == ["db-0"], "it runs when the port is free")
    assert ("SuccessfulDelete", "Delete Pod db-0 in StatefulSet db successful") in room.events("StatefulSet", "db")


def test_identity_claims_and_their_retention(room: Room) -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}
    mount = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    script = "hostname -f >> /data/name; " + FOREVER
    room.create(*stateful(
        script=script, container=mount, replicas=2, volumeClaimTemplates=[claim], ordinals={"start": 5},
        persistentVolumeClaimRetentionPolicy={"whenScaled": "Delete", "whenDeleted": "Retain"}, podManagementPolicy="Parallel",
    ))
    room.rolled_out("sts/db")
    assert sorted(room.pods()) == ["db-5", "db-6"]
    label = room.get("pod", "db-6")["metadata"]["labels"]
    assert (label["apps.kubernetes.io/pod-index"], label["statefulset.kubernetes.io/pod-name"]) == ("6", "db-6")
    room.kubectl("delete", "pod", "db-5")
    eventually(lambda: ready(room) == ["db-5", "db-6"], "it is back")
    name = f"db-5.db.{room.name}.svc.cluster.local"
    assert room.kubectl("exec", "db-5", "--", "cat", "/data/name").split() == [name, name]
    assert room.kubectl("exec", "db-6", "--", "nslookup", "-type=a", name).count(room.get("pod", "db-5")["status"]["podIP"]) == 1
    room.kubectl("scale", "sts/db", "--replicas=1")
    eventually(lambda: [each["metadata"]["name"] for each in room.items("pvc")] == ["data-db-5"], "the claim of the last has gone with it")
    room.kubectl("delete", "sts", "db")
    eventually(lambda: not room.pods(), "the Pods are gone")
    assert [each["metadata"]["name"] for each in room.items("pvc")] == ["data-db-5"]
    eventually(lambda: condition(room.get("pvc", "data-db-5"), "Unused") == ("True", "NoPodsUsingPVC"), "it tells that nobody uses it")


def test_endpoints_and_adoption(room: Room) -> None:
    room.create(*stateful(replicas=1))
    room.rolled_out("sts/db")
    path = f"/apis/apps/v1/namespaces/{room.name}/statefulsets/db"
    scale = room.raw(f"{path}/scale")
    del scale["metadata"]["resourceVersion"]  # the status may be written meanwhile
    room.replace({**scale, "spec": {"replicas": 2}}, "--raw", f"{path}/scale")
    room.rolled_out("sts/db")
    ours = {"type": "Ours", "status": "True", "reason": "Test"}
    room.patch("sts/db", {"status": {"conditions": [ours]}}, "--subresource=status")
    room.kubectl("scale", "sts/db", "--replicas=1")
    room.wait("sts/db", "jsonpath={.status.replicas}=1")
    assert room.get("sts", "db")["status"]["conditions"][0]["type"] == "Ours"
    room.patch("pod/db-0", {"metadata": {"ownerReferences": None}})
    eventually(lambda: owner(room.get("pod", "db-0")) == "StatefulSet/db", "it is adopted again")
    room.kubectl("label", "pod", "db-0", "app-")
    eventually(lambda: owner(room.get("pod", "db-0")) == "", "it is released")
    room.kubectl("label", "pod", "db-0", "app=db")
    eventually(lambda: owner(room.get("pod", "db-0")) == "StatefulSet/db", "it is adopted once more")
    refused = room.patch("sts/db", {"spec": {"serviceName": "other"}}, check=False)
    assert "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy'" in refused

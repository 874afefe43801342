"""Volumes that outlive Pods, on a real cluster: made, written, read again, grown, kept, removed; `reset` leaves nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster_harness import Cluster, eventually, running

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, busybox_archive: Path) -> Iterator[Cluster]:
    with running("volumes", tmp_path_factory.mktemp("volumes"), image=busybox_archive) as made:
        yield made
    assert not (made.folder / "data").exists(), "reset leaves volumes behind"


def claim(name: str, size: str = "1Gi", **spec: Any) -> dict[str, Any]:
    body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": body}


def pod(name: str, script: str, volume: dict[str, Any], **mount: Any) -> dict[str, Any]:
    container = {
        "name": "c", "image": "busybox:1.36", "command": ["sh", "-c", script], "volumeMounts": [{"name": "v", "mountPath": "/v", **mount}],
    }
    spec = {"containers": [container], "volumes": [{"name": "v", **volume}], "restartPolicy": "Never", "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def of(name: str) -> dict[str, Any]:
    return {"persistentVolumeClaim": {"claimName": name}}


def done(cluster: Cluster, name: str) -> str:
    """What the Pod printed, once it has ended well."""
    cluster.kubectl("wait", f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    return cluster.kubectl("logs", name).strip()


def volume_of(cluster: Cluster, name: str) -> dict[str, Any]:
    return dict(cluster.get("pv", cluster.get("pvc", name)["spec"]["volumeName"]))


def test_what_one_pod_writes_another_reads(cluster: Cluster) -> None:
    cluster.apply(claim("notes"), pod("first", "echo hello > /v/note; id -u", of("notes")))
    done(cluster, "first")
    cluster.kubectl("delete", "pod", "first")
    reader = pod("second", "cat /v/note; touch /v/x 2>/dev/null || echo read only", {"persistentVolumeClaim": {"claimName": "notes", "readOnly": True}})
    cluster.apply(reader)
    assert done(cluster, "second") == "hello\nread only"
    user = pod("user", "echo more >> /v/other; ls -n /v/other | awk '{print $3, $4}'", of("notes"))
    user["spec"]["securityContext"] = {"runAsUser": 1000, "fsGroup": 2000}
    cluster.apply(user)
    assert done(cluster, "user") == "1000 2000"
    cluster.kubectl("delete", "pod", "second", "user")


def test_it_survives_a_restart_of_the_cluster(cluster: Cluster) -> None:
    cluster.apply(claim("kept"), pod("before", "echo there > /v/note", of("kept")))
    done(cluster, "before")
    cluster.wherry("down")
    cluster.wherry("up")
    cluster.apply(pod("after", "cat /v/note", of("kept")))
    assert done(cluster, "after") == "there"


def test_deletion_waits_for_the_pod_and_removes_the_directory(cluster: Cluster) -> None:
    cluster.apply(claim("busy"), pod("user-of-busy", "sleep 3600", of("busy")))
    cluster.kubectl("wait", "pod/user-of-busy", "--for=condition=Ready", "--timeout=60s")
    volume = volume_of(cluster, "busy")
    path = Path(volume["spec"]["local"]["path"])
    assert path.is_dir()
    cluster.kubectl("delete", "pvc", "busy", "--wait=false")
    assert "Terminating" in cluster.kubectl("get", "pvc", "busy")
    cluster.kubectl("delete", "pod", "user-of-busy")
    cluster.kubectl("wait", "pvc/busy", "--for=delete", "--timeout=30s")
    cluster.kubectl("wait", f"pv/{volume['metadata']['name']}", "--for=delete", "--timeout=30s")
    assert not path.exists()


def test_what_is_retained_stays_until_somebody_frees_it(cluster: Cluster) -> None:
    cluster.apply(claim("dear"), pod("dear", "echo dear > /v/note", of("dear")))
    done(cluster, "dear")
    volume = volume_of(cluster, "dear")
    name, path = volume["metadata"]["name"], Path(volume["spec"]["local"]["path"])
    cluster.kubectl("patch", "pv", name, "-p", '{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}')
    cluster.kubectl("delete", "pod", "dear")
    cluster.kubectl("delete", "pvc", "dear")
    eventually(lambda: cluster.get("pv", name)["status"]["phase"] == "Released", "the volume is released")
    cluster.kubectl("patch", "pv", name, "--type=json", "-p", '[{"op":"remove","path":"/spec/claimRef"}]')
    cluster.apply(claim("heir", volumeName=name), pod("heir", "cat /v/note", of("heir")))
    assert done(cluster, "heir") == "dear"
    cluster.kubectl("delete", "pod", "heir")
    cluster.kubectl("delete", "pvc", "heir")
    cluster.kubectl("delete", "pv", name)
    assert (path / "note").read_text() == "dear\n"


def test_a_claim_grows(cluster: Cluster) -> None:
    cluster.apply(claim("small"), pod("grower", "sleep 3600", of("small")))
    cluster.kubectl("wait", "pod/grower", "--for=condition=Ready", "--timeout=60s")
    cluster.kubectl("patch", "pvc", "small", "-p", '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}')
    cluster.kubectl("wait", "pvc/small", "--for=jsonpath={.status.capacity.storage}=2Gi", "--timeout=30s")
    assert volume_of(cluster, "small")["spec"]["capacity"] == {"storage": "2Gi"}
    refused = cluster.kubectl("patch", "pvc", "small", "-p", '{"spec":{"resources":{"requests":{"storage":"1Gi"}}}}', check=False)
    assert "field can not be less than status.capacity" in refused
    cluster.kubectl("delete", "pod", "grower")
    cluster.kubectl("delete", "pvc", "small")


def test_an_ephemeral_volume_goes_with_its_pod(cluster: Cluster) -> None:
    template = {"spec": claim("x")["spec"]}
    cluster.apply(pod("brief", "echo 1 > /v/a/note; cat /v/a/note", {"ephemeral": {"volumeClaimTemplate": template}}, mountPath="/v/a", subPath="sub"))
    assert done(cluster, "brief") == "1"
    path = Path(volume_of(cluster, "brief-v")["spec"]["local"]["path"])
    assert (path / "sub" / "note").exists()
    cluster.kubectl("delete", "pod", "brief")
    eventually(lambda: not path.exists(), "its directory is removed")


def stateful_set(**spec: Any) -> dict[str, Any]:
    template = pod("x", "hostname >> /v/log; sleep 3600", {})
    body = {**template["spec"], "volumes": [], "restartPolicy": "Always"}
    return {
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
        "spec": {
            "replicas": 2, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}, "spec": body},
            "volumeClaimTemplates": [{"metadata": {"name": "v"}, "spec": claim("v")["spec"]}], **spec,
        },
    }


def names(cluster: Cluster) -> list[str]:
    return sorted(each["metadata"]["name"] for each in cluster.get("pvc", "-l", "app=db")["items"])


def test_each_pod_of_a_stateful_set_finds_its_own_volume_again(cluster: Cluster) -> None:
    cluster.apply(stateful_set())
    cluster.kubectl("rollout", "status", "statefulset/db", "--timeout=60s")
    assert names(cluster) == ["v-db-0", "v-db-1"]
    cluster.kubectl("delete", "pod", "db-0", "db-1")
    cluster.kubectl("rollout", "status", "statefulset/db", "--timeout=60s")
    for number in (0, 1):
        logged = eventually(
            lambda n=number: cluster.kubectl("exec", f"db-{n}", "--", "cat", "/v/log", check=False).split() == [f"db-{n}"] * 2, "both wrote",
        )
        assert logged
    cluster.kubectl("scale", "statefulset/db", "--replicas=1")
    eventually(lambda: len(cluster.get("pods", "-l", "app=db")["items"]) == 1, "one Pod is left")
    assert names(cluster) == ["v-db-0", "v-db-1"], "claims stay"
    policy = '{"spec":{"persistentVolumeClaimRetentionPolicy":{"whenDeleted":"Delete","whenScaled":"Delete"}}}'
    cluster.kubectl("patch", "statefulset", "db", "-p", policy)
    cluster.kubectl("scale", "statefulset/db", "--replicas=2")
    cluster.kubectl("rollout", "status", "statefulset/db", "--timeout=60s")
    cluster.kubectl("scale", "statefulset/db", "--replicas=1")
    eventually(lambda: names(cluster) == ["v-db-0"], "the claim goes with its Pod")
    cluster.kubectl("delete", "statefulset", "db")
    eventually(lambda: names(cluster) == [], "and the others with the set")


def test_a_pod_without_its_claim_is_told_why(cluster: Cluster) -> None:
    cluster.apply(pod("lonely", "true", of("nowhere")))
    why = '0/1 nodes are available: persistentvolumeclaim "nowhere" not found.'
    eventually(lambda: why in cluster.kubectl("describe", "pod", "lonely"), "the event says so")
    cluster.apply(claim("nowhere"))
    done(cluster, "lonely")

"""What goes wrong on a real host: commands cut short, containers killed, images gone, bad manifests, garbage."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster_harness import Cluster, eventually, host_state, only_ours, running

from wherry.runtime.embedded.config import link_prefix

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, busybox_archive: Path) -> Iterator[Cluster]:
    with running("faults", tmp_path_factory.mktemp("faults"), image=busybox_archive) as made:
        yield made


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


def sleeper(name: str, **container: Any) -> dict[str, Any]:
    main = {"name": "main", "image": "busybox:1.36", "command": ["sleep", "3600"], **container}
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [main], "terminationGracePeriodSeconds": 0},
    }


# Manifests

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: bad}
spec:
  replicas: %s
  selector: {matchLabels: {app: bad}}
  template:
    metadata: {labels: {app: bad}}
    spec:
      %s:
      - name: main
        image: busybox:1.36
        resources: {limits: {memory: %s}}
"""


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        pytest.param(DEPLOYMENT % ("1", "container", "1Mi"), 'unknown field "spec.template.spec.container"', id="unknown-field"),
        pytest.param(DEPLOYMENT % ("two", "containers", "1Mi"), "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas", id="wrong-type"),
        pytest.param(DEPLOYMENT % ("1", "containers", "1Migs"), "quantities must match the regular expression", id="bad-quantity"),
        pytest.param(DEPLOYMENT.replace("metadata: {name: bad}", "metadata: {name: bad"), "error converting YAML to JSON", id="no-yaml"),
    ],
)
def test_a_bad_manifest_is_refused_by_name(cluster: Cluster, manifest: str, told: str) -> None:
    answer = cluster.kubectl("apply", "-f", "-", stdin=manifest, check=False)
    assert told in answer
    assert "created" not in answer
    if "unknown field" in told:
        assert "did you mean" in answer, "the nearest right name"
    assert "NotFound" in cluster.kubectl("get", "deployment", "bad", check=False)


def test_a_duplicate_name_is_told_and_the_first_stays(cluster: Cluster) -> None:
    both = "---\n".join(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: twice}}\ndata: {{who: {who}}}\n" for who in ("first", "second"))
    answer = cluster.kubectl("create", "-f", "-", stdin=both, check=False)
    assert 'Error from server (AlreadyExists): error when creating "STDIN": configmaps "twice" already exists' in answer
    assert cluster.get("configmap", "twice")["data"] == {"who": "first"}


def test_two_megabytes_of_manifests_are_applied(cluster: Cluster) -> None:
    many = "---\n".join(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: big-{n}}}\ndata: {{text: {'x' * 210_000}}}\n" for n in range(10))
    assert len(many) > 2_000_000
    assert cluster.kubectl("create", "-f", "-", stdin=many).count("created") == 10
    cluster.kubectl("delete", "configmap", *(f"big-{n}" for n in range(10)))


@pytest.mark.parametrize(
    ("size", "told"),
    [
        pytest.param(2_000_000, "may not be more than 1048576 bytes", id="two-megabytes"),
        pytest.param(4_000_000, "Request entity too large: limit is 3145728", id="more-than-a-body-may-have"),
    ],
)
def test_an_object_that_is_too_large_is_refused(cluster: Cluster, size: int, told: str) -> None:
    answer = cluster.kubectl("create", "-f", "-", stdin=json.dumps(config_map("huge", text="x" * size)), check=False)
    assert told.lower() in answer.lower()
    assert "NotFound" in cluster.kubectl("get", "configmap", "huge", check=False)


# Containers and images

def test_a_container_killed_from_outside_is_started_again(cluster: Cluster) -> None:
    cluster.apply(sleeper("victim", command=["sh", "-c", "echo $$; exec sleep 98989"]))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/victim", "--timeout=30s")
    [pid] = subprocess.run(["pgrep", "-fx", "sleep 98989"], capture_output=True, text=True, check=True).stdout.split()
    os.kill(int(pid), signal.SIGKILL)

    def again() -> bool:
        [status] = cluster.get("pod", "victim")["status"]["containerStatuses"]
        return status["restartCount"] == 1 and status["ready"] and status["lastState"]["terminated"]["exitCode"] == 137

    eventually(again, "a second container", 30)
    [status] = cluster.get("pod", "victim")["status"]["containerStatuses"]
    assert status["lastState"]["terminated"]["reason"] == "Error"
    cluster.kubectl("delete", "pod", "victim")


def test_an_image_goes_when_nobody_uses_it_and_the_next_pod_is_told(cluster: Cluster, busybox_archive: Path) -> None:
    cluster.apply(sleeper("holder"))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/holder", "--timeout=30s")
    assert "in use by a container" in cluster.wherry("image", "rm", "busybox:1.36", check=False).stderr
    cluster.kubectl("delete", "pod", "holder")
    eventually(lambda: cluster.wherry("image", "rm", "busybox:1.36", check=False).returncode == 0, "no container uses it", 15)
    try:
        cluster.apply(sleeper("late", imagePullPolicy="Never"))
        eventually(lambda: "ErrImageNeverPull" in cluster.kubectl("get", "pod", "late"), "ErrImageNeverPull", 30)
        events = cluster.kubectl("get", "events", "--field-selector=involvedObject.name=late")
        assert 'Container image "busybox:1.36" is not present with pull policy of Never' in events
    finally:
        cluster.wherry("image", "load", str(busybox_archive))
    eventually(lambda: "Running" in cluster.kubectl("get", "pod", "late"), "the image again", 60)
    cluster.kubectl("delete", "pod", "late")


@pytest.mark.parametrize("n", range(3))
def test_what_an_instantly_ending_command_says_is_seen(cluster: Cluster, n: int) -> None:
    told = cluster.kubectl("run", f"quick-{n}", "--rm", "-i", "--restart=Never", "--image=busybox:1.36", "--", "echo", "hello", check=False)
    assert "hello" in told
    assert "error:" not in told  # where it was over before kubectl attached, kubectl shows the log instead


# Two clusters, and garbage

def test_a_port_of_the_node_belongs_to_one_cluster(cluster: Cluster, tmp_path: Path) -> None:
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80, "nodePort": 31999}]},
    }
    cluster.apply(service)
    other = Cluster("faults2", tmp_path)
    other.wherry("up")
    try:
        other.apply(service)
        [event] = eventually(lambda: other.get("events", "--field-selector=involvedObject.name=web")["items"], "an event about the port", 15)
        assert (event["type"], event["reason"], event["source"]["component"]) == ("Warning", "PortInUse", "kube-proxy")
        assert event["message"] == "can't open port \"nodePort for default/web:80\" (31999/tcp): Address already in use"
        assert cluster.get("service", "web")["spec"]["ports"][0]["nodePort"] == 31999
    finally:
        other.wherry("reset")
    cluster.kubectl("delete", "service", "web")


def test_garbage_at_the_port_disturbs_nobody(cluster: Cluster) -> None:
    port = int(cluster.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}").rsplit(":", 1)[1])
    rng = random.Random(7)
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    held = []
    for _ in range(50):
        plain = socket.create_connection(("127.0.0.1", port), timeout=5)
        plain.sendall(rng.randbytes(rng.randint(1, 2000)))
        held.append(plain)  # stays open: half a handshake
    huge = b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n"
    for head in (huge, b"\x00" * 500, b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n", b"POST /api/v1/namespaces HTTP/1.1\r\nContent-Length: -5\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as raw, trust.wrap_socket(raw) as tls:
            tls.settimeout(10)  # it answers or ends the connection, and does not leave it hanging
            try:
                tls.sendall(head)
                answer = tls.recv(4096)
            except (ConnectionError, ssl.SSLError):
                answer = b""
            assert not answer or b" 4" in answer.splitlines()[0]
    assert cluster.kubectl("get", "--raw", "/readyz") == "ok"
    for plain in held:
        plain.close()


# Commands cut short

@pytest.mark.parametrize("delay", [0.15, 0.5, 0.9])
def test_an_up_killed_on_its_way_is_made_good_by_the_next(tmp_path: Path, delay: float) -> None:
    cut = Cluster("cutup", tmp_path)
    before = only_ours(host_state(), ("cutup", link_prefix("cutup")))
    try:
        with cut.begin("up") as begun:
            time.sleep(delay)
            begun.kill()
        cut.wherry("up")
        assert "Ready" in cut.kubectl("get", "nodes")
    finally:
        cut.wherry("reset")
    assert only_ours(host_state(), ("cutup", link_prefix("cutup"))) == before


@pytest.mark.parametrize("delay", [0.1, 0.6])
def test_a_down_in_the_middle_of_an_up_leaves_nothing(tmp_path: Path, delay: float) -> None:
    cut = Cluster("cutdown", tmp_path)
    before = only_ours(host_state(), ("cutdown", link_prefix("cutdown")))
    try:
        begun = cut.begin("up")
        time.sleep(delay)
        cut.wherry("down")
        begun.communicate(timeout=60)
        cut.wherry("down")  # the `up` may have waited for the first one
        assert only_ours(host_state(), ("cutdown", link_prefix("cutdown"))) == before
    finally:
        cut.wherry("reset")


def test_the_process_killed_on_its_way_is_made_good(tmp_path: Path) -> None:
    cut = Cluster("cutall", tmp_path)
    record = Path("/run/wherry/cutall/wherry.pid")
    try:
        begun = cut.begin("up")
        pid = eventually(lambda: record.exists() and record.read_text().split()[:1], "the cluster's process", 20)[0]
        os.kill(int(pid), signal.SIGKILL)
        told = begun.communicate(timeout=60)[1]
        assert begun.returncode != 0
        assert "wherry:" in told
        cut.wherry("up")
        assert "Ready" in cut.kubectl("get", "nodes")
    finally:
        cut.wherry("reset")


def test_two_ups_at_once_make_one_cluster(tmp_path: Path) -> None:
    both = Cluster("twice", tmp_path)
    try:
        begun = [both.begin("up") for _ in range(2)]
        told = [each.communicate(timeout=90)[0] for each in begun]
        assert [each.returncode for each in begun] == [0, 0]
        assert sorted("already" in each for each in told) == [False, True]
        assert len(both.get("nodes")["items"]) == 1
    finally:
        both.wherry("reset")


# A full disk

def fill(path: Path) -> None:
    """Take all that is left of a disk."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 65536)
    assert os.statvfs(path).f_bavail < 16


def texts(cluster: Cluster, names: list[str]) -> list[str]:
    """What stands in ConfigMaps, whose text begins with their names."""
    there = {each["metadata"]["name"]: each.get("data", {}).get("text", "").rstrip("x") for each in cluster.get("configmaps")["items"]}
    return [there.get(name, "") for name in names]


def test_a_full_disk_refuses_writes_and_loses_nothing(tmp_path: Path, busybox_archive: Path) -> None:
    disk = tmp_path / "data"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "wherry-test", str(disk)], check=True)
    full = Cluster("fulldisk", tmp_path)
    try:
        full.wherry("up")
        full.wherry("image", "load", str(busybox_archive))
        full.apply({**sleeper("steady"), "metadata": {"name": "steady"}, "spec": {
            **sleeper("steady")["spec"], "tolerations": [{"operator": "Exists"}],
        }})
        full.kubectl("wait", "--for=condition=Ready", "pod/steady", "--timeout=30s")
        before = full.get("pod", "steady")["status"]["containerStatuses"][0]["containerID"]
        written, refused = ["kept"], ""
        full.kubectl("create", "configmap", "kept", "--from-literal=text=kept")
        filler = disk / "filler"
        fill(filler)
        for n in range(200):
            answer = full.kubectl("create", "configmap", f"c{n}", f"--from-literal=text={f'c{n}'.ljust(20_000, 'x')}", check=False)
            if "created" not in answer:
                refused = answer
                break
            written.append(f"c{n}")
        assert "disk" in refused or "space" in refused, refused
        assert full.kubectl("exec", "steady", "--", "echo", "here") == "here\n"
        filler.unlink()
        eventually(lambda: "created" in full.kubectl("create", "configmap", "after", check=False), "writes again", 30)
        assert texts(full, written) == written
        assert full.get("pod", "steady")["status"]["containerStatuses"][0]["containerID"] == before
        full.wherry("down")
        full.wherry("up")
        assert texts(full, written) == written
    finally:
        full.wherry("reset", check=False)
        subprocess.run(["umount", str(disk)], check=True)

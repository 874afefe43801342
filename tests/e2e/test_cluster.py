"""A real cluster: what a user types, what is seen, and what is left when it is gone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_harness import Cluster, eventually, host_state, only_ours, running

from wherry.runtime.embedded.config import link_prefix

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]
QUICKSTART = Path(__file__).parents[2] / "examples/quickstart/quickstart.yaml"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, busybox_archive: Path) -> Iterator[Cluster]:
    with running("e2e", tmp_path_factory.mktemp("e2e"), image=busybox_archive) as made:
        yield made


def pods(cluster: Cluster, selector: str) -> list[dict]:  # type: ignore[type-arg]
    return cluster.get("pods", "-l", selector)["items"]


def test_the_node_is_ready_at_once(cluster: Cluster) -> None:
    [node] = cluster.get("nodes")["items"]
    conditions = {c["type"]: c["status"] for c in node["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert "Ready" in cluster.kubectl("get", "nodes")


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Cluster:
    cluster.kubectl("apply", "-f", str(QUICKSTART))
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    return cluster


def test_the_page_is_served_in_three_ways(web: Cluster) -> None:
    address = web.get("service", "web")["spec"]["clusterIP"]
    for url in (f"http://{address}/", "http://localhost:30080/"):
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert b"Hello from wherry" in answer.read()
    told = web.kubectl("run", "c", "--rm", "-i", "--image=busybox:1.36", "--restart=Never", "--", "wget", "-qO-", "http://web.default.svc.cluster.local/")
    assert "Hello from wherry" in told


def test_a_service_without_endpoints_refuses_at_once(web: Cluster) -> None:
    web.kubectl("create", "service", "clusterip", "nobody", "--tcp=80")
    address = web.get("service", "nobody")["spec"]["clusterIP"]
    begun = time.monotonic()

    def refused() -> bool:
        try:
            socket.create_connection((address, 80), timeout=3).close()
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return False

    eventually(refused, "connection refused", 10)
    assert time.monotonic() - begun < 10


def test_logs_exec_and_exit_codes(web: Cluster) -> None:
    web.kubectl("run", "talker", "--image=busybox:1.36", "--restart=Never", "--", "sh", "-c", "echo one; echo two; sleep 3600")
    web.kubectl("wait", "--for=condition=Ready", "pod/talker", "--timeout=30s")
    eventually(lambda: web.kubectl("logs", "talker") == "one\ntwo\n", "the log")
    assert web.kubectl("logs", "talker", "--tail=1") == "two\n"
    assert web.kubectl("exec", "-i", "talker", "--", "cat", stdin="hello\n") == "hello\n"
    assert "exit code 3" in web.kubectl("exec", "talker", "--", "sh", "-c", "exit 3", check=False)
    assert web.kubectl("exec", "talker", "--", "cat", "/etc/hostname").strip() == "talker"
    web.kubectl("delete", "pod", "talker", "--grace-period=1")


def test_a_deleted_pod_comes_back_and_scaling_works(web: Cluster) -> None:
    before = {p["metadata"]["uid"] for p in pods(web, "app=web")}
    web.kubectl("delete", "pod", pods(web, "app=web")[0]["metadata"]["name"], "--wait=false")
    web.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    eventually(lambda: len({p["metadata"]["uid"] for p in pods(web, "app=web")} - before) == 1, "a new Pod")
    web.kubectl("scale", "deployment/web", "--replicas=5")
    web.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    web.kubectl("scale", "deployment/web", "--replicas=2")
    eventually(lambda: len(pods(web, "app=web")) == 2, "two Pods")


def test_a_crash_is_told_as_upstream_tells_it(web: Cluster) -> None:
    web.kubectl("run", "crash", "--image=busybox:1.36", "--", "sh", "-c", "echo bye; exit 7")

    def looping() -> bool:
        [status] = web.get("pod", "crash")["status"]["containerStatuses"]
        waiting = status["state"].get("waiting", {})
        return waiting.get("reason") == "CrashLoopBackOff" and status["lastState"]["terminated"]["exitCode"] == 7

    eventually(looping, "CrashLoopBackOff", 30)
    assert "CrashLoopBackOff" in web.kubectl("get", "pod", "crash")
    assert web.kubectl("logs", "crash", "--previous") == "bye\n"
    web.kubectl("delete", "pod", "crash", "--grace-period=0", "--force")


def test_an_image_that_is_not_there(web: Cluster) -> None:
    web.kubectl("run", "noimage", "--image=127.0.0.1:1/nothing:1")

    def told() -> bool:
        [status] = web.get("pod", "noimage")["status"]["containerStatuses"]
        return status["state"]["waiting"]["reason"] in ("ErrImagePull", "ImagePullBackOff")

    eventually(told, "ErrImagePull", 30)
    web.kubectl("delete", "pod", "noimage", "--grace-period=0", "--force")


def test_a_killed_wherry_leaves_pods_running_and_up_adopts_them(web: Cluster) -> None:
    before = {p["metadata"]["uid"]: p["status"]["containerStatuses"][0]["containerID"] for p in pods(web, "app=web")}
    os.kill(web.process(), signal.SIGKILL)
    with urllib.request.urlopen("http://localhost:30080/", timeout=10) as answer:  # Services work on without us
        assert b"Hello from wherry" in answer.read()
    web.wherry("up")
    web.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    after = {p["metadata"]["uid"]: p["status"]["containerStatuses"][0]["containerID"] for p in pods(web, "app=web")}
    restarts = [p["status"]["containerStatuses"][0]["restartCount"] for p in pods(web, "app=web")]
    assert after == before
    assert restarts == [0] * len(restarts)


def test_a_second_up_changes_nothing(web: Cluster) -> None:
    process = web.process()
    assert "is up already" in web.wherry("up").stdout
    assert web.process() == process


def test_objects_outlive_down(web: Cluster) -> None:
    web.wherry("down")
    assert web.wherry("status", check=False).returncode == 3
    web.wherry("up")
    web.kubectl("rollout", "status", "deployment/web", "--timeout=60s")  # of now, not of before `down`
    for pod in pods(web, "app=web"):
        assert web.kubectl("exec", pod["metadata"]["name"], "--", "echo", "here") == "here\n"
    assert web.get("configmap", "page")["data"]["index.html"].strip() == "<h1>Hello from wherry</h1>"


def test_down_leaves_the_host_as_it_was(tmp_path: Path, busybox_archive: Path) -> None:
    """Two clusters stand side by side for a moment; the second leaves nothing."""
    one = Cluster("e2e-gone", tmp_path)
    marks = ("e2e-gone", link_prefix("e2e-gone"), str(tmp_path))
    try:
        one.wherry("up")
        one.wherry("image", "load", str(busybox_archive))
        one.kubectl("create", "deployment", "d", "--image=busybox:1.36", "--replicas=2", "--", "sleep", "3600")
        one.kubectl("rollout", "status", "deployment/d", "--timeout=60s")
        seen = only_ours(host_state(), marks)
        assert seen["links"], "a running cluster has links"
        assert seen["mounts"]
        assert seen["cgroups"]
        one.wherry("down")
        assert not any(only_ours(host_state(), marks).values()), only_ours(host_state(), marks)
    finally:
        one.wherry("reset")
    assert not (tmp_path / "data").exists()
    assert not (tmp_path / "kubeconfig").exists(), "it held nothing but this cluster"


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        one = Cluster("e2e-port", tmp_path)
        try:
            done = one.wherry("up", "--fidelity", "api", "--port", str(port), check=False)
            assert done.returncode == 1
            comm = Path("/proc/self/comm").read_text().strip()
            assert f"port {port} is taken by {comm} (process {os.getpid()}): end that, or choose another with `wherry up --name e2e-port --port PORT`" in done.stderr
            assert "Traceback" not in done.stderr
        finally:
            one.wherry("reset")


def test_secrets_are_private(web: Cluster) -> None:
    for path in (web.folder / "data/pki").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    assert (web.folder / "kubeconfig").stat().st_mode & 0o077 == 0


def test_strict_tls_clients_connect(web: Cluster) -> None:
    import ssl

    config = json.loads(web.kubectl("config", "view", "--raw", "-o", "json"))
    server = config["clusters"][0]["cluster"]["server"]
    context = ssl.create_default_context(cafile=str(web.folder / "data/pki/ca.crt"))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with urllib.request.urlopen(f"{server}/version", context=context, timeout=10) as answer:
        assert json.load(answer)["gitVersion"].startswith("v1.37.0+wherry.")


def test_nothing_of_a_crashed_command_stays(web: Cluster) -> None:
    """A manifest with every kind of mistake is refused clearly, and the cluster goes on."""
    bad = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "image": "b", "imagee": "z"}]}}
    told = subprocess.run(
        ["kubectl", "create", "-f", "-"], input=json.dumps(bad), env=web.environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert 'unknown field "spec.containers[0].imagee"' in told.stderr

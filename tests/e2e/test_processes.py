"""A cluster whose components are processes of their own: the quickstart passes so, and any of them may be killed."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster_harness import Cluster, eventually, host_state, only_ours, running

from wherry.runtime.embedded.config import link_prefix

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]
QUICKSTART = Path(__file__).parents[2] / "examples/quickstart/quickstart.yaml"
COMPONENTS = ("apiserver", "controller-manager", "scheduler", "kubelet-wherry-e2e-procs", "proxy", "dns", "provisioner")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, busybox_archive: Path) -> Iterator[Cluster]:
    with running("e2e-procs", tmp_path_factory.mktemp("procs"), "--processes", image=busybox_archive) as made:
        made.kubectl("apply", "-f", str(QUICKSTART))
        made.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        yield made


def records(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """What the supervisor wrote down of each component's process."""
    found = json.loads((Path("/run/wherry") / cluster.name / "processes.json").read_text())
    return {each["name"]: each for each in found}


def one_pod(cluster: Cluster) -> str:
    return str(cluster.get("pods", "-l", "app=web")["items"][0]["metadata"]["name"])


def page(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return bytes(answer.read())


def test_each_component_is_a_process_that_status_shows(cluster: Cluster) -> None:
    found = records(cluster)
    assert sorted(found) == sorted(COMPONENTS)
    assert len({each["pid"] for each in found.values()} | {cluster.process()}) == len(COMPONENTS) + 1
    shown = cluster.wherry("status").stdout
    for name in COMPONENTS:
        assert re.search(rf"^  {name} +{found[name]['pid']}, \d+ MiB, port {found[name]['port']}, log ", shown, re.MULTILINE), shown


def asked(cluster: Cluster, url: str, *, token: bool = False) -> tuple[int, str]:
    """What a component's own port answers."""
    context = ssl.create_default_context(cafile=str(cluster.folder / "data/pki/ca.crt"))
    headers = {"Authorization": f"Bearer {(cluster.folder / 'data/pki/admin.token').read_text()}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, "nobody listens"


@pytest.mark.parametrize(
    ("name", "figure"), [("scheduler", "scheduler_schedule_attempts_total{"), ("controller-manager", 'workqueue_adds_total{name="deployment-controller"}')],
)
def test_scheduler_and_controllers_show_their_figures_to_whom_the_api_server_lets(cluster: Cluster, name: str, figure: str) -> None:
    base = f"https://localhost:{records(cluster)[name]['port']}"
    for path in ("/healthz", "/livez", "/readyz"):
        assert asked(cluster, base + path) == (200, "ok"), path
    assert asked(cluster, f"{base}/metrics") == (401, "Unauthorized")
    status, text = asked(cluster, f"{base}/metrics", token=True)
    assert status == 200
    for each in (figure, "kubernetes_build_info{", "process_resident_memory_bytes "):
        assert each in text, each
    assert asked(cluster, f"{base}/nowhere", token=True)[0] == 404


@pytest.mark.parametrize("name", ["proxy", "dns", "provisioner"])
def test_the_others_show_theirs_on_loopback(cluster: Cluster, name: str) -> None:
    base = f"http://127.0.0.1:{records(cluster)[name]['port']}"
    for path in ("/healthz", "/livez", "/readyz"):
        assert asked(cluster, base + path) == (200, "ok"), path
    assert "process_resident_memory_bytes " in asked(cluster, f"{base}/metrics")[1]


def test_secrets_of_components_are_private(cluster: Cluster) -> None:
    kubeconfigs = sorted((cluster.folder / "data/pki").glob("*.kubeconfig"))
    assert [path.stem for path in kubeconfigs if path.stem in ("scheduler", "controller-manager", "proxy")]
    for path in (cluster.folder / "data/pki").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_components_are_users_of_their_own(cluster: Cluster) -> None:
    own = cluster.folder / "data/pki/scheduler.kubeconfig"
    told = cluster.kubectl("--kubeconfig", str(own), "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
    assert told == "system:kube-scheduler"
    refused = cluster.kubectl("--kubeconfig", str(own), "get", "secrets", check=False)
    assert 'User "system:kube-scheduler" cannot list resource "secrets"' in refused
    managers = cluster.get("deployment", "web", "--show-managed-fields")["metadata"]["managedFields"]
    assert {each["manager"] for each in managers} >= {"deployment-controller"}


def test_the_page_is_served_in_three_ways(cluster: Cluster) -> None:
    address = cluster.get("service", "web")["spec"]["clusterIP"]
    assert b"Hello from wherry" in page(f"http://{address}/")
    assert b"Hello from wherry" in page("http://localhost:30080/")
    assert "Hello from wherry" in cluster.kubectl("exec", one_pod(cluster), "--", "wget", "-qO-", "http://web/")


def test_logs_are_followed(cluster: Cluster) -> None:
    cluster.kubectl("run", "ticker", "--image=busybox:1.36", "--restart=Never", "--", "sh", "-c", "echo one; sleep 2; echo two")
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod/ticker", "--timeout=30s")
    assert cluster.kubectl("logs", "-f", "ticker") == "one\ntwo\n"
    cluster.kubectl("delete", "pod", "ticker", "--grace-period=0", "--force")


def test_exec_passes_streams_and_exit_codes(cluster: Cluster) -> None:
    pod = one_pod(cluster)
    assert cluster.kubectl("exec", "-i", pod, "--", "cat", stdin="hello\n" * 20_000) == "hello\n" * 20_000
    assert "exit code 3" in cluster.kubectl("exec", pod, "--", "sh", "-c", "exit 3", check=False)


def test_a_port_is_forwarded(cluster: Cluster) -> None:
    with subprocess.Popen(
        ["kubectl", "port-forward", "service/web", ":80"], env=cluster.environment, stdout=subprocess.PIPE, text=True
    ) as forward:
        assert forward.stdout is not None
        try:
            line = forward.stdout.readline()
            port = int(line.split(" -> ")[0].rpartition(":")[2])
            assert b"Hello from wherry" in page(f"http://127.0.0.1:{port}/")
        finally:
            forward.terminate()


def test_top_shows_what_the_kubelet_measured(cluster: Cluster) -> None:
    assert re.search(r"^wherry-e2e-procs +\d+m ", eventually(lambda: cluster.kubectl("top", "nodes"), "figures", 30), re.MULTILINE)
    assert eventually(lambda: cluster.kubectl("top", "pods", "--containers").count("web-") == 3, "figures of Pods", 30)


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_killed_component_comes_back_and_the_others_work_on(cluster: Cluster, name: str) -> None:
    before = records(cluster)
    started = {p["metadata"]["uid"]: p["status"]["containerStatuses"][0]["containerID"] for p in cluster.get("pods", "-l", "app=web")["items"]}
    os.kill(before[name]["pid"], signal.SIGKILL)
    assert b"Hello from wherry" in page("http://localhost:30080/")
    after = eventually(lambda: (found := records(cluster)).get(name, {}).get("restarts") == before[name]["restarts"] + 1 and found, name)
    assert {each: after[each]["pid"] for each in COMPONENTS if each != name} == {
        each: before[each]["pid"] for each in COMPONENTS if each != name
    }
    if name not in ("apiserver", "kubelet-wherry-e2e-procs"):  # there again is not at work again
        scheme = "https" if name in ("scheduler", "controller-manager") else "http"
        eventually(lambda: asked(cluster, f"{scheme}://127.0.0.1:{records(cluster)[name]['port']}/readyz") == (200, "ok"), f"{name} at work")
    # What needs all of them: a Pod that is made, scheduled, run, found by name, and gone again.
    eventually(lambda: cluster.kubectl("get", "--raw", "/readyz", check=False) == "ok", "the API")
    cluster.kubectl("scale", "deployment/web", "--replicas=4")
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    pods = cluster.get("pods", "-l", "app=web")["items"]
    fresh = next(p for p in pods if p["metadata"]["uid"] not in started)
    assert "Hello from wherry" in cluster.kubectl("exec", fresh["metadata"]["name"], "--", "wget", "-qO-", "http://web/")
    kept = {p["metadata"]["uid"]: p["status"]["containerStatuses"][0] for p in pods if p["metadata"]["uid"] in started}
    assert {uid: status["containerID"] for uid, status in kept.items()} == started
    assert all(status["restartCount"] == 0 for status in kept.values())
    cluster.kubectl("scale", "deployment/web", "--replicas=3")
    cluster.kubectl("delete", "pod", fresh["metadata"]["name"], "--ignore-not-found", "--grace-period=1")
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    eventually(lambda: len(cluster.get("pods", "-l", "app=web")["items"]) == 3, "three Pods")


def test_a_second_of_a_component_is_refused(cluster: Cluster) -> None:
    done = cluster.wherry("component", "scheduler", check=False)
    assert done.returncode == 1
    assert "has its scheduler running already" in done.stderr


def runs(pid: int) -> bool:
    """A process that has ended stays a zombie where nobody waits for orphans, as in some containers."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_components_end_with_a_killed_supervisor_and_down_leaves_the_host_as_it_was(cluster: Cluster) -> None:
    """The last of this module: what it takes down, nothing needs any more."""
    marks = (cluster.name, link_prefix(cluster.name), str(cluster.folder))
    pids = [each["pid"] for each in records(cluster).values()]
    os.kill(cluster.process(), signal.SIGKILL)
    eventually(lambda: not any(runs(pid) for pid in pids), "the components' end", 20)
    assert b"Hello from wherry" in page("http://localhost:30080/")  # containers and their network need none of them
    cluster.wherry("up")
    assert sorted(records(cluster)) == sorted(COMPONENTS), "the way to run is kept"
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert any(only_ours(host_state(), marks).values())
    pids = [each["pid"] for each in records(cluster).values()]
    cluster.wherry("down")
    assert not any(runs(pid) for pid in pids)
    assert not any(only_ours(host_state(), marks).values()), only_ours(host_state(), marks)

"""What is killed in its middle, and a host that starts anew: the next `up` makes it good, and nothing is there twice or left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster_harness import Cluster, eventually, host_state, only_ours, running

from wherry.cluster.processes import start_time
from wherry.runtime.embedded.config import link_prefix

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]
NAME = "crashes"
REPLICAS = 4


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, busybox_archive: Path) -> Iterator[Cluster]:
    before = host_state()["forward"]
    with running(NAME, tmp_path_factory.mktemp(NAME), image=busybox_archive) as made:
        yield made
    assert not any(only_ours(host_state(), (NAME, link_prefix(NAME))).values())
    assert host_state()["forward"] == before


def deployment(name: str, replicas: int = REPLICAS) -> dict[str, Any]:
    labels = {"app": name}
    init = {"name": "first", "image": "busybox:1.36", "command": ["true"]}
    main = {"name": "main", "image": "busybox:1.36", "command": ["sleep", "3600"], "volumeMounts": [{"name": "memory", "mountPath": "/m"}]}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "terminationGracePeriodSeconds": 0, "initContainers": [init], "containers": [main],
                    "volumes": [{"name": "memory", "emptyDir": {"medium": "Memory"}}],
                },
            },
        },
    }


def processes(name: str) -> list[int]:
    """What runs in the cluster's cgroups, by the command line of its containers."""
    found = subprocess.run(["pgrep", "-fx", "sleep 3600"], capture_output=True, text=True, check=False).stdout.split()
    return [int(pid) for pid in found if f"wherry-{name}/" in cgroups_of(pid)]


def cgroups_of(pid: str) -> str:
    """"" for one that has just ended."""
    try:
        return Path(f"/proc/{pid}/cgroup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def made() -> Counter[str]:
    """How much of each kind there is on the host: sandboxes, containers that run, links, Pods' cgroups, volumes in memory."""
    ours = only_ours(host_state(), (NAME, link_prefix(NAME)))
    state = Path("/run/wherry") / NAME / "runtime"
    cgroup = next(path for path in (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")) if (path / f"wherry-{NAME}").is_dir())
    return Counter(
        sandboxes=len(list((state / "sandboxes").iterdir())), processes=len(processes(NAME)), links=len(ours["links"]) - 1,
        cgroups=sum(path.name.startswith("pod") for path in (cgroup / f"wherry-{NAME}").rglob("*") if path.is_dir()),
        tmpfs=sum("/volumes/" in line and "empty-dir" in line for line in Path("/proc/self/mountinfo").read_text().splitlines() if NAME in line),
    )


def all_there(cluster: Cluster, count: int) -> bool:
    """So many Pods, each with one of everything."""
    ready = [pod for pod in cluster.get("pods")["items"] if any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])]
    found = made()
    assert len(ready) == count, [pod["status"] for pod in cluster.get("pods")["items"]]
    assert found == Counter(dict.fromkeys(("sandboxes", "processes", "links", "cgroups", "tmpfs"), count)), found
    return True


def kill_process(cluster: Cluster) -> None:
    pid = cluster.process()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not start_time(pid), "its end", 5)  # whoever is its parent now may not collect it


@pytest.mark.parametrize("seed", range(5))
def test_killed_while_pods_start_or_end(cluster: Cluster, seed: int) -> None:
    """At some moment between the first sandbox and the last start (about a second), or of the way back."""
    rng = random.Random(seed)
    cluster.apply(deployment("storm"))
    if seed % 2:
        cluster.kubectl("rollout", "status", "deployment/storm", "--timeout=60s")
        cluster.kubectl("delete", "pods", "-l", "app=storm", "--wait=false")
    time.sleep(rng.uniform(0.0, 0.9))
    kill_process(cluster)
    cluster.wherry("up")
    cluster.kubectl("rollout", "status", "deployment/storm", "--timeout=90s")
    eventually(lambda: all_there(cluster, REPLICAS), "one of everything for each Pod", 30)
    cluster.kubectl("delete", "deployment", "storm", "--cascade=foreground")
    eventually(lambda: all_there(cluster, 0), "nothing", 30)


def test_a_keeper_killed_costs_no_restart(cluster: Cluster) -> None:
    """conmon goes, the container lives on; and its end is seen all the same."""
    cluster.apply(deployment("kept", 1))
    cluster.kubectl("rollout", "status", "deployment/kept", "--timeout=60s")
    [pid] = processes(NAME)
    keeper = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert Path(f"/proc/{keeper}/comm").read_text() == "conmon\n"
    os.kill(keeper, signal.SIGKILL)
    assert cluster.kubectl("exec", "deployment/kept", "--", "echo", "here") == "here\n"
    assert processes(NAME) == [pid]
    os.kill(pid, signal.SIGKILL)

    def again() -> bool:
        [status] = cluster.get("pods", "-l", "app=kept")["items"][0]["status"]["containerStatuses"]
        return bool(status["restartCount"] == 1 and status["ready"])

    eventually(again, "a second container", 30)
    cluster.kubectl("delete", "deployment", "kept", "--cascade=foreground")
    eventually(lambda: all_there(cluster, 0), "nothing", 30)


def reboot() -> None:
    """As a host does: every process ends without a word, and what lay in memory is gone: /run, mounts, links, tables."""
    from wherry.runtime.embedded import cgroups, linux
    from wherry.runtime.embedded.config import cgroup_name

    cgroups.host().kill(cgroup_name(NAME))
    folder = (Path("/var/lib/wherry") / f"{NAME}.data").read_text().strip()
    for root in (Path("/run/wherry") / NAME, Path(folder)):
        for point in linux.mounts_under(root):
            linux.unmount(point)
    for line in subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout.splitlines():
        link = line.split()[0].partition("@")[0]
        if link.startswith(link_prefix(NAME)):
            subprocess.run(["ip", "link", "delete", link], check=False, capture_output=True)
    for table in subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout.splitlines():
        if NAME in table:
            subprocess.run(["nft", "delete", *table.split()], check=True)
    subprocess.run(["rm", "-rf", f"/run/wherry/{NAME}"], check=True)
    cgroups.host().remove(cgroup_name(NAME))


def test_a_host_that_was_started_anew(cluster: Cluster) -> None:
    """Each Pod that is to run always does again; the one that had ended is not begun anew."""
    cluster.apply(deployment("host"))
    cluster.apply({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "done", "namespace": "default"},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox:1.36", "command": ["true"]}]},
    })
    cluster.kubectl("rollout", "status", "deployment/host", "--timeout=60s")
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/done", "--timeout=30s")
    before = cluster.get("pod", "done")["status"]["containerStatuses"][0]["containerID"]
    kill_process(cluster)
    reboot()
    assert cluster.wherry("status", check=False).returncode == 3
    cluster.wherry("up")
    cluster.kubectl("rollout", "status", "deployment/host", "--timeout=90s")
    assert cluster.kubectl("exec", "deployment/host", "--", "echo", "here") == "here\n"
    done = cluster.get("pod", "done")["status"]
    assert (done["phase"], done["containerStatuses"][0]["containerID"]) == ("Succeeded", before)
    cluster.kubectl("delete", "pod/done", "deployment/host", "--cascade=foreground")
    eventually(lambda: all_there(cluster, 0), "nothing", 30)


def test_data_that_moved_while_it_was_down(cluster: Cluster) -> None:
    cluster.apply(deployment("mover", 1))
    cluster.kubectl("rollout", "status", "deployment/mover", "--timeout=60s")
    cluster.wherry("down")
    new = cluster.folder / "moved"
    (cluster.folder / "data").rename(new)
    told = cluster.wherry("status", check=False).stdout
    assert f"its data in {cluster.folder / 'data'} is gone" in told
    (cluster.folder / "data").symlink_to(new)  # so that the harness's own --data-dir still leads there
    cluster.wherry("up")
    cluster.kubectl("rollout", "status", "deployment/mover", "--timeout=60s")
    cluster.kubectl("delete", "deployment", "mover", "--cascade=foreground")
    eventually(lambda: all_there(cluster, 0), "nothing", 30)


def counted(cluster: Cluster, name: str) -> bool:
    """The Job is complete, and says what its Pods say."""
    status = cluster.get("job", name)["status"]
    assert {c["type"] for c in status.get("conditions", ()) if c["status"] == "True"} == {"SuccessCriteriaMet", "Complete"}, status
    pods = cluster.get("pods", "-l", f"job-name={name}")["items"]
    ended = Counter(pod["status"]["phase"] for pod in pods)
    assert (status["succeeded"], status.get("failed", 0)) == (ended["Succeeded"], ended["Failed"]), (status, ended)
    assert status["uncountedTerminatedPods"] == {}
    assert not any(pod["metadata"].get("finalizers") for pod in pods)
    return True


def test_killed_while_a_job_is_counted(cluster: Cluster) -> None:
    """Every Pod is counted once, and no index is done twice."""
    rng, size = random.Random(7), 8
    for name, mode in (("plain", "NonIndexed"), ("indexed", "Indexed")):
        container = {"name": "c", "image": "busybox:1.36", "command": ["expr", "3", "+", "2"]}
        cluster.apply({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "default"},
            "spec": {"completions": size, "parallelism": 2, "completionMode": mode,
                     "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
        })
    for _ in range(3):
        time.sleep(rng.uniform(0.2, 1.0))
        kill_process(cluster)
        cluster.wherry("up")
    for name in ("plain", "indexed"):
        cluster.kubectl("wait", f"job/{name}", "--for=condition=complete", "--timeout=90s")
        eventually(lambda name=name: counted(cluster, name), "its counts", 10)  # type: ignore[misc]
        assert cluster.get("job", name)["status"]["succeeded"] == size
    assert cluster.get("job", "indexed")["status"]["completedIndexes"] == f"0-{size - 1}"
    indexes = Counter(pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] for pod in cluster.get("pods", "-l", "job-name=indexed")["items"])
    assert indexes == Counter(map(str, range(size)))
    cluster.kubectl("delete", "job", "--all")

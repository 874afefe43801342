"""`kubectl autoscale`, `drain` and `create quota` on a real cluster: what a learner types, and what is seen."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster_harness import Cluster, eventually, running
from readme_console import Console, steps

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]
EXAMPLE = Path(__file__).parents[2] / "examples/aggregation"
BURN = "while [ ! -e /stop ]; do :; done; sleep 10000"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, busybox_archive: Any) -> Iterator[Cluster]:
    with running("e2e-scale", tmp_path_factory.mktemp("e2e-scale"), image=busybox_archive) as made:
        yield made


def deploy(cluster: Cluster, name: str, replicas: int, command: str, namespace: str = "default", **resources: Any) -> None:
    container = {"name": "c", "image": "busybox:1.36", "command": ["sh", "-c", command], "resources": resources}
    cluster.apply({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}},
        },
    })


def replicas(cluster: Cluster, name: str) -> int:
    return int(cluster.get("deployment", name)["spec"]["replicas"])


def test_a_busy_deployment_grows_and_an_idle_one_shrinks(cluster: Cluster) -> None:
    deploy(cluster, "burn", 1, BURN, requests={"cpu": "20m"}, limits={"cpu": "60m"})
    cluster.kubectl("rollout", "status", "deployment/burn", "--timeout=30s")
    cluster.kubectl("autoscale", "deployment", "burn", "--cpu-percent=50", "--min=1", "--max=2")
    eventually(lambda: replicas(cluster, "burn") == 2, "the Deployment has grown", 45)
    [row] = cluster.kubectl("get", "hpa", "burn", "--no-headers").splitlines()
    name, target, resource, measured, least, most, *_ = row.split()
    assert (name, target, resource, least, most) == ("burn", "Deployment/burn", "cpu:", "1", "2")
    assert measured.endswith("%/50%")
    assert int(measured.partition("%")[0]) > 100
    told = cluster.kubectl("describe", "hpa", "burn")
    assert "SuccessfulRescale" in told
    assert "New size: 2; reason: cpu resource utilization (percentage of request) above target" in told
    assert "the HPA was able to successfully calculate a replica count from cpu resource utilization" in told

    one = {"name": "cpu", "container": "c", "target": {"type": "Utilization", "averageUtilization": 50}}
    by_container = {"maxReplicas": 3, "metrics": [{"type": "ContainerResource", "containerResource": one}]}
    cluster.kubectl("patch", "hpa", "burn", "--type=merge", "-p", json.dumps({"spec": by_container}))
    eventually(lambda: replicas(cluster, "burn") == 3, "it grows by the use of one container", 45)
    told = "New size: 3; reason: cpu container resource utilization (percentage of request) above target"
    eventually(lambda: told in cluster.kubectl("describe", "hpa", "burn"), told, 5)

    cluster.kubectl("rollout", "status", "deployment/burn", "--timeout=30s")
    for pod in cluster.get("pods", "-l", "app=burn")["items"]:
        cluster.kubectl("exec", pod["metadata"]["name"], "--", "touch", "/stop")

    def idle() -> bool:
        used = [line.split()[1] for line in cluster.kubectl("top", "pods", "-l", "app=burn", "--no-headers").splitlines()]
        return len(used) == 3 and all(int(each.removesuffix("m")) < 5 for each in used)

    eventually(idle, "the Pods are idle", 30)
    patch = '{"spec":{"behavior":{"scaleDown":{"stabilizationWindowSeconds":0}}}}'
    cluster.kubectl("patch", "hpa", "burn", "-p", patch)
    eventually(lambda: replicas(cluster, "burn") == 1, "the Deployment has shrunk", 20)
    assert "New size: 1; reason: All metrics below target" in eventually(
        lambda: (text := cluster.kubectl("describe", "hpa", "burn")).count("SuccessfulRescale") > 2 and text, "it says so", 5
    )


def test_a_drain_keeps_to_the_budget(cluster: Cluster) -> None:
    deploy(cluster, "kept", 3, "sleep 10000")
    cluster.kubectl("create", "poddisruptionbudget", "kept", "--selector=app=kept", "--min-available=2")
    cluster.kubectl("rollout", "status", "deployment/kept", "--timeout=30s")

    def allowed() -> int:
        return int(cluster.get("pdb", "kept")["status"]["disruptionsAllowed"])

    eventually(lambda: allowed() == 1, "one Pod may go", 10)
    [node] = [each["metadata"]["name"] for each in cluster.get("nodes")["items"]]
    try:
        told = cluster.kubectl("drain", node, "--pod-selector=app=kept", "--timeout=3s", check=False)
        assert "Cannot evict pod as it would violate the pod's disruption budget." in told
        left = [each for each in cluster.get("pods", "-l", "app=kept")["items"] if each["spec"].get("nodeName")]
        assert len(left) == 2, "one was evicted, and its successor has no place on a cordoned node"
        assert allowed() == 0
    finally:
        cluster.kubectl("uncordon", node)
    eventually(lambda: allowed() == 1, "the successor runs, and one may go again", 20)


def test_a_quota_bounds_a_deployment_and_shows_what_is_used(cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", "small")
    cluster.kubectl("create", "quota", "small", "-n", "small", "--hard=pods=2,requests.cpu=1")
    deploy(cluster, "many", 3, "sleep 10000", "small", requests={"cpu": "10m"})

    def used() -> dict[str, str]:
        lines = cluster.kubectl("describe", "quota", "small", "-n", "small").splitlines()
        return {line.split()[0]: line.split()[1] for line in lines if len(line.split()) == 3 and not line.startswith(("-", "Resource"))}

    eventually(lambda: used() == {"pods": "2", "requests.cpu": "20m"}, "two of three Pods are there", 20)
    refused = 'is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2'
    assert refused in eventually(lambda: cluster.kubectl("get", "events", "-n", "small"), "the events")
    cluster.kubectl("scale", "deployment", "many", "-n", "small", "--replicas=1")
    eventually(lambda: used() == {"pods": "1", "requests.cpu": "10m"}, "what went uses nothing", 20)


def with_the_hosts_python(folder: Path) -> None:
    """The example's image would be pulled from the network: this machine's Python is mounted into one that is here."""
    objects = list(yaml.safe_load_all((folder / "adapter.yaml").read_text()))
    [spec] = [each["spec"]["template"]["spec"] for each in objects if each["kind"] == "Deployment"]
    [container] = spec["containers"]
    container["image"], container["command"][0] = "busybox:1.36", f"{sys.base_prefix}/bin/python3"
    spec["terminationGracePeriodSeconds"] = 0
    for index, path in enumerate({sys.base_prefix, "/usr/lib", "/lib", "/lib64"}):
        container["volumeMounts"].append({"name": f"host{index}", "mountPath": path, "readOnly": True})
        spec["volumes"].append({"name": f"host{index}", "hostPath": {"path": path}})
    (folder / "adapter.yaml").write_text(yaml.safe_dump_all(objects))


def test_an_api_server_of_ones_own(cluster: Cluster, tmp_path: Path) -> None:
    """examples/aggregation, as its README tells: an aggregated API through kubectl, and an autoscaler that goes by its numbers."""
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "aggregation"))
    with_the_hosts_python(folder)
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    console = Console(folder, {**cluster.environment, "PATH": path}, 45.0)
    for step in steps(folder / "README.md"):
        console.type(step)

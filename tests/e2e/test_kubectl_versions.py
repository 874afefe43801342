"""The same session with old and new clients: kubectl 1.20 (SPDY, no server-side tricks), the host's, 1.37, and helm 4."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_programs import new_clients, old_kubectl
from cluster_harness import Cluster, eventually, running

EXAMPLES = Path(__file__).parents[2] / "examples/ckad"
pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, busybox_archive: Path) -> Iterator[Cluster]:
    with running("e2e-vers", tmp_path_factory.mktemp("versions"), image=busybox_archive) as made:
        yield made


@pytest.mark.parametrize("version", ["1.20", "host", "1.37"])
def test_the_session_of_a_learner(cluster: Cluster, version: str) -> None:
    programs = {"1.20": old_kubectl, "host": lambda: Path("kubectl"), "1.37": lambda: new_clients() / "kubectl/kubectl"}
    cluster.kubectl_program = str(programs[version]())
    kubectl = cluster.kubectl
    name = f"web-{version.replace('.', '-')}"
    kubectl("create", "deployment", name, "--image=busybox:1.36", "--replicas=2", "--", "httpd", "-f", "-h", "/etc")
    kubectl("expose", "deployment", name, "--port=80")
    assert "successfully rolled out" in kubectl("rollout", "status", f"deployment/{name}", "--timeout=60s")
    kubectl("scale", f"deployment/{name}", "--replicas=3")
    eventually(lambda: "3/3" in kubectl("get", "deployment", name), "three Pods ready")
    assert kubectl("exec", "-i", f"deployment/{name}", "--", "cat", stdin="hi\n") == "hi\n"
    page = kubectl("exec", f"deployment/{name}", "--", "wget", "-qO-", f"http://{name}/hostname")
    assert page.strip().startswith(name)
    assert "Container image name" in kubectl("explain", "pod.spec.containers.image")
    assert "1.37" in kubectl("version")
    kubectl("delete", "deployment,service", name)
    eventually(lambda: name not in kubectl("get", "pods", "-o", "name"), "no Pod left")


def test_an_old_kubectl_asks_which_container_is_meant(cluster: Cluster) -> None:
    cluster.kubectl_program = str(old_kubectl())
    cluster.kubectl("apply", "-f", str(EXAMPLES / "08-logs/two-containers.yaml"))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/two-containers")
    told = cluster.kubectl("logs", "two-containers", check=False)
    assert "a container name must be specified for pod two-containers, choose one of: [event-simulator image-processor]" in told
    assert "an image" in cluster.kubectl("logs", "two-containers", "image-processor"), "the container behind the Pod, as old notes have it"
    cluster.kubectl("delete", "pod", "two-containers", "--wait=false")


def test_helm_installs_a_chart(cluster: Cluster, tmp_path: Path) -> None:
    helm = str(new_clients() / "helm/helm")

    def run(*arguments: str) -> str:
        done = subprocess.run([helm, *arguments], env=cluster.environment, capture_output=True, text=True, timeout=90, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("create", "chart")
    assert "deployed" in run("install", "rel", "chart", "--set", "image.repository=busybox,image.tag=1.36")
    assert "rel" in run("list")
    assert cluster.get("deployment", "rel-chart")["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    run("uninstall", "rel")

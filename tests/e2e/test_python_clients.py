"""What Python teams write against a cluster: five client libraries, each a script of its own, and an operator."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_programs import python_clients
from cluster_harness import Cluster, eventually, running

SCRIPTS = Path(__file__).with_name("clients")
pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]


@pytest.fixture(scope="module")
def python() -> Path:
    """An interpreter that has the libraries."""
    return python_clients()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, busybox_archive: Path) -> Iterator[Cluster]:
    with running("e2e-py", tmp_path_factory.mktemp("python"), image=busybox_archive) as made:
        yield made


@pytest.mark.parametrize("script", ["sync_official", "async_official", "with_lightkube", "with_kr8s", "with_pykube"])
def test_a_library(cluster: Cluster, python: Path, script: str) -> None:
    command = [python, "-W", "ignore", SCRIPTS / f"{script}.py"]
    done = subprocess.run(command, env=cluster.environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_operator(cluster: Cluster, python: Path, tmp_path: Path) -> None:
    def seen(text: str) -> None:
        eventually(lambda: cluster.get("configmap", "k")["data"].get("seen") == text, text, 30)

    log = tmp_path / "kopf.log"
    with log.open("w") as output:
        command = [python, "-m", "kopf", "run", "--namespace=default", SCRIPTS / "operator_of_kopf.py"]
        operator = subprocess.Popen(command, env=cluster.environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "k", "labels": {"kopf": "yes"}}, "data": {"asked": "1"}})
            seen("made")
            assert cluster.get("configmap", "k")["metadata"]["finalizers"] == ["kopf.zalando.org/KopfFinalizerMarker"]
            cluster.kubectl("patch", "configmap", "k", "-p", '{"data":{"asked":"2"}}')
            seen("1->2")
            cluster.kubectl("delete", "configmap", "k", "--timeout=30s")
            assert "k is let go" in log.read_text()
            assert "hello" in cluster.kubectl("get", "events", "--field-selector=involvedObject.name=k")
        finally:
            operator.terminate()
            operator.wait(20)

"""A rolling update under steady traffic through the Service loses no request, and a stuck one is healed by `undo`."""

from __future__ import annotations

import http.client
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cluster_harness import Cluster, eventually, running

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]
SERVE = 'trap "exit 0" TERM; httpd -f -p 80 -h /etc & wait'  # ends at once when told to, with whatever it serves
LABELS = {"app": "web"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, busybox_archive: Any) -> Iterator[Cluster]:
    with running("e2e-roll", tmp_path_factory.mktemp("e2e-roll"), image=busybox_archive) as made:
        made.apply(web(), {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"type": "NodePort", "selector": LABELS, "ports": [{"port": 80}]},
        })
        made.kubectl("rollout", "status", "deployment/web", "--timeout=40s")
        yield made


def web() -> dict[str, Any]:
    probe = {"httpGet": {"path": "/hostname", "port": 80}, "periodSeconds": 1}
    container = {"name": "c", "image": "busybox:1.36", "command": ["sh", "-c", SERVE], "readinessProbe": probe}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": 3, "progressDeadlineSeconds": 5, "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}},
        },
    }


class Traffic:
    """Requests one after the other from some threads, each on a connection of its own; at most for a minute."""

    def __init__(self, address: str, port: int = 80, threads: int = 3) -> None:
        self.address, self.port = address, port
        self.answered, self.lost = 0, list[str]()
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        end = time.monotonic() + 60
        while not self._stop.wait(0.005) and time.monotonic() < end:
            connection = http.client.HTTPConnection(self.address, self.port, timeout=5)
            try:
                connection.request("GET", "/hostname")
                answer = connection.getresponse()
                answer.read()
                told = "" if answer.status == 200 else f"status {answer.status}"
            except OSError as error:
                told = repr(error)
            finally:
                connection.close()
            with self._lock:
                if told:
                    self.lost.append(told)
                else:
                    self.answered += 1


def test_a_rolling_update_loses_no_request(cluster: Cluster) -> None:
    service = cluster.get("service", "web")["spec"]
    before = {pod["metadata"]["name"] for pod in cluster.get("pods", "-l", "app=web")["items"]}
    with Traffic(service["clusterIP"]) as inside, Traffic("127.0.0.1", service["ports"][0]["nodePort"]) as outside:
        cluster.kubectl("rollout", "restart", "deployment/web")
        cluster.kubectl("rollout", "status", "deployment/web", "--timeout=40s")
        eventually(lambda: len(cluster.get("pods", "-l", "app=web")["items"]) == 3, "the old Pods have gone")
    after = {pod["metadata"]["name"] for pod in cluster.get("pods", "-l", "app=web")["items"]}
    assert not before & after
    assert min(inside.answered, outside.answered) > 100
    assert inside.lost == outside.lost == []


def test_an_update_that_never_is_ready_stops_says_why_and_is_undone(cluster: Cluster) -> None:
    address = cluster.get("service", "web")["spec"]["clusterIP"]
    with Traffic(address, threads=1) as traffic:
        cluster.kubectl("patch", "deployment", "web", "-p", (
            '{"spec": {"template": {"spec": {"containers": [{"name": "c", "command": ["sleep", "1000"]}]}}}}'
        ))
        told = cluster.kubectl("rollout", "status", "deployment/web", "--timeout=40s", check=False)
        assert 'deployment "web" exceeded its progress deadline' in told
        deployment = cluster.get("deployment", "web")
        progressing = next(c for c in deployment["status"]["conditions"] if c["type"] == "Progressing")
        assert progressing["reason"] == "ProgressDeadlineExceeded"
        assert deployment["status"]["readyReplicas"] == 3
        assert "rolled back" in cluster.kubectl("rollout", "undo", "deployment/web")
        assert "successfully rolled out" in cluster.kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    assert traffic.lost == []

"""A cluster under load: probes keep their period, and watchers who do nothing or read nothing harm nobody."""

from __future__ import annotations

import base64
import json
import os
import re
import resource
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cluster_harness import Cluster, eventually, running

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]
CLIENT = Path(__file__).with_name("load_client.py")
WATCHERS = 1000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, busybox_archive: Path) -> Iterator[Cluster]:
    with running("load", tmp_path_factory.mktemp("load"), image=busybox_archive) as made:
        yield made


@pytest.fixture(scope="module")
def credentials(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """(the server's URL, a folder with ca.crt, client.crt and client.key)."""
    config = json.loads(cluster.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    folder = tmp_path_factory.mktemp("credentials")
    user, server = config["users"][0]["user"], config["clusters"][0]["cluster"]
    for name, text in (
        ("ca.crt", server["certificate-authority-data"]), ("client.crt", user["client-certificate-data"]), ("client.key", user["client-key-data"]),
    ):
        (folder / name).write_bytes(base64.b64decode(text))
    return server["server"], folder


def load_client(credentials: tuple[str, Path], *arguments: str) -> subprocess.Popen[str]:
    url, folder = credentials
    return subprocess.Popen([sys.executable, str(CLIENT), url, str(folder), *arguments], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


def memory(cluster: Cluster) -> int:
    """Bytes in memory of the cluster's process."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{cluster.process()}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def test_no_probe_misses_its_period_while_the_server_is_busy(cluster: Cluster, credentials: tuple[str, Path]) -> None:
    probes: dict[str, Any] = {
        "livenessProbe": {"httpGet": {"path": "/live", "port": 80}, "periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 1},
        "readinessProbe": {"exec": {"command": ["sh", "-c", "echo ready >> /proc/1/fd/2"]}, "periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 1},
    }
    main = {"name": "main", "image": "busybox:1.36", "command": ["httpd", "-f", "-vv", "-h", "/etc", "-p", "80"], **probes}
    main["livenessProbe"]["httpGet"]["path"] = "/hostname"
    cluster.apply({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probed", "namespace": "default"},
        "spec": {"containers": [main], "terminationGracePeriodSeconds": 0},
    })
    cluster.kubectl("wait", "--for=condition=Ready", "pod/probed", "--timeout=30s")
    with load_client(credentials, "busy", "12") as busy:
        told = json.loads(busy.communicate(timeout=60)[0])
    assert told["requests"] > 1000, "the server was not busy"
    lines = cluster.kubectl("logs", "probed", "--timestamps").splitlines()
    for mark in ("response:200", "ready"):
        times = [datetime.fromisoformat(line.split()[0][:26] + "+00:00").timestamp() for line in lines if mark in line]
        gaps = [after - before for before, after in pairwise(times)]
        assert len(gaps) >= 10
        assert max(gaps) < 2.0, f"{mark}: a period of 1 s was missed: {gaps}"
    [status] = cluster.get("pod", "probed")["status"]["containerStatuses"]
    assert (status["ready"], status["restartCount"]) == (True, 0)
    assert "Unhealthy" not in cluster.kubectl("get", "events")
    cluster.kubectl("delete", "pod", "probed")


def test_a_thousand_idle_watchers_and_one_that_does_not_read(cluster: Cluster, credentials: tuple[str, Path]) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < WATCHERS + 200:
        pytest.skip("the limit of open files is too low")
    url, folder = credentials
    trust = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    trust.load_cert_chain(folder / "client.crt", folder / "client.key")
    host, port = url.removeprefix("https://").split(":")
    before = memory(cluster)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect((host, int(port)))
    with trust.wrap_socket(raw, server_hostname=host) as deaf, load_client(credentials, "watch", str(WATCHERS)) as watching:
        deaf.sendall(b"GET /api/v1/namespaces/default/configmaps?watch=1 HTTP/1.1\r\nHost: wherry\r\n\r\n")
        assert watching.stdout is not None
        assert watching.stdin is not None
        assert watching.stdout.readline() == "watching\n"
        assert "Ready" in cluster.kubectl("get", "nodes")
        assert memory(cluster) - before < 200 << 20, "a watcher may cost 200 KiB"
        large = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "large", "namespace": "default"}, "data": {"text": "x" * 200_000}}
        for n in range(110):  # 22 MB that one does not read: more than is kept for it
            cluster.kubectl("create" if n == 0 else "replace", "-f", "-", stdin=json.dumps({**large, "data": {"text": f"{n}".ljust(200_000, "x")}}))
        cluster.kubectl("create", "configmap", "seen-by-all", "-n", "kube-public")
        assert watching.stdout.readline() == f"{WATCHERS}\n"
        growth = memory(cluster) - before
        assert growth < 300 << 20, f"{growth >> 20} MiB more"
        deaf.settimeout(10)
        end = b""
        while end != b"0\r\n\r\n":  # what was sent before, and then the end: it was dropped
            part = deaf.recv(1 << 20)
            end = (end + part)[-5:] if part else b"0\r\n\r\n"
        watching.stdin.write("\n")
        watching.stdin.flush()
    eventually(lambda: cluster.kubectl("get", "--raw", "/readyz") == "ok", "readiness", 10)

"""`wherry up --scheduler-config`: profiles act, are kept, and are refused by name when they cannot be had."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cluster_harness import Cluster, eventually, running

EXAMPLE = Path(__file__).parents[2] / "examples/scheduler/packing.yaml"


class Answers(BaseHTTPRequestHandler):
    """An extender as somebody may write one: it wants the last node of the list."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        *others, last = sorted(asked["nodes"]["items"], key=lambda node: str(node["metadata"]["name"]))
        answer = json.dumps({"Nodes": {"items": [last]}, "FailedNodes": {node["metadata"]["name"]: "not the last" for node in others}, "Error": ""})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *args: object) -> None:
        """Tests say what went wrong."""


@pytest.fixture(scope="module")
def extender() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/scheduler"
        server.shutdown()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, extender: str) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("profiles")
    file = folder / "scheduler.yaml"
    managed = "managedResources: [{name: example.com/foo, ignoredByScheduler: true}]"
    file.write_text(EXAMPLE.read_text() + f"extenders: [{{urlPrefix: {extender!r}, filterVerb: filter, {managed}}}]\n")
    with running("profiles", folder, "--fidelity", "sim", "--nodes", "3", "--scheduler-config", str(file)) as made:
        yield made


def nodes_of(cluster: Cluster, name: str, scheduler: str) -> set[str]:
    """Where nine Pods go that name a scheduler ("": none).  Scores are whole numbers: each Pod asks for enough to move them."""
    template = {"metadata": {"labels": {"app": name}}, "spec": {
        "containers": [{"name": "main", "image": "busybox:1.36", "resources": {"requests": {"cpu": "1"}}}],
        **({"schedulerName": scheduler} if scheduler else {}),
    }}
    cluster.apply({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": 9, "selector": {"matchLabels": {"app": name}}, "template": template},
    })
    try:
        return set(eventually(lambda: placed(cluster, name), "nine Pods have a node", 30))
    finally:
        cluster.kubectl("delete", "replicaset", name)
        eventually(lambda: not cluster.get("pods", "-l", f"app={name}")["items"], "the Pods are gone", 60)


def placed(cluster: Cluster, name: str) -> list[str]:
    found = [pod["spec"].get("nodeName", "") for pod in cluster.get("pods", "-l", f"app={name}")["items"]]
    return found if len(found) == 9 and all(found) else []


def test_a_profile_packs_and_the_default_one_spreads(cluster: Cluster) -> None:
    assert len(nodes_of(cluster, "packed", "packing")) == 1
    assert len(nodes_of(cluster, "spread", "")) == 3


def test_an_extender_is_asked_about_pods_of_its_resource(cluster: Cluster) -> None:
    container = {"name": "main", "image": "busybox:1.36", "resources": {"limits": {"example.com/foo": "1"}}}
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "foo", "namespace": "default"}, "spec": {"containers": [container]}})
    last = max(node["metadata"]["name"] for node in cluster.get("nodes")["items"])
    assert eventually(lambda: cluster.get("pod", "foo")["spec"].get("nodeName"), "the Pod has a node", 30) == last
    cluster.kubectl("delete", "pod", "foo", "--grace-period=0", "--force")


def test_a_scheduler_of_ones_own_binds(cluster: Cluster) -> None:
    spec = {"schedulerName": "mine", "containers": [{"name": "main", "image": "busybox:1.36"}]}
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mine", "namespace": "default"}, "spec": spec})
    assert cluster.wherry("why", "mine").stdout.strip() == "it waits for the scheduler 'mine', which is not wherry's"
    node = cluster.get("nodes")["items"][0]["metadata"]["name"]
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "mine"}, "target": {"kind": "Node", "name": node}}
    cluster.kubectl("create", "--raw", "/api/v1/namespaces/default/pods/mine/binding", "-f", "-", stdin=json.dumps(binding))
    eventually(lambda: cluster.get("pod", "mine")["status"]["phase"] == "Running", "the Pod runs", 30)
    cluster.kubectl("delete", "pod", "mine", "--grace-period=0", "--force")


def test_it_is_kept_for_the_next_up(cluster: Cluster) -> None:
    cluster.wherry("down")
    cluster.wherry("up")
    assert len(nodes_of(cluster, "again", "packing")) == 1
    assert "is running with another --scheduler-config" in cluster.wherry("up", "--scheduler-config", "", check=False).stderr, "not while it runs"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("kind: Pod", "Invalid enum value 'Pod' - at `$.kind`", id="another-kind"),
        pytest.param("{apiVersion: kubescheduler.config.k8s.io/v1, kind: KubeSchedulerConfiguration, leaderElection: {}}", "leaderElect: false", id="not-supported"),
        pytest.param(
            "{apiVersion: kubescheduler.config.k8s.io/v1, kind: KubeSchedulerConfiguration, profiles: [{plugins: {score: {enabled: [{name: Magic}]}}}]}",
            "there is no plugin 'Magic'", id="unknown-plugin",
        ),
        pytest.param("profiles: [", "while parsing", id="no-yaml"),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(cluster: Cluster, tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "scheduler.yaml"
    file.write_text(text)
    done = cluster.wherry("up", "--scheduler-config", str(file), check=False)
    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    missing = cluster.wherry("up", "--scheduler-config", str(tmp_path / "nothing"), check=False)
    assert "No such file" in missing.stderr


def test_a_scheduler_that_nobody_is_leaves_pods_pending(cluster: Cluster) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "nobody", "namespace": "default"},
           "spec": {"schedulerName": "nobody", "containers": [{"name": "main", "image": "busybox:1.36"}]}}
    cluster.apply(pod)
    assert nodes_of(cluster, "later", ""), "the scheduler had its turn"
    assert not cluster.get("pod", "nobody")["spec"].get("nodeName")
    cluster.kubectl("delete", "pod", "nobody", "--now")

"""kubectl's commands, each against a simulated cluster, by clients of three ages: what sig-cli's conformance tests try, and more."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from client_programs import new_clients, old_kubectl
from cluster_harness import Cluster, eventually

PROGRAMS = {"1.20": old_kubectl, "host": lambda: Path("kubectl"), "1.37": lambda: new_clients() / "kubectl/kubectl"}
MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "labels": {"set": "one"}}, "data": {"a": "1"}}


class Session:
    """One client in a namespace of its own."""

    def __init__(self, cluster: Cluster, version: str, folder: Path) -> None:
        self.cluster, self.version, self.folder = cluster, version, folder
        self.old = version == "1.20"
        self.namespace = f"v{version.replace('.', '-')}"
        self.program = str(PROGRAMS[version]())
        cluster.kubectl("create", "namespace", self.namespace)
        eventually(lambda: "default" in self("get", "serviceaccounts", "-o", "name"), "its ServiceAccount", 20)

    def __call__(self, *arguments: str, stdin: Any = "", code: int = 0, **environment: str) -> str:
        """What it printed, of errors too; its exit status must be `code`."""
        done = subprocess.run(
            [self.program, "-n", self.namespace, *arguments], env={**self.cluster.environment, **environment}, text=True,
            input=stdin if isinstance(stdin, str) else json.dumps(stdin), capture_output=True, timeout=60, check=False,
        )
        assert done.returncode == code, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module", params=PROGRAMS)
def kubectl(simulated: Cluster, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session(simulated, request.param, tmp_path_factory.mktemp("session"))


def test_files_that_change(kubectl: Session) -> None:
    assert "created" in kubectl("apply", "-f", "-", stdin=MAP)
    changed = {**MAP, "data": {"a": "2"}}
    assert '+  a: "2"' in kubectl("diff", "-f", "-", stdin=changed, code=1)
    assert "configured" in kubectl("apply", "-f", "-", stdin=changed)
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=changed)
    assert "replaced" in kubectl("replace", "--force", "-f", "-", stdin=MAP)
    assert "edited" in kubectl("edit", "configmap", "m", EDITOR='sed -i s/"a: .*"/"a: edited"/')
    assert kubectl("get", "configmap", "m", "-o", "jsonpath={.data.a}") == "edited"
    assert "Apply failed with 1 conflict" in kubectl("apply", "--server-side", "-f", "-", stdin=changed, code=1)
    assert "serverside-applied" in kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=changed)
    kubectl("delete", "configmap", "m")


def test_what_is_no_longer_in_the_set_is_pruned(kubectl: Session) -> None:
    allow = "--prune-whitelist=core/v1/ConfigMap" if kubectl.old else "--prune-allowlist=core/v1/ConfigMap"
    kubectl("apply", "-f", "-", stdin=MAP)
    other = {**MAP, "metadata": {"name": "other", "labels": {"set": "one"}}}
    told = kubectl("apply", "--prune", "-l", "set=one", allow, "-f", "-", stdin=other)
    assert "configmap/m pruned" in told
    kubectl("delete", "configmap", "other")


def test_parts_of_an_object(kubectl: Session) -> None:
    kubectl("create", "configmap", "p", "--from-literal=a=b")
    assert "patched" in kubectl("patch", "configmap", "p", "-p", '{"data":{"c":"d"}}')
    assert "patched" in kubectl("patch", "configmap", "p", "--type=json", "-p", '[{"op":"remove","path":"/data/a"}]')
    assert "labeled" in kubectl("label", "configmap", "p", "x=y")
    assert "already has a value" in kubectl("label", "configmap", "p", "x=z", code=1)
    kubectl("label", "configmap", "p", "x=z", "--overwrite")
    kubectl("annotate", "configmap", "p", "note=1")
    assert kubectl("get", "configmap", "p", "-o", "go-template={{.metadata.labels.x}} {{.metadata.annotations.note}} {{.data}}") == "z 1 map[c:d]"
    assert "x=z" in kubectl("get", "configmap", "p", "--show-labels")
    kubectl("label", "configmap", "p", "x-")
    kubectl("delete", "configmap", "-l", "!x", "--field-selector=metadata.name=p")


def test_a_deployment(kubectl: Session) -> None:
    kubectl("create", "deployment", "web", "--image=busybox:1.36", "--replicas=2")
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=20s")
    kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080", "--type=NodePort")
    assert re.search(r"80:3\d{4}/TCP", kubectl("get", "service", "web"))
    kubectl("autoscale", "deployment", "web", "--min=1", "--max=3", "--cpu-percent=50")
    assert "Deployment/web" in kubectl("get", "hpa", "web")
    kubectl("set", "image", "deployment/web", "busybox=busybox:1.37")
    assert re.search(r"\n2 +<none>", kubectl("rollout", "history", "deployment/web"))
    kubectl("rollout", "undo", "deployment/web")
    assert "Expected replicas to be 5" in kubectl("scale", "deployment/web", "--replicas=1", "--current-replicas=5", code=1)
    for what, words in (("deployment/web", "ScalingReplicaSet"), ("service/web", "NodePort:"), ("hpa/web", "Min replicas:"), ("pods", "Controlled By:")):
        assert words in kubectl("describe", *what.split("/"))
    assert kubectl("get", "pods", "-o", "custom-columns=NAME:.metadata.name,NODE:.spec.nodeName").split()[:2] == ["NAME", "NODE"]
    kubectl("delete", "deployment,service,hpa", "web")


def test_nodes(kubectl: Session) -> None:
    nodes = kubectl("get", "nodes", "--sort-by=.metadata.name", "-o", "name").split()
    assert len(nodes) == 2
    assert nodes == sorted(nodes)
    node = nodes[0].rpartition("/")[2]
    kubectl("taint", "node", node, "e2e=x:PreferNoSchedule")
    assert "e2e=x:PreferNoSchedule" in kubectl("describe", "node", node)
    kubectl("taint", "node", node, "e2e-")
    kubectl("create", "deployment", "moved", "--image=busybox:1.36")
    kubectl("rollout", "status", "deployment/moved", "--timeout=30s")
    node = kubectl("get", "pods", "-l", "app=moved", "-o", "jsonpath={.items[0].spec.nodeName}")
    assert f"node/{node} {'evicted' if kubectl.old else 'drained'}" in kubectl("drain", node, "--ignore-daemonsets", "--force", "--timeout=40s")
    assert "SchedulingDisabled" in kubectl("get", "node", node)
    kubectl("uncordon", node)
    kubectl("delete", "deployment", "moved")


def test_what_the_server_has(kubectl: Session) -> None:
    assert re.search(r"deployments +deploy +apps/v1 +true +Deployment", kubectl("api-resources", "--api-group=apps"))
    assert {"v1", "apps/v1", "batch/v1"} <= set(kubectl("api-versions").split())
    assert "is running at" in kubectl("cluster-info")
    assert "rollingUpdate" in kubectl("explain", "deployment.spec.strategy", "--recursive")
    assert "desired" in kubectl("explain", "rs.spec.replicas")
    assert kubectl("auth", "can-i", "delete", "nodes").splitlines()[0] == "yes"
    assert kubectl("auth", "can-i", "delete", "nodes", "--as=jane", code=1).splitlines()[0] == "no"
    assert "selfsubjectaccessreviews" in kubectl("auth", "can-i", "--list", "--as=jane")
    assert kubectl("get", "--raw", "/readyz") == "ok"
    assert 'the server doesn\'t have a resource type "nope"' in kubectl("get", "nope", code=1)
    assert 'configmaps "nope" not found' in kubectl("get", "configmap", "nope", code=1)
    assert ("unknown field" if kubectl.old else "strict decoding error") in kubectl("apply", "-f", "-", stdin={**MAP, "bogus": 1}, code=1)


def test_newer_commands(kubectl: Session) -> None:
    if kubectl.old:
        pytest.skip("1.20 does not have them")
    assert kubectl("create", "token", "default").count(".") == 2
    assert "Username" in kubectl("auth", "whoami", "--as=jane", "--as-uid=7")
    kubectl("create", "configmap", "there")
    kubectl("wait", "--for=create", "configmap/there", "--timeout=5s")
    kubectl("wait", "--for=jsonpath={.kind}=ConfigMap", "configmap/there", "--timeout=5s")
    kubectl("run", "seen", "--image=busybox:1.36")
    eventually(lambda: "Scheduled" in kubectl("events", "--for=pod/seen"), "its events", 20)
    strict = kubectl("create", "-f", "-", "--validate=strict", stdin={**MAP, "bogus": 1}, code=1)
    assert 'strict decoding error: unknown field "bogus"' in strict
    kubectl("delete", "pod/seen", "configmap/there", "--grace-period=0", "--force")


def test_events_of_a_watch(kubectl: Session) -> None:
    command = [kubectl.program, "-n", kubectl.namespace, "get", "configmaps", "--field-selector=metadata.name=w", "-w", "--output-watch-events"]
    log = kubectl.folder / "watch"
    with log.open("w") as output:
        watcher = subprocess.Popen(command, env=kubectl.cluster.environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        def seen() -> list[str]:
            return [line.split()[0] for line in log.read_text().splitlines()]

        def made() -> bool:
            kubectl("delete", "configmap", "w", "--ignore-not-found")
            kubectl("create", "configmap", "w", "--from-literal=a=b")
            return "ADDED" in seen()

        eventually(made, "the watch to begin", 20)
        kubectl("patch", "configmap", "w", "-p", '{"data":{"c":"d"}}')
        kubectl("delete", "configmap", "w")
        eventually(lambda: seen()[-3:] == ["ADDED", "MODIFIED", "DELETED"], "each event", 10)
    finally:
        os.kill(watcher.pid, signal.SIGTERM)
        watcher.wait(10)


def test_every_kind_is_described(kubectl: Session) -> None:
    if kubectl.version == "host":
        pytest.skip("between the other two")
    kinds = [kind for kind in kubectl("api-resources", "--verbs=list", "-o", "name").split() if "metrics" not in kind]
    assert len(kinds) > 60
    kubectl("get", ",".join(kinds), "-A", "-o", "name")
    eventually(lambda: kubectl("describe", ",".join(kinds), "-A"), "nothing to go while it is described")

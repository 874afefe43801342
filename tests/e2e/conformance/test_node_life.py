"""How Pods live on a node: hooks, init containers, probes, resizes, ends; and what the node lets one see of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from cluster_harness import Cluster, eventually
from scene import PYTHON_VOLUMES, STAY, Json, Scene, container, pod, python

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]

VOLUME: Json = {"volumes": [{"name": "v", "emptyDir": {}}]}
MOUNT: Json = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
ONCE = "test -e /v/{0} && {{ {1}; }}; touch /v/{0}; {2}"  # the first run does the last, later ones what stands before


def tell(address: str, what: str) -> str:
    return f"wget -qO- http://{address}:8080/{what} >/dev/null 2>&1"


def hooks(ip: str) -> list[Json]:
    http = {"httpGet": {"host": ip, "port": 8080}}

    def hooked(name: str, when: str, action: Json, script: str = STAY, **more: Any) -> Json:
        return pod(name, container(script, lifecycle={when: action} | more), terminationGracePeriodSeconds=10)

    used = pod("stop-signal", container(f"trap '{tell(ip, 'stop-signal')}; exit' USR1; while :; do sleep 0.1; done", lifecycle={"stopSignal": "SIGUSR1"}),
               terminationGracePeriodSeconds=10, os={"name": "linux"})
    image = pod("image-signal", container(f"trap '{tell(ip, 'image-signal')}; exit' USR1; while :; do sleep 0.1; done", image="named:1"), terminationGracePeriodSeconds=10)
    return [
        hooked("post-exec", "postStart", {"exec": {"command": ["sh", "-c", tell(ip, "post-exec") + "; true"]}}),
        hooked("post-http", "postStart", {"httpGet": http["httpGet"] | {"path": "/post-http"}}),
        hooked("pre-exec", "preStop", {"exec": {"command": ["sh", "-c", tell(ip, "pre-exec") + "; true"]}}),
        hooked("pre-http", "preStop", {"httpGet": http["httpGet"] | {"path": "/pre-http"}}),
        hooked("pre-sleep", "preStop", {"sleep": {"seconds": 2}}),
        used, image,
    ]


ECHO = """
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 64
Server(("", 7000), Echo).serve_forever()
"""

LIVING = [
    pod("recorder", container("mkdir /w; for f in post-http pre-http; do echo > /w/$f; done; exec httpd -f -vv -p 8080 -h /w")),
    pod("init-never", container("true"), initContainers=[container("false", "i1"), container("true", "i2")]),
    pod("init-always", container("true"), initContainers=[container("true", "i1"), container("false", "i2")], restartPolicy="Always"),
    pod("init-order", container("cat /v/order", **MOUNT), initContainers=[container(f"echo {n} >> /v/order", f"i{n}", **MOUNT) for n in (1, 2)], **VOLUME),
    pod("sidecar", container("until test -e /v/up; do sleep 0.1; done; cat /v/up", **MOUNT), initContainers=[
        container("echo up > /v/up; " + STAY, "side", restartPolicy="Always", startupProbe={"exec": {"command": ["cat", "/v/up"]}, "periodSeconds": 1}, **MOUNT),
    ], **VOLUME),
    pod("rules", container(ONCE.format("f", "exit 0", "exit 42"), restartPolicy="Never", restartPolicyRules=[
        {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}], **MOUNT), **VOLUME),
    pod("rules-not", container("exit 43", restartPolicy="Never", restartPolicyRules=[
        {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}])),
    pod("on-failure", container(ONCE.format("f", "exit 0", "exit 1"), **MOUNT), restartPolicy="OnFailure", **VOLUME),
    pod("always", container(ONCE.format("f", STAY, "exit 0"), **MOUNT), restartPolicy="Always", **VOLUME),
    pod("crashes", container("exit 7"), restartPolicy="Always"),
    pod("deadline", container(STAY)),
    pod("live-exec", container("touch /tmp/h; sleep 2; rm /tmp/h; " + STAY, livenessProbe={
        "exec": {"command": ["cat", "/tmp/h"]}, "periodSeconds": 1, "failureThreshold": 1, "initialDelaySeconds": 1}), restartPolicy="Always"),
    pod("live-slow", container("trap '' TERM; while :; do sleep 0.1; done", livenessProbe={
        "exec": {"command": ["sleep", "5"]}, "periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 1, "terminationGracePeriodSeconds": 1,
    }), restartPolicy="Always", terminationGracePeriodSeconds=3600),
    pod("startup-first", container("sleep 2; touch /tmp/up; " + STAY, startupProbe={
        "exec": {"command": ["cat", "/tmp/up"]}, "periodSeconds": 1, "failureThreshold": 30}, livenessProbe={
        "exec": {"command": ["cat", "/tmp/up"]}, "periodSeconds": 1, "failureThreshold": 1}), restartPolicy="Always"),
    pod("never-ready", container(STAY, readinessProbe={"exec": {"command": ["false"]}, "periodSeconds": 1, "initialDelaySeconds": 0})),
    pod("http-header", container(
        "mkdir /w; printf 'A:*\\n' > /etc/httpd.conf; echo hi > /w/index.html; exec httpd -f -p 80 -h /w",
        ports=[{"name": "web", "containerPort": 80}], readinessProbe={"httpGet": {"port": "web", "path": "/", "httpHeaders": [{"name": "X-A", "value": "b"}]}, "periodSeconds": 1},
        livenessProbe={"tcpSocket": {"port": 80}, "periodSeconds": 1})),
    pod("gated", container(STAY), readinessGates=[{"conditionType": "example.com/ready"}]),
    pod("grows", container(STAY, resources={"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}})),
    pod("guaranteed", container(STAY, resources={"limits": {"cpu": "50m", "memory": "16Mi"}})),
    pod("burstable", container(STAY, resources={"requests": {"cpu": "10m"}})),
    pod("talks", container("for n in $(seq 10); do echo line $n; done; echo to stderr >&2; printf 'no end'; printf '\\000\\377' > /v/b; " + STAY, stdin=True, **MOUNT), **VOLUME),
    pod("echoes", container("while read -r line; do echo \"got $line\"; done; echo closed", stdin=True, stdinOnce=True)),
    pod("serves", python(ECHO), **PYTHON_VOLUMES),
]


@pytest.fixture(scope="module")
def scene(conformance: Cluster) -> Scene:
    made = Scene(conformance, "ns-life")
    made.apply(*LIVING)
    made.ready("recorder")
    made.apply(*hooks(made.status("recorder")["podIP"]))
    return made


def recorded(scene: Scene, what: str) -> None:
    eventually(lambda: f"url:/{what}" in scene.kubectl("logs", "recorder"), f"the recorder hears of {what}", 20)


@pytest.mark.parametrize("name", ["post-exec", "post-http"])
def test_a_hook_runs_after_the_start(scene: Scene, name: str) -> None:
    recorded(scene, name)


@pytest.mark.parametrize("name", ["pre-exec", "pre-http", "stop-signal", "image-signal"])
def test_a_hook_or_signal_comes_before_the_end(scene: Scene, name: str) -> None:
    scene.ready(name)
    time.sleep(0.3)  # until its trap is set
    scene.kubectl("delete", "pod", name)
    recorded(scene, name)


def test_a_sleeping_hook_delays_the_end(scene: Scene) -> None:
    scene.ready("pre-sleep")
    began = time.monotonic()
    scene.kubectl("delete", "pod", "pre-sleep")
    assert time.monotonic() - began >= 2


def test_a_failed_init_container_fails_the_pod(scene: Scene) -> None:
    status = scene.ended("init-never")
    assert status["phase"] == "Failed"
    assert "terminated" in status["initContainerStatuses"][0]["state"]
    assert "waiting" in status["initContainerStatuses"][1]["state"]
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"


def test_a_failing_init_container_is_restarted_and_holds_the_pod(scene: Scene) -> None:
    status = eventually(lambda: (s := scene.status("init-always"))["initContainerStatuses"][1]["restartCount"] >= 1 and s, "a restart")
    assert status["phase"] == "Pending"
    assert "waiting" in status["containerStatuses"][0]["state"]
    condition = next(each for each in status["conditions"] if each["type"] == "Initialized")
    assert (condition["status"], condition["reason"], condition["message"]) == (
        "False", "ContainersNotInitialized", "containers with incomplete status: [i2]")


def test_init_containers_run_in_order(scene: Scene) -> None:
    assert scene.said("init-order") == "1\n2"
    assert [each["state"]["terminated"]["reason"] for each in scene.status("init-order")["initContainerStatuses"]] == ["Completed"] * 2


def test_a_sidecar_starts_first_and_does_not_hold_the_end(scene: Scene) -> None:
    assert scene.said("sidecar", "-c", "c") == "up"
    assert scene.status("sidecar")["phase"] == "Succeeded"


def test_a_rule_restarts_a_container_that_is_never_restarted(scene: Scene) -> None:
    status = scene.ended("rules")
    assert (status["phase"], status["containerStatuses"][0]["restartCount"]) == ("Succeeded", 1)
    status = scene.ended("rules-not")
    assert (status["phase"], status["containerStatuses"][0]["restartCount"]) == ("Failed", 0)


def test_restart_policies(scene: Scene) -> None:
    status = scene.ended("on-failure")
    assert (status["phase"], status["containerStatuses"][0]["restartCount"]) == ("Succeeded", 1)
    status = eventually(lambda: (s := scene.status("always"))["containerStatuses"][0].get("ready") and s["containerStatuses"][0]["restartCount"] and s, "runs again")
    assert (status["phase"], status["containerStatuses"][0]["restartCount"]) == ("Running", 1)


def test_a_crash_loop_is_told(scene: Scene) -> None:
    message = scene.waiting("crashes", "CrashLoopBackOff")
    assert re.match(r"back-off \d+s restarting failed container=c pod=crashes_ns-life\(", message)


def test_a_deadline_that_is_set_later_ends_the_pod(scene: Scene) -> None:
    scene.ready("deadline")
    scene.kubectl("patch", "pod", "deadline", "-p", '{"spec":{"activeDeadlineSeconds":1}}')
    status = scene.ended("deadline")
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")


def test_a_failed_liveness_probe_restarts(scene: Scene) -> None:
    eventually(lambda: scene.status("live-exec")["containerStatuses"][0]["restartCount"] >= 1, "a restart by the exec probe")
    eventually(lambda: scene.status("live-slow")["containerStatuses"][0]["restartCount"] >= 1, "a restart by the slow probe")
    assert any("timed out after 1s" in each for each in scene.events("live-slow", "Unhealthy"))
    assert "Container c failed liveness probe, will be restarted" in scene.events("live-exec", "Killing")


def test_a_startup_probe_goes_before_liveness(scene: Scene) -> None:
    scene.ready("startup-first")
    assert scene.status("startup-first")["containerStatuses"][0]["restartCount"] == 0


def test_readiness(scene: Scene) -> None:
    scene.ready("http-header")
    status = scene.status("never-ready")["containerStatuses"][0]
    assert (status["ready"], status["started"], status["restartCount"]) == (False, True, 0)


def test_a_readiness_gate_holds_the_pod_back(scene: Scene) -> None:
    status = eventually(lambda: (s := scene.status("gated"))["phase"] == "Running" and s, "it runs")
    conditions = {each["type"]: each for each in status["conditions"]}
    assert conditions["ContainersReady"]["status"] == "True"
    assert conditions["Ready"]["reason"] == "ReadinessGatesNotReady"
    assert conditions["PodReadyToStartContainers"]["status"] == "True"
    assert {conditions[kind]["observedGeneration"] for kind in ("Ready", "ContainersReady", "Initialized")} == {1}
    gate = {"status": {"conditions": [{"type": "example.com/ready", "status": "True"}]}}
    scene.kubectl("patch", "pod", "gated", "--subresource=status", "-p", json.dumps(gate))
    scene.ready("gated")


def test_quality_of_service(scene: Scene) -> None:
    classes = {name: scene.status(name)["qosClass"] for name in ("guaranteed", "burstable", "gated")}
    assert classes == {"guaranteed": "Guaranteed", "burstable": "Burstable", "gated": "BestEffort"}


def test_a_resize_needs_no_restart(scene: Scene) -> None:
    scene.ready("grows")
    want = {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "60m", "memory": "48Mi"}, "limits": {"cpu": "200m", "memory": "96Mi"}}}]}}
    scene.kubectl("patch", "pod", "grows", "--subresource=resize", "-p", json.dumps(want))
    wanted = want["spec"]["containers"][0]["resources"]

    def look() -> Any:
        status = scene.status("grows")
        return status["containerStatuses"][0].get("resources") == wanted and status

    status = eventually(look, "the new resources are told")
    assert status["containerStatuses"][0]["restartCount"] == 0
    assert not [each for each in status["conditions"] if each["type"].startswith("PodResize")]
    limit = scene.sh("grows", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max")
    assert limit == str(96 << 20)


def test_a_resize_that_no_node_can_give_is_told_and_taken_back(scene: Scene) -> None:
    scene.ready("guaranteed")
    before = scene.status("guaranteed")["containerStatuses"][0]["resources"]

    def ask(amounts: Any) -> None:
        want = {"spec": {"containers": [{"name": "c", "resources": amounts}]}}
        scene.kubectl("patch", "pod", "guaranteed", "--subresource=resize", "-p", json.dumps(want))

    def pending() -> list[Any]:
        return [each for each in scene.status("guaranteed")["conditions"] if each["type"] == "PodResizePending"]

    ask({each: {**amounts, "cpu": "1000"} for each, amounts in before.items()})
    (told,) = eventually(pending, "the kubelet says no")
    assert told["reason"] == "Infeasible"
    assert told["message"].startswith("Node didn't have enough capacity: cpu, requested: 1000000, capacity: ")
    assert scene.status("guaranteed")["containerStatuses"][0]["resources"] == before
    ask(before)
    eventually(lambda: not pending(), "the wish is forgotten")
    reasons = scene.kubectl("events", "--for=pod/guaranteed", "-o", "jsonpath={.items[*].reason}").split()
    assert "ResizeInfeasible" in reasons
    assert "ResizeStarted" not in reasons


def test_ephemeral_containers_join_a_running_pod(scene: Scene) -> None:
    scene.ready("gated")
    for name, script in (("one", "echo first; sleep 60"), ("two", "echo second; sleep 60")):
        scene.kubectl("debug", "gated", "--image=busybox:1.36", f"--container={name}", "--profile=general", "--", "sh", "-c", script)
    eventually(lambda: "second" in scene.kubectl("logs", "gated", "-c", "two"), "the second one talks")
    assert "first" in scene.kubectl("logs", "gated", "-c", "one")
    assert [each["name"] for each in scene.status("gated")["ephemeralContainerStatuses"]] == ["one", "two"]


# Logs -------------------------------------------------------------------------------------------


def test_log_options(scene: Scene) -> None:
    scene.ready("talks")
    logs = lambda *options: scene.kubectl("logs", "talks", *options)  # noqa: E731
    eventually(lambda: "no end" in logs(), "all is said")
    lines = [f"line {n}" for n in range(1, 11)]
    assert [each for each in logs().splitlines() if each.startswith("line")] == lines
    assert logs("--tail=0") == ""
    assert logs("--limit-bytes=9") == "line 1\nli"
    stamp = logs("--timestamps").splitlines()[4].split(" ")[0]
    assert [each for each in logs(f"--since-time={stamp}").splitlines() if each.startswith("line")][-1] == "line 10"
    assert logs("--since-time=2099-01-01T00:00:00Z") == ""
    raw = f"/api/v1/namespaces/{scene.namespace}/pods/talks/log"
    assert scene.cluster.kubectl("get", "--raw", f"{raw}?stream=Stderr") == "to stderr\n"
    assert "tailLines" in scene.cluster.kubectl("get", "--raw", f"{raw}?stream=Stderr&tailLines=1", check=False)


# Streams ----------------------------------------------------------------------------------------


def raw(scene: Scene, *arguments: str, data: bytes | None = None, environment: dict[str, str] | None = None) -> bytes:
    """What kubectl wrote, as bytes."""
    command = [scene.cluster.kubectl_program, "-n", scene.namespace, *arguments]
    done = subprocess.run(command, env=scene.cluster.environment | (environment or {}), input=data, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}


@pytest.mark.parametrize("environment", [{}, SPDY], ids=["websocket", "spdy"])
def test_large_streams_go_both_ways(scene: Scene, environment: dict[str, str]) -> None:
    scene.ready("talks")
    size = 20_000_000
    data = os.urandom(1_000_000) * (size // 1_000_000)
    assert raw(scene, "exec", "-i", "talks", "--", "sha256sum", data=data, environment=environment).split()[0].decode() == hashlib.sha256(data).hexdigest()
    assert len(raw(scene, "exec", "talks", "--", "head", "-c", str(size), "/dev/zero", environment=environment)) == size
    assert raw(scene, "exec", "-i", "talks", "--", "cat", data=data, environment=environment) == data


def test_exit_codes_of_exec(scene: Scene) -> None:
    scene.ready("talks")
    for code in (0, 1, 42, 255):
        done = subprocess.run(
            [scene.cluster.kubectl_program, "-n", scene.namespace, "exec", "talks", "--", "sh", "-c", f"exit {code}"],
            env=scene.cluster.environment, capture_output=True, text=True, timeout=60, check=False,
        )
        assert done.returncode == code
    assert "no such file or directory" in scene.kubectl("exec", "talks", "--", "/none", check=False)


def test_attach_passes_stdin_and_its_end(scene: Scene) -> None:
    scene.ready("echoes")
    said = raw(scene, "attach", "-i", "echoes", data=b"one\ntwo\n", environment=SPDY)
    assert scene.said("echoes") == "got one\ngot two\nclosed"
    assert b"got two" in said


def test_files_are_copied(scene: Scene, tmp_path: Path) -> None:
    scene.ready("talks")
    big = tmp_path / "big"
    big.write_bytes(os.urandom(1 << 20) * 20)
    scene.kubectl("cp", str(big), "talks:/v/big", timeout=120)
    scene.kubectl("cp", "talks:/v/big", str(tmp_path / "back"), timeout=120)
    assert (tmp_path / "back").read_bytes() == big.read_bytes()
    assert raw(scene, "exec", "talks", "--", "cat", "/v/b") == b"\0\xff"


@pytest.mark.parametrize("environment", [{}, SPDY], ids=["websocket", "spdy"])
def test_a_port_takes_many_connections(scene: Scene, environment: dict[str, str]) -> None:
    scene.ready("serves")
    command = [scene.cluster.kubectl_program, "-n", scene.namespace, "port-forward", "pod/serves", ":7000"]
    with subprocess.Popen(command, env=scene.cluster.environment | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as forward:
        try:
            assert forward.stdout is not None
            port = int(forward.stdout.readline().split("127.0.0.1:")[1].split(" ")[0])
            data = os.urandom(200_000)
            links = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(10)]
            for link in links:
                link.sendall(data)
                link.shutdown(socket.SHUT_WR)
            for link in links:
                got = b""
                while block := link.recv(65536):
                    got += block
                assert got == data
                link.close()
        finally:
            forward.terminate()


# The node ---------------------------------------------------------------------------------------


def test_what_a_node_tells_of_itself(scene: Scene) -> None:
    node = scene.get("node")["items"][0]
    status, name = node["status"], node["metadata"]["name"]
    assert {each["type"] for each in status["addresses"]} == {"InternalIP", "Hostname"}
    assert {"cpu", "memory", "pods", "ephemeral-storage"} <= status["capacity"].keys() & status["allocatable"].keys()
    assert all(status["nodeInfo"][key] for key in ("machineID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion"))
    assert any("docker.io/library/busybox:1.36" in image["names"] for image in status["images"])
    lease = json.loads(scene.cluster.kubectl("get", "lease", name, "-n", "kube-node-lease", "-o", "json"))
    assert lease["spec"]["holderIdentity"] == name
    assert lease["metadata"]["ownerReferences"][0]["kind"] == "Node"


def test_the_kubelets_own_api(scene: Scene) -> None:
    name = scene.get("node")["items"][0]["metadata"]["name"]

    def ask(path: str) -> str:
        return scene.cluster.kubectl("get", "--raw", f"/api/v1/nodes/{name}/proxy/{path}")

    assert ask("healthz") == "ok"
    assert any(each["metadata"]["name"] == "talks" for each in json.loads(ask("pods"))["items"])
    assert any(each["podRef"]["name"] == "talks" for each in json.loads(ask("stats/summary"))["pods"])
    assert 'container_memory_working_set_bytes{' in ask("metrics/resource")
    assert 'container_cpu_usage_seconds_total{' in ask("metrics/cadvisor")
    assert "machine_cpu_cores" in ask("metrics/cadvisor")
    assert "kubelet_running_pods" in ask("metrics")
    assert "line 10" in ask(f"containerLogs/{scene.namespace}/talks/c")
    ask("logs/")

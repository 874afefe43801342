"""What a Pod's containers need next: `compute_pod_actions` as a table."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from wherry.api.types import core_v1
from wherry.kubelet.container.plan import PodActions, compute_pod_actions
from wherry.kubelet.container.state import CONTAINER_HASH, PodState, container_hash
from wherry.runtime.interface import ContainerConfig, ContainerState, ContainerStatus, SandboxConfig, SandboxState, SandboxStatus

RUNNING, EXITED, CREATED, UNKNOWN = ContainerState.RUNNING, ContainerState.EXITED, ContainerState.CREATED, ContainerState.UNKNOWN


def pod(*, policy: str = "Always", containers: str = "a b", inits: str = "", **more: Any) -> core_v1.Pod:
    """Names in `inits` that begin with `+` are sidecars."""
    def made(name: str) -> dict[str, Any]:
        sidecar = {"restartPolicy": "Always"} if name.startswith("+") else {}
        return {"name": name.lstrip("+"), "image": "i", **sidecar, **more.get(name.lstrip("+"), {})}

    regular, init = [made(name) for name in containers.split()], [made(name) for name in inits.split()]
    spec: dict[str, Any] = {"restartPolicy": policy, "containers": regular, "initContainers": init}
    deleted = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if more.get("deleted") else {}
    metadata = {"name": "p", "namespace": "n", "uid": "u", **deleted}
    if "ephemeral" in more:
        spec["ephemeralContainers"] = [{"name": more["ephemeral"], "image": "i"}]
    return msgspec.convert({"metadata": metadata, "spec": spec}, core_v1.Pod)


def run(name: str, state: ContainerState = RUNNING, code: int = 0, *, image: str = "i", attempt: int = 0) -> ContainerStatus:
    annotations = {CONTAINER_HASH: container_hash(core_v1.Container(name=name, image=image))}
    config = ContainerConfig(name, image, attempt=attempt, annotations=annotations)
    return ContainerStatus(f"id-{name}", "s", config, state, 1.0 + attempt, exit_code=code)


def sandbox(state: SandboxState = SandboxState.READY, *, attempt: int = 0, ips: tuple[str, ...] = ("10.0.0.2",)) -> SandboxStatus:
    return SandboxStatus(f"s{attempt}", SandboxConfig("p", "n", "u", attempt=attempt), state, 1.0, ips)


def plan(
    spec: core_v1.Pod, *runs: ContainerStatus, sandboxes: tuple[SandboxStatus, ...] | None = None, liveness: str = "", startup: str = "",
) -> PodActions:
    found = (sandbox(),) if sandboxes is None else sandboxes
    state = PodState("u", "p", "n", found, runs)
    return compute_pod_actions(
        spec, state, lambda i: "failure" if i == f"id-{liveness}" else None, lambda i: "failure" if i == f"id-{startup}" else None,
    )


def told(actions: PodActions) -> str:
    """The plan in a line."""
    words = [name for name, said in (("kill", actions.kill_pod), (f"sandbox#{actions.attempt}", actions.create_sandbox)) if said]
    for title, indexes in (
        ("ephemeral", actions.ephemeral_containers_to_start), ("init", actions.init_containers_to_start),
        ("start", actions.containers_to_start),
    ):
        words += [f"{title}:{index}" for index in indexes]
    return " ".join(words + [f"stop:{kill.name}" for kill in actions.containers_to_kill])


NOTREADY = (sandbox(SandboxState.NOTREADY),)

CASES = [
    # sandbox
    pytest.param(plan(pod(), sandboxes=()), "kill sandbox#0 start:0 start:1", id="nothing there: everything"),
    pytest.param(plan(pod(inits="i"), sandboxes=()), "kill sandbox#0 init:0", id="nothing there: the first init container"),
    pytest.param(plan(pod(), run("a"), run("b")), "", id="all runs: nothing"),
    pytest.param(plan(pod(), run("a", EXITED), run("b", EXITED), sandboxes=NOTREADY), "kill sandbox#1 start:0 start:1", id="sandbox died"),
    pytest.param(plan(pod(policy="Never"), run("a", EXITED, 137), sandboxes=NOTREADY), "kill", id="sandbox died, Never: the end"),
    pytest.param(plan(pod(policy="OnFailure"), run("a", EXITED), run("b", EXITED, 1), sandboxes=NOTREADY),
                 "kill sandbox#1 start:1", id="sandbox died, OnFailure: only what failed"),
    pytest.param(plan(pod(policy="OnFailure"), run("a", EXITED), run("b", EXITED), sandboxes=NOTREADY),
                 "kill", id="sandbox died, OnFailure, all succeeded: the end"),
    pytest.param(plan(pod(), run("a"), sandboxes=(sandbox(attempt=1), sandbox())), "kill sandbox#2 start:0 start:1", id="two ready"),
    pytest.param(plan(pod(), run("a"), sandboxes=(sandbox(ips=()),)), "kill sandbox#1 start:0 start:1", id="no address"),
    # regular containers
    pytest.param(plan(pod(), run("a")), "start:1", id="one missing"),
    pytest.param(plan(pod(), run("a"), run("b", EXITED)), "start:1", id="Always restarts success"),
    pytest.param(plan(pod(policy="OnFailure"), run("a"), run("b", EXITED)), "", id="OnFailure leaves success"),
    pytest.param(plan(pod(policy="OnFailure"), run("a"), run("b", EXITED, 1)), "start:1", id="OnFailure restarts failure"),
    pytest.param(plan(pod(policy="Never"), run("a"), run("b", EXITED, 1)), "", id="Never leaves failure"),
    pytest.param(plan(pod(policy="Never"), run("a", EXITED), run("b", EXITED, 1)), "kill", id="Never, all ended: the end"),
    pytest.param(plan(pod(), run("a", CREATED), run("b")), "start:0", id="created, never started"),
    pytest.param(plan(pod(), run("a", UNKNOWN), run("b")), "start:0 stop:a", id="unknown is stopped first"),
    pytest.param(plan(pod(deleted=True), run("a", EXITED), run("b")), "", id="a deleted Pod restarts nothing"),
    pytest.param(plan(pod(), run("a", image="old"), run("b")), "start:0 stop:a", id="another image"),
    pytest.param(plan(pod(policy="Never"), run("a", image="old"), run("b")), "start:0 stop:a", id="another image, Never"),
    pytest.param(plan(pod(), run("a"), run("b"), liveness="a"), "start:0 stop:a", id="liveness"),
    pytest.param(plan(pod(policy="Never"), run("a"), run("b"), liveness="a"), "stop:a", id="liveness, Never"),
    pytest.param(plan(pod(), run("a"), run("b"), startup="b"), "start:1 stop:b", id="startup"),
    pytest.param(plan(pod(a={"restartPolicy": "Never"}), run("a", EXITED, 1), run("b")), "", id="own policy over the Pod's"),
    pytest.param(plan(pod(policy="Never", a={"restartPolicy": "Never", "restartPolicyRules": [
        {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]}), run("a", EXITED, 42), run("b")),
                 "start:0", id="own rule over the policy"),
    pytest.param(plan(pod(ephemeral="e"), run("a"), run("b")), "ephemeral:0", id="ephemeral"),
    pytest.param(plan(pod(ephemeral="e"), run("a"), run("b"), run("e", EXITED)), "", id="ephemeral runs once"),
    # init containers
    pytest.param(plan(pod(inits="i j")), "init:0", id="first init"),
    pytest.param(plan(pod(inits="i j"), run("i")), "", id="init runs"),
    pytest.param(plan(pod(inits="i j"), run("i", EXITED)), "init:1", id="next init"),
    pytest.param(plan(pod(inits="i j"), run("i", EXITED), run("j", EXITED)), "start:0 start:1", id="initialized"),
    pytest.param(plan(pod(inits="i j"), run("i", EXITED), run("j", EXITED, 1)), "init:1", id="init failed: again"),
    pytest.param(plan(pod(inits="i j", policy="Never"), run("i", EXITED, 1)), "kill", id="init failed, Never: the end"),
    pytest.param(plan(pod(inits="i"), run("a"), run("b")), "", id="initialized, init's record gone"),
    pytest.param(plan(pod(inits="i"), run("i", UNKNOWN)), "init:0 stop:i", id="init unknown"),
    # sidecars
    pytest.param(plan(pod(inits="+s i"), run("s")), "init:1", id="sidecar runs: next init"),
    pytest.param(plan(pod(inits="+s"), run("s")), "start:0 start:1", id="sidecar runs: containers"),
    pytest.param(plan(pod(inits="+s i"), run("s", EXITED), run("i")), "init:0", id="sidecar died while init runs"),
    pytest.param(plan(pod(inits="+s"), run("s", EXITED), run("a"), run("b")), "init:0", id="sidecar died: again"),
    pytest.param(plan(pod(inits="+s"), run("a"), run("b")), "init:0", id="sidecar's record gone: again"),
    pytest.param(plan(pod(inits="+s"), run("s"), run("a"), run("b"), liveness="s"), "init:0 stop:s", id="sidecar's liveness"),
    pytest.param(plan(pod(inits="+s", policy="Never"), run("s"), run("a", EXITED), run("b", EXITED)), "kill", id="it holds no Pod"),
    pytest.param(plan(pod(inits="+s i", policy="Never"), run("s"), run("i", EXITED, 1)), "kill", id="init failed beside a sidecar"),
    pytest.param(plan(pod(inits="+s", s={"startupProbe": {"exec": {"command": ["x"]}}}), run("s")), "", id="sidecar not started yet"),
]


@pytest.mark.parametrize(("actions", "expected"), CASES)
def test_plan(actions: PodActions, expected: str) -> None:
    assert told(actions) == expected


@pytest.mark.parametrize(("policy", "message"), [
    ("Always", "Container a failed liveness probe, will be restarted"),
    ("Never", "Container a failed liveness probe"),
])
def test_why_a_container_is_killed(policy: str, message: str) -> None:
    (kill,) = plan(pod(policy=policy), run("a"), run("b"), liveness="a").containers_to_kill
    assert (kill.message, kill.reason) == (message, "livenessProbe")

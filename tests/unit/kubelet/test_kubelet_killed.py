"""The kubelet is killed at every step that it takes, once just before it and once just after; another one goes on.

In the end stands what stands without a death: the same result of each Pod, no container started again that need not be,
nothing left behind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubelet_harness import Node, cluster
from mortal import Fate

from wherry.runtime.fake import FakeRuntime, Script
from wherry.runtime.interface import ContainerConfig, ContainerState, SandboxState
from wherry.util.clock import FakeClock

Scripts = Callable[[FakeRuntime, ContainerConfig], Script]
Act = Callable[[Node], Awaitable[None]]


@dataclass(frozen=True)
class Life:
    """A Pod: how its containers behave, what is done to it, and what must be so in the end."""

    spec: dict[str, Any]
    scripts: Scripts
    act: Act
    starts: dict[str, int]


def container(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "image": "busybox:1.36", **fields}


def phase_becomes(phase: str) -> Act:
    async def act(node: Node) -> None:
        await node.until(lambda: node.phase("p") == phase, 120)

    return act


async def ready_then_deleted(node: Node) -> None:
    deleting = node.pod("p") is None or "deletionTimestamp" in (node.pod("p") or {})["metadata"]
    if not deleting:
        await node.until(lambda: node.condition("p", "Ready") == "True", 60)
        await node.delete("p")
    await node.until(lambda: node.pod("p") is None, 120)


def ends_with(**codes: int) -> Scripts:
    return lambda runtime, config: Script(run_for=0.3, exit_code=codes.get(config.name, 0), log=f"{config.name} was here")


def fails_once(runtime: FakeRuntime, config: ContainerConfig) -> Script:
    failed = any(each.status.exit_code == 1 for each in runtime._containers.values())
    return Script(run_for=0.3, exit_code=0 if failed else 1)


def runs(runtime: FakeRuntime, config: ContainerConfig) -> Script:
    return Script(term_after=0.5, term_exit_code=0)


INITS = [container("one"), container("two")]
LIVES = {
    "succeeds": Life(
        {"restartPolicy": "Never", "initContainers": INITS, "containers": [container("c")]}, ends_with(), phase_becomes("Succeeded"),
        {"p/one": 1, "p/two": 1, "p/c": 1},
    ),
    "fails": Life(
        {"restartPolicy": "Never", "containers": [container("c"), container("d")]}, ends_with(c=3), phase_becomes("Failed"),
        {"p/c": 1, "p/d": 1},
    ),
    "fails in its first init container": Life(
        {"restartPolicy": "Never", "initContainers": INITS, "containers": [container("c")]}, ends_with(one=4), phase_becomes("Failed"),
        {"p/one": 1},
    ),
    "fails once": Life(
        {"restartPolicy": "OnFailure", "containers": [container("c")]}, fails_once, phase_becomes("Succeeded"), {"p/c": 2},
    ),
    "runs until deleted": Life(
        {"terminationGracePeriodSeconds": 5, "containers": [container("c"), container("d")]}, runs, ready_then_deleted,
        {"p/c": 1, "p/d": 1},
    ),
    "runs until its deadline": Life(
        {"activeDeadlineSeconds": 8, "containers": [container("c")]}, runs, phase_becomes("Failed"), {"p/c": 1},
    ),
}
CODES = {
    "succeeds": {"one": 0, "two": 0, "c": 0}, "fails": {"c": 3, "d": 0}, "fails in its first init container": {"one": 4},
    "fails once": {"c": 0}, "runs until its deadline": {"c": 0},
}


async def live(root: Path, life: Life, at: int, after: bool) -> tuple[Fate, dict[str, Any] | None, dict[str, int]]:
    """A Pod's life with one death of the kubelet in it; what is told of the Pod in the end, and how often each container began."""
    root.mkdir()

    def make(clock: FakeClock) -> FakeRuntime:
        runtime = FakeRuntime(clock, lambda sandbox, config: life.scripts(runtime, config))
        return runtime

    async with cluster(root, make) as node:
        node.runtime.images.add("busybox:1.36")
        fate = Fate(at, after)
        node.start(fate)
        await node.run(0.3, 0.3)
        await node.create_pod("p", life.spec)
        while True:
            try:
                await life.act(_Watched(node, fate))  # type: ignore[arg-type]
                break
            except Died:
                await node.stop()
                node.start(Fate(0, False))
        await node.run(3, 1.0)
        pod = node.pod("p")
        await _nothing_is_left(node, pod)
        return fate, pod, dict(node.started)


class Died(Exception):
    """The kubelet did."""


class _Watched:
    """A node whose time stops with its kubelet's death (once)."""

    def __init__(self, node: Node, fate: Fate) -> None:
        self._node, self._fate, self._told = node, fate, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)

    async def until(self, reached: Callable[[], Any], seconds: float) -> None:
        for _ in range(round(seconds / 0.25)):
            if self._died():
                raise Died
            if reached():
                return
            await self._node.run(0.25, 0.25)
        raise AssertionError(f"not reached within {seconds} s, {len(self._fate.steps)} steps: {self._fate.steps[-1]}")

    def _died(self) -> bool:
        return self._fate.dead.is_set() and self._node.kubelet is not None and self._node.kubelet.config.offload == self._fate.offload


async def _nothing_is_left(node: Node, pod: dict[str, Any] | None) -> None:
    sandboxes, containers = await node.runtime.list_pod_sandboxes(), await node.runtime.list_containers()
    assert not [c for c in containers if c.state is not ContainerState.EXITED]
    assert not [s for s in sandboxes if s.state is SandboxState.READY]
    if pod is None:
        assert not sandboxes
        assert not list((node.root / "pods").iterdir())
        assert not list((node.root / "logs").iterdir())


@pytest.mark.parametrize("after", [pytest.param(False, id="before"), pytest.param(True, id="after")])
@pytest.mark.parametrize("name", LIVES)
async def test_every_step(tmp_path: Path, name: str, after: bool) -> None:
    life = LIVES[name]
    wrong = []
    for at in range(1, 200):
        fate, pod, starts = await live(tmp_path / str(at), life, at, after)
        where = f"died {'after' if after else 'before'} step {at}, {fate.steps[-1]}"
        if starts != life.starts:
            wrong.append(f"{where}: started {starts}")
        if pod is not None:
            statuses = [*pod["status"].get("initContainerStatuses", []), *pod["status"].get("containerStatuses", [])]
            codes = {s["name"]: s["state"]["terminated"]["exitCode"] for s in statuses if "terminated" in s["state"]}
            if codes != CODES[name]:
                wrong.append(f"{where}: results {codes}")
        if not fate.dead.is_set():
            assert at > 8
            break
    else:
        raise AssertionError("the scenario never ends")
    assert not wrong, "\n".join(wrong)

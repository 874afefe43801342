"""The fake runtime: the common suite, and what only it does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from runtime_suite import Change, RuntimeSuite, Wait

from wherry.runtime.fake import FakeRuntime, Script, script_of_annotations
from wherry.runtime.interface import PURPOSE, TO_PREPARE, TO_WORK, ContainerConfig, ContainerState, RuntimeFault, SandboxConfig
from wherry.util.clock import FakeClock

SCRIPTS = {
    "forever": Script(term_after=0.0, term_exit_code=0),
    "fails": Script(run_for=1.0, exit_code=3),
    "quick": Script(run_for=1.0, log="hello\n"),
}


def rule(sandbox: SandboxConfig, container: ContainerConfig) -> Script:
    return SCRIPTS[container.command[0]]


def _change(command: str) -> Change:
    return lambda config: replace(config, command=(command,))


class TestFakeRuntime(RuntimeSuite):
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def image(self) -> str:
        return "busybox:1.36"

    @pytest.fixture
    async def runtime(self, clock: FakeClock, image: str) -> AsyncIterator[FakeRuntime]:
        runtime = FakeRuntime(clock, rule)
        runtime.images.add(image)
        yield runtime
        await runtime.close()

    @pytest.fixture
    def forever(self) -> Change:
        return _change("forever")

    @pytest.fixture
    def fails(self) -> Change:
        return _change("fails")

    @pytest.fixture
    def quick(self) -> Change:
        return _change("quick")

    @pytest.fixture
    def wait(self, clock: FakeClock) -> Wait:
        async def wait(reached: Callable[[], Awaitable[bool]]) -> None:
            for _ in range(100):
                if await reached():
                    return
                await clock.advance(0.1)
            raise AssertionError("not reached")

        return wait

    async def test_sigterm_may_be_ignored(self, clock: FakeClock) -> None:
        runtime = FakeRuntime(clock, lambda sandbox, container: Script(term_after=None))
        runtime.images.add("i")
        sandbox_id = await runtime.run_pod_sandbox(SandboxConfig("p", "n", "u"))
        container_id = await runtime.create_container(sandbox_id, ContainerConfig("c", "i"))
        await runtime.start_container(container_id)
        stop = asyncio.ensure_future(runtime.stop_container(container_id, 5))
        await clock.advance(4.9)
        assert not stop.done()
        await clock.advance(0.2)
        assert stop.done()
        assert (await runtime.container_status(container_id)).exit_code == 137

    async def test_a_listener_that_sleeps_is_dropped(self, runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("wherry.runtime.fake.runtime._QUEUE_LIMIT", 3)
        stream = runtime.events()
        for number in range(5):
            await runtime.run_pod_sandbox(SandboxConfig(f"p{number}", "n", f"u{number}"))
        assert len([event async for event in stream]) == 2


@pytest.mark.parametrize(("annotations", "expected"), [
    pytest.param({}, Script(), id="nothing said: runs for ever"),
    pytest.param({"wherry.dev/fake-run-seconds": "2.5", "wherry.dev/fake-exit-code": "4"}, Script(run_for=2.5, exit_code=4), id="ends"),
    pytest.param({"wherry.dev/fake-exit-code": "1", "wherry.dev/fake-exit-code.c": "2"}, Script(exit_code=2), id="its own goes first"),
    pytest.param({"wherry.dev/fake-exit-code.other": "2"}, Script(), id="another container's"),
    pytest.param({"wherry.dev/fake-term-seconds": "-1"}, Script(term_after=None), id="ignores SIGTERM"),
    pytest.param({"wherry.dev/fake-cpu": "250m", "wherry.dev/fake-memory": "64Mi"}, Script(cpu_milli=250, memory=64 << 20), id="uses"),
    pytest.param({"unrelated": "x"}, Script(), id="others' annotations"),
])
def test_annotations_tell_a_life(annotations: dict[str, str], expected: Script) -> None:
    assert script_of_annotations(SandboxConfig("p", "n", "u", annotations=annotations), ContainerConfig("c", "i")) == expected


@pytest.mark.parametrize(("annotations", "purpose", "expected"), [
    pytest.param({}, TO_PREPARE, Script(run_for=0.0), id="an init container"),
    pytest.param({}, TO_WORK, Script(run_for=1.0), id="a Job's"),
    pytest.param({"wherry.dev/fake-exit-code": "3"}, TO_WORK, Script(run_for=1.0, exit_code=3), id="a Job's that fails"),
    pytest.param({"wherry.dev/fake-run-seconds": "60"}, TO_WORK, Script(run_for=60.0), id="told otherwise"),
])
def test_what_is_meant_to_end_ends(annotations: dict[str, str], purpose: str, expected: Script) -> None:
    container = ContainerConfig("c", "i", annotations={PURPOSE: purpose})
    assert script_of_annotations(SandboxConfig("p", "n", "u", annotations=annotations), container) == expected


@pytest.mark.parametrize("annotations", [
    pytest.param({"wherry.dev/fake-exit": "1"}, id="unknown"),
    pytest.param({"wherry.dev/fake-exit-code": "one"}, id="no number"),
])
def test_annotations_that_make_no_sense_are_refused(annotations: dict[str, str]) -> None:
    with pytest.raises(RuntimeFault, match="annotation"):
        script_of_annotations(SandboxConfig("p", "n", "u", annotations=annotations), ContainerConfig("c", "i"))


async def test_a_container_killed_from_outside_is_seen() -> None:
    runtime = FakeRuntime(FakeClock())
    runtime.images.add("i")
    container_id = await runtime.create_container(await runtime.run_pod_sandbox(SandboxConfig("p", "n", "u")), ContainerConfig("c", "i"))
    await runtime.start_container(container_id)
    await runtime.kill(container_id)
    status = await runtime.container_status(container_id)
    assert (status.state, status.exit_code, status.reason) == (ContainerState.EXITED, 137, "Error")

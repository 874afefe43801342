"""What every runtime must do: one suite, run by each implementation with its own `runtime` and `image` fixtures.

A subclass gives the fixtures `runtime` (started, with the image `image` on it), `forever`, `fails` and `quick`:
functions that turn a ContainerConfig into one that runs for ever and stops on SIGTERM, that ends with 3, and
that ends with 0 after writing the line `hello`.  Time is the subclass's own: `wait` lets it pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from wherry.runtime.interface import (
    ContainerConfig,
    ContainerEvent,
    ContainerState,
    NotFound,
    Resources,
    Runtime,
    RuntimeFault,
    SandboxConfig,
    SandboxState,
)

Change = Callable[[ContainerConfig], ContainerConfig]
Wait = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


class RuntimeSuite:
    """Verbs of the CRI, as the kubelet relies on them."""

    @pytest.fixture
    def sandbox(self, tmp_path: Path) -> SandboxConfig:
        return SandboxConfig("p", "n", "uid-1", hostname="p", log_directory=str(tmp_path / "logs"), labels={"a": "b"})

    @pytest.fixture
    def container(self, image: str) -> ContainerConfig:
        return ContainerConfig("c", image, log_path="c/0.log", labels={"x": "y"}, annotations={"k": "v"})

    async def test_says_its_name(self, runtime: Runtime) -> None:
        name, version = await runtime.version()
        assert name
        assert version

    async def test_a_sandbox_is_ready_with_an_address(self, runtime: Runtime, sandbox: SandboxConfig) -> None:
        sandbox_id = await runtime.run_pod_sandbox(sandbox)
        status = await runtime.pod_sandbox_status(sandbox_id)
        assert status.state == SandboxState.READY
        assert len(status.ips) == 1
        assert status.config == sandbox
        assert [s.id for s in await runtime.list_pod_sandboxes()] == [sandbox_id]

    async def test_sandboxes_have_addresses_of_their_own(self, runtime: Runtime, sandbox: SandboxConfig) -> None:
        one = await runtime.run_pod_sandbox(sandbox)
        two = await runtime.run_pod_sandbox(replace(sandbox, name="q", uid="uid-2"))
        assert (await runtime.pod_sandbox_status(one)).ips != (await runtime.pod_sandbox_status(two)).ips

    async def test_a_sandbox_on_the_host_network_has_no_address(self, runtime: Runtime, sandbox: SandboxConfig) -> None:
        sandbox_id = await runtime.run_pod_sandbox(replace(sandbox, host_network=True, hostname=""))
        assert (await runtime.pod_sandbox_status(sandbox_id)).ips == ()

    async def test_stop_and_remove_of_a_sandbox_may_be_repeated(self, runtime: Runtime, sandbox: SandboxConfig) -> None:
        sandbox_id = await runtime.run_pod_sandbox(sandbox)
        for _ in range(2):
            await runtime.stop_pod_sandbox(sandbox_id)
        assert (await runtime.pod_sandbox_status(sandbox_id)).state == SandboxState.NOTREADY
        for _ in range(2):
            await runtime.remove_pod_sandbox(sandbox_id)
        with pytest.raises(NotFound):
            await runtime.pod_sandbox_status(sandbox_id)

    async def test_a_container_is_created_started_and_stopped(
        self, runtime: Runtime, sandbox: SandboxConfig, container: ContainerConfig, forever: Change,
    ) -> None:
        sandbox_id = await runtime.run_pod_sandbox(sandbox)
        config = replace(forever(container), attempt=2)
        container_id = await runtime.create_container(sandbox_id, config)
        created = await runtime.container_status(container_id)
        assert (created.state, created.sandbox_id, created.config) == (ContainerState.CREATED, sandbox_id, config)
        await runtime.start_container(container_id)
        running = await runtime.container_status(container_id)
        assert running.state == ContainerState.RUNNING
        assert running.started_at >= running.created_at > 0
        assert running.image_id.startswith("sha256:")
        assert running.image.endswith("busybox:1.36")
        await runtime.stop_container(container_id, 10)
        ended = await runtime.container_status(container_id)
        assert ended.state == ContainerState.EXITED
        assert ended.finished_at >= ended.started_at
        await runtime.stop_container(container_id, 10)

    async def test_how_a_container_ended_is_told(
        self, runtime: Runtime, sandbox: SandboxConfig, container: ContainerConfig, fails: Change, quick: Change, wait: Wait,
    ) -> None:
        sandbox_id = await runtime.run_pod_sandbox(sandbox)
        for change, code, reason in ((fails, 3, "Error"), (quick, 0, "Completed")):
            container_id = await runtime.create_container(sandbox_id, change(replace(container, name=f"c{code}")))
            await runtime.start_container(container_id)

            async def over(container_id: str = container_id) -> bool:
                return (await runtime.container_status(container_id)).state == ContainerState.EXITED

            await wait(over)
            status = await runtime.container_status(container_id)
            assert (status.exit_code, status.reason) == (code, reason)

    async def test_logs_are_in_the_cri_format(
        self, runtime: Runtime, sandbox: SandboxConfig, container: ContainerConfig, quick: Change, wait: Wait,
    ) -> None:
        sandbox_id = await runtime.run_pod_sandbox(sandbox)
        container_id = await runtime.create_container(sandbox_id, quick(container))
        await runtime.start_container(container_id)

        async def over() -> bool:
            return (await runtime.container_status(container_id)).state == ContainerState.EXITED

        await wait(over)
        path = Path((await runtime.container_status(container_id)).log_path)
        assert path == Path(sandbox.log_directory) / "c/0.log"
        stamp, stream, flag, text = path.read_text().splitlines()[0].split(" ", 3)
        assert stamp[10] == "T"
        assert (stream, flag, text) == ("stdout", "F", "hello")

    async def test_events_tell_a_container_life(
        self, runtime: Runtime, sandbox: SandboxConfig, container: ContainerConfig, forever: Change,
    ) -> None:
        stream = runtime.events()
        sandbox_id = await runtime.run_pod_sandbox(sandbox)
        container_id = await runtime.create_container(sandbox_id, forever(container))
        await runtime.start_container(container_id)
        await runtime.stop_container(container_id, 5)
        await runtime.remove_container(container_id)
        told: list[ContainerEvent] = []
        async with asyncio.timeout(20):
            while not told or told[-1].type != "deleted":
                event = await anext(stream)
                if event.container_id == container_id:
                    told.append(event)
        assert [e.type for e in told] == ["created", "started", "stopped", "deleted"]
        assert {e.sandbox_id for e in told} == {sandbox_id}
        await stream.aclose()  # type: ignore[attr-defined]

    async def test_stopping_a_sandbox_stops_its_containers(
        self, runtime: Runtime, sandbox: SandboxConfig, container: ContainerConfig, forever: Change,
    ) -> None:
        sandbox_id = await runtime.run_pod_sandbox(sandbox)
        container_id = await runtime.create_container(sandbox_id, forever(container))
        await runtime.start_container(container_id)
        await runtime.stop_pod_sandbox(sandbox_id)
        assert (await runtime.container_status(container_id)).state == ContainerState.EXITED
        with pytest.raises(RuntimeFault):
            await runtime.create_container(sandbox_id, forever(replace(container, name="d")))
        await runtime.remove_pod_sandbox(sandbox_id)
        assert list(await runtime.list_containers()) == []

    async def test_exec_needs_a_running_container(
        self, runtime: Runtime, sandbox: SandboxConfig, container: ContainerConfig, forever: Change,
    ) -> None:
        sandbox_id = await runtime.run_pod_sandbox(sandbox)
        container_id = await runtime.create_container(sandbox_id, forever(container))
        await runtime.start_container(container_id)
        assert (await runtime.exec_sync(container_id, ["true"], 5)).exit_code == 0
        streams = await runtime.exec(container_id, ["true"], stdin=False, tty=False)
        assert await streams.wait() == 0
        await streams.close()
        await runtime.stop_container(container_id, 0)
        with pytest.raises(RuntimeFault):
            await runtime.exec_sync(container_id, ["true"], 5)

    async def test_port_forward_to_nothing_is_refused(self, runtime: Runtime, sandbox: SandboxConfig) -> None:
        sandbox_id = await runtime.run_pod_sandbox(sandbox)
        with pytest.raises(OSError, match="refused"):
            await runtime.port_forward(sandbox_id, 9)

    async def test_resources_can_be_changed_and_use_is_told(
        self, runtime: Runtime, sandbox: SandboxConfig, container: ContainerConfig, forever: Change,
    ) -> None:
        sandbox_id = await runtime.run_pod_sandbox(sandbox)
        container_id = await runtime.create_container(sandbox_id, forever(container))
        await runtime.start_container(container_id)
        await runtime.update_pod_sandbox_resources(sandbox_id, Resources(cpu_shares=1024))
        assert (await runtime.pod_sandbox_status(sandbox_id)).config.cpu_shares == 1024
        await runtime.update_container_resources(container_id, Resources(cpu_shares=512))
        usage = await runtime.container_stats(container_id)
        assert usage.time > 0
        assert usage.memory_usage >= 0
        assert (await runtime.sandbox_stats(sandbox_id)).time > 0

    async def test_images_are_found_listed_and_removed(self, runtime: Runtime, image: str) -> None:
        found = await runtime.image_status(image)
        assert found is not None
        assert found.id in {each.id for each in await runtime.list_images()}
        assert await runtime.image_status(found.id) == found
        used, available, capacity = await runtime.image_fs_usage()
        assert 0 <= used <= capacity
        assert 0 <= available <= capacity
        await runtime.remove_image(image)
        assert await runtime.image_status(image) is None

    @pytest.mark.parametrize("what", ["container_status", "pod_sandbox_status", "start_container"])
    async def test_what_is_not_there_is_not_found(self, runtime: Runtime, what: str) -> None:
        with pytest.raises(NotFound):
            await getattr(runtime, what)("f" * 64)

    @pytest.mark.parametrize("what", ["remove_container", "remove_pod_sandbox", "stop_pod_sandbox"])
    async def test_removing_what_is_not_there_is_no_error(self, runtime: Runtime, what: str) -> None:
        await getattr(runtime, what)("f" * 64)

"""A real runtime of its own for each module of tests, and a check that it left nothing on the host."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from wherry.runtime.embedded import rtnl
from wherry.runtime.embedded.cleanup import cleanup
from wherry.runtime.embedded.config import RuntimeConfig, cgroup_name
from wherry.runtime.embedded.runtime import EmbeddedRuntime
from wherry.runtime.interface import ContainerConfig, ContainerState, SandboxConfig
from wherry.util.clock import RealClock

TOOLS = ("runc", "conmon", "nft")
CLUSTER = f"rt-{os.getpid() % 100_000}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    reason = "needs root" if os.geteuid() != 0 else f"needs {', '.join(missing)}" if missing else ""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.root)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


def host_state() -> dict[str, object]:
    """What a test must not change."""
    with rtnl.Netlink() as netlink:
        links = sorted(link.name for link in netlink.links() if link.alias == f"wherry-{CLUSTER}")
        routes = sorted(str(route.destination) for route in netlink.routes() if route.destination.subnet_of(IPv4Network("10.76.0.0/14")))
    return {
        "links": links,
        "routes": routes,
        "mounts": [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if CLUSTER in line],
        "cgroups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"*{cgroup_name(CLUSTER)}")],
        "tables": [line for line in subprocess.check_output(["nft", "list", "tables"], text=True).splitlines() if CLUSTER in line],
    }


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RuntimeConfig]:
    state, root = Path(f"/run/wherry-{CLUSTER}"), tmp_path_factory.mktemp("root")
    config = RuntimeConfig(
        cluster=CLUSTER,
        root=root,
        state=state,
        pod_cidr=IPv4Network("10.77.0.0/16"),
        node_cidr=IPv4Network("10.77.3.0/24"),
        service_cidr=IPv4Network("10.78.0.0/16"),
        address=IPv4Address("10.77.3.1"),
        host=Path(f"/run/wherry-host-{CLUSTER}"),
    )
    yield config
    cleanup(CLUSTER, state)
    assert not any(host_state().values())
    assert not state.exists()
    assert not config.host.exists()


@pytest.fixture
async def runtime(config: RuntimeConfig, busybox_archive: Path) -> AsyncIterator[EmbeddedRuntime]:
    """Started, with the image on it; what a test leaves is removed."""
    runtime = EmbeddedRuntime(config, RealClock())
    await runtime.start()
    if await runtime.image_status("busybox:1.36") is None:
        await runtime.load_image(busybox_archive)
    yield runtime
    for sandbox in await runtime.list_pod_sandboxes():
        await runtime.remove_pod_sandbox(sandbox.id)
    assert list(await runtime.list_containers()) == []
    await runtime.close()


class Pods:
    """Shorthand for Pods of one container."""

    def __init__(self, runtime: EmbeddedRuntime, logs: Path) -> None:
        self.runtime = runtime
        self.logs = logs
        self._count = 0

    def sandbox(self, **fields: object) -> SandboxConfig:
        self._count += 1
        name = f"p{self._count}"
        given = {"name": name, "namespace": "n", "uid": f"uid-{name}", "hostname": name, "log_directory": str(self.logs / name)}
        return SandboxConfig(**(given | fields))  # type: ignore[arg-type]

    async def run(self, *command: str, sandbox: SandboxConfig | None = None, **fields: object) -> tuple[str, str]:
        """(sandbox id, container id) of a Pod whose container has been started."""
        sandbox_id = await self.runtime.run_pod_sandbox(sandbox or self.sandbox())
        return sandbox_id, await self.add(sandbox_id, *command, **fields)

    async def add(self, sandbox_id: str, *command: str, **fields: object) -> str:
        given = {"name": "c", "image": "busybox:1.36", "command": command, "log_path": "c/0.log"}
        container_id = await self.runtime.create_container(sandbox_id, ContainerConfig(**(given | fields)))  # type: ignore[arg-type]
        await self.runtime.start_container(container_id)
        return container_id

    async def shell(self, container_id: str, text: str) -> str:
        """What a shell command in the container prints."""
        done = await self.runtime.exec_sync(container_id, ["sh", "-c", text], 20)
        assert done.exit_code == 0, done
        return done.stdout.decode()

    async def ended(self, container_id: str) -> None:
        """Wait for a container's end, by its event."""
        events = self.runtime.events()
        while (await self.runtime.container_status(container_id)).state is not ContainerState.EXITED:
            await anext(events)

    async def log(self, container_id: str) -> list[str]:
        """The log's texts, without times."""
        path = Path((await self.runtime.container_status(container_id)).log_path)
        return [line.split(" ", 1)[1] for line in path.read_text().splitlines()]


@pytest.fixture
def pods(runtime: EmbeddedRuntime, tmp_path: Path) -> Pods:
    return Pods(runtime, tmp_path / "logs")



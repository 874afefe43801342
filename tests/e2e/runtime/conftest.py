"""A real runtime of its own for each module of tests, and a check that it left nothing on the host."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from realpods import Pods

from wherry.runtime.embedded import rtnl
from wherry.runtime.embedded.cleanup import cleanup
from wherry.runtime.embedded.config import RuntimeConfig, cgroup_name
from wherry.runtime.embedded.runtime import EmbeddedRuntime
from wherry.util.clock import RealClock

TOOLS = ("runc", "conmon", "nft")
CLUSTER = f"rt-{os.getpid() % 100_000}"
RANGE = 100 + os.getpid() % 70 * 2
"""10.RANGE and 10.RANGE+1 are this run's, so that another one beside it has its own."""


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
        routes = sorted(
            str(route.destination) for route in netlink.routes() if route.destination.subnet_of(IPv4Network(f"10.{RANGE}.0.0/15"))
        )
    return {
        "links": links,
        "routes": routes,
        "mounts": [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if CLUSTER in line],
        "cgroups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"*{cgroup_name(CLUSTER)}")],
        "tables": [line for line in subprocess.check_output(["nft", "list", "tables"], text=True).splitlines() if CLUSTER in line],
    }


@pytest.fixture(scope="session", autouse=True)
def swept() -> None:
    """What runs left that were killed is taken away: their names come from process ids that are nobody's any more."""
    alive = {int(process.name) % 100_000 for process in Path("/proc").glob("[0-9]*")}
    for state in Path("/run").glob("wherry-rt-*"):
        cluster = state.name.removeprefix("wherry-")
        if int(cluster.removeprefix("rt-")) not in alive:
            cleanup(cluster, state)
            shutil.rmtree(f"/run/wherry-host-{cluster}", ignore_errors=True)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RuntimeConfig]:
    state, root = Path(f"/run/wherry-{CLUSTER}"), tmp_path_factory.mktemp("root")
    config = RuntimeConfig(
        cluster=CLUSTER,
        root=root,
        state=state,
        pod_cidr=IPv4Network(f"10.{RANGE}.0.0/16"),
        node_cidr=IPv4Network(f"10.{RANGE}.3.0/24"),
        service_cidr=IPv4Network(f"10.{RANGE + 1}.0.0/16"),
        address=IPv4Address(f"10.{RANGE}.3.1"),
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


@pytest.fixture
def pods(runtime: EmbeddedRuntime, tmp_path: Path) -> Pods:
    return Pods(runtime, tmp_path / "logs")

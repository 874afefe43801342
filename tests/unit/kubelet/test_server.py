"""The kubelet's own HTTP API: logs, Pods, statistics, and the streaming calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from kubelet_harness import Node, cluster

from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request, Response
from wherry.kubelet.server.logs import tail_start
from wherry.runtime.fake import FakeRuntime, Script
from wherry.runtime.interface import ContainerConfig, ExecResult, SandboxConfig


def rule(sandbox: SandboxConfig, container: ContainerConfig) -> Script:
    if container.name == "dies":
        return Script(run_for=0.5, exit_code=1, log=f"run {container.attempt}\n")
    return Script(log="one\ntwo\nthree\n", exec=lambda command, elapsed: ExecResult(" ".join(command).encode(), b"", 3), cpu_milli=250)


@pytest.fixture
async def logged(tmp_path: Path) -> AsyncIterator[Node]:
    """A node with a Pod `p` of containers `c` (runs) and `dies`, and a Pod `w` that waits for its image."""
    async with cluster(tmp_path, lambda clock: FakeRuntime(clock, rule)) as node:
        node.runtime.images.add("busybox:1.36")
        node.start()
        await node.create_pod("p", {"containers": [{"name": n, "image": "busybox:1.36"} for n in ("c", "dies")]})
        await node.create_pod("w", {"containers": [{"name": "c", "image": "nosuch.invalid/x"}]})
        await node.run(6)
        yield node


async def get(node: Node, path: str, **query: Any) -> Response:
    assert node.kubelet is not None
    return await node.kubelet.handle(Request("GET", path, [(k, str(v)) for k, v in query.items()]))


async def text(response: Response) -> str:
    if response.stream is None:
        return response.body.decode()
    return b"".join([chunk async for chunk in response.stream]).decode()


def append(node: Node, line: str) -> None:
    (path,) = node.root.glob("logs/life_p_*/c/0.log")
    with path.open("a") as file:
        file.write(line)


@pytest.mark.parametrize(("query", "expected"), [
    pytest.param({}, "one\ntwo\nthree\n", id="all"),
    pytest.param({"tailLines": 1}, "three\n", id="tail"),
    pytest.param({"tailLines": 0}, "", id="tail of nothing"),
    pytest.param({"tailLines": 9}, "one\ntwo\nthree\n", id="tail of more than there is"),
    pytest.param({"limitBytes": 5}, "one\nt", id="limit"),
    pytest.param({"sinceSeconds": 1}, "", id="since, later"),
    pytest.param({"sinceSeconds": 60}, "one\ntwo\nthree\n", id="since, earlier"),
    pytest.param({"stream": "Stderr"}, "", id="the other stream"),
])
async def test_logs(logged: Node, query: dict[str, Any], expected: str) -> None:
    response = await get(logged, "/containerLogs/life/p/c", **query)
    assert response.status == 200
    assert await text(response) == expected


async def test_timestamps(logged: Node) -> None:
    lines = (await text(await get(logged, "/containerLogs/life/p/c", timestamps="true"))).splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["one", "two", "three"]
    assert all(line[10] == "T" for line in lines)


async def test_partial_lines_are_joined(logged: Node) -> None:
    append(logged, "2026-01-01T00:00:00.0Z stdout P ab\n2026-01-01T00:00:00.0Z stdout F cd\n")
    assert (await text(await get(logged, "/containerLogs/life/p/c"))).endswith("three\nabcd\n")


async def test_the_previous_run(logged: Node) -> None:
    (container,) = [c for c in await logged.runtime.list_containers() if c.config.name == "c" and c.pid]
    append(logged, "2026-01-01T00:00:00.0Z stdout F before it died\n")
    await logged.runtime.kill(container.id)
    await logged.run(2)
    assert await text(await get(logged, "/containerLogs/life/p/c", tailLines=1)) == "three\n"
    assert await text(await get(logged, "/containerLogs/life/p/c", tailLines=1, previous="true")) == "before it died\n"


async def test_the_last_run_is_shown_while_the_next_one_waits(logged: Node) -> None:
    assert logged.container("p", "dies")["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    count = logged.container("p", "dies")["restartCount"]
    assert await text(await get(logged, "/containerLogs/life/p/dies")) == f"run {count}\n"


@pytest.mark.parametrize(("path", "query", "code", "message"), [
    pytest.param("life/no/c", {}, 404, "pod does not exist", id="no pod"),
    pytest.param("life/p/no", {}, 404, 'container "no" not found in pod "p"', id="no container"),
    pytest.param("life/p/c", {"previous": "true"}, 400, 'previous terminated container "c" in pod "p" not found', id="no previous run"),
    pytest.param("life/w/c", {}, 400, 'container "c" in pod "w" is waiting to start: image can\'t be pulled', id="no image"),
    pytest.param("life/p/c", {"tailLines": "x"}, 422, "invalid tailLines", id="no number"),
    pytest.param("life/p/c", {"sinceTime": "x", "sinceSeconds": 1}, 422, "at most one of", id="two sinces"),
])
async def test_logs_that_cannot_be(logged: Node, path: str, query: dict[str, Any], code: int, message: str) -> None:
    response = await get(logged, f"/containerLogs/{path}", **query)
    assert response.status == code
    assert message in response.body.decode()


async def _collect(response: Response, into: list[str]) -> None:
    assert response.stream is not None
    async for chunk in response.stream:
        into.append(chunk.decode())


async def _let_inotify_tell(node: Node) -> None:
    """The kernel's word comes through the real loop, not the clock."""
    for _ in range(50):
        await asyncio.sleep(0.001)
        await node.clock.settle(5)


async def test_followed_logs_end_with_their_container(logged: Node) -> None:
    told: list[str] = []
    follower = asyncio.ensure_future(_collect(await get(logged, "/containerLogs/life/p/c", follow="true", tailLines=1), told))
    await logged.clock.settle()
    assert told == ["three\n"]
    append(logged, "2026-01-01T00:00:00.0Z stdout F four\n")
    await _let_inotify_tell(logged)
    assert told == ["three\n", "four\n"]
    (container,) = [c for c in await logged.runtime.list_containers() if c.config.name == "c" and c.pid]
    await logged.runtime.kill(container.id)
    await logged.run(1.5)
    assert follower.done()


async def test_followed_logs_go_on_after_rotation(logged: Node) -> None:
    told: list[str] = []
    follower = asyncio.ensure_future(_collect(await get(logged, "/containerLogs/life/p/c", follow="true", tailLines=0), told))
    await logged.clock.settle()
    (path,) = logged.root.glob("logs/life_p_*/c/0.log")
    path.rename(path.with_name("0.log.20260101-000000"))
    path.write_text("2026-01-01T00:00:00.0Z stdout F new\n")
    await _let_inotify_tell(logged)
    assert told == ["new\n"]
    follower.cancel()
    await asyncio.gather(follower, return_exceptions=True)


@pytest.mark.parametrize("lines", [0, 1, 2, 5])
def test_tail_start_across_blocks(tmp_path: Path, lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wherry.kubelet.server.logs._BLOCK", 4)
    path = tmp_path / "log"
    path.write_bytes(b"aa\nbbbbbbbb\ncc\n")
    with path.open("rb") as file:
        file.seek(tail_start(file, lines))
        assert file.read() == b"".join([b"aa\n", b"bbbbbbbb\n", b"cc\n"][-lines:] if lines else [])


async def test_large_logs_are_rotated(logged: Node) -> None:
    append(logged, "2026-01-01T00:00:00.0Z stdout F " + "x" * (11 << 20) + "\n")
    await logged.run(11, 1)
    (directory,) = logged.root.glob("logs/life_p_*/c")
    assert [path.name.startswith("0.log.") for path in directory.iterdir()] == [True]


async def test_pods_and_health(logged: Node) -> None:
    listed = json.loads((await get(logged, "/pods")).body)
    assert sorted(pod["metadata"]["name"] for pod in listed["items"]) == ["p", "w"]
    assert (await get(logged, "/healthz")).body == b"ok"
    assert b'kubernetes_healthcheck{name="syncloop",type="healthz"} 1' in (await get(logged, "/metrics/slis")).body
    assert (await get(logged, "/nosuch")).status == 404
    assert b'kubelet_node_name{node="n1"} 1' in (await get(logged, "/metrics")).body


async def test_statistics(logged: Node) -> None:
    await get(logged, "/stats/summary")
    await logged.run(20, 1)
    summary = json.loads((await get(logged, "/stats/summary")).body)
    pod = next(p for p in summary["pods"] if p["podRef"]["name"] == "p")
    container = next(c for c in pod["containers"] if c["name"] == "c")
    assert container["cpu"]["usageNanoCores"] == pytest.approx(250_000_000)
    assert container["memory"]["workingSetBytes"] == 1 << 20
    assert summary["node"]["nodeName"] == "n1"
    assert summary["node"]["cpu"]["usageNanoCores"] > 0
    metrics = (await get(logged, "/metrics/resource")).body.decode()
    assert 'container_memory_working_set_bytes{container="c",namespace="life",pod="p"} 1048576 ' in metrics


async def test_exec(logged: Node) -> None:
    assert logged.kubelet is not None
    streams = await logged.kubelet.server.streaming.exec("life", "p", "", ["a", "b"])
    assert await streams.read() == (1, b"a b")
    assert await streams.read() is None
    assert await streams.wait() == 3


@pytest.mark.parametrize(("container", "pod", "code"), [("dies", "p", 500), ("no", "p", 400), ("c", "no", 404)])
async def test_exec_that_cannot_be(logged: Node, container: str, pod: str, code: int) -> None:
    assert logged.kubelet is not None
    with pytest.raises(StatusError) as caught:
        await logged.kubelet.server.streaming.exec("life", pod, container, ["a"])
    assert caught.value.code == code


async def test_port_forward_is_refused_where_nothing_listens(logged: Node) -> None:
    assert logged.kubelet is not None
    with pytest.raises(OSError, match="refused"):
        await logged.kubelet.server.streaming.port_forward("life", "p", 80)

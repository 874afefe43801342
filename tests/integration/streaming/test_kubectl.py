"""exec, attach, port-forward and logs with the real kubectl, to a node in the server's process and to one behind HTTPS."""

from __future__ import annotations

import asyncio
import json

import pytest
from streaming_harness import ADMIN, Cluster

from wherry.apimachinery.http import Request, Response


@pytest.fixture(params=["in-process", "https"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_exec_prints(kube: Cluster) -> None:
    done = await kube.kubectl("exec", "p", "--", "echo", "a", "b  c")
    assert (done.code, done.out, done.err) == (0, "a b  c\n", "")


async def test_exec_exit_code_and_stderr(kube: Cluster) -> None:
    done = await kube.kubectl("exec", "p", "--", "fail", "3")
    assert (done.code, done.out) == (3, "out\n")
    assert done.err.splitlines() == ["err", "command terminated with exit code 3"]


async def test_exec_copies_stdin_to_its_end(kube: Cluster) -> None:
    data = bytes(range(256)) * 8000
    child = await kube.start("exec", "-i", "p", "--", "cat")
    out, err = await asyncio.wait_for(child.communicate(data), 60)
    assert (child.returncode, err) == (0, b"")
    assert out == data


async def test_exec_counts_large_input(kube: Cluster) -> None:
    done = await kube.kubectl("exec", "-i", "p", "--", "count", stdin=b"z" * 5_000_000)
    assert (done.code, done.out) == (0, "5000000\n")


async def test_exec_that_reads_no_input_ends(kube: Cluster) -> None:
    done = await kube.kubectl("exec", "-i", "p", "--", "ignore", stdin=b"z" * 3_000_000)
    assert (done.code, done.out) == (0, "done\n")


async def test_exec_large_output(kube: Cluster) -> None:
    child = await kube.start("exec", "p", "--", "big", "20000000")
    out, _ = await asyncio.wait_for(child.communicate(), 60)
    assert len(out) == 20_000_000


async def test_exec_of_no_program(kube: Cluster) -> None:
    done = await kube.kubectl("exec", "p", "--", "nosuch")
    assert done.code == 1
    assert 'error executing command in container: exec: "nosuch": executable file not found in $PATH' in done.err


async def test_exec_in_a_stopped_container(kube: Cluster) -> None:
    done = await kube.kubectl("exec", "stopped", "--", "echo")
    assert done.code == 1
    assert 'unable to upgrade connection: container not found ("gone")' in done.err


async def test_exec_in_a_pending_pod(kube: Cluster) -> None:
    done = await kube.kubectl("exec", "pending", "--", "echo")
    assert done.code == 1
    assert "pod pending does not have a host assigned" in done.err


async def test_exec_on_a_lost_node(kube: Cluster) -> None:
    done = await kube.kubectl("exec", "lost", "--", "echo")
    assert done.code == 1
    assert "error dialing backend: no such node: n2" in done.err


async def test_a_client_that_vanishes_ends_the_process(kube: Cluster) -> None:
    child = await kube.start("exec", "p", "--", "hang")
    assert child.stdout is not None
    assert await asyncio.wait_for(child.stdout.readline(), 20) == b"up\n"
    child.kill()
    await asyncio.wait_for(kube.node.streaming.programs[-1].closed.wait(), 20)


async def test_a_slow_reader_holds_the_process_up(kube: Cluster) -> None:
    child = await kube.start("exec", "p", "--", "big", "100000000")
    assert child.stdout is not None
    await asyncio.wait_for(child.stdout.readexactly(1), 20)
    program = kube.node.streaming.programs[-1]
    sent = -1
    async with asyncio.timeout(30):
        while sent != program.sent:
            sent = program.sent
            await asyncio.sleep(0.5)
    assert sent < 30_000_000


async def test_many_at_once(kube: Cluster) -> None:
    done = await asyncio.gather(*(kube.kubectl("exec", "p", "--", "echo", str(n)) for n in range(8)))
    assert [each.out for each in done] == [f"{n}\n" for n in range(8)]


async def test_attach(kube: Cluster) -> None:
    done = await kube.kubectl("attach", "p", "-c", "c")
    assert (done.code, done.out) == (0, "out\n")
    done = await kube.kubectl("attach", "-i", "p", "-c", "c", stdin=b"hello")
    assert done.out == "hello"


async def _forward(kube: Cluster, port: int) -> tuple[asyncio.subprocess.Process, int]:
    child = await kube.start("port-forward", "pod/p", f":{port}", "--address=127.0.0.1")
    assert child.stdout is not None
    line = (await asyncio.wait_for(child.stdout.readline(), 20)).decode()
    return child, int(line.split("127.0.0.1:")[1].split()[0])


async def _running(kube: Cluster) -> None:
    """port-forward wants the phase Running."""

    patch = json.dumps({"status": {"phase": "Running"}}).encode()
    headers = {"content-type": "application/merge-patch+json"}
    answer = await kube.server.handle(Request("PATCH", "/api/v1/namespaces/n/pods/p/status", [], headers, patch, ADMIN))
    assert answer.status == 200, answer.body


async def test_port_forward_many_connections(kube: Cluster) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read()
        writer.write(b"<" + data + b">")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    kube.node.streaming.ports[80] = server.sockets[0].getsockname()[1]
    await _running(kube)
    _, local = await _forward(kube, 80)

    async def one(number: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", local)
        writer.write(b"%d" % number * 50_000)
        await writer.drain()
        writer.write_eof()
        got = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return got

    assert await asyncio.gather(*map(one, range(10, 40))) == [b"<" + b"%d" % n * 50_000 + b">" for n in range(10, 40)]
    server.close()


async def test_port_forward_to_a_port_where_nothing_listens(kube: Cluster) -> None:
    await _running(kube)
    child, local = await _forward(kube, 81)
    reader, writer = await asyncio.open_connection("127.0.0.1", local)
    assert await asyncio.wait_for(reader.read(), 20) == b""
    writer.close()
    assert child.stderr is not None
    err = b""
    while b"\n" not in err:
        err += await asyncio.wait_for(child.stderr.read(4096), 20)
    assert b"error forwarding port 81 to pod p, uid : dial tcp4 127.0.0.1:81: connect: connection refused" in err


async def test_logs(kube: Cluster) -> None:
    done = await kube.kubectl("logs", "p", "--tail=5", "--timestamps", "--since=10s")
    assert (done.code, done.out) == (0, "one\ntwo\n")
    asked = kube.node.asked[-1]
    assert asked.path == "/containerLogs/n/p/c"
    assert dict(asked.query) == {"timestamps": "true", "sinceSeconds": "10", "tailLines": "5"}
    assert "authorization" not in asked.headers


async def test_following_ends_with_the_client(kube: Cluster) -> None:
    child = await kube.start("logs", "-f", "p")
    assert child.stdout is not None
    assert await asyncio.wait_for(child.stdout.readline(), 20) == b"one\n"
    assert not kube.node.log_closed.is_set()
    child.kill()
    await asyncio.wait_for(kube.node.log_closed.wait(), 20)


async def test_logs_of_a_waiting_container(kube: Cluster) -> None:
    told = 'container "c" in pod "p" is waiting to start: ContainerCreating'
    kube.node.log_answer = Response(400, told.encode(), "text/plain")
    done = await kube.kubectl("logs", "p")
    assert (done.code, done.err) == (1, f"Error from server (BadRequest): {told}\n")

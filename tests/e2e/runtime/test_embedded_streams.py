"""exec, attach and port-forward on real containers."""

from __future__ import annotations

import asyncio
import time

import pytest
from realpods import FOREVER, Pods

from wherry.runtime.interface import RuntimeFault, Streams


async def read_all(streams: Streams) -> dict[int, bytes]:
    found = {1: b"", 2: b""}
    async with asyncio.timeout(10):
        while (item := await streams.read()) is not None:
            found[item[0]] += item[1]
    return found


async def read_until(streams: Streams, text: bytes) -> bytes:
    found = b""
    async with asyncio.timeout(10):
        while text not in found:
            item = await streams.read()
            assert item is not None, found
            found += item[1]
    return found


async def test_exec_tells_streams_and_exit_code(pods: Pods) -> None:
    _, container = await pods.run(*FOREVER)
    done = await pods.runtime.exec_sync(container, ["sh", "-c", "echo out; echo err >&2; exit 3"], 10)
    assert (done.stdout, done.stderr, done.exit_code) == (b"out\n", b"err\n", 3)


async def test_exec_gives_all_of_much_output(pods: Pods) -> None:
    _, container = await pods.run(*FOREVER)
    done = await pods.runtime.exec_sync(container, ["sh", "-c", "dd if=/dev/zero bs=65536 count=64 2>/dev/null"], 30)
    assert len(done.stdout) == 4 << 20


async def test_exec_that_takes_too_long_is_killed(pods: Pods) -> None:
    _, container = await pods.run(*FOREVER)
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        await pods.runtime.exec_sync(container, ["sleep", "4321"], 0.3)
    assert time.monotonic() - start < 5
    assert "sleep 4321" not in await pods.shell(container, "ps")


async def test_exec_does_not_wait_for_daemons(pods: Pods) -> None:
    _, container = await pods.run(*FOREVER)
    start = time.monotonic()
    done = await pods.runtime.exec_sync(container, ["sh", "-c", "sleep 600 & echo started"], 30)
    assert done.stdout == b"started\n"
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("tty", [pytest.param(False, id="pipes"), pytest.param(True, id="terminal")])
async def test_exec_of_what_is_not_there(pods: Pods, tty: bool) -> None:
    _, container = await pods.run(*FOREVER)
    with pytest.raises(RuntimeFault, match='exec: "nope": executable file not found in \\$PATH'):
        await pods.runtime.exec(container, ["nope"], stdin=True, tty=tty)


async def test_exec_reads_its_input_to_the_end(pods: Pods) -> None:
    _, container = await pods.run(*FOREVER)
    streams = await pods.runtime.exec(container, ["sh", "-c", "wc -c; exit 4"], stdin=True, tty=False)
    await streams.write_stdin(b"x" * 1_000_000)
    await streams.close_stdin()
    assert (await read_all(streams))[1].strip() == b"1000000"
    assert await streams.wait() == 4
    await streams.close()


async def test_exec_with_a_terminal(pods: Pods) -> None:
    _, container = await pods.run(*FOREVER)
    streams = await pods.runtime.exec(container, ["sh"], stdin=True, tty=True)
    await streams.resize(100, 40)
    await streams.write_stdin(b"tty; stty size; echo $TERM; echo err >&2\n")
    assert b"/dev/pts/" in await read_until(streams, b"\nerr")
    await streams.resize(120, 50)
    await streams.write_stdin(b"sleep 0.2; stty size\n")
    await read_until(streams, b"50 120")
    await streams.write_stdin(b"exit 5\n")
    await read_all(streams)
    assert await streams.wait() == 5
    await streams.close()


async def test_a_terminal_s_input_ends(pods: Pods) -> None:
    _, container = await pods.run(*FOREVER)
    streams = await pods.runtime.exec(container, ["cat"], stdin=True, tty=True)
    await streams.write_stdin(b"line\n")
    await read_until(streams, b"line\r\nline\r\n")
    await streams.close_stdin()
    assert await streams.wait() == 0
    await streams.close()


async def test_closing_ends_what_exec_started(pods: Pods) -> None:
    _, container = await pods.run(*FOREVER)
    for tty in (False, True):
        streams = await pods.runtime.exec(container, ["sh", "-c", "echo up; exec sleep 4321"], stdin=False, tty=tty)
        await read_until(streams, b"up")
        await streams.close()
        assert "sleep 4321" not in await pods.shell(container, "ps")


async def test_attach_sees_output_and_gives_input(pods: Pods) -> None:
    _, container = await pods.run(
        "sh", "-c", "while read line; do echo got $line; echo no $line >&2; done; exit 6", stdin=True, stdin_once=True
    )
    streams = await pods.runtime.attach(container, stdin=True, tty=False)
    await streams.write_stdin(b"one\n")
    found = await read_until(streams, b"no one")
    assert b"got one" in found
    await streams.close_stdin()
    assert await read_all(streams) == {1: b"", 2: b""}
    assert await streams.wait() == 6
    await streams.close()
    assert await pods.log(container) == ["stdout F got one", "stderr F no one"]


async def test_attach_with_large_input(pods: Pods) -> None:
    _, container = await pods.run("sh", "-c", "wc -c", stdin=True, stdin_once=True)
    streams = await pods.runtime.attach(container, stdin=True, tty=False)
    async with asyncio.timeout(20):
        await streams.write_stdin(b"x" * 300_000)
    await streams.close_stdin()
    assert (await read_all(streams))[1].strip() == b"300000"
    await streams.close()


async def test_letting_go_of_an_attached_container_does_not_end_its_input(pods: Pods) -> None:
    _, container = await pods.run("cat", stdin=True)
    for text in (b"one\n", b"two\n"):
        streams = await pods.runtime.attach(container, stdin=True, tty=False)
        await streams.write_stdin(text)
        await read_until(streams, text)
        await streams.close_stdin()
        await streams.close()
    assert await pods.log(container) == ["stdout F one", "stdout F two"]


async def test_attach_to_a_terminal(pods: Pods) -> None:
    _, container = await pods.run("sh", stdin=True, stdin_once=True, tty=True)
    streams = await pods.runtime.attach(container, stdin=True, tty=True)
    await streams.resize(90, 30)
    await streams.write_stdin(b"sleep 0.2; stty size\n")
    await read_until(streams, b"30 90")
    await streams.write_stdin(b"exit 3\n")
    await read_all(streams)
    assert await streams.wait() == 3
    await streams.close()


async def test_attach_to_what_has_ended(pods: Pods) -> None:
    _, container = await pods.run("true")
    await pods.ended(container)
    with pytest.raises(RuntimeFault, match="not running"):
        await pods.runtime.attach(container, stdin=False, tty=False)


@pytest.mark.parametrize("host_network", [pytest.param(False, id="Pod"), pytest.param(True, id="host")])
async def test_port_forward(pods: Pods, host_network: bool) -> None:
    port = 18_080
    sandbox = pods.sandbox(host_network=host_network)
    serve = "mkdir /www; echo page > /www/index.html; httpd -p 127.0.0.1:18080 -h /www; echo up; exec sleep 1000"
    sandbox_id, container = await pods.run("sh", "-c", serve, sandbox=sandbox)
    for _ in range(200):
        if await pods.log(container):
            break
        await asyncio.sleep(0.01)
    stream = await pods.runtime.port_forward(sandbox_id, port)
    await stream.write(b"GET / HTTP/1.0\r\n\r\n")
    data = b""
    while part := await stream.read():
        data += part
    await stream.close()
    assert data.endswith(b"page\n")

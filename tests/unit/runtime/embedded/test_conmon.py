"""conmon's command line, the words of tools that fail, the pause program, and state files."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from wherry.runtime.embedded import conmon, pause, records
from wherry.runtime.embedded.records import ContainerRecord, ProcessId, SandboxRecord
from wherry.runtime.interface import ContainerConfig, Mount, PortMapping, RuntimeFault, SandboxConfig
from wherry.runtime.words import last_message


def job(**fields: object) -> conmon.Job:
    given = {
        "id": "c" * 64, "name": "web", "bundle": Path("/b"), "log": Path("/log"), "exits": Path("/e"), "sockets": Path("/s"),
        "oci_state": Path("/o"), "runtime": "runc",
    }  # fmt: skip
    return conmon.Job(**(given | fields))  # type: ignore[arg-type]


def test_arguments() -> None:
    found = conmon.arguments(job(), ["/usr/sbin/runc"])
    assert found[:3] == ["conmon", "--cid", "c" * 64]
    assert "k8s-file:/log" in found
    assert "--runtime-arg=/o" in found
    assert {"--terminal", "--stdin", "--leave-stdin-open"}.isdisjoint(found)


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        pytest.param({"stdin": True}, {"--stdin", "--leave-stdin-open"}, id="input"),
        pytest.param({"stdin": True, "stdin_once": True}, {"--stdin"}, id="input once"),
        pytest.param({"stdin_once": True}, set(), id="once without input"),
        pytest.param({"terminal": True}, {"--terminal"}, id="terminal"),
    ],
)
def test_flags(fields: dict[str, bool], flags: set[str]) -> None:
    found = set(conmon.arguments(job(**fields), ["runc"]))
    assert found & {"--terminal", "--stdin", "--leave-stdin-open"} == flags


def test_no_log() -> None:
    found = conmon.arguments(job(log=None), ["runc"])
    assert found[found.index("--log-path") + 1] == "null"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        pytest.param('time="x" level=error msg="exec: \\"nope\\": not found"\n', 'exec: "nope": not found', id="framed"),
        pytest.param('time="x" level=warning msg="a"\ntime="x" level=fatal msg="b"\n', "b", id="the worst"),
        pytest.param("first\nlast\n\n", "last", id="plain"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_last_message(said: str, message: str) -> None:
    assert last_message(said) == message


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_the_pause_program_is_a_whole_executable(architecture: str) -> None:
    data = pause.program(architecture)
    assert data[:4] == b"\x7fELF"
    (entry,) = struct.unpack_from("<Q", data, 24)
    kind, flags, offset, address, _, size, memory, _ = struct.unpack_from("<IIQQQQQQ", data, 64)
    assert (kind, flags, offset, size, memory) == (1, 5, 0, len(data), len(data))
    assert entry == address + 120
    assert data.endswith(struct.pack("<QQQQ", 1, 0, 0, 0))


def test_the_pause_program_s_addresses() -> None:
    amd64 = pause.program("amd64")[120:]
    assert amd64[17 + struct.unpack_from("<i", amd64, 13)[0] :] == struct.pack("<QQQQ", 1, 0, 0, 0)
    arm64 = pause.program("arm64")[120:]
    (adr,) = struct.unpack_from("<I", arm64, 4)
    offset = (adr >> 5 & 0x7FFFF) << 2 | adr >> 29 & 3
    assert arm64[4 + offset :] == struct.pack("<QQQQ", 1, 0, 0, 0)
    assert offset % 8 == 4  # from the second word to an aligned structure


def test_no_pause_program() -> None:
    with pytest.raises(RuntimeFault, match="not supported on riscv64"):
        pause.program("riscv64")


def test_records_come_back(tmp_path: Path) -> None:
    sandbox = SandboxRecord(
        "s", SandboxConfig("p", "n", "u", port_mappings=(PortMapping("TCP", 1, 2),), sysctls={"a": "b"}), 1.5, "/g", "boot"
    )
    container = ContainerRecord(
        "c", "s", ContainerConfig("c", "i", envs=(("a", "b"),), mounts=(Mount("/a", "/b"),)), "sha256:1", "r", 2.5, "/log", "/g/c", 15,
        init=ProcessId(1, 2),
    )  # fmt: skip
    for record in (sandbox, container):
        records.save(tmp_path / "record", record)
        assert records.load(tmp_path / "record", type(record)) == record
    assert not list(tmp_path.glob("*.new"))


@pytest.mark.parametrize("content", [b"", b"{", b'{"id": 7}'], ids=["empty", "torn", "wrong"])
def test_records_that_were_never_finished(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "record").write_bytes(content)
    assert records.load(tmp_path / "record", SandboxRecord) is None
    assert records.load(tmp_path / "absent", SandboxRecord) is None


def test_a_process_is_known_by_its_start() -> None:
    here = ProcessId.of(os.getpid())
    assert here.alive()
    assert not ProcessId(here.pid, here.started - 1).alive()
    assert not ProcessId().alive()

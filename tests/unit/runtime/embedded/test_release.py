"""A created container's process is let go on: a stand-in waits at a fifo as runc's init does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wherry.runtime.embedded import release
from wherry.runtime.embedded.records import ProcessId
from wherry.runtime.interface import RuntimeFault

# Holds the fifo by name alone, says so, opens it for writing (waiting for a reader), lets go of it and becomes a program.
INIT = """
import os, sys
held = os.open(sys.argv[1], os.O_PATH)
print("here", flush=True)
fifo = os.open(f"/proc/self/fd/{held}", os.O_WRONLY)
os.write(fifo, b"0")
os.close(held)
os.execvp("sleep", ["sleep", "100"])
"""


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    (tmp_path / "c").mkdir()
    path = tmp_path / "c" / release.FIFO
    os.mkfifo(path)
    return path


@pytest.fixture
def begin() -> Iterator[Callable[..., ProcessId]]:
    children = []

    def run(*command: str) -> ProcessId:
        child = subprocess.Popen(command, stdout=subprocess.PIPE)
        children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline()
        return ProcessId.of(child.pid)

    yield run
    for child in children:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def program(process: ProcessId) -> str:
    return Path(f"/proc/{process.pid}/comm").read_text().strip()


@pytest.mark.parametrize("how", ["start", "go_on"])
def test_what_waits_goes_on(fifo: Path, begin: Callable[..., ProcessId], how: str) -> None:
    init = begin(sys.executable, "-c", INIT, str(fifo))
    if how == "start":
        release.start("/bin/false", fifo.parent.parent, "c", init)
    else:
        release.go_on(fifo.parent.parent, "c", init)
    assert program(init) == "sleep"  # at once: the fifo's other end closed with the program's beginning
    assert not fifo.exists()


def test_what_has_begun_is_not_waited_for(fifo: Path, begin: Callable[..., ProcessId]) -> None:
    init = begin("sh", "-c", "echo here; exec sleep 100")
    release.go_on(fifo.parent.parent, "c", init)
    assert not fifo.exists()


def test_what_has_ended_cannot_start(fifo: Path, begin: Callable[..., ProcessId]) -> None:
    init = begin(sys.executable, "-c", INIT, str(fifo))
    os.kill(init.pid, 9)
    with pytest.raises(RuntimeFault, match=r"^OCI runtime start failed: cannot start a container that has stopped$"):
        release.start("/bin/true", fifo.parent.parent, "c", init)
    release.go_on(fifo.parent.parent, "c", init)  # its end is told by others


def test_one_that_ends_while_it_is_waited_for(fifo: Path, begin: Callable[..., ProcessId]) -> None:
    init = begin("sh", "-c", "echo here; exec sleep 0.05")
    with pytest.raises(RuntimeFault, match="has stopped"):
        release.start("/bin/true", fifo.parent.parent, "c", init)


def test_a_runtime_without_a_fifo_is_asked(tmp_path: Path) -> None:
    release.start("/bin/true", tmp_path, "c", ProcessId())
    with pytest.raises(RuntimeFault, match="OCI runtime start failed: exit status 1"):
        release.start("/bin/false", tmp_path, "c", ProcessId())


BRIEF = INIT.replace('os.execvp("sleep", ["sleep", "100"])', 'os.execvp("true", ["true"])')


@pytest.mark.parametrize("poll_is_late", [False, True], ids=["before-it-is-looked-at", "between-two-looks"])
def test_a_program_that_ends_at_once_has_begun(
    fifo: Path, begin: Callable[..., ProcessId], monkeypatch: pytest.MonkeyPatch, poll_is_late: bool,
) -> None:
    """It is over as soon as its fifo is open: its word is there to read, though its process is not."""
    init = begin(sys.executable, "-c", BRIEF, str(fifo))

    class Poll:
        def __init__(self) -> None:
            self._fds: list[int] = []

        def register(self, fd: int, events: int) -> None:
            self._fds.append(fd)

        def poll(self, timeout: float) -> list[tuple[int, int]]:
            os.waitpid(init.pid, 0) if init.alive() else None
            return [(fd, 1) for fd in self._fds[poll_is_late:]]  # the fifo had nothing yet when it was looked at

    monkeypatch.setattr(release.select, "poll", Poll)
    release.start("/bin/false", fifo.parent.parent, "c", init)
    assert not fifo.exists()

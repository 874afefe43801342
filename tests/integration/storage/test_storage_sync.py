"""A look from below: between a write's bytes reaching the log and its acknowledgement lies a sync to disk.

SIGKILL alone cannot show that, for the kernel keeps what a killed process has written.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = 60
SCRIPT = Path(__file__).with_name("storage_writers.py")

CALL = re.compile(r"(?P<thread>\d+) +(?P<name>\w+)\((?P<rest>.*)", re.DOTALL)
RESUMED = re.compile(r"(?P<thread>\d+) +<\.\.\. (?P<name>\w+) resumed>.*\)\s+= (?P<result>-?\d+)")
MARK = re.compile(r"mark-\d{6}-")


def unsynced(trace: list[str]) -> tuple[list[str], int]:
    """Marks that were acknowledged before a sync that began after they were written had ended; and all
    acknowledgements' number.  `trace` is what strace tells of write, pwrite64, fsync and fdatasync."""
    written: set[str] = set()  # to the log
    durable: set[str] = set()
    syncing: dict[str, set[str]] = {}  # by thread: what had been written when its sync began
    early, acknowledgements = [], 0
    for line in trace:
        if resumed := RESUMED.match(line):
            covered = syncing.pop(resumed["thread"], set())
            if resumed["result"] == "0":
                durable |= covered
        elif call := CALL.match(line):
            name, rest = call["name"], call["rest"]
            marks = set(MARK.findall(rest))
            if name in ("fsync", "fdatasync") and "-wal>" in rest:
                if "<unfinished" in rest:
                    syncing[call["thread"]] = set(written)
                elif rest.rstrip().endswith("= 0"):
                    durable |= written
            elif name == "pwrite64" and "-wal>" in rest:
                written |= marks
            elif name == "write" and '"ack ' in rest:
                acknowledgements += len(marks)
                early += sorted(marks - durable)
    return early, acknowledgements


WRITE = '7 pwrite64(5</d/state.db-wal>, "..mark-000001-xx"..., 4096, 56) = 4096'
ACK = '3 write(1<pipe:[9]>, "ack mark-000001-\\n", 17) = 17'
TRACES = {
    "in order": ([WRITE, "7 fdatasync(5</d/state.db-wal>) = 0", ACK], []),
    "in two parts": (
        [WRITE, "7 fdatasync(5</d/state.db-wal> <unfinished ...>", "7 <... fdatasync resumed>) = 0", ACK],
        [],
    ),
    "no sync": ([WRITE, ACK], ["mark-000001-"]),
    "never written": ([ACK], ["mark-000001-"]),
    "before the sync's end": (
        [WRITE, "7 fdatasync(5</d/state.db-wal> <unfinished ...>", ACK, "7 <... fdatasync resumed>) = 0"],
        ["mark-000001-"],
    ),
    "a sync of another file": ([WRITE, "7 fdatasync(4</d/state.db>) = 0", ACK], ["mark-000001-"]),
    "a sync before the write": (["7 fdatasync(5</d/state.db-wal>) = 0", WRITE, ACK], ["mark-000001-"]),
    "a sync that failed": (
        [WRITE, "7 fdatasync(5</d/state.db-wal>) = -1 EIO (Input/output error)", ACK],
        ["mark-000001-"],
    ),
}


@pytest.mark.parametrize(("trace", "early"), TRACES.values(), ids=TRACES)
def test_the_reader_of_traces_sees_what_is_wrong(trace: list[str], early: list[str]) -> None:
    assert unsynced(trace) == (early, 1)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_each_acknowledgement_follows_its_sync(tmp_path: Path) -> None:
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode:
        pytest.skip("this machine does not let strace trace")
    output = tmp_path / "trace"
    tracing = ["strace", "-f", "-y", "-s", "4200", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o", str(output)]
    writing = [sys.executable, str(SCRIPT), str(tmp_path / "state.db"), "marked", str(COUNT)]
    subprocess.run([*tracing, *writing], check=True, capture_output=True, timeout=60)
    early, acknowledgements = unsynced(output.read_text(errors="replace").splitlines())
    assert acknowledgements == COUNT
    assert early == []

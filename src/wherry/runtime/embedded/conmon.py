"""Starts containers under conmon: it keeps their output, terminal and exit code, whatever becomes of wherry.

conmon waits on a pipe before it does anything, so that it is in its cgroup before it makes a process,
and tells over another what came of `runc create`.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wherry.runtime.embedded import exits
from wherry.runtime.embedded.cgroups import Cgroups
from wherry.runtime.embedded.records import ProcessId
from wherry.runtime.interface import RuntimeFault
from wherry.runtime.words import last_message

CREATE_TIMEOUT = 60.0
"""Seconds that `runc create` may take."""


@dataclass(frozen=True, slots=True)
class Job:
    """A container to start; paths are absolute.  `sockets`/`short_id` becomes a link to `bundle`."""

    id: str
    name: str
    bundle: Path
    log: Path | None
    exits: Path
    sockets: Path
    oci_state: Path
    runtime: str
    terminal: bool = False
    stdin: bool = False
    stdin_once: bool = False

    @property
    def socket(self) -> Path:
        """Where `attach` connects: a short path, whatever the bundle's is."""
        return attach_socket(self.sockets, self.id)


def attach_socket(sockets: Path, container_id: str) -> Path:
    return sockets / container_id[:12] / "attach"


def arguments(job: Job, runtime: Sequence[str]) -> list[str]:
    """conmon's command line; `runtime` is how the OCI runtime's begins.  Pure."""
    found = ["conmon", "--cid", job.id, "--cuuid", job.id[:12], "--name", job.name]
    found += ["--bundle", str(job.bundle), "--runtime", runtime[0]]
    found += ["--container-pidfile", str(job.bundle / "pid"), "--conmon-pidfile", str(job.bundle / "conmon.pid")]
    found += ["--exit-dir", str(job.exits), "--socket-dir-path", str(job.sockets), "--no-sync-log"]
    found += ["--log-path", f"k8s-file:{job.log}" if job.log else "null"]
    found += [f"--runtime-arg={each}" for each in (*runtime[1:], "--root", job.oci_state)]
    if job.terminal:
        found.append("--terminal")
    if job.stdin:
        found.append("--stdin")
        if not job.stdin_once:
            found.append("--leave-stdin-open")
    return found


def create(job: Job, cgroups: Cgroups, cgroup: str, runtime: Sequence[str]) -> tuple[ProcessId, ProcessId]:
    """Start conmon and have it create the container, whose (init, conmon) this returns.

    Raises RuntimeFault in runc's words when the container cannot be made.
    """
    told, tell = os.pipe()
    go, start = os.pipe()
    errors = job.bundle / "conmon.err"
    try:
        with open(errors, "wb") as stderr:  # a file: conmon keeps what it is given
            process = subprocess.Popen(
                arguments(job, runtime),
                pass_fds=(tell, go),
                env={"PATH": os.environ.get("PATH", os.defpath), "_OCI_SYNCPIPE": str(tell), "_OCI_STARTPIPE": str(go)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
                cwd=job.bundle,  # where it stands it leaves a file "oom" when the kernel kills for memory
            )
        os.close(tell)
        tell = -1
        cgroups.enroll(cgroup, process.pid)
        os.write(start, b"\0")
        answer = _answer(told, CREATE_TIMEOUT)
        process.wait()
    finally:
        for descriptor in (told, tell, go, start):
            if descriptor >= 0:
                os.close(descriptor)
    pid = int(answer.get("pid", -1))
    if pid <= 0:
        raise RuntimeFault(_failure(str(answer.get("message", "")), errors), "RunContainerError")
    try:
        return ProcessId.of(pid), ProcessId.of(int((job.bundle / "conmon.pid").read_text()))
    except (ProcessLookupError, OSError, ValueError):
        raise RuntimeFault("the container ended before it was started", "RunContainerError") from None


def end_unfinished(container_id: str, runtime: str) -> None:
    """End what a process that died left at work on making a container: conmon goes on without it, and runc under conmon."""
    tools = {"conmon", "nsenter", os.path.basename(runtime)}
    for _ in range(20):  # in rounds, for what begins meanwhile
        found = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _works_on(pid, container_id, tools)]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in found:
            exits.reap_within(pid, 1.0)


def _works_on(pid: int, container_id: str, tools: set[str]) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False
    return os.path.basename(arguments[0]) in tools and container_id in arguments


def _answer(descriptor: int, timeout: float) -> dict[str, Any]:
    """conmon's first line: {"pid": N} or {"pid": -1, "message": …}; nothing when it died or takes too long."""
    data = b""
    while not data.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], timeout)
        part = os.read(descriptor, 65536) if ready else b""
        if not part:
            break
        data += part
    try:
        found: dict[str, Any] = json.loads(data)
    except ValueError:
        return {}
    return found


def _failure(message: str, errors: Path) -> str:
    words = last_message(message) or last_message(errors.read_text(errors="replace")) or "conmon gave no answer"
    return f"OCI runtime create failed: {words}"


def control(bundle: Path, message: str) -> None:
    """Tell conmon something through its fifo.  A conmon that has ended is no error."""
    try:
        descriptor = os.open(bundle / "ctl", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.write(descriptor, message.encode())
    except OSError:
        return
    finally:
        os.close(descriptor)


def resize(bundle: Path, width: int, height: int) -> None:
    control(bundle, f"1 {height} {width}\n")


def reopen_log(bundle: Path) -> None:
    control(bundle, "2 0 0\n")

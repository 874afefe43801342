"""State files: what a later process needs to adopt sandboxes and containers.

Written whole and renamed into place, so that a reader (after `kill -9`, too) sees an old or a new one.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from wherry.runtime.interface import ContainerConfig, ContainerUser, SandboxConfig, SandboxState

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int = 0
    started: int = 0
    """Its start in clock ticks since boot, /proc/PID/stat's 22nd field."""

    @classmethod
    def of(cls, pid: int) -> "ProcessId":
        """Raises ProcessLookupError when there is no such process."""
        return cls(pid, start_ticks(pid))

    def alive(self) -> bool:
        try:
            return self.pid > 0 and start_ticks(self.pid) == self.started
        except ProcessLookupError:
            return False


def start_ticks(pid: int) -> int:
    """Raises ProcessLookupError when the process is gone (a zombie is)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        raise ProcessLookupError(f"no process {pid}") from None
    if fields[0] in "ZX":
        raise ProcessLookupError(f"process {pid} has ended")
    return int(fields[19])


@dataclass(frozen=True, slots=True)
class SandboxRecord:
    """A sandbox on disk.  Without `complete` it was being made when its maker died."""

    id: str
    config: SandboxConfig
    created_at: float
    cgroup: str
    boot: str
    state: SandboxState = SandboxState.NOTREADY
    complete: bool = False
    ip: str = ""
    pause: ProcessId = ProcessId()


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """A container on disk.  `finished_at` is 0 while it has not ended."""

    id: str
    sandbox_id: str
    config: ContainerConfig
    image_id: str
    image_ref: str
    created_at: float
    log_path: str
    cgroup: str
    stop_signal: int
    image_name: str = ""
    complete: bool = False
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    user: ContainerUser | None = None
    init: ProcessId = ProcessId()
    conmon: ProcessId = ProcessId()

    def images(self) -> set[str]:
        """The ids of all images that it needs."""
        return {self.image_id, *(mount.image for mount in self.config.mounts if mount.image)}


def save(path: Path, record: object) -> None:
    """Write `record` as JSON, atomically.  (Not synced: what it tells of does not survive a power cut either.)"""
    new = path.with_name(path.name + ".new")
    new.write_bytes(msgspec.json.encode(record, enc_hook=str))  # addresses and paths
    os.replace(new, path)


def load(path: Path, kind: type[T]) -> T | None:
    """None when the file is missing or was never finished."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind, dec_hook=lambda wanted, text: wanted(text))
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None


def boot_id() -> str:
    """Changes with every boot of the host: what a record says of processes and mounts holds for one only."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()

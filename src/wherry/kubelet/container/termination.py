"""What a container said when it ended: its termination log, or the end of its log.

https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
"""

from __future__ import annotations

from pathlib import Path

from wherry.kubelet.container.state import TERMINATION_PATH, TERMINATION_POLICY
from wherry.runtime.interface import ContainerState, ContainerStatus

MAX_MESSAGE = 4096  # bytes
_MAX_LINES, _MAX_LOG = 80, 2048


def termination_message(status: ContainerStatus) -> str:
    """The message of a container that has ended; empty when it left none.  Blocking: called off the loop."""
    if status.state != ContainerState.EXITED:
        return ""
    annotations = status.config.annotations
    wanted = annotations.get(TERMINATION_PATH, "")
    said = ""
    for mount in status.config.mounts:
        if wanted and mount.container_path == wanted:
            said = _tail_bytes(Path(mount.host_path), MAX_MESSAGE, first=True)
    if not said and status.exit_code != 0 and annotations.get(TERMINATION_POLICY) == "FallbackToLogsOnError":
        said = log_tail(Path(status.log_path)) if status.log_path else ""
    return said


def _tail_bytes(path: Path, limit: int, *, first: bool) -> str:
    try:
        with path.open("rb") as file:
            if not first:
                file.seek(max(0, path.stat().st_size - limit))
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""


def log_tail(path: Path) -> str:
    """The last 80 lines of a log in the CRI's format, 2048 bytes at most, without what the format adds."""
    text = _tail_bytes(path, 4 * _MAX_LOG + 64 * _MAX_LINES, first=False)
    said = ""
    for line in text.splitlines()[-_MAX_LINES:]:
        parts = line.split(" ", 3)
        if len(parts) == 4:
            said += parts[3] + ("" if parts[2].startswith("P") else "\n")
    return said.encode()[-_MAX_LOG:].decode("utf-8", "ignore")

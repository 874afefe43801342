"""System calls that Python 3.11 has no name for: unshare, setns, mount, umount.

All of them act on the calling *thread*; callers run in worker threads, never on the event loop.
"""

import ctypes
import os
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move this thread into new namespaces.  The thread is theirs from now on: let it end afterwards."""
    _check(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Move this thread into the namespace that `descriptor` is open on."""
    _check(_libc.setns(descriptor, kind), "setns")


def adopt_orphans() -> None:
    """Become the parent of this process's orphaned descendants, whose end is then ours to collect.

    conmon puts itself into the background; where process 1 does not reap, each would stay as a zombie.
    """
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def mount(source: str | Path, target: Path, kind: str = "", flags: int = 0, data: str = "") -> None:
    _check(
        _libc.mount(os.fsencode(source), os.fsencode(target), kind.encode() or None, flags, os.fsencode(data) or None),
        f"mount {kind or source} on {target}",
    )


def unmount(target: Path) -> None:
    """Take a mount away, lazily; nothing mounted there is no error."""
    if _libc.umount2(os.fsencode(target), MNT_DETACH) != 0 and ctypes.get_errno() not in (2, 22):
        _check(-1, f"unmount {target}")


def _unescape(field: str) -> str:
    return field.encode().decode("unicode_escape") if "\\" in field else field


def mounts_under(directory: Path, mountinfo: str | None = None) -> list[Path]:
    """Mount points at or below `directory`, the deepest and newest first (the order to unmount them in)."""
    text = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    found = [Path(_unescape(line.split(" ", 5)[4])) for line in text.splitlines()]
    return [point for point in reversed(found) if point.is_relative_to(directory)]


def file_system(path: Path, mountinfo: str | None = None) -> str:
    """The kind of file system that `path` is on, as mount(8) names it."""
    text = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    found, best = "", -1
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        point = Path(_unescape(left.split(" ", 5)[4]))
        if path.is_relative_to(point) and len(point.parts) >= best:  # the latest of several on one point hides the others
            found, best = right.split(" ", 1)[0], len(point.parts)
    return found

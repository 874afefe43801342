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
MS_SLAVE = 1 << 19
MNT_DETACH = 2
_PR_SET_CHILD_SUBREAPER = 36

# The same on every architecture, as all system calls since 5.1 are.
_SYS_OPEN_TREE, _SYS_MOVE_MOUNT = 428, 429
_AT_FDCWD, _AT_RECURSIVE, _OPEN_TREE_CLONE, _MOVE_MOUNT_F_EMPTY_PATH = -100, 0x8000, 1, 4

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


def clone_mount(path: Path, *, recursive: bool = False) -> int:
    """A descriptor on a copy of the mount at `path` that is mounted nowhere yet, with those below it if `recursive`."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | (_AT_RECURSIVE if recursive else 0)
    found = int(_libc.syscall(_SYS_OPEN_TREE, _AT_FDCWD, ctypes.c_char_p(os.fsencode(path)), ctypes.c_uint(flags)))
    _check(min(found, 0), f"open_tree {path}")
    return found


def attach_mount(descriptor: int, target: Path) -> None:
    """Mount what `clone_mount` gave."""
    to, flags = ctypes.c_char_p(os.fsencode(target)), ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH)
    _check(int(_libc.syscall(_SYS_MOVE_MOUNT, descriptor, ctypes.c_char_p(b""), _AT_FDCWD, to, flags)), f"move_mount {target}")


def _unescape(field: str) -> str:
    return field.encode().decode("unicode_escape") if "\\" in field else field


def mounts_under(directory: Path, mountinfo: str | None = None) -> list[Path]:
    """Mount points at or below `directory`, the deepest and newest first (the order to unmount them in)."""
    text = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    found = [Path(_unescape(line.split(" ", 5)[4])) for line in text.splitlines()]
    return [point for point in reversed(found) if point.is_relative_to(directory)]

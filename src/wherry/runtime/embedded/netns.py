"""A Pod's network, IPC and UTS namespaces: made, pinned by bind mounts, entered and let go.

Pinned, they live without a process in them.  Each function runs its work in a thread of its own that
ends afterwards, since a thread that changed its namespaces cannot be used for anything else.
"""

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from wherry.runtime.embedded import linux

T = TypeVar("T")

FLAGS = {"net": linux.CLONE_NEWNET, "ipc": linux.CLONE_NEWIPC, "uts": linux.CLONE_NEWUTS}


def in_own_thread(work: Callable[[], T]) -> T:
    """Run `work` in a new thread and give what it gives or raises."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # handed to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="namespace")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def create(directory: Path, kinds: tuple[str, ...], hostname: str, inside: Callable[[], None]) -> None:
    """Make namespaces of `kinds` and pin them at `directory`/KIND; `inside` runs in them before this returns."""

    def work() -> None:
        flags = 0
        for kind in kinds:
            flags |= FLAGS[kind]
        linux.unshare(flags)
        for kind in kinds:
            pin(f"/proc/thread-self/ns/{kind}", directory / kind)
        if "uts" in kinds and hostname:
            socket.sethostname(hostname)
        inside()

    in_own_thread(work)


def inside(namespace: Path, work: Callable[[], T]) -> T:
    """Run `work` in a pinned network namespace."""

    def enter() -> T:
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            linux.setns(descriptor, linux.CLONE_NEWNET)
        finally:
            os.close(descriptor)
        return work()

    return in_own_thread(enter)


def pin(namespace: str, target: Path) -> None:
    """Keep a namespace of /proc at `target`."""
    target.touch()
    linux.mount(namespace, target, flags=linux.MS_BIND)


def release(directory: Path) -> None:
    """Unpin what `create` and `pin` pinned.  Again is no error."""
    for kind in (*FLAGS, "pid"):
        target = directory / kind
        linux.unmount(target)
        with contextlib.suppress(FileNotFoundError):
            target.unlink()


def write_sysctls(values: Mapping[str, str]) -> None:
    """Set sysctls of this thread's namespaces.  Raises OSError, naming the sysctl."""
    for name, value in values.items():
        path = sysctl_path(name)
        try:
            path.write_text(value)
        except OSError as error:
            raise OSError(error.errno or errno.EINVAL, f"write sysctl {name}: {error.strerror}") from None


def sysctl_path(name: str) -> Path:
    """`net.ipv4.ip_forward` or `net/ipv4/ip_forward`, whose first separator tells which form it is."""
    first = min((name.find(each) for each in "./" if each in name), default=-1)
    if first >= 0 and name[first] == ".":
        name = name.translate(str.maketrans("./", "/."))
    if ".." in name.split("/"):
        raise OSError(errno.EINVAL, f"no sysctl {name}")
    return Path("/proc/sys") / name

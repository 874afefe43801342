"""A mount namespace without the other Pods' mounts, for the OCI runtime while it makes a container.

runc and its init read the whole mount table several times for each container, and copy it.  A Pod has half a dozen
mounts with long names, so that with a hundred Pods this was a fifth of all that a start cost, and grew with each.
The runtime's mounts lie below one mount of its own (`RuntimeConfig.state`): a copy of the host's namespace is made,
that tree is taken out of it at once, and the container's own few are put back.  nsenter has the runtime begin in it.
Nothing keeps it but the descriptor and those in it: it is gone when the container's own namespace stands.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from wherry.runtime.embedded import linux
from wherry.runtime.embedded.netns import in_own_thread
from wherry.runtime.interface import Mount


def possible(state: Path, mounts: Iterable[Mount]) -> bool:
    """Whether a container with these mounts would see no difference.  Pure.

    One that shares mounts with the host needs the host's namespace, and one that looks at the runtime's own tree all of it.
    """
    for mount in mounts:
        source = Path(os.path.normpath(mount.host_path))
        if mount.propagation == "rshared" or state.is_relative_to(source) or source.is_relative_to(state):
            return False
    return True


@contextlib.contextmanager
def without_others(state: Path, needed: Iterable[Path]) -> Iterator[list[str]]:
    """How a command line must begin to run with no mounts below `state` but `needed`.

    Nothing (the host's own namespace) where `state` is no mount, or where the kernel or the host cannot do it.
    """
    program, descriptor = shutil.which("nsenter"), -1
    if program is not None:
        with contextlib.suppress(OSError):
            descriptor = in_own_thread(lambda: _make(state, list(needed)))
    if descriptor < 0:
        yield []
        return
    try:
        yield [str(program), f"--mount=/proc/{os.getpid()}/fd/{descriptor}", "--"]
    finally:
        os.close(descriptor)


def _make(state: Path, needed: list[Path]) -> int:
    """A descriptor on the namespace.  Leaves this thread in it."""
    copies: list[tuple[int, Path]] = []
    try:
        copies.append((linux.clone_mount(state), state))
        copies += [(linux.clone_mount(path, recursive=True), path) for path in needed]
        linux.unshare(linux.CLONE_NEWNS)
        linux.mount("none", Path("/"), flags=linux.MS_REC | linux.MS_SLAVE)  # what is undone here stays on the host
        linux.unmount(state)
        for descriptor, path in copies:
            linux.attach_mount(descriptor, path)
        return os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        for descriptor, _ in copies:
            os.close(descriptor)

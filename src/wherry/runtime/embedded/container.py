"""Containers: root file system, specification, conmon and runc, made and taken away.

Blocking work for worker threads; `runtime.py` keeps the records and decides when.  As with containerd,
`create` only prepares: the OCI container is made when it is started, so that a command that does not
exist is a fault of the start.
"""

import contextlib
import json
import logging
import os
import shutil
import signal
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from wherry.runtime.embedded import conmon, exits, mountview, oci_spec, overlay, records, release, rootfiles, users
from wherry.runtime.embedded.capabilities import available
from wherry.runtime.embedded.cgroups import Cgroups
from wherry.runtime.embedded.config import RuntimeConfig, cgroup_name
from wherry.runtime.embedded.records import ContainerRecord, ProcessId, SandboxRecord
from wherry.runtime.embedded.sandbox import Sandboxes, hostname
from wherry.runtime.interface import ContainerConfig, ContainerUser, Image, Mount, Resources, RuntimeFault
from wherry.util import filelimit

log = logging.getLogger(__name__)

START_ERROR = 128
"""The exit code of a container that never ran (containerd's)."""

UNKNOWN_EXIT = 255
"""The exit code of a container whose own was lost, with conmon (containerd's)."""


def signal_number(name: str) -> int:
    """`SIGTERM`, `TERM` or `15`; SIGTERM for nothing.  Raises RuntimeFault.  Pure."""
    if not name:
        return signal.SIGTERM
    with contextlib.suppress(ValueError):
        return int(name)
    upper = name.upper()
    upper = upper if upper.startswith("SIG") else f"SIG{upper}"
    if upper.startswith("SIGRTMIN+") and upper[9:].isdigit():
        return int(signal.SIGRTMIN) + int(upper[9:])
    try:
        return int(signal.Signals[upper])
    except KeyError:
        raise RuntimeFault(f"unknown signal {name!r}", "CreateContainerError") from None


class Containers:
    """Makes and takes away containers of one cluster."""

    def __init__(self, config: RuntimeConfig, cgroups: Cgroups, sandboxes: Sandboxes, layers: Callable[[str], list[Path]]) -> None:
        self._layers = layers  # of an image by id, the topmost first
        self._config = config
        self._cgroups = cgroups
        self._sandboxes = sandboxes
        self._runtime_path = shutil.which(config.runtime) or config.runtime
        self._capabilities = available()
        self._said_oom_score = False
        self._oom_score_adj = int(Path("/proc/self/oom_score_adj").read_text())

    def prepare_host(self) -> None:
        """The cgroup that conmon lives in."""
        self._cgroups.create(f"{self._config.cgroup}/conmon")

    def directory(self, container_id: str) -> Path:
        return self._config.containers / container_id

    def writable(self, container_id: str) -> Path:
        return self._config.writable / container_id

    def save(self, record: ContainerRecord) -> None:
        records.save(self.directory(record.id) / "container.json", record)

    def create(self, record: ContainerRecord, sandbox: SandboxRecord, image: Image) -> ContainerRecord:
        """Prepare the root file system and the specification.  Raises RuntimeFault, with nothing left behind."""
        directory = self.directory(record.id)
        directory.mkdir(parents=True)
        self.save(record)
        try:
            overlay.mount(directory / "rootfs", self._layers(image.id), self.writable(record.id))
            mounts = tuple(self._found(record, each) for each in record.config.mounts)
            record = replace(record, config=replace(record.config, mounts=mounts))
            identity = self._identity(record, image)
            specification = self._specification(record, sandbox, image, identity)
            (directory / "config.json").write_text(json.dumps(specification))
        except (OSError, RuntimeFault) as error:
            self.remove(record)
            if isinstance(error, RuntimeFault):
                raise
            raise RuntimeFault(f"failed to create container: {error}", "CreateContainerError") from error
        record = replace(record, complete=True, user=ContainerUser(identity.uid, identity.gid, identity.groups))
        self.save(record)
        return record

    def _found(self, record: ContainerRecord, mount: Mount) -> Mount:
        """A mount with its place on the host: that of an image's files is here."""
        if not mount.image:
            return mount
        point = self.directory(record.id) / "images" / mount.image.removeprefix("sha256:")[:16]
        top = overlay.show(self._layers(mount.image), point)
        inside = rootfiles.resolve(top, mount.image_sub_path or "/")
        if inside is None:
            raise RuntimeFault(f'failed to find image sub path "{mount.image_sub_path}"', "CreateContainerError")
        return replace(mount, host_path=str(inside))

    def _identity(self, record: ContainerRecord, image: Image) -> users.Identity:
        rootfs, security = self.directory(record.id) / "rootfs", record.config.security
        passwd, group = rootfiles.read(rootfs, "/etc/passwd"), rootfiles.read(rootfs, "/etc/group")
        identity = users.resolve(security, image.user, passwd, group)
        if security.run_as_non_root and identity.uid == 0:
            raise RuntimeFault("container has runAsNonRoot and image will run as root", "CreateContainerConfigError")
        return identity

    def _specification(
        self, record: ContainerRecord, sandbox: SandboxRecord, image: Image, identity: users.Identity,
    ) -> dict[str, object]:
        config, rootfs = record.config, self.directory(record.id) / "rootfs"
        for mount in config.mounts:
            if not os.path.exists(mount.host_path):
                raise RuntimeFault(f'failed to stat "{mount.host_path}": no such file or directory', "CreateContainerError")
        place = oci_spec.Place(
            rootfs=str(rootfs),
            cgroup=record.cgroup,
            namespaces=self._sandboxes.namespaces(sandbox),
            own_pid=not (sandbox.config.host_pid or sandbox.pause.pid),
            mounts=self._sandboxes.mounts(sandbox),
            hostname=hostname(sandbox.config),
        )
        self._say_oom_score(config)
        host = oci_spec.Host(
            self._capabilities, self._cgroups.is_v2, self._cgroups.counts_swap(cgroup_name(self._config.cluster)),
            self._oom_score_adj, device_nodes(config), filelimit.for_children(),
        )
        return oci_spec.build(config, image, identity, place, host)

    def _say_oom_score(self, config: ContainerConfig) -> None:
        wanted = config.resources.oom_score_adj
        if wanted < self._oom_score_adj and "SYS_RESOURCE" not in self._capabilities and not self._said_oom_score:
            self._said_oom_score = True
            log.warning("without CAP_SYS_RESOURCE an oom_score_adj of %d cannot be had: %d it is", wanted, self._oom_score_adj)

    def start(self, record: ContainerRecord, sandbox: SandboxRecord, now: float) -> ContainerRecord:
        """Start it; the record with its processes.  Raises RuntimeFault in runc's words.

        It counts as started just before its program begins: a crash in between is made good by `go_on`, and so a
        program never begins twice.
        """
        directory, log = self.directory(record.id), Path(record.log_path) if record.log_path else None
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
        config = record.config
        job = conmon.Job(
            id=record.id,
            name=config.name,
            bundle=directory,
            log=log,
            exits=self._config.exits,
            sockets=self._config.sockets,
            oci_state=self._config.oci_state,
            runtime=self._config.runtime,
            terminal=config.tty,
            stdin=config.stdin,
            stdin_once=config.stdin_once,
        )
        with self._mount_view(record, sandbox) as enter:
            init, keeper = conmon.create(job, self._cgroups, f"{self._config.cgroup}/conmon", [*enter, self._runtime_path])
        record = replace(record, init=init, conmon=keeper, started_at=now)
        self.save(record)
        try:
            release.start(self._runtime_path, self._config.oci_state, record.id, init)
        except RuntimeFault:
            self.kill(record)
            raise
        return record

    def _mount_view(self, record: ContainerRecord, sandbox: SandboxRecord) -> contextlib.AbstractContextManager[list[str]]:
        """Where the OCI runtime shall make it: how its command line begins."""
        if not mountview.possible(self._config.state, record.config.mounts):
            return contextlib.nullcontext([])
        needed = [self.directory(record.id) / "rootfs", *self._sandboxes.mount_points(sandbox)]
        return mountview.without_others(self._config.state, needed)

    def go_on(self, record: ContainerRecord) -> None:
        """Let the program of a started container begin, if a crash came before that.  Its end is no error: conmon tells."""
        with contextlib.suppress(OSError):
            release.go_on(self._config.oci_state, record.id, record.init)

    def send(self, record: ContainerRecord, number: int) -> None:
        """Signal the container's first process.  One that has ended is no error."""
        if number == signal.SIGKILL:
            self.kill(record)
            return
        try:
            descriptor = os.pidfd_open(record.init.pid)
        except ProcessLookupError:
            return
        try:
            if record.init.alive():
                signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            return
        finally:
            os.close(descriptor)

    def kill(self, record: ContainerRecord) -> None:
        """SIGKILL everything in it: with its own PID namespace its first process takes the rest along."""
        if record.init.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(record.init.pid, signal.SIGKILL)
        self._cgroups.kill(record.cgroup)

    def exit_of(self, record: ContainerRecord) -> tuple[int, float] | None:
        """(exit code, wall seconds) from the file that conmon left; None when it left none."""
        path = self._config.exits / record.id
        try:
            return int(path.read_text()), path.stat().st_mtime
        except (OSError, ValueError):
            return None

    def finish(self, record: ContainerRecord, now: float) -> ContainerRecord:
        """What became of a container whose processes have ended."""
        left = self.exit_of(record)
        killed = self._cgroups.oom_kills(record.cgroup)
        self._cgroups.kill(record.cgroup)  # those that shared a PID namespace with others live on without it
        code = left[0] if left else UNKNOWN_EXIT
        reason = "OOMKilled" if killed else "Completed" if code == 0 else "Error" if left else "Unknown"
        record = replace(record, exit_code=code, finished_at=now, reason=reason, init=ProcessId(), conmon=ProcessId())
        self.save(record)
        return record

    def fail(self, record: ContainerRecord, message: str, now: float) -> ContainerRecord:
        """A container that could not be started; its conmon ends by itself."""
        keeper = self.directory(record.id) / "conmon.pid"
        if keeper.exists():
            exits.reap_within(int(keeper.read_text() or 0), 5.0)
        overlay.delete_container(self._config.runtime, self._config.oci_state, record.id)
        record = replace(record, exit_code=START_ERROR, reason="StartError", message=message, finished_at=now, started_at=0.0)
        self.save(record)
        return record

    def unstart(self, record: ContainerRecord) -> ContainerRecord:
        """Undo a start that a crash interrupted: the container is created again."""
        pids = [self.directory(record.id) / name for name in ("conmon.pid", "pid")]
        conmon.end_unfinished(record.id, self._config.runtime)
        self.kill(record)
        overlay.delete_container(self._config.runtime, self._config.oci_state, record.id)
        for path in [*pids, self._config.exits / record.id]:
            path.unlink(missing_ok=True)
        record = replace(record, init=ProcessId(), conmon=ProcessId())
        self.save(record)
        return record

    def last_sign(self, record: ContainerRecord) -> float:
        """When a container whose end nobody saw was last known to be: its record's time."""
        return (self.directory(record.id) / "container.json").stat().st_mtime

    def unknown(self, container_id: str) -> ContainerRecord:
        """A record for a container that has none, to remove it by."""
        nothing = ContainerConfig("", "")
        return ContainerRecord(container_id, "", nothing, "", "", 0.0, "", f"{self._config.cgroup}/none", signal.SIGTERM)

    def remove(self, record: ContainerRecord) -> None:
        """Forget it and what it wrote; what still runs is killed.  Again is no error."""
        if record.complete:
            self.save(replace(record, complete=False))  # a crash from here on must not leave half of it
        self.kill(record)
        overlay.delete_container(self._config.runtime, self._config.oci_state, record.id)
        directory = self.directory(record.id)
        overlay.hide(directory / "images")
        overlay.remove(directory / "rootfs", self.writable(record.id))
        self._cgroups.remove(record.cgroup)
        (self._config.sockets / record.id[:12]).unlink(missing_ok=True)
        (self._config.exits / record.id).unlink(missing_ok=True)
        shutil.rmtree(directory, ignore_errors=True)

    def update(self, record: ContainerRecord, resources: Resources) -> ContainerRecord:
        """Change limits of a container that runs.  Raises RuntimeFault."""
        try:
            self._cgroups.limit(record.cgroup, resources)
        except OSError as error:
            raise RuntimeFault(f"failed to update resources: {error}") from error
        record = replace(record, config=replace(record.config, resources=resources))
        self.save(record)
        return record


def device_nodes(config: ContainerConfig) -> tuple[oci_spec.DeviceNode, ...]:
    """The host's device nodes that a container asks for; all of /dev for a privileged one."""
    paths = {device.host_path for device in config.devices}
    if config.security.privileged:
        skipped = ("/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/fd", "/dev/.")
        for top, _, names in os.walk("/dev"):
            if not top.startswith(skipped):
                paths |= {os.path.join(top, name) for name in names if name not in ("console", "ptmx")}
    found = []
    for path in sorted(paths):
        with contextlib.suppress(OSError):
            status = os.stat(path) if path in {device.host_path for device in config.devices} else os.lstat(path)
            if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
                kind = "c" if stat.S_ISCHR(status.st_mode) else "b"
                device = status.st_rdev
                found.append(oci_spec.DeviceNode(path, kind, os.major(device), os.minor(device), status.st_mode))
    return tuple(found)

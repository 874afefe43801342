"""The container runtime seam: the CRI's own verbs, as Python.

Two implementations pass one suite: `embedded` (namespaces, overlayfs, conmon + runc) and `fake`
(no containers: for tests and `--fidelity sim`).  The kubelet knows only this file.
Field meanings follow the CRI (k8s.io/cri-api, runtime/v1); units are bytes, seconds, nanoseconds
where the name ends in `_ns`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class RuntimeFault(Exception):
    """A verb failed.  `reason` is the kubelet's word for it (`ErrImagePull`, `RunContainerError` ...)."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class NotFound(RuntimeFault):
    """No such sandbox, container or image."""


class SandboxState(StrEnum):
    READY = "READY"
    NOTREADY = "NOTREADY"


class ContainerState(StrEnum):
    CREATED = "CREATED"
    RUNNING = "RUNNING"
    EXITED = "EXITED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class PortMapping:
    """A hostPort."""

    protocol: str
    container_port: int
    host_port: int
    host_ip: str = ""


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """What a Pod's sandbox needs.  Namespace modes: host_* share the node's, share_process_namespace the Pod's."""

    name: str
    namespace: str
    uid: str
    attempt: int = 0
    hostname: str = ""
    log_directory: str = ""
    dns_servers: tuple[str, ...] = ()
    dns_searches: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    port_mappings: tuple[PortMapping, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    cgroup_parent: str = ""
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    share_process_namespace: bool = False
    sysctls: Mapping[str, str] = field(default_factory=dict)
    cpu_period: int = 100_000  # the Pod's own cgroup: 0 quota is no limit
    cpu_quota: int = 0
    cpu_shares: int = 0
    memory_limit: int = 0
    shm_size: int = 64 << 20


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    id: str
    config: SandboxConfig
    state: SandboxState
    created_at: float  # wall seconds
    ips: tuple[str, ...]  # empty with host_network
    pid: int = 0  # of the pause process, if there is one


@dataclass(frozen=True, slots=True)
class Mount:
    """A bind mount of `host_path`, or with `image` (an id) of that image's files, which nobody can change or execute."""

    container_path: str
    host_path: str
    read_only: bool = False
    propagation: str = "private"  # private | rslave | rshared
    recursive_read_only: bool = False  # what is mounted below, too
    image: str = ""
    image_sub_path: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    container_path: str
    host_path: str
    permissions: str = "rwm"


@dataclass(frozen=True, slots=True)
class Resources:
    """cgroup settings; 0 is "not set".  Written for v1 and translated for v2."""

    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_shares: int = 0
    memory_limit: int = 0
    oom_score_adj: int = 0
    pids_limit: int = 0


@dataclass(frozen=True, slots=True)
class Security:
    """The container's effective security context (pod and container merged by the kubelet)."""

    run_as_user: int | None = None
    run_as_username: str = ""
    run_as_group: int | None = None
    supplemental_groups: tuple[int, ...] = ()
    strict_groups: bool = False  # no groups that the image's /etc/group gives the user
    run_as_non_root: bool = False
    privileged: bool = False
    read_only_rootfs: bool = False
    allow_privilege_escalation: bool = True
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    seccomp_profile: str = "Unconfined"  # Unconfined | RuntimeDefault | Localhost/<path>
    masked_paths: bool = True


# An annotation of a container that is meant to end by itself: one that prepares a Pod (an init container), one that does a Job's
# work.  A real container knows by itself; a simulated one has to be told.
PURPOSE, TO_PREPARE, TO_WORK = "wherry.dev/purpose", "prepare", "work"


@dataclass(frozen=True, slots=True)
class ContainerConfig:
    name: str
    image: str  # an image id or reference that `image_status` knows
    attempt: int = 0
    command: tuple[str, ...] = ()  # replaces the image's entrypoint
    args: tuple[str, ...] = ()  # replaces the image's cmd
    working_dir: str = ""
    envs: tuple[tuple[str, str], ...] = ()  # over the image's own
    mounts: tuple[Mount, ...] = ()
    devices: tuple[Device, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    log_path: str = ""  # relative to the sandbox's log_directory
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    resources: Resources = Resources()
    security: Security = Security()
    stop_signal: str = ""


@dataclass(frozen=True, slots=True)
class ContainerUser:
    """Whom a container's first process begins as.  Its groups are all of them, the primary one included."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerStatus:
    id: str
    sandbox_id: str
    config: ContainerConfig
    state: ContainerState
    created_at: float
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    reason: str = ""  # "Completed", "Error", "OOMKilled", "ContainerCannotRun", "StartError"
    message: str = ""
    image: str = ""  # the image's name, as the store has it
    image_ref: str = ""  # the digest reference; its id when it came from no registry
    image_id: str = ""
    pid: int = 0
    log_path: str = ""  # absolute
    user: ContainerUser | None = None  # None while nobody knows


@dataclass(frozen=True, slots=True)
class Image:
    id: str  # sha256:...  (the config's digest)
    repo_tags: tuple[str, ...]
    repo_digests: tuple[str, ...]
    size: int
    user: str = ""
    stop_signal: str = ""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    working_dir: str = ""


@dataclass(frozen=True, slots=True)
class RegistryAuth:
    username: str = ""
    password: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class ExecResult:
    stdout: bytes
    stderr: bytes
    exit_code: int


@dataclass(frozen=True, slots=True)
class ContainerEvent:
    """Something happened to a container or sandbox; nothing polls."""

    type: str  # "created" | "started" | "stopped" | "deleted"
    container_id: str
    sandbox_id: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Resource use at `time`: CPU in total nanoseconds, memory in bytes, network in bytes since start."""

    time: float
    cpu_ns: int = 0
    memory_usage: int = 0
    memory_working_set: int = 0
    memory_rss: int = 0
    memory_page_faults: int = 0
    memory_major_page_faults: int = 0
    rx_bytes: int = 0
    tx_bytes: int = 0
    rx_errors: int = 0
    tx_errors: int = 0
    writable_layer_bytes: int = 0


class Streams(Protocol):
    """A process's streams, from exec or attach.  With a terminal there is no stderr of its own."""

    async def write_stdin(self, data: bytes) -> None: ...

    async def close_stdin(self) -> None: ...

    async def read(self) -> tuple[int, bytes] | None:
        """(1, stdout bytes) or (2, stderr bytes); None when both have ended."""
        ...

    async def resize(self, width: int, height: int) -> None: ...

    async def wait(self) -> int:
        """The exit code (exec only; attach waits for the container)."""
        ...

    async def close(self) -> None:
        """Let go; an exec'd process that still runs is killed."""
        ...


class ByteStream(Protocol):
    """A TCP connection into a sandbox, for port-forward."""

    async def read(self, limit: int = 65536) -> bytes: ...

    async def write(self, data: bytes) -> None: ...

    async def write_eof(self) -> None: ...

    async def close(self) -> None: ...


class Runtime(Protocol):
    """Verbs of the CRI's RuntimeService and ImageService.  All may raise RuntimeFault."""

    @property
    def reachable(self) -> bool:
        """Whether something may listen at a Pod's address.  If not, `exec_sync` answers for what is asked over the network, too."""
        ...

    async def version(self) -> tuple[str, str]:
        """(name, version), as the node's `containerRuntimeVersion` shows them."""
        ...

    async def start(self) -> None:
        """Find what an earlier process left running and adopt it; prepare the host."""
        ...

    async def close(self) -> None:
        """Let go without stopping containers."""
        ...

    async def run_pod_sandbox(self, config: SandboxConfig) -> str: ...
    async def stop_pod_sandbox(self, sandbox_id: str) -> None:
        """Stop what runs in it and take its network down.  Again is no error."""
        ...

    async def remove_pod_sandbox(self, sandbox_id: str) -> None: ...
    async def update_pod_sandbox_resources(self, sandbox_id: str, resources: Resources) -> None:
        """Change what the Pod as a whole may use; what is not set stays."""
        ...

    async def pod_sandbox_status(self, sandbox_id: str) -> SandboxStatus: ...
    async def list_pod_sandboxes(self) -> Sequence[SandboxStatus]: ...

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str: ...
    async def start_container(self, container_id: str) -> None: ...
    async def stop_container(self, container_id: str, timeout: float) -> None:
        """The stop signal, then after `timeout` seconds SIGKILL; returns when it has exited."""
        ...

    async def remove_container(self, container_id: str) -> None: ...
    async def container_status(self, container_id: str) -> ContainerStatus: ...
    async def list_containers(self) -> Sequence[ContainerStatus]: ...
    async def update_container_resources(self, container_id: str, resources: Resources) -> None: ...
    async def reopen_container_log(self, container_id: str) -> None: ...

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        """Raises TimeoutError after `timeout` seconds (0: never)."""
        ...

    async def exec(self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> Streams: ...
    async def attach(self, container_id: str, *, stdin: bool, tty: bool) -> Streams: ...
    async def port_forward(self, sandbox_id: str, port: int) -> ByteStream:
        """Connect to `port` on the sandbox's localhost.  Raises OSError when refused."""
        ...

    def events(self) -> AsyncIterator[ContainerEvent]:
        """Every change from now on."""
        ...

    async def container_stats(self, container_id: str) -> Usage: ...
    async def sandbox_stats(self, sandbox_id: str) -> Usage: ...

    async def list_images(self) -> Sequence[Image]: ...
    async def image_status(self, reference: str) -> Image | None: ...
    async def pull_image(self, reference: str, auth: RegistryAuth | None = None) -> str:
        """The image's id.  Raises RuntimeFault with the registry's words."""
        ...

    async def remove_image(self, reference: str) -> None: ...
    async def image_fs_usage(self) -> tuple[int, int, int]:
        """(used, available, capacity) of the file system that holds images, bytes."""
        ...

"""A container's OCI runtime specification (config.json), from what the kubelet asks and its image says.

Pure: everything of the host that matters comes in `Host`.  Defaults are containerd's.
https://github.com/opencontainers/runtime-spec
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wherry.runtime.embedded import capabilities, seccomp
from wherry.runtime.embedded.cgroups import weight
from wherry.runtime.embedded.users import Identity
from wherry.runtime.interface import ContainerConfig, Image, Mount, Resources, RuntimeFault, SandboxConfig

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


@dataclass(frozen=True, slots=True)
class DeviceNode:
    """A device of the host: `kind` is `c` or `b`."""

    path: str
    kind: str
    major: int
    minor: int
    mode: int = 0o666


@dataclass(frozen=True, slots=True)
class Host:
    """What of this host shows in a specification."""

    capabilities: frozenset[str] = frozenset()
    cgroup_v2: bool = False
    counts_swap: bool = False
    """Whether swap can be limited."""
    oom_score_adj: int = 0
    """This process's own: without CAP_SYS_RESOURCE nothing can be given a lower one."""
    devices: tuple[DeviceNode, ...] = ()
    """The nodes that the container's devices lead to, and for a privileged container all of /dev."""
    files: tuple[int, int] | None = None
    """How many files a container's process may have open (soft, hard); None: as many as this process."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the container lives: its root file system, cgroup, and the sandbox's namespaces by kind."""

    rootfs: str
    cgroup: str
    namespaces: Mapping[str, str] = field(default_factory=dict)
    """Paths of the namespaces it joins; network, ipc, uts and pid that are absent are the host's (pid: see `own_pid`)."""
    own_pid: bool = True
    mounts: tuple[Mount, ...] = ()
    """The sandbox's files (resolv.conf, hostname, shm); the container's own mounts at the same paths win."""
    hostname: str = ""


def arguments(config: ContainerConfig, image: Image) -> list[str]:
    """The command line: `command` replaces the image's entrypoint and its cmd, `args` its cmd alone."""
    if config.command:
        found = [*config.command, *config.args]
    else:
        found = [*image.entrypoint, *(config.args or image.cmd)]
    if not found:
        raise RuntimeFault("no command specified", "CreateContainerError")
    return found


def environment(config: ContainerConfig, image: Image, identity: Identity, hostname: str) -> list[str]:
    """`NAME=value` in order of first appearance; later values win: defaults, image, container."""
    values: dict[str, str] = {}
    given = [PATH, *(["TERM=xterm"] if config.tty else []), *([f"HOSTNAME={hostname}"] if hostname else []), *image.env]
    for item in given:
        name, _, value = item.partition("=")
        values[name] = value
    values.update(config.envs)
    values.setdefault("HOME", identity.home or "/")
    return [f"{name}={value}" for name, value in values.items()]


def process(config: ContainerConfig, image: Image, identity: Identity, host: Host, hostname: str) -> dict[str, Any]:
    security = config.security
    held = capabilities.effective(security, host.capabilities)
    adj = config.resources.oom_score_adj
    files = {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": host.files[0], "hard": host.files[1]}]} if host.files else {}
    return {
        "terminal": config.tty,
        "user": {"uid": identity.uid, "gid": identity.gid, "additionalGids": list(identity.groups), "umask": 0o022},
        "args": arguments(config, image),
        "env": environment(config, image, identity, hostname),
        "cwd": config.working_dir or image.working_dir or "/",
        "capabilities": {"bounding": held, "effective": held, "permitted": held},
        "noNewPrivileges": not security.allow_privilege_escalation and not security.privileged,
        "oomScoreAdj": adj if "SYS_RESOURCE" in host.capabilities else max(adj, host.oom_score_adj),
        **files,
    }


def resources(wanted: Resources, host: Host, config: ContainerConfig) -> dict[str, Any]:
    """`linux.resources`: limits and the devices that may be used.  Containers have no swap (the kubelet's NoSwap): one that
    wants more than its limit is to be killed, not slowed."""
    cpu: dict[str, Any] = {}
    unified: dict[str, str] = {}
    if wanted.cpu_quota:
        cpu |= {"quota": wanted.cpu_quota, "period": wanted.cpu_period or 100_000}
    found: dict[str, Any] = {"devices": _device_rules(config, host)}
    if wanted.cpu_shares and host.cgroup_v2:
        unified["cpu.weight"] = str(weight(wanted.cpu_shares))
    elif wanted.cpu_shares:
        cpu["shares"] = max(2, wanted.cpu_shares)
    if cpu:
        found["cpu"] = cpu
    memory = {"limit": wanted.memory_limit} if wanted.memory_limit else {}
    if host.cgroup_v2:
        unified["memory.oom.group"] = "1"  # one process too many ends the container, as upstream has it by default
        if host.counts_swap:
            unified["memory.swap.max"] = "0"
    elif memory and host.counts_swap:
        memory["swap"] = wanted.memory_limit  # both together
    if memory:
        found["memory"] = memory
    if wanted.pids_limit:
        found["pids"] = {"limit": wanted.pids_limit}
    if unified:
        found["unified"] = unified
    return found


def _device_rules(config: ContainerConfig, host: Host) -> list[dict[str, Any]]:
    if config.security.privileged:
        return [{"allow": True, "access": "rwm"}]
    rules: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    nodes = {node.path: node for node in host.devices}
    for device in config.devices:
        node = nodes.get(device.host_path)
        if node is not None:
            rules.append({"allow": True, "type": node.kind, "major": node.major, "minor": node.minor, "access": device.permissions})
    return rules


def _devices(config: ContainerConfig, host: Host) -> list[dict[str, Any]]:
    nodes = {node.path: node for node in host.devices}
    found = dict(nodes) if config.security.privileged else {}
    for device in config.devices:
        if device.host_path not in nodes:
            raise RuntimeFault(f'"{device.host_path}" is not a device node', "CreateContainerError")
        found[device.container_path] = nodes[device.host_path]
    return [
        {"path": path, "type": node.kind, "major": node.major, "minor": node.minor, "fileMode": node.mode & 0o777, "uid": 0, "gid": 0}
        for path, node in found.items()
    ]


def _mount(target: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": list(options)}


def mounts(config: ContainerConfig, place: Place, host: Host) -> list[dict[str, Any]]:
    """All mounts, parents before what lies in them."""
    access = "rw" if config.security.privileged else "ro"
    found = [
        _mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
        _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", access),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", access),
    ]
    own = {mount.container_path.rstrip("/") or "/" for mount in config.mounts}
    binds = [mount for mount in place.mounts if mount.container_path not in own]
    binds += config.mounts
    replaced = {mount.container_path.rstrip("/") for mount in binds}
    found = [mount for mount in found if mount["destination"] not in replaced]
    for mount in sorted(binds, key=lambda each: each.container_path.rstrip("/").count("/")):
        options = ["rbind", mount.propagation if mount.propagation != "private" else "rprivate"]
        options.append("rro" if mount.recursive_read_only else "ro" if mount.read_only else "rw")
        if mount.image:
            options += ["noexec", "nosuid", "nodev"]
        found.append(_mount(mount.container_path, "bind", mount.host_path, *options))
    return found


def namespaces(place: Place, host: Host) -> list[dict[str, str]]:
    found: list[dict[str, str]] = [{"type": "mount"}]
    if place.own_pid:
        found.append({"type": "pid"})
    if host.cgroup_v2:
        found.append({"type": "cgroup"})
    return found + [{"type": kind, "path": path} for kind, path in place.namespaces.items()]


def build(config: ContainerConfig, image: Image, identity: Identity, place: Place, host: Host) -> dict[str, Any]:
    """The whole config.json.  Raises RuntimeFault for what cannot be."""
    described = process(config, image, identity, host, place.hostname)
    linux: dict[str, Any] = {
        "namespaces": namespaces(place, host),
        "cgroupsPath": place.cgroup,
        "resources": resources(config.resources, host, config),
        "devices": _devices(config, host),
    }
    if not config.security.privileged:
        if config.security.masked_paths:
            linux |= {"maskedPaths": list(MASKED_PATHS), "readonlyPaths": list(READONLY_PATHS)}
        filters = seccomp.profile(config.security.seccomp_profile, described["capabilities"]["bounding"])
        if filters is not None:
            linux["seccomp"] = filters
    if any(mount.propagation == "rshared" for mount in config.mounts):
        linux["rootfsPropagation"] = "rshared"
    elif any(mount.propagation == "rslave" for mount in config.mounts):
        linux["rootfsPropagation"] = "rslave"
    return {
        "ociVersion": "1.0.2",
        "process": described,
        "root": {"path": place.rootfs, "readonly": config.security.read_only_rootfs},
        "mounts": mounts(config, place, host),
        "linux": linux,
    }


def exec_process(spec: Mapping[str, Any], command: Sequence[str], tty: bool) -> dict[str, Any]:
    """The process that `exec` starts: the container's own in all but its command and terminal."""
    described = dict(spec["process"])
    described |= {"args": list(command), "terminal": tty}
    names = {item.partition("=")[0] for item in described["env"]}
    if tty and "TERM" not in names:
        described["env"] = [*described["env"], "TERM=xterm"]
    return described


def resolv_conf(config: SandboxConfig, host_file: str) -> str:
    """A Pod's /etc/resolv.conf; the host's own where the Pod's configuration is empty."""
    if not (config.dns_servers or config.dns_searches or config.dns_options):
        return host_file
    lines = [f"search {' '.join(config.dns_searches)}"] if config.dns_searches else []
    lines += [f"nameserver {server}" for server in config.dns_servers]
    if config.dns_options:
        lines.append(f"options {' '.join(config.dns_options)}")
    return "".join(line + "\n" for line in lines)

"""Sandboxes: a Pod's namespaces, network, cgroup and shared files, made and taken away.

Blocking work for worker threads; `runtime.py` keeps the records and decides when.  A record is on disk
before anything else is made, so that what a crash leaves half-made is found and cleaned.
"""

import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from wherry.runtime.embedded import linux, netns, oci_spec, pause, records
from wherry.runtime.embedded.address_pool import AddressPool
from wherry.runtime.embedded.cgroups import Cgroups
from wherry.runtime.embedded.config import RuntimeConfig
from wherry.runtime.embedded.network import Network
from wherry.runtime.embedded.records import SandboxRecord
from wherry.runtime.interface import Mount, Resources, RuntimeFault, SandboxConfig, SandboxState

REASON = "CreatePodSandboxError"

# Sysctls that belong to an IPC namespace; those of `net.` belong to a network namespace.
_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")


def cgroup_of(cluster_cgroup: str, config: SandboxConfig) -> str:
    """The Pod's cgroup, always below the cluster's own.  Raises RuntimeFault for a path that leads out.  Pure."""
    parent = config.cgroup_parent
    if parent.startswith(cluster_cgroup + "/"):
        parent = parent[len(cluster_cgroup) :]
    parts = [part for part in parent.split("/") if part] or [f"pod{config.uid}"]
    if ".." in parts or "." in parts:
        raise RuntimeFault(f"cgroup parent {config.cgroup_parent!r} leads out of {cluster_cgroup}", REASON)
    return "/".join([cluster_cgroup, *parts])


def own_kinds(config: SandboxConfig) -> tuple[str, ...]:
    """The namespaces that the Pod has for itself.  Pure."""
    kinds = () if config.host_network else ("net", "uts")
    return kinds if config.host_ipc else (*kinds, "ipc")


def check_sysctls(config: SandboxConfig) -> None:
    """Refuse sysctls that are the whole host's.  Pure."""
    kinds = own_kinds(config)
    for name in config.sysctls:
        dotted = name.replace("/", ".")
        needs = "net" if dotted.startswith("net.") else "ipc" if dotted.startswith(_IPC_SYSCTLS) else ""
        if needs not in kinds:
            raise RuntimeFault(f'sysctl "{name}" is not in a separate kernel namespace', REASON)


class Sandboxes:
    """Makes and takes away sandboxes of one cluster."""

    def __init__(self, config: RuntimeConfig, network: Network, cgroups: Cgroups) -> None:
        self._config = config
        self._network = network
        self._cgroups = cgroups
        self._addresses = AddressPool(config.addresses, config.node_cidr, frozenset({config.address}))

    def directory(self, sandbox_id: str) -> Path:
        return self._config.sandboxes / sandbox_id

    def save(self, record: SandboxRecord) -> None:
        records.save(self.directory(record.id) / "sandbox.json", record)

    def make(self, record: SandboxRecord) -> SandboxRecord:
        """Make everything of a sandbox.  Raises RuntimeFault, with nothing left behind."""
        config = record.config
        check_sysctls(config)
        self.directory(record.id).mkdir(parents=True)
        self.save(record)
        try:
            self._files(record)
            self._cgroup(record)
            record = self._namespaces(record)
            if config.share_process_namespace:
                record = self._pause(record)
        except (OSError, RuntimeFault) as error:
            self.stop(record)
            self.remove(record)
            raise RuntimeFault(f"failed to set up sandbox: {error}", getattr(error, "reason", "") or REASON) from error
        record = replace(record, state=SandboxState.READY, complete=True)
        self.save(record)
        return record

    def _files(self, record: SandboxRecord) -> None:
        """What its containers share: resolv.conf, hostname, /dev/shm."""
        config, directory = record.config, self.directory(record.id)
        host_file = Path("/etc/resolv.conf")
        host_text = host_file.read_text() if host_file.exists() else ""
        (directory / "resolv.conf").write_text(oci_spec.resolv_conf(config, host_text))
        (directory / "hostname").write_text(hostname(config) + "\n")
        if not config.host_ipc:
            (directory / "shm").mkdir()
            flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
            linux.mount("shm", directory / "shm", "tmpfs", flags, f"mode=1777,size={config.shm_size}")

    def _cgroup(self, record: SandboxRecord) -> None:
        config = record.config
        self._cgroups.create(record.cgroup)
        limits = Resources(config.cpu_period, config.cpu_quota, config.cpu_shares, config.memory_limit)
        self._cgroups.limit(record.cgroup, limits)

    def update(self, record: SandboxRecord, resources: Resources) -> SandboxRecord:
        """Change limits of the whole Pod.  Raises RuntimeFault."""
        try:
            self._cgroups.limit(record.cgroup, resources)
        except OSError as error:
            raise RuntimeFault(f"failed to update resources of the sandbox: {error}") from error
        was = record.config
        config = replace(
            was, cpu_quota=resources.cpu_quota or was.cpu_quota, cpu_shares=resources.cpu_shares or was.cpu_shares,
            memory_limit=resources.memory_limit or was.memory_limit,
        )
        record = replace(record, config=config)
        self.save(record)
        return record

    def _namespaces(self, record: SandboxRecord) -> SandboxRecord:
        config, directory = record.config, self.directory(record.id)
        kinds = own_kinds(config)
        sysctls = dict(config.sysctls)
        if "net" not in kinds:
            if kinds:
                netns.create(directory, kinds, "", lambda: netns.write_sysctls(sysctls))
            return record
        address = self._addresses.allocate(record.id)
        record = replace(record, ip=str(address))
        self.save(record)

        def make(connect: Callable[[], None]) -> None:
            def inside() -> None:
                connect()
                netns.write_sysctls(sysctls)

            netns.create(directory, kinds, hostname(config), inside)

        self._network.attach(record.id, address, make)
        return record

    def _pause(self, record: SandboxRecord) -> SandboxRecord:
        config = self._config
        process = pause.start(
            config.runtime, config.oci_state, record.id, self.directory(record.id), f"{record.cgroup}/{record.id}", self.namespaces(record)
        )
        netns.pin(f"/proc/{process.pid}/ns/pid", self.directory(record.id) / "pid")
        return replace(record, pause=process)

    def namespaces(self, record: SandboxRecord) -> dict[str, str]:
        """The paths of the namespaces that its containers join, by OCI's names."""
        names = {"net": "network", "ipc": "ipc", "uts": "uts"}
        directory = self.directory(record.id)
        found = {names[kind]: str(directory / kind) for kind in own_kinds(record.config)}
        if record.pause.pid:
            found["pid"] = str(directory / "pid")
        return found

    def mounts(self, record: SandboxRecord) -> tuple[Mount, ...]:
        """The sandbox's files in its containers."""
        directory = self.directory(record.id)
        shm = "/dev/shm" if record.config.host_ipc else str(directory / "shm")
        return (
            Mount("/etc/resolv.conf", str(directory / "resolv.conf")),
            Mount("/etc/hostname", str(directory / "hostname")),
            Mount("/dev/shm", shm),
        )

    def mount_points(self, record: SandboxRecord) -> list[Path]:
        """What is mounted for a sandbox, in its directory."""
        names = [*own_kinds(record.config), *(["pid"] if record.pause.pid else []), *([] if record.config.host_ipc else ["shm"])]
        return [self.directory(record.id) / name for name in names]

    def intact(self, record: SandboxRecord, mounted: set[Path]) -> bool:
        """Whether what `make` made is still there."""
        directory = self.directory(record.id)
        if record.config.share_process_namespace and not record.pause.alive():
            return False
        return all(directory / kind in mounted for kind in own_kinds(record.config))

    def stop(self, record: SandboxRecord) -> SandboxRecord:
        """Take its process, network and namespaces away, but not its record.  Again is no error."""
        config, directory = self._config, self.directory(record.id)
        if record.config.share_process_namespace:
            pause.stop(config.runtime, config.oci_state, record.id, record.pause)
        netns.release(directory)
        linux.unmount(directory / "shm")
        if not record.config.host_network:
            self._network.detach(record.id)
        if record.ip:
            self._addresses.release(record.id, IPv4Address(record.ip))
        record = replace(record, state=SandboxState.NOTREADY)
        self.save(record)
        return record

    def remove(self, record: SandboxRecord) -> None:
        """Forget a stopped sandbox.  Its cgroup goes with the Pod's last sandbox.  Again is no error."""
        if record.complete:
            self.save(replace(record, complete=False))  # a crash from here on must not leave half of it
        self._cgroups.remove(record.cgroup)
        shutil.rmtree(self.directory(record.id), ignore_errors=True)

    def release_addresses(self, known: set[str]) -> None:
        """Give back addresses of sandboxes that are not `known`."""
        self._addresses.release_others(known)


def hostname(config: SandboxConfig) -> str:
    return config.hostname or (socket.gethostname() if config.host_network else config.name[:63])

"""The runtime's configuration of a Pod's sandbox and containers, from the spec and what stands ready for it."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from wherry.api.types import core_v1
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.container.resources import CPU_PERIOD, container_resources, pod_cgroup, pod_resources
from wherry.kubelet.container.security import SecurityError, effective_security, verify_run_as_non_root
from wherry.kubelet.container.state import container_annotations, container_labels, pod_labels
from wherry.kubelet.expansion import expand, expand_all
from wherry.kubelet.hosts import HostnameError, Resolver, hostname_and_domain, hosts_file, pod_resolver
from wherry.kubelet.podutil import Container
from wherry.kubelet.sysctls import pod_sysctls
from wherry.runtime.interface import ContainerConfig, Image, Mount, PortMapping, SandboxConfig

_PROPAGATION = {"": "private", "None": "private", "HostToContainer": "rslave", "Bidirectional": "rshared"}

class ConfigError(Exception):
    """A container's configuration cannot be made: CreateContainerConfigError."""


def log_directory(pod: core_v1.Pod, config: KubeletConfig) -> Path:
    meta = pod.metadata
    return config.pod_logs_dir / f"{meta.namespace}_{meta.name}_{meta.uid}"


def sandbox_config(pod: core_v1.Pod, attempt: int, config: KubeletConfig, host_resolver: Resolver) -> SandboxConfig:
    """Raises ConfigError for what cannot be granted."""
    try:
        hostname, _ = hostname_and_domain(pod, config.cluster_domain)
    except HostnameError as error:
        raise ConfigError(str(error)) from error
    resolver = pod_resolver(pod, host_resolver, config.cluster_dns, config.cluster_domain)
    quota, shares, memory = pod_resources(pod)
    host_network = bool(pod.spec.host_network)
    containers = [*pod.spec.init_containers, *pod.spec.containers]
    ports = () if host_network else tuple(
        PortMapping(port.protocol or "TCP", port.container_port, port.host_port, port.host_ip)
        for container in containers for port in container.ports if port.host_port
    )
    return SandboxConfig(
        name=pod.metadata.name, namespace=pod.metadata.namespace, uid=pod.metadata.uid, attempt=attempt,
        hostname="" if host_network else hostname, log_directory=str(log_directory(pod, config)),
        dns_servers=resolver.servers, dns_searches=resolver.searches, dns_options=resolver.options,
        port_mappings=ports, labels=pod_labels(pod), annotations=dict(pod.metadata.annotations),
        cgroup_parent=pod_cgroup(pod, config.cgroup_root), host_network=host_network, host_pid=bool(pod.spec.host_pid),
        host_ipc=bool(pod.spec.host_ipc), share_process_namespace=bool(pod.spec.share_process_namespace),
        sysctls=pod_sysctls(pod), cpu_period=CPU_PERIOD, cpu_quota=quota, cpu_shares=shares, memory_limit=memory,
    )


@dataclass(slots=True)
class ContainerInputs:
    """What a container's configuration is made of, beside its spec."""

    attempt: int
    image: Image
    envs: dict[str, str]
    volumes: dict[str, Path]
    pod_ips: tuple[str, ...]
    memory_capacity: int
    pictures: dict[str, str] = field(default_factory=dict)  # image volumes: the id of each one's image


def container_config(pod: core_v1.Pod, container: Container, inputs: ContainerInputs, config: KubeletConfig) -> ContainerConfig:
    """Make the files that a container mounts, and its configuration.  Blocking: called off the loop.  Raises ConfigError."""
    try:
        security = effective_security(pod, container)
        verify_run_as_non_root(pod, container, security, inputs.image.user)
    except SecurityError as error:
        raise ConfigError(str(error)) from error
    if container.volume_devices:
        raise ConfigError("volumeDevices are not supported: only file system volumes are")
    mounts = [_volume_mount(pod, mount, inputs) for mount in container.volume_mounts]
    mounts += _own_mounts(pod, container, inputs, config)
    host_network = bool(pod.spec.host_network)
    envs = dict(inputs.envs)
    if host_network:
        envs.setdefault("HOSTNAME", os.uname().nodename)
    else:
        envs.setdefault("HOSTNAME", hostname_and_domain(pod, config.cluster_domain)[0])
    return ContainerConfig(
        name=container.name, image=inputs.image.id, attempt=inputs.attempt,
        command=tuple(expand_all(container.command, inputs.envs)), args=tuple(expand_all(container.args, inputs.envs)),
        working_dir=container.working_dir, envs=tuple(envs.items()), mounts=tuple(mounts),
        labels=container_labels(pod, container), annotations=container_annotations(pod, container),
        log_path=f"{container.name}/{inputs.attempt}.log", stdin=bool(container.stdin), stdin_once=bool(container.stdin_once),
        tty=bool(container.tty), resources=container_resources(pod, container, inputs.memory_capacity, config.pod_pids_limit),
        security=security, stop_signal=container.lifecycle.stop_signal if container.lifecycle else "",
    )


def _volume_mount(pod: core_v1.Pod, mount: core_v1.VolumeMount, inputs: ContainerInputs) -> Mount:
    sub_path = mount.sub_path
    if mount.sub_path_expr:
        sub_path = expand(mount.sub_path_expr, inputs.envs.get)
        if "$(" in sub_path:
            raise ConfigError(f"missing value for {mount.sub_path_expr!r}")
    if mount.name in inputs.pictures:
        return Mount(mount.mount_path, "", True, image=inputs.pictures[mount.name], image_sub_path=sub_path)
    host = inputs.volumes.get(mount.name)
    if host is None:
        raise ConfigError(f'cannot find volume "{mount.name}" to mount into container')
    if sub_path:
        host = _sub_path(host, sub_path)
    read_only = bool(mount.read_only) or any(
        each.name == mount.name and each.persistent_volume_claim is not None and each.persistent_volume_claim.read_only
        for each in pod.spec.volumes
    )
    recursive = read_only and mount.recursive_read_only in ("Enabled", "IfPossible")
    return Mount(mount.mount_path, str(host), read_only, _PROPAGATION[mount.mount_propagation], recursive)


def _sub_path(volume: Path, sub_path: str) -> Path:
    """The place below a volume, made if it is missing; never outside, whatever links the volume holds."""
    if sub_path.startswith("/") or ".." in Path(sub_path).parts:
        raise ConfigError(f'subPath "{sub_path}" must be a relative path without ".."')
    inside = volume.resolve()
    target = (volume / sub_path).resolve()
    if not target.is_relative_to(inside):
        raise ConfigError(f'subpath "{target}" not within volume path "{inside}"')
    if not target.exists():
        target.mkdir(parents=True, mode=0o750)
        target.chmod(inside.stat().st_mode & 0o7777)
    return target


def _own_mounts(pod: core_v1.Pod, container: Container, inputs: ContainerInputs, config: KubeletConfig) -> list[Mount]:
    """/etc/hosts, one a Pod, and the termination log, one a container's run; not over a volume put there by hand."""
    directory = config.root_dir / "pods" / pod.metadata.uid
    taken = {mount.mount_path for mount in container.volume_mounts}
    mounts = []
    if "/etc/hosts" not in taken:
        hosts = directory / "etc-hosts"
        hosts.parent.mkdir(parents=True, exist_ok=True)
        own = Path("/etc/hosts").read_text() if pod.spec.host_network and Path("/etc/hosts").exists() else ""
        hosts.write_text(hosts_file(pod, inputs.pod_ips, config.cluster_domain, own))
        mounts.append(Mount("/etc/hosts", str(hosts)))
    if container.termination_message_path and container.termination_message_path not in taken:
        log = directory / "containers" / container.name / secrets.token_hex(4)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        log.chmod(0o666)  # whoever the container runs as may say why it ended
        mounts.append(Mount(container.termination_message_path, str(log)))
    return mounts

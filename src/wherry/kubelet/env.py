"""A container's environment: service links, envFrom, env with its sources, and `$(VAR)` between them."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wherry.api.types import core_v1
from wherry.kubelet.config import Offload, inline
from wherry.kubelet.envfile import MAX_SIZE, parse_env_file
from wherry.kubelet.expansion import expand
from wherry.kubelet.fieldpath import FieldPathError, pod_field, resource_field
from wherry.kubelet.podutil import Container, find_container

GetConfigMap = Callable[[str, str], Awaitable[core_v1.ConfigMap | None]]
GetSecret = Callable[[str, str], Awaitable[core_v1.Secret | None]]


class EnvError(Exception):
    """The environment cannot be made: CreateContainerConfigError, in upstream's words."""


def config_map_data(config_map: core_v1.ConfigMap) -> dict[str, str]:
    return dict(config_map.data)


def secret_data(secret: core_v1.Secret) -> dict[str, bytes]:
    return {key: base64.b64decode(text) for key, text in secret.data.items()}


def service_link_name(service: str) -> str:
    return service.upper().replace("-", "_")


def service_envs(services: Iterable[core_v1.Service], namespace: str, enable_links: bool) -> dict[str, str]:
    """Docker-link variables of the namespace's Services; those of default/kubernetes are always there."""
    chosen: dict[str, core_v1.Service] = {}
    for service in services:
        meta = service.metadata
        if not service.spec.cluster_ip or service.spec.cluster_ip == "None":
            continue
        is_master = meta.namespace == "default" and meta.name == "kubernetes"
        if meta.namespace == namespace and (enable_links or is_master):
            chosen[meta.name] = service
        elif is_master:
            chosen.setdefault(meta.name, service)
    envs: dict[str, str] = {}
    for name in sorted(chosen):
        envs.update(_links(chosen[name]))
    return envs


def _links(service: core_v1.Service) -> dict[str, str]:
    ip, ports = service.spec.cluster_ip, service.spec.ports
    prefix = service_link_name(service.metadata.name)
    if not ports:
        return {f"{prefix}_SERVICE_HOST": ip}
    host = f"[{ip}]" if ":" in ip else ip
    envs = {f"{prefix}_SERVICE_HOST": ip, f"{prefix}_SERVICE_PORT": str(ports[0].port)}
    for port in ports:
        if port.name:
            envs[f"{prefix}_SERVICE_PORT_{service_link_name(port.name)}"] = str(port.port)
    for index, port in enumerate(ports):
        protocol = (port.protocol or "TCP").lower()
        url = f"{protocol}://{host}:{port.port}"
        if index == 0:
            envs[f"{prefix}_PORT"] = url
        one = f"{prefix}_PORT_{port.port}_{protocol.upper()}"
        envs |= {one: url, f"{one}_PROTO": protocol, f"{one}_PORT": str(port.port), f"{one}_ADDR": ip}
    return envs


@dataclass(slots=True)
class EnvSources:
    """Where values come from."""

    config_map: GetConfigMap
    secret: GetSecret
    services: Iterable[core_v1.Service] = ()
    host_ip: str = ""
    pod_ips: tuple[str, ...] = ()
    allocatable: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, Path] = field(default_factory=dict)  # where each stands on the node
    offload: Offload = inline


async def make_environment(pod: core_v1.Pod, container: Container, sources: EnvSources) -> dict[str, str]:
    """The variables of `container`, in order.  Raises EnvError."""
    links = service_envs(sources.services, pod.metadata.namespace, pod.spec.enable_service_links is not False)
    envs: dict[str, str] = {}
    for source in container.env_from:
        envs.update(await _from(pod, source, sources))
    # A reference sees the variables before it, then the service links.
    explicit: dict[str, str] = dict(envs)
    for variable in container.env:
        if variable.value_from is None:
            value: str | None = expand(variable.value, lambda name: explicit.get(name, links.get(name)))
        else:
            value = await _value_from(pod, container, variable.value_from, sources)
        if value is not None:
            explicit[variable.name] = value
    return {**explicit, **{name: value for name, value in links.items() if name not in explicit}}


async def _from(pod: core_v1.Pod, source: core_v1.EnvFromSource, sources: EnvSources) -> dict[str, str]:
    namespace = pod.metadata.namespace
    entries: dict[str, str] = {}
    if source.config_map_ref is not None:
        config_map = await sources.config_map(namespace, source.config_map_ref.name)
        if config_map is None and not source.config_map_ref.optional:
            raise EnvError(f'configmap "{source.config_map_ref.name}" not found')
        entries = config_map_data(config_map) if config_map else {}
    elif source.secret_ref is not None:
        secret = await sources.secret(namespace, source.secret_ref.name)
        if secret is None and not source.secret_ref.optional:
            raise EnvError(f'secret "{source.secret_ref.name}" not found')
        entries = {key: value.decode("utf-8", "surrogateescape") for key, value in secret_data(secret).items()} if secret else {}
    return {source.prefix + key: value for key, value in sorted(entries.items())}


async def _value_from(
    pod: core_v1.Pod, container: Container, source: core_v1.EnvVarSource, sources: EnvSources,
) -> str | None:
    """The value, or None when an optional source is missing."""
    try:
        if source.field_ref is not None:
            return pod_field(pod, source.field_ref.field_path, host_ip=sources.host_ip, pod_ips=sources.pod_ips)
        if source.resource_field_ref is not None:
            reference = source.resource_field_ref
            of = find_container(pod, reference.container_name) if reference.container_name else container
            if of is None:
                raise EnvError(f"container {reference.container_name} not found")
            return resource_field(of, reference.resource, reference.divisor, dict(sources.allocatable))
    except FieldPathError as error:
        raise EnvError(str(error)) from error
    if source.config_map_key_ref is not None:
        return await _config_map_key(pod, source.config_map_key_ref, sources)
    if source.secret_key_ref is not None:
        return await _secret_key(pod, source.secret_key_ref, sources)
    if source.file_key_ref is not None:
        return await _file_key(source.file_key_ref, sources)
    raise EnvError("invalid valueFrom: it names no source")


async def _config_map_key(pod: core_v1.Pod, reference: core_v1.ConfigMapKeySelector, sources: EnvSources) -> str | None:
    config_map = await sources.config_map(pod.metadata.namespace, reference.name)
    if config_map is None:
        if reference.optional:
            return None
        raise EnvError(f'configmap "{reference.name}" not found')
    if reference.key in config_map.data:
        return config_map.data[reference.key]
    if reference.optional:
        return None
    raise EnvError(f"couldn't find key {reference.key} in ConfigMap {pod.metadata.namespace}/{reference.name}")


async def _secret_key(pod: core_v1.Pod, reference: core_v1.SecretKeySelector, sources: EnvSources) -> str | None:
    secret = await sources.secret(pod.metadata.namespace, reference.name)
    if secret is None:
        if reference.optional:
            return None
        raise EnvError(f'secret "{reference.name}" not found')
    if reference.key in secret.data:
        return base64.b64decode(secret.data[reference.key]).decode("utf-8", "surrogateescape")
    if reference.optional:
        return None
    raise EnvError(f"couldn't find key {reference.key} in Secret {pod.metadata.namespace}/{reference.name}")


async def _file_key(reference: core_v1.FileKeySelector, sources: EnvSources) -> str | None:
    """From a file that an earlier container left in a volume."""
    volume = sources.volumes.get(reference.volume_name)
    if volume is None:
        raise EnvError(f'cannot find the volume "{reference.volume_name}" referenced by FileKeyRef')
    text = await sources.offload(_read_inside, volume, reference.path)
    if text is None:
        if reference.optional:
            return None
        raise EnvError(f'environment variable file "{reference.path}" not found in volume "{reference.volume_name}"')
    try:
        found = parse_env_file(text)
    except ValueError as error:
        raise EnvError(f'couldn\'t parse env file "{reference.path}": {error}') from error
    if reference.key not in found and not reference.optional:
        raise EnvError(f'environment variable key "{reference.key}" not found in file "{reference.path}"')
    return found.get(reference.key)


def _read_inside(volume: Path, path: str) -> str | None:
    """A file's text; None without such a file.  What a container linked to outside of its volume is not read."""
    target = (volume / path).resolve()
    if not target.is_relative_to(volume.resolve()):
        raise EnvError(f'the path "{path}" leads out of its volume')
    try:
        with target.open("rb") as file:
            data = file.read(MAX_SIZE + 1)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    if len(data) > MAX_SIZE:
        raise EnvError(f'environment variable file "{path}" is larger than {MAX_SIZE} bytes')
    return data.decode("utf-8", "surrogateescape")

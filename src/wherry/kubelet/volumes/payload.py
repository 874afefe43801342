"""The files that ConfigMaps, Secrets and the downward API become: pure, shared by their volumes and projected ones."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from wherry.api.types import core_v1
from wherry.kubelet.fieldpath import FieldPathError, pod_field, resource_field
from wherry.kubelet.podutil import find_container
from wherry.kubelet.volumes.atomic_writer import FileContent
from wherry.kubelet.volumes.plugin import VolumeError

DEFAULT_MODE = 0o644


def key_files(
    data: Mapping[str, bytes], items: Sequence[core_v1.KeyToPath], default_mode: int, optional: bool, what: str,
) -> dict[str, FileContent]:
    """All keys, or the chosen ones at their paths.  `what` is `configmap` or `secret`.  Raises VolumeError."""
    if not items:
        return {key: FileContent(value, default_mode) for key, value in data.items()}
    files = {}
    for item in items:
        if item.key not in data:
            if optional:
                continue
            raise VolumeError(f"{what} references non-existent {'config' if what == 'configmap' else 'secret'} key: {item.key}")
        files[item.path] = FileContent(data[item.key], item.mode if item.mode is not None else default_mode, item.user)
    return files


def config_map_bytes(config_map: core_v1.ConfigMap) -> dict[str, bytes]:
    binary = {key: base64.b64decode(text) for key, text in config_map.binary_data.items()}
    return {**{key: text.encode() for key, text in config_map.data.items()}, **binary}


def downward_files(
    pod: core_v1.Pod, items: Sequence[core_v1.DownwardAPIVolumeFile], default_mode: int, *, host_ip: str,
    pod_ips: tuple[str, ...], allocatable: dict[str, str],
) -> dict[str, FileContent]:
    """Raises VolumeError for a field that cannot be shown."""
    files = {}
    for item in items:
        try:
            if item.field_ref is not None:
                text = pod_field(pod, item.field_ref.field_path, host_ip=host_ip, pod_ips=pod_ips)
            elif item.resource_field_ref is not None:
                reference = item.resource_field_ref
                container = find_container(pod, reference.container_name)
                if container is None:
                    raise VolumeError(f"container {reference.container_name} not found")
                text = resource_field(container, reference.resource, reference.divisor, allocatable)
            else:
                raise VolumeError(f"{item.path}: one of fieldRef and resourceFieldRef is needed")
        except FieldPathError as error:
            raise VolumeError(str(error)) from error
        files[item.path] = FileContent(text.encode(), item.mode if item.mode is not None else default_mode, item.user)
    return files


def with_group(files: dict[str, FileContent], group: int | None) -> dict[str, FileContent]:
    """With fsGroup, the group may read what the owner may."""
    if group is None:
        return files
    return {path: FileContent(f.data, f.mode | (f.mode >> 3 & 0o040), f.uid) for path, f in files.items()}

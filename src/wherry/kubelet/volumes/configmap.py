"""configMap: a ConfigMap's keys as files."""

from __future__ import annotations

from pathlib import Path

from wherry.api.types import core_v1
from wherry.kubelet.volumes.files import put_files
from wherry.kubelet.volumes.payload import DEFAULT_MODE, config_map_bytes, key_files
from wherry.kubelet.volumes.plugin import VolumeContext, VolumeError


class ConfigMapVolume:
    kind = "configmap"
    fresh = True

    def supports(self, volume: core_v1.Volume) -> bool:
        return volume.config_map is not None

    async def set_up(self, pod: core_v1.Pod, volume: core_v1.Volume, context: VolumeContext) -> Path:
        source = volume.config_map or core_v1.ConfigMapVolumeSource()
        found = await context.get_config_map(pod.metadata.namespace, source.name)
        if found is None and not source.optional:
            raise VolumeError(f'configmap "{source.name}" not found')
        data = config_map_bytes(found) if found else {}
        optional = bool(source.optional)
        mode = DEFAULT_MODE if source.default_mode is None else source.default_mode
        files = key_files(data, source.items, mode, optional, "configmap")
        return await put_files(pod, volume.name, self.kind, files, context, source.default_user)

    async def tear_down(self, path: Path, context: VolumeContext) -> None:
        """Plain files: they go with the Pod's directory."""

"""downwardAPI: a Pod's own fields as files, kept up to date."""

from __future__ import annotations

from pathlib import Path

from wherry.api.types import core_v1
from wherry.kubelet.volumes.files import put_files
from wherry.kubelet.volumes.payload import DEFAULT_MODE, downward_files
from wherry.kubelet.volumes.plugin import VolumeContext


class DownwardAPI:
    kind = "downward-api"
    fresh = True

    def supports(self, volume: core_v1.Volume) -> bool:
        return volume.downward_api is not None

    async def set_up(self, pod: core_v1.Pod, volume: core_v1.Volume, context: VolumeContext) -> Path:
        source = volume.downward_api or core_v1.DownwardAPIVolumeSource()
        mode = DEFAULT_MODE if source.default_mode is None else source.default_mode
        files = downward_files(
            pod, source.items, mode, host_ip=context.host_ip, pod_ips=context.pod_ips(pod.metadata.uid),
            allocatable=context.allocatable(),
        )
        return await put_files(pod, volume.name, self.kind, files, context, source.default_user)

    async def tear_down(self, path: Path, context: VolumeContext) -> None:
        """Plain files: they go with the Pod's directory."""

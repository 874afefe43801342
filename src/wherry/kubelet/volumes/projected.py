"""projected: several sources in one directory, the ServiceAccount's token among them."""

from __future__ import annotations

from pathlib import Path

from wherry.api.types import core_v1
from wherry.kubelet.env import secret_data
from wherry.kubelet.volumes.atomic_writer import FileContent
from wherry.kubelet.volumes.files import put_files
from wherry.kubelet.volumes.payload import DEFAULT_MODE, config_map_bytes, downward_files, key_files
from wherry.kubelet.volumes.plugin import VolumeContext, VolumeError, fs_group


class Projected:
    kind = "projected"
    fresh = True

    def supports(self, volume: core_v1.Volume) -> bool:
        return volume.projected is not None

    async def set_up(self, pod: core_v1.Pod, volume: core_v1.Volume, context: VolumeContext) -> Path:
        source = volume.projected or core_v1.ProjectedVolumeSource()
        mode = DEFAULT_MODE if source.default_mode is None else source.default_mode
        files: dict[str, FileContent] = {}
        errors: list[str] = []
        for each in source.sources:
            try:
                files.update(await self._collect(pod, each, mode, context))
            except VolumeError as error:
                errors.append(str(error))
        if errors:
            raise VolumeError(errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]")
        holds_secrets = any(s.secret is not None or s.service_account_token is not None for s in source.sources)
        return await put_files(pod, volume.name, self.kind, files, context, source.default_user, in_memory=holds_secrets)

    async def _collect(
        self, pod: core_v1.Pod, source: core_v1.VolumeProjection, mode: int, context: VolumeContext,
    ) -> dict[str, FileContent]:
        namespace = pod.metadata.namespace
        if source.config_map is not None:
            wanted = source.config_map
            config_map = await context.get_config_map(namespace, wanted.name)
            if config_map is None and not wanted.optional:
                raise VolumeError(f'configmap "{wanted.name}" not found')
            data = config_map_bytes(config_map) if config_map else {}
            return key_files(data, wanted.items, mode, bool(wanted.optional), "configmap")
        if source.secret is not None:
            secret = await context.get_secret(namespace, source.secret.name)
            if secret is None and not source.secret.optional:
                raise VolumeError(f'secret "{source.secret.name}" not found')
            found = secret_data(secret) if secret else {}
            return key_files(found, source.secret.items, mode, bool(source.secret.optional), "secret")
        if source.downward_api is not None:
            return downward_files(
                pod, source.downward_api.items, mode, host_ip=context.host_ip, pod_ips=context.pod_ips(pod.metadata.uid),
                allocatable=context.allocatable(),
            )
        if source.service_account_token is not None:
            return await self._token(pod, source.service_account_token, mode, context)
        raise VolumeError("clusterTrustBundle and podCertificate projections are not supported")

    async def _token(
        self, pod: core_v1.Pod, source: core_v1.ServiceAccountTokenProjection, mode: int, context: VolumeContext,
    ) -> dict[str, FileContent]:
        token = await context.get_token(pod, source)
        # A token is its user's alone: with one common user that is its owner, with a group the group may read.
        owner = source.user if source.user is not None else common_user(pod)
        if fs_group(pod) is not None or owner is not None:
            mode = 0o600
        return {source.path: FileContent(token.encode(), mode, owner if fs_group(pod) is None else None)}

    async def tear_down(self, path: Path, context: VolumeContext) -> None:
        await context.offload(context.mounter.unmount, path)


def common_user(pod: core_v1.Pod) -> int | None:
    """The user that all containers run as, where they say so and agree."""
    of_pod = pod.spec.security_context.run_as_user if pod.spec.security_context else None
    users = set()
    for container in [*pod.spec.init_containers, *pod.spec.containers]:
        own = container.security_context.run_as_user if container.security_context else None
        users.add(own if own is not None else of_pod)
    return users.pop() if len(users) == 1 else None

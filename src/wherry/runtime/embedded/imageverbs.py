"""The embedded runtime's verbs for images, over the store of this node."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from wherry.runtime.embedded.config import RuntimeConfig, machine
from wherry.runtime.embedded.records import ContainerRecord
from wherry.runtime.images import archive, registry, rootfs
from wherry.runtime.images.store import ImageStore
from wherry.runtime.interface import Image, RegistryAuth

T = TypeVar("T")


class ImageVerbs:
    """A part of `EmbeddedRuntime`, which has what is named here."""

    _config: RuntimeConfig
    _store: ImageStore
    _skopeo: registry.Skopeo
    _pullers: ThreadPoolExecutor
    _containers: dict[str, ContainerRecord]
    _making: dict[str, set[str]]

    async def _help(self, work: Callable[[], T]) -> T:
        raise NotImplementedError

    async def list_images(self) -> Sequence[Image]:
        return self._store.images()

    async def image_status(self, reference: str) -> Image | None:
        return self._store.find(reference)

    async def pull_image(self, reference: str, auth: RegistryAuth | None = None) -> str:
        loop, insecure = asyncio.get_running_loop(), self._config.insecure_registries
        image = await loop.run_in_executor(self._pullers, registry.pull, self._store, self._skopeo, reference, auth, insecure)
        return image.id

    async def load_image(self, path: Path) -> Sequence[Image]:
        """Take in the images of a tar file (`docker save` or OCI, gzip too)."""
        return await self._help(lambda: archive.load(self._store, path, machine()))

    async def import_rootfs(
        self,
        directory: Path,
        reference: str,
        *,
        entrypoint: Sequence[str] = (),
        cmd: Sequence[str] = (),
        env: Sequence[str] = (),
        working_dir: str = "",
        user: str = "",
    ) -> Image:
        """Make an image of a directory that holds a root file system."""
        return await self._help(
            lambda: rootfs.import_rootfs(
                self._store, directory, reference, machine(), entrypoint=entrypoint, cmd=cmd, env=env, working_dir=working_dir, user=user
            )
        )

    async def remove_image(self, reference: str) -> None:
        in_use = set[str]().union(*(record.images() for record in self._containers.values()), *self._making.values())
        await self._help(lambda: self._store.remove(reference, in_use))

    async def image_fs_usage(self) -> tuple[int, int, int]:
        return await self._help(self._store.usage)

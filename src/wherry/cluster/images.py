"""Images of a cluster for the command line: through its process when it runs, in the store itself otherwise.

The process has a path of wherry's own, `/wherry/images`, for administrators; orders are small JSON objects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from wherry.apimachinery import errors
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request, Response
from wherry.cluster import admin
from wherry.cluster.config import ClusterConfig
from wherry.cluster.host import runtime_config
from wherry.cluster.lifecycle import LifecycleError, running
from wherry.runtime.embedded.config import machine
from wherry.runtime.images import archive, registry, rootfs
from wherry.runtime.images.store import ImageStore
from wherry.runtime.interface import Image, RuntimeFault

PATH = "/wherry/images"


class Order(msgspec.Struct, omit_defaults=True):
    """What is asked for: an action of `wherry image`."""

    action: str  # load | pull | import | ls | rm
    path: str = ""
    ref: str = ""
    cmd: list[str] = []
    env: list[str] = []


class Images(Protocol):
    """What both a running runtime and a store at rest can do.  All may raise RuntimeFault."""

    async def list_images(self) -> Sequence[Image]: ...

    async def pull_image(self, reference: str) -> str: ...

    async def load_image(self, path: Path) -> Sequence[Image]: ...

    async def import_rootfs(self, directory: Path, reference: str, *, cmd: Sequence[str] = (), env: Sequence[str] = ()) -> Image: ...

    async def remove_image(self, reference: str) -> None: ...


class StoreAtRest:
    """The images of a cluster that is down."""

    def __init__(self, config: ClusterConfig) -> None:
        settings = runtime_config(config)
        self._insecure = settings.insecure_registries
        self._store = ImageStore(settings.images)
        self._store.open()

    async def list_images(self) -> Sequence[Image]:
        return self._store.images()

    async def pull_image(self, reference: str) -> str:
        skopeo = registry.Skopeo()
        try:
            return registry.pull(self._store, skopeo, reference, None, self._insecure).id
        finally:
            skopeo.close()

    async def load_image(self, path: Path) -> Sequence[Image]:
        return archive.load(self._store, path, machine())

    async def import_rootfs(self, directory: Path, reference: str, *, cmd: Sequence[str] = (), env: Sequence[str] = ()) -> Image:
        return rootfs.import_rootfs(self._store, directory, reference, machine(), cmd=cmd, env=env)

    async def remove_image(self, reference: str) -> None:
        self._store.remove(reference, ())


async def carry_out(images: Images, order: Order) -> list[dict[str, Any]]:
    """Do it; the images that it was about.  Raises RuntimeFault."""
    match order.action:
        case "load":
            found: Sequence[Image] = await images.load_image(Path(order.path))
        case "pull":
            made = await images.pull_image(order.ref)
            found = [image for image in await images.list_images() if image.id == made]
        case "import":
            found = [await images.import_rootfs(Path(order.path), order.ref, cmd=order.cmd, env=order.env)]
        case "ls":
            found = await images.list_images()
        case "rm":
            before = await images.list_images()
            await images.remove_image(order.ref)  # as the CRI has it: one that is not there is no error
            if list(await images.list_images()) == list(before):
                raise RuntimeFault(f"no such image: {order.ref}")
            found = []
        case _:
            raise RuntimeFault(f"no such action: {order.action}")
    return [{"id": i.id, "tags": list(i.repo_tags), "digests": list(i.repo_digests), "size": i.size} for i in found]


def handler(images: Images) -> Callable[[Request], Awaitable[Response]]:
    """The path of the running process."""

    async def handle(request: Request) -> Response:
        if request.method != "POST":
            raise errors.method_not_allowed()
        try:
            order = msgspec.json.decode(request.body, type=Order)
            return Response(200, msgspec.json.encode(await carry_out(images, order)))
        except (RuntimeFault, msgspec.MsgspecError, OSError) as error:
            raise StatusError(422, "Invalid", str(error)) from None

    return handle


def run(config: ClusterConfig, order: Order) -> list[dict[str, Any]]:
    """From the command line.  Raises LifecycleError, RuntimeFault."""
    if config.fidelity != "real":
        raise LifecycleError(f"cluster {config.name!r} has fidelity {config.fidelity}: its Pods need no images")
    if not running(config):
        return asyncio.run(carry_out(StoreAtRest(config), order))
    try:
        found: list[dict[str, Any]] = admin.ask(config, PATH, msgspec.json.encode(order), seconds=600)
    except admin.Refused as error:
        raise RuntimeFault(str(error)) from None
    except admin.NoAnswer as error:
        raise LifecycleError(str(error)) from None
    return found

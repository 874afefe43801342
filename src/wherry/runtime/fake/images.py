"""The fake runtime's images: any well-formed name can be pulled, but from hosts under `.invalid` (RFC 2606)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from wherry.runtime.interface import Image, RuntimeFault


@dataclass(frozen=True, slots=True)
class Pull:
    """How a pull goes: after `delay` seconds, with `error` unless that is empty."""

    delay: float = 0.0
    error: str = ""


PullRule = Callable[[str], Pull]


def normalise(reference: str) -> str:
    """`busybox` is `docker.io/library/busybox:latest`."""
    host, slash, rest = reference.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, rest = "docker.io", reference if slash else f"library/{reference}"
    if "@" not in rest and ":" not in rest.rpartition("/")[2]:
        rest += ":latest"
    return f"{host}/{rest}"


def pull_anything(reference: str) -> Pull:
    host = normalise(reference).partition("/")[0].partition(":")[0]
    if host.endswith(".invalid"):
        return Pull(error=f'failed to pull and unpack image "{reference}": dial tcp: lookup {host}: no such host')
    return Pull()


class FakeImages:
    """A store of images by normalised reference and by id."""

    def __init__(self) -> None:
        self._by_reference: dict[str, Image] = {}

    def add(self, reference: str, *, user: str = "", size: int = 1 << 20) -> Image:
        name = normalise(reference)
        digest = hashlib.sha256(name.encode()).hexdigest()
        repository = name.partition("@")[0]
        if "@" not in name:
            repository = name.rpartition(":")[0]
        tags = () if "@" in name else (name,)
        image = Image(f"sha256:{digest}", tags, (f"{repository}@sha256:{digest}",), size, user=user, cmd=("sh",))
        self._by_reference[name] = image
        return image

    def find(self, reference: str) -> Image | None:
        if reference.startswith("sha256:"):
            return next((image for image in self._by_reference.values() if image.id == reference), None)
        return self._by_reference.get(normalise(reference))

    def remove(self, reference: str) -> None:
        image = self.find(reference)
        if image is None:
            return
        for name in [name for name, each in self._by_reference.items() if each.id == image.id]:
            del self._by_reference[name]

    def all(self) -> list[Image]:
        return list({image.id: image for image in self._by_reference.values()}.values())

    def pulled(self, reference: str, pull: Pull) -> Image:
        """The image after a pull.  Raises RuntimeFault with the registry's words."""
        if pull.error:
            raise RuntimeFault(pull.error, "ErrImagePull")
        return self.find(reference) or self.add(reference)

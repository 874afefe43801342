"""The images of this node: layers unpacked once each, and an index of what is made of them.

    layers/<digest>/fs      an unpacked layer, ready to be a lower directory of overlayfs
    images.json             every image: config, layers, tags, digests
    tmp/                    what is being made; emptied at start

A layer's directory appears complete (renamed into place) and the index is replaced whole, so `kill -9`
at any point leaves at most something in tmp/ or a layer that no image uses, and both are swept.
All methods block; callers use worker threads.  One process at a time has the store.
"""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from wherry.runtime.images import reference, tarball
from wherry.runtime.interface import Image, NotFound, RuntimeFault

# Enough of a digest to be unique here: overlayfs takes all its lower directories in one page of 4096 bytes.
_NAME = 24


@dataclass(frozen=True, slots=True)
class StoredImage:
    image: Image
    layers: tuple[str, ...]
    """diff ids, the lowest first."""


def describe(config: bytes, size: int, tags: Sequence[str], digests: Sequence[str]) -> Image:
    """An image from its configuration's bytes (OCI or Docker: the same fields).  Raises RuntimeFault."""
    try:
        run = json.loads(config).get("config") or {}
        return Image(
            id="sha256:" + hashlib.sha256(config).hexdigest(),
            repo_tags=tuple(tags),
            repo_digests=tuple(digests),
            size=size,
            user=run.get("User") or "",
            stop_signal=run.get("StopSignal") or "",
            entrypoint=tuple(run.get("Entrypoint") or ()),
            cmd=tuple(run.get("Cmd") or ()),
            env=tuple(run.get("Env") or ()),
            working_dir=run.get("WorkingDir") or "",
        )
    except (ValueError, AttributeError, TypeError) as error:
        raise RuntimeFault(f"the image's configuration cannot be read: {error}") from None


class ImageStore:
    """Open one a directory; `open` first."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._layers = directory / "layers"
        self._tmp = directory / "tmp"
        self._images: dict[str, StoredImage] = {}
        self._pins: dict[str, int] = {}
        self._lock = threading.Lock()

    def open(self) -> None:
        """Read the index and sweep what a crash left."""
        self._layers.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._tmp, ignore_errors=True)
        self._tmp.mkdir()
        with contextlib.suppress(FileNotFoundError):
            stored = msgspec.json.decode((self._directory / "images.json").read_bytes(), type=list[StoredImage])
            self._images = {each.image.id: each for each in stored}
        self._sweep()

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Path]:
        """A directory on the store's file system, gone afterwards."""
        path = self._tmp / secrets.token_hex(8)
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def images(self) -> list[Image]:
        return [each.image for each in self._images.values()]

    def find(self, name: str) -> Image | None:
        """By id or by reference, tag or digest.  A malformed name finds nothing."""
        if reference.is_id(name):
            stored = self._images.get("sha256:" + name.removeprefix("sha256:"))
            return stored.image if stored else None
        try:
            wanted = reference.parse(name)
        except ValueError:
            return None
        key = f"{wanted.repository}@{wanted.digest}" if wanted.digest else str(wanted)
        images = list(self._images.values())
        return next((each.image for each in images if key in each.image.repo_tags or key in each.image.repo_digests), None)

    def layers(self, image_id: str) -> list[Path]:
        """The image's unpacked layers, the topmost first.  Raises NotFound."""
        stored = self._images.get(image_id)
        if stored is None:
            raise NotFound(f"no such image: {image_id}")
        return [self._layer(diff_id) / "fs" for diff_id in reversed(stored.layers)]

    def has_layer(self, diff_id: str) -> bool:
        return self._layer(diff_id).is_dir()

    def add(self, config: bytes, layers: Sequence[Path], *, tags: Sequence[str] = (), digests: Sequence[str] = ()) -> Image:
        """Take in an image whose layers are tar files, the lowest first; tags move to it.  Raises RuntimeFault."""
        diff_ids = _diff_ids(config)
        if len(diff_ids) != len(layers):
            raise RuntimeFault(f"the image's configuration names {len(diff_ids)} layers, the archive has {len(layers)}")
        with self._pinned(diff_ids):
            for diff_id, layer in zip(diff_ids, layers, strict=True):
                self._unpack(diff_id, layer)
            size = sum(int((self._layer(diff_id) / "size").read_text()) for diff_id in diff_ids)
            image = describe(config, size + len(config), tags, digests)
            with self._lock:
                self._insert(StoredImage(image, tuple(diff_ids)))
                return self._images[image.id].image

    def name(self, image_id: str, tags: Sequence[str], digests: Sequence[str] = ()) -> Image:
        """Give an image more names (normalised ones), taken from others that had them.  Raises NotFound."""
        with self._lock:
            stored = self._images.get(image_id)
            if stored is None:
                raise NotFound(f"no such image: {image_id}")
            named = replace(stored.image, repo_tags=tuple(tags), repo_digests=tuple(digests))
            self._insert(replace(stored, image=named))
            return self._images[image_id].image

    def remove(self, name: str, in_use: Collection[str]) -> None:
        """Take a name away, and with its last name (or by its id) the image; an unknown name is no error.

        Raises RuntimeFault when the image is used by a container (`in_use` has the ids).
        """
        with self._lock:
            image = self.find(name)
            if image is None:
                return
            names = [] if reference.is_id(name) else [each for each in image.repo_tags if each != str(reference.parse(name))]
            if names:
                self._images[image.id] = replace(self._images[image.id], image=replace(image, repo_tags=tuple(names)))
            elif image.id in in_use:
                raise RuntimeFault(f"image {name} is in use by a container")
            else:
                del self._images[image.id]
            self._save()
        self._sweep()

    def usage(self) -> tuple[int, int, int]:
        """(used by images, available, capacity) in bytes."""
        sizes = {}
        for path in self._layers.glob("*/size"):
            with contextlib.suppress(OSError, ValueError):
                sizes[path] = int(path.read_text())
        disk = os.statvfs(self._directory)
        return sum(sizes.values()), disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize

    def _layer(self, diff_id: str) -> Path:
        return self._layers / diff_id.removeprefix("sha256:")[:_NAME]

    def _insert(self, new: StoredImage) -> None:
        """Under the lock: merge names with what is known of the image, and take its tags from others."""
        tags, known = set(new.image.repo_tags), self._images.get(new.image.id)
        for image_id, each in list(self._images.items()):
            kept = tuple(tag for tag in each.image.repo_tags if tag not in tags)
            if kept != each.image.repo_tags:
                self._images[image_id] = replace(each, image=replace(each.image, repo_tags=kept))
        if known is not None:
            known = self._images[new.image.id]
            names = tuple(dict.fromkeys([*known.image.repo_tags, *new.image.repo_tags]))
            digests = tuple(dict.fromkeys([*known.image.repo_digests, *new.image.repo_digests]))
            new = replace(new, image=replace(new.image, repo_tags=names, repo_digests=digests))
        self._images[new.image.id] = new
        self._save()

    def _save(self) -> None:
        new = self._directory / "images.json.new"
        with open(new, "wb") as file:
            file.write(msgspec.json.encode(list(self._images.values())))
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self._directory / "images.json")

    def _unpack(self, diff_id: str, layer: Path) -> None:
        if self.has_layer(diff_id):
            return
        with self.workspace() as work:
            content = work / "layer"
            (content / "fs").mkdir(parents=True)
            (content / "fs").chmod(0o755)
            made = run_tarball("unpack", layer, content / "fs")
            if made["diff_id"] != diff_id:
                raise RuntimeFault(f"layer {diff_id} has the content of {made['diff_id']}")
            (content / "size").write_text(str(made["size"]))
            (content / "diff_id").write_text(diff_id)
            with contextlib.suppress(OSError):  # another thread was first
                os.rename(content, self._layer(diff_id))

    @contextlib.contextmanager
    def _pinned(self, diff_ids: Sequence[str]) -> Iterator[None]:
        """While an image is made, its layers are nobody's yet and must not be swept."""
        with self._lock:
            for diff_id in diff_ids:
                self._pins[diff_id] = self._pins.get(diff_id, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                for diff_id in diff_ids:
                    self._pins[diff_id] -= 1
                    if not self._pins[diff_id]:
                        del self._pins[diff_id]

    def _sweep(self) -> None:
        """Remove layers that no image has."""
        with self._lock:
            used = {self._layer(diff_id).name for each in self._images.values() for diff_id in each.layers}
            used |= {self._layer(diff_id).name for diff_id in self._pins}
            for path in self._layers.iterdir():
                if path.name not in used:
                    dead = self._tmp / secrets.token_hex(8)
                    os.rename(path, dead)
                    shutil.rmtree(dead, ignore_errors=True)


def _diff_ids(config: bytes) -> list[str]:
    try:
        found = [str(each) for each in json.loads(config)["rootfs"]["diff_ids"]]
    except (ValueError, KeyError, TypeError):
        raise RuntimeFault("the image's configuration names no layers") from None
    for diff_id in found:
        if not reference.is_id(diff_id) or not diff_id.startswith("sha256:"):
            raise RuntimeFault(f"{diff_id!r} is no layer's digest")
    return found


def run_tarball(verb: str, source: Path, target: Path) -> dict[str, Any]:
    """Run `tarball.py` as a program.  Raises RuntimeFault with what it said."""
    program = [sys.executable, "-I", "-S", tarball.__file__, verb, str(source), str(target)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RuntimeFault(f"failed to {verb} {source.name}: {lines[-1]}")
    made: dict[str, Any] = json.loads(done.stdout)
    return made

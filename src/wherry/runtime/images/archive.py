"""Images from tar files: what `docker save` and OCI tools write, compressed or not."""

import json
import os
import posixpath
import shutil
import tarfile
from pathlib import Path
from typing import Any

from wherry.runtime.images import reference
from wherry.runtime.images.store import ImageStore
from wherry.runtime.interface import Image, RuntimeFault

OCI_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"


def load(store: ImageStore, archive: Path, architecture: str) -> list[Image]:
    """Take in every image of the archive.  Raises RuntimeFault when it is none."""
    with store.workspace() as work:
        try:
            _extract(archive, work)
        except tarfile.ReadError as error:
            told = str(error).partition("\n")[0].rstrip(":")  # and then each compression that was tried
            raise RuntimeFault(f"{archive.name} cannot be read as an archive: {told}") from None
        except (tarfile.TarError, EOFError, OSError) as error:
            raise RuntimeFault(f"{archive.name} cannot be read as an archive: {error}") from None
        if (work / "manifest.json").is_file():
            return _docker(store, work)
        if (work / "index.json").is_file():
            return from_oci(store, work, architecture)
    raise RuntimeFault(f"{archive.name} is no image: it has neither a manifest.json (docker save) nor an index.json (OCI)")


def _extract(archive: Path, work: Path) -> None:
    """The archive's plain files, and links among them as copies by name; nothing lands outside `work`."""
    links: list[tuple[Path, str]] = []
    with tarfile.open(archive, "r:*") as outer:
        for member in outer:
            name = posixpath.normpath("/" + member.name).lstrip("/")
            target = work / name
            if member.isreg():
                target.parent.mkdir(parents=True, exist_ok=True)
                source = outer.extractfile(member)
                assert source is not None
                with open(target, "wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
            elif member.issym() or member.islnk():
                start = posixpath.dirname(name) if member.issym() else ""
                links.append((target, posixpath.normpath("/" + posixpath.join(start, member.linkname)).lstrip("/")))
    for target, source_name in links:  # docker save links equal layers
        if (work / source_name).is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(work / source_name, target)


def _member(work: Path, name: Any) -> Path:
    path = work / posixpath.normpath("/" + str(name)).lstrip("/")
    if not path.is_file():
        raise RuntimeFault(f"the archive names {name}, but does not have it")
    return path


def _tags(names: list[Any]) -> list[str]:
    try:
        return [str(reference.parse(str(name))) for name in names]
    except ValueError as error:
        raise RuntimeFault(f"the archive has a bad name in {names}: {error}") from None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise RuntimeFault(f"{path.name} of the archive cannot be read: {error}") from None


def _docker(store: ImageStore, work: Path) -> list[Image]:
    found = []
    for entry in _json(work / "manifest.json"):
        config = _member(work, entry["Config"]).read_bytes()
        layers = [_member(work, name) for name in entry["Layers"]]
        found.append(store.add(config, layers, tags=_tags(entry.get("RepoTags") or [])))
    return found


def from_oci(
    store: ImageStore, layout: Path, architecture: str, *, tags: tuple[str, ...] = (), digests: tuple[str, ...] = ()
) -> list[Image]:
    """Take in the images of an OCI layout.  Without `tags`, the layout's own annotations name them."""
    found = []
    for entry in _json(layout / "index.json").get("manifests", []):
        manifest = _manifest(layout, entry, architecture)
        config = _blob(layout, manifest["config"]).read_bytes()
        layers = [_blob(layout, each) for each in manifest["layers"]]
        notes = entry.get("annotations") or {}
        name = notes.get(CONTAINERD_NAME) or notes.get(OCI_NAME) or ""
        named = [name] if not tags and ("/" in name or ":" in name) else []
        found.append(store.add(config, layers, tags=tags or _tags(named), digests=digests))
    if not found:
        raise RuntimeFault("the archive holds no image")
    return found


def _blob(layout: Path, descriptor: dict[str, Any]) -> Path:
    kind, _, digest = str(descriptor["digest"]).partition(":")
    return _member(layout, f"blobs/{kind}/{digest}")


def _manifest(layout: Path, descriptor: dict[str, Any], architecture: str) -> dict[str, Any]:
    """The manifest that an index entry means: itself, or in an index of platforms the one for this machine."""
    document: dict[str, Any] = _json(_blob(layout, descriptor))
    if "manifests" not in document:
        return document
    for entry in document["manifests"]:
        platform = entry.get("platform") or {}
        if platform.get("os", "linux") == "linux" and platform.get("architecture", architecture) == architecture:
            return _manifest(layout, entry, architecture)
    raise RuntimeFault(f"no match for platform linux/{architecture} in the archive's index")

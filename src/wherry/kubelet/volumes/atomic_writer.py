"""Files that change all at once: a directory swapped by renaming the symbolic link `..data`.

Readers see the old files or the new ones, never a mixture, and a watcher of the directory sees one change.
The layout is what programs in containers know: `key -> ..data/key`, `..data -> ..2026_11_23_20_23_50.123456`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from wherry.kubelet.volumes.ownership import give

DATA = "..data"
_NEW = "..data_tmp"


@dataclass(frozen=True, slots=True)
class FileContent:
    """One file: `mode` is its permission bits, `uid` its owner where one is asked for."""

    data: bytes
    mode: int
    uid: int | None = None


def validate_path(path: str) -> None:
    """A relative path that stays inside and does not begin with `..`.  Raises ValueError."""
    parts = PurePosixPath(path).parts
    if not path or path.startswith("/") or ".." in parts:
        raise ValueError(f"invalid path {path!r}: must be relative and must not contain '..'")
    if parts and parts[0].startswith(".."):
        raise ValueError(f"invalid path {path!r}: must not start with '..'")


def write_atomically(directory: Path, files: Mapping[str, FileContent], now: float, gid: int | None = None) -> bool:
    """Make `directory` hold exactly `files`.  True when something changed."""
    for path in files:
        validate_path(path)
    directory.mkdir(parents=True, exist_ok=True)
    link = directory / DATA
    current = directory / os.readlink(link) if link.is_symlink() else None
    if current is not None and current.is_dir() and _read(current) == _wanted(files):
        return False
    made = _write_new(directory, files, now, gid)
    new_link = directory / _NEW
    new_link.unlink(missing_ok=True)
    new_link.symlink_to(made.name)
    new_link.rename(link)
    _link_tops(directory, files)
    if current is not None:
        shutil.rmtree(current, ignore_errors=True)
    return True


def _wanted(files: Mapping[str, FileContent]) -> dict[str, tuple[bytes, int]]:
    return {path: (content.data, content.mode) for path, content in files.items()}


def _read(directory: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): (path.read_bytes(), path.stat().st_mode & 0o7777) for path in files}


def _write_new(directory: Path, files: Mapping[str, FileContent], now: float, gid: int | None) -> Path:
    stamp = datetime.fromtimestamp(now, UTC).strftime("..%Y_%m_%d_%H_%M_%S.%f")
    made = directory / stamp
    serial = 0
    while made.exists():
        serial += 1
        made = directory / f"{stamp}{serial}"
    made.mkdir(mode=0o755)
    for path, content in files.items():
        target = made / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.data)
        target.chmod(content.mode)
        give(target, uid=content.uid, gid=gid)
    return made


def _link_tops(directory: Path, files: Mapping[str, FileContent]) -> None:
    """One link for each first path element; links to what is gone are removed."""
    tops = {PurePosixPath(path).parts[0] for path in files}
    for top in tops:
        link = directory / top
        if not link.is_symlink():
            link.symlink_to(f"{DATA}/{top}")
    for entry in directory.iterdir():
        if not entry.name.startswith("..") and entry.name not in tops and entry.is_symlink():
            entry.unlink()

"""Reads files of a container's root file system without leaving it: links there lead nowhere else."""

import os
import stat
from pathlib import Path

_DEPTH = 40


def resolve(rootfs: Path, path: str) -> Path | None:
    """Where `path` is when `rootfs` is the root, links followed; None when it is not there or never ends."""
    pending = [part for part in path.split("/") if part]
    found: list[str] = []
    links = 0
    while pending:
        part = pending.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            found = found[:-1]
            continue
        here = rootfs.joinpath(*found, part)
        try:
            mode = os.lstat(here).st_mode
        except OSError:
            return None
        if not stat.S_ISLNK(mode):
            found.append(part)
            continue
        links += 1
        if links > _DEPTH:
            return None
        target = os.readlink(here)
        if target.startswith("/"):
            found = []
        pending = [each for each in target.split("/") if each] + pending
    return rootfs.joinpath(*found)


def read(rootfs: Path, path: str, limit: int = 1 << 20) -> str:
    """A text file's content; nothing when it is no plain file there."""
    found = resolve(rootfs, path)
    if found is None or not found.is_file():
        return ""
    with open(found, encoding="utf-8", errors="replace") as file:
        return file.read(limit)

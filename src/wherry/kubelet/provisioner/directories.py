"""The directories themselves.  Blocking: called off the loop."""

from __future__ import annotations

import shutil
from pathlib import Path


def make(path: Path) -> None:
    """A directory that any user of a container may write to.  Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
    path.mkdir(exist_ok=True)
    path.chmod(0o777)


def remove(path: Path, base: Path) -> None:
    """With everything in it.  Raises OSError, and ValueError for what was not made under `base`: the path came over the API."""
    if path.parent != base or path.name in ("", ".", ".."):
        raise ValueError(f"{path} is no directory of {base}")
    if path.is_symlink():
        raise ValueError(f"{path} is a symbolic link")
    if path.exists():
        shutil.rmtree(path)

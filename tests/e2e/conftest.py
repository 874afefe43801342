"""What end-to-end tests share: the image that they run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from wherry.runtime.embedded.config import machine
from wherry.runtime.images import busybox


@pytest.fixture(scope="session")
def busybox_archive() -> Path:
    """`busybox:1.36` as a tar file, made from the host's static busybox and kept under `.cache`."""
    executable = shutil.which("busybox")
    if executable is None:
        pytest.skip("there is no busybox here (apt-get install busybox-static)")
    folder = Path(__file__).parents[2] / ".cache"
    folder.mkdir(exist_ok=True)
    archive = folder / f"busybox-1.36-{machine()}.tar"
    if not archive.exists() or os.stat(executable).st_mtime > archive.stat().st_mtime:
        busybox.write_archive(Path(executable), archive, machine())
    return archive

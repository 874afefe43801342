"""What end-to-end tests share: the image that they run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_programs import CACHE, alone
from cluster_harness import Cluster, derived_image, running

from wherry.runtime.embedded.config import machine
from wherry.runtime.images import busybox


@pytest.fixture(scope="session")
def busybox_archive() -> Path:
    """`busybox:1.36` as a tar file, made from the host's static busybox and kept under `.cache`."""
    executable = shutil.which("busybox")
    if executable is None:
        pytest.skip("there is no busybox here (apt-get install busybox-static)")
    archive = CACHE / f"busybox-1.36-{machine()}.tar"
    with alone():
        if not archive.exists() or os.stat(executable).st_mtime > archive.stat().st_mtime:
            busybox.write_archive(Path(executable), archive, machine())
    return archive


@pytest.fixture(scope="session")
def conformance(tmp_path_factory: pytest.TempPathFactory, busybox_archive: Path) -> Iterator[Cluster]:
    """One cluster for the conformance tests of node, storage and network, with two more images: `speaker:1` and `named:1`."""
    folder = tmp_path_factory.mktemp("conformance")
    with running("conform-node", folder, image=busybox_archive) as made:
        speaker = derived_image(
            busybox_archive, folder / "speaker.tar", "speaker:1", Entrypoint=["echo", "entrypoint"], Cmd=["cmd"], WorkingDir="/home",
        )
        named = derived_image(busybox_archive, folder / "named.tar", "named:1", User="nobody", StopSignal="SIGUSR1", Env=["OF=image", "GIVEN=image"])
        for archive in (speaker, named):
            made.wherry("image", "load", str(archive))
        yield made

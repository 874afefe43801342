"""The image `busybox:1.36` from a statically linked busybox of the host (Debian's busybox-static).

It is what the quickstart and the tests run where no registry can be reached.
"""

import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

from wherry.runtime.interface import RuntimeFault

NAME = "docker.io/library/busybox:1.36"

_FILES = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n"
    ),
    "etc/group": "root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
_DIRECTORIES = {"bin": 0o755, "etc": 0o755, "home": 0o755, "root": 0o700, "tmp": 0o1777, "usr": 0o755, "var": 0o755, "var/www": 0o755}


def write_archive(executable: Path, target: Path, architecture: str) -> None:
    """Write the image as `docker save` would.  Raises RuntimeFault when `executable` is no busybox that runs."""
    try:
        listed = subprocess.run([str(executable), "--list"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeFault(f"no busybox at {executable} (apt-get install busybox-static): {error}") from None
    layer = _layer(executable.read_bytes(), sorted(set(listed.stdout.split()) - {"busybox"}))
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["sh"], "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }
    manifest = [{"Config": "config.json", "RepoTags": ["busybox:1.36"], "Layers": ["layer.tar"]}]
    new = target.with_name(target.name + ".new")
    with tarfile.open(new, "w") as archive:
        for name, data in (
            ("config.json", json.dumps(config).encode()),
            ("layer.tar", layer),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            _file(archive, name, data, 0o644)
    os.replace(new, target)


def _layer(busybox: bytes, applets: list[str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, mode in _DIRECTORIES.items():
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, mode
            archive.addfile(member)
        _file(archive, "bin/busybox", busybox, 0o755)
        for name in applets:
            member = tarfile.TarInfo(f"bin/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(member)
        for name, text in _FILES.items():
            _file(archive, name, text.encode(), 0o644)
    return buffer.getvalue()


def _file(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), mode
    archive.addfile(member, io.BytesIO(data))

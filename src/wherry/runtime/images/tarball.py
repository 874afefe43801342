"""Unpacks a layer for overlayfs, and packs a directory as one.  A program of its own: standard library only.

Python's tar code would hold the interpreter lock of the process that runs the cluster, and unpacking
wants `chroot`, so that no name or link in a hostile archive leads out of the directory.

    tarball.py unpack LAYER DIRECTORY   prints {"diff_id", "size"}
    tarball.py pack DIRECTORY LAYER     prints {"diff_id", "size"}
"""

import gzip
import hashlib
import json
import os
import stat
import sys
import tarfile
from typing import IO, Any

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
BLOCK = 1 << 18


class _Hashing:
    """A stream that digests all that is read through it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.sha256.update(data)
        return data

    def drain(self) -> None:
        while self.read(BLOCK):
            pass


def _uncompressed(file: IO[bytes]) -> IO[bytes]:
    magic = file.read(4)
    file.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if magic == b"\x28\xb5\x2f\xfd":
        raise SystemExit("the layer is compressed with zstd, which archives may not be (a pull may): recompress it with gzip")
    return file


def unpack(layer: str, directory: str) -> dict[str, Any]:
    """Unpack as root, confined to `directory`, with whiteouts as overlayfs wants them."""
    file = open(layer, "rb")  # noqa: SIM115  it is read from inside the chroot
    stream = _Hashing(_uncompressed(file))
    os.umask(0)
    os.chroot(directory)
    os.chdir("/")
    size = 0
    late: list[tuple[str, float]] = []
    with tarfile.open(fileobj=stream, mode="r|", bufsize=BLOCK) as archive:  # type: ignore[call-overload]
        for member in archive:
            name = os.path.normpath("/" + member.name).lstrip("/")
            size += _place(archive, member, "/" + name)
            if member.isdir():
                late.append(("/" + name, member.mtime))
    for path, when in reversed(late):  # what is put into a directory changes its time
        if os.path.isdir(path):
            os.utime(path, (when, when))
    stream.drain()
    return {"diff_id": "sha256:" + stream.sha256.hexdigest(), "size": size}


def _place(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> int:
    """Put one member there; the bytes that it takes."""
    parent, base = os.path.split(path)
    os.makedirs(parent, 0o755, exist_ok=True)
    if base == OPAQUE:
        os.setxattr(parent, "trusted.overlay.opaque", b"y")
        return 0
    if base.startswith(WHITEOUT):
        target = os.path.join(parent, base[len(WHITEOUT) :])
        _clear(target, keep_directory=False)
        os.mknod(target, stat.S_IFCHR, os.makedev(0, 0))
        return 0
    _clear(path, keep_directory=member.isdir())
    if member.islnk():
        os.link(os.path.normpath("/" + member.linkname), path, follow_symlinks=False)
        return 0
    taken = _make(archive, member, path)
    os.chown(path, member.uid, member.gid, follow_symlinks=False)
    if not member.issym():
        os.chmod(path, member.mode & 0o7777)
    for key, value in member.pax_headers.items():
        if key.startswith("SCHILY.xattr."):
            os.setxattr(path, key[13:], value.encode("utf-8", "surrogateescape"), follow_symlinks=False)
    if not member.isdir():
        os.utime(path, (member.mtime, member.mtime), follow_symlinks=False)
    return taken


def _make(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> int:
    if member.isdir():
        if path != "/" and not os.path.isdir(path):
            os.mkdir(path)
    elif member.issym():
        os.symlink(member.linkname, path)
    elif member.ischr() or member.isblk():
        kind = stat.S_IFCHR if member.ischr() else stat.S_IFBLK
        os.mknod(path, kind | 0o600, os.makedev(member.devmajor, member.devminor))
    elif member.isfifo():
        os.mkfifo(path)
    elif member.isreg():
        source = archive.extractfile(member)
        assert source is not None
        with open(path, "xb") as target:
            while data := source.read(BLOCK):
                target.write(data)
        return member.size
    else:
        raise SystemExit(f"{member.name}: members of type {member.type!r} are not supported")
    return 0


def _clear(path: str, keep_directory: bool) -> None:
    """A later member replaces an earlier one of the same name, but a directory is merged."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode):
        os.unlink(path)
    elif not keep_directory:
        for entry in os.listdir(path):
            _clear(os.path.join(path, entry), keep_directory=False)
        os.rmdir(path)


def pack(directory: str, layer: str) -> dict[str, Any]:
    """The same tree gives the same layer: names sorted, sockets left out."""
    size = 0
    with tarfile.open(layer, "w", format=tarfile.PAX_FORMAT) as archive:
        for top, names, files in os.walk(directory):
            names.sort()
            size += _add(archive, directory, top)
            links = [name for name in names if os.path.islink(os.path.join(top, name))]
            for name in sorted([*files, *links]):
                size += _add(archive, directory, os.path.join(top, name))
    with open(layer, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"diff_id": "sha256:" + digest, "size": size}


def _add(archive: tarfile.TarFile, directory: str, path: str) -> int:
    mode = os.lstat(path).st_mode
    if stat.S_ISSOCK(mode):
        return 0
    member = archive.gettarinfo(path, arcname=os.path.relpath(path, directory))
    member.uname = member.gname = ""
    member.mtime = int(member.mtime)
    try:
        capability = os.getxattr(path, "security.capability", follow_symlinks=False)
        member.pax_headers = {"SCHILY.xattr.security.capability": capability.decode("utf-8", "surrogateescape")}
    except OSError:
        pass
    if member.isreg():
        with open(path, "rb") as file:
            archive.addfile(member, file)
        return member.size
    archive.addfile(member)
    return 0


def main(arguments: list[str]) -> None:
    work = {"unpack": unpack, "pack": pack}[arguments[0]]
    print(json.dumps(work(arguments[1], arguments[2])))


if __name__ == "__main__":
    main(sys.argv[1:])

"""Images from registries, with skopeo as the transport."""

import base64
import hashlib
import ipaddress
import json
import os
import re
import subprocess
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Any

from wherry.runtime.images import reference
from wherry.runtime.images.reference import Reference
from wherry.runtime.images.store import ImageStore
from wherry.runtime.interface import Image, RegistryAuth, RuntimeFault
from wherry.runtime.words import last_message

# What skopeo puts before the reason: the name that the caller has said already.
_NOISE = re.compile(r'^(?:Error parsing image name "[^"]*": |initializing source [^ ]*: )')

TIMEOUT = 600.0
"""Seconds for one run of skopeo."""


def pull(store: ImageStore, skopeo: "Skopeo", name: str, auth: RegistryAuth | None, insecure: Collection[str]) -> Image:
    """Fetch an image and take it in.  Raises RuntimeFault with the registry's words."""
    try:
        wanted = reference.parse(name)
    except ValueError as error:
        raise RuntimeFault(f'couldn\'t parse image name "{name}": {error}', "InvalidImageName") from None
    with store.workspace() as work:
        options = _options(wanted, auth, insecure, work)
        source = wanted.repository + (f"@{wanted.digest}" if wanted.digest else f":{wanted.tag}")
        words = f'failed to pull and unpack image "{wanted}": failed to resolve reference "{wanted}": '
        manifest = skopeo.run(["inspect", "--raw", *options, f"docker://{source}"], words)
        digest = "sha256:" + hashlib.sha256(manifest).hexdigest()
        pinned = f"{wanted.repository}@{digest}"
        tags = (f"{wanted.repository}:{wanted.tag}",) if wanted.tag else ()
        known = store.find(_config_digest(manifest))
        if known is not None:  # nothing is fetched again
            return store.name(known.id, tags, (pinned,))
        layout = work / "image"
        words = f'failed to pull and unpack image "{wanted}": '
        skopeo.run(["copy", "--quiet", "--dest-decompress", *_source(options), f"docker://{pinned}", f"dir:{layout}"], words)
        return _ingest(store, layout, tags, (pinned,))


def _config_digest(manifest: bytes) -> str:
    """The image's id, where the manifest is one image's; nothing where it lists several platforms'."""
    try:
        return str(json.loads(manifest)["config"]["digest"])
    except (ValueError, KeyError, TypeError):
        return ""


def _ingest(store: ImageStore, layout: Path, tags: tuple[str, ...], digests: tuple[str, ...]) -> Image:
    """From skopeo's `dir:` form: manifest.json and blobs named by their digests, layers uncompressed."""
    manifest: dict[str, Any] = json.loads((layout / "manifest.json").read_bytes())
    config = (layout / _hex(manifest["config"])).read_bytes()
    layers = [layout / _hex(layer) for layer in manifest["layers"]]
    return store.add(config, layers, tags=tags, digests=digests)


def _hex(descriptor: dict[str, Any]) -> str:
    digest = str(descriptor["digest"]).partition(":")[2]
    if not re.fullmatch(r"[0-9a-f]+", digest):
        raise RuntimeFault(f"{descriptor['digest']!r} is no digest")
    return digest


def is_insecure(domain: str, insecure: Collection[str]) -> bool:
    """Registries on loopback, and those that are listed, are spoken to without TLS when they offer none."""
    host = domain.rpartition(":")[0] if re.search(r":\d+$", domain) else domain
    if domain in insecure or host in insecure or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _options(wanted: Reference, auth: RegistryAuth | None, insecure: Collection[str], work: Path) -> list[str]:
    """skopeo's options.  Credentials go through a file: every user of the machine can read a command line."""
    options = []
    if is_insecure(wanted.domain, insecure):
        options.append("--tls-verify=false")
    entry: dict[str, str] = {}
    if auth is not None and auth.token:
        entry["identitytoken"] = auth.token
    if auth is not None and (auth.username or auth.token):
        entry["auth"] = base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode()
    file = work / "auth.json"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as stream:
        json.dump({"auths": {wanted.domain: entry} if entry else {}}, stream)
    return [*options, "--authfile", str(file)]


def _source(options: list[str]) -> list[str]:
    """`inspect` and `copy` name the options about the source differently."""
    return [f"--src-{option[2:]}" if option.startswith("--tls-verify") else option for option in options]


class Skopeo:
    """Runs the program; `close` ends what still runs."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def run(self, arguments: list[str], words: str) -> bytes:
        """Its output.  Raises RuntimeFault: `words` and then skopeo's own."""
        process = self._start(["skopeo", "--insecure-policy", *arguments], words)
        try:
            output, errors = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise RuntimeFault(f"{words}no end after {TIMEOUT:.0f} seconds", "ErrImagePull") from None
        finally:
            with self._lock:
                self._running.discard(process)
        if process.returncode != 0:
            said = last_message(errors.decode(errors="replace")) or "skopeo was ended"
            raise RuntimeFault(words + _NOISE.sub("", said), "ErrImagePull")
        return output

    def _start(self, command: list[str], words: str) -> "subprocess.Popen[bytes]":
        with self._lock:
            if self._closed:
                raise RuntimeFault(f"{words}the runtime is closed", "ErrImagePull")
            try:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            except FileNotFoundError:
                raise RuntimeFault(f"{words}skopeo is not installed (apt-get install skopeo)", "ErrImagePull") from None
            self._running.add(process)
            return process

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for process in self._running:
                process.kill()

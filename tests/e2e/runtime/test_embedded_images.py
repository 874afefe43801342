"""Images on a real store: archives, directories, and a real registry."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import io
import json
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from realpods import FOREVER, Pods

from wherry.runtime.embedded.config import RuntimeConfig
from wherry.runtime.embedded.runtime import EmbeddedRuntime
from wherry.runtime.images.store import ImageStore
from wherry.runtime.interface import RegistryAuth, RuntimeFault

REGISTRY = """version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
{auth}"""


@pytest.fixture(scope="module")
def registry_program() -> str:
    found = shutil.which("docker-registry")
    if found is None or shutil.which("skopeo") is None:
        pytest.skip("needs docker-registry and skopeo")
    return found


@pytest.fixture(params=[False], ids=["open"])
def registry(request: pytest.FixtureRequest, registry_program: str, tmp_path: Path) -> Iterator[str]:
    """A registry on loopback, `host:port`; with the parameter True it wants the user `me` and `secret`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    auth = ""
    if request.param:
        # bcrypt of "secret"
        (tmp_path / "htpasswd").write_text("me:$2b$04$0tNqmeV/B4Sn0Kl8vCxfkuosNbCIICN7vyWjwYpDe5nTfKm.5WRo2\n")
        auth = f'auth: {{htpasswd: {{realm: r, path: "{tmp_path / "htpasswd"}"}}}}\n'
    (tmp_path / "config.yml").write_text(REGISTRY.format(root=tmp_path / "registry", port=port, auth=auth))
    process = subprocess.Popen(
        [registry_program, "serve", str(tmp_path / "config.yml")], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            process.poll()
            assert process.returncode is None
            time.sleep(0.02)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def copy(*arguments: str) -> None:
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", *arguments], check=True)


def push(archive: Path, target: str, *options: str) -> None:
    copy("--dest-tls-verify=false", *options, f"docker-archive:{archive}", f"docker://{target}")


async def test_pull(pods: Pods, registry: str, busybox_archive: Path) -> None:
    reference = f"{registry}/some/busybox:1"
    push(busybox_archive, reference)
    image_id = await pods.runtime.pull_image(reference)
    image = await pods.runtime.image_status(reference)
    assert image is not None
    assert image.id == image_id
    assert image.repo_tags[-1] == reference
    assert image.repo_digests[-1].startswith(f"{registry}/some/busybox@sha256:")
    assert await pods.runtime.pull_image(image.repo_digests[-1]) == image_id
    assert await pods.runtime.image_status(image.repo_digests[-1]) is not None
    _, container = await pods.run(*FOREVER, image=reference)
    assert (await pods.runtime.container_status(container)).image_ref.startswith(f"{registry}/some/busybox@sha256:")
    assert await pods.shell(container, "echo it runs") == "it runs\n"


@pytest.mark.parametrize(
    "options", [("--dest-compress-format", "zstd"), ("--format", "oci"), ("--dest-compress-format", "gzip")], ids=["zstd", "oci", "gzip"]
)
async def test_pull_of_every_form(runtime: EmbeddedRuntime, registry: str, busybox_archive: Path, options: tuple[str, ...]) -> None:
    reference = f"{registry}/busybox:{options[-1]}"
    compress = ("--dest-compress", "--format", "oci") if "zstd" in options else ()
    push(busybox_archive, reference, *compress, *options)
    await runtime.pull_image(reference)
    assert await runtime.image_status(reference) is not None
    await runtime.remove_image(reference)
    assert await runtime.image_status(reference) is None


@pytest.mark.parametrize("registry", [True], ids=["with a password"], indirect=True)
async def test_pull_with_a_password(runtime: EmbeddedRuntime, registry: str, busybox_archive: Path) -> None:
    reference = f"{registry}/busybox:1"
    push(busybox_archive, reference, "--dest-creds", "me:secret")
    with pytest.raises(RuntimeFault, match="authentication required|unauthorized"):
        await runtime.pull_image(reference)
    with pytest.raises(RuntimeFault, match="authentication required|unauthorized"):
        await runtime.pull_image(reference, RegistryAuth("me", "wrong"))
    assert await runtime.pull_image(reference, RegistryAuth("me", "secret"))


async def test_pull_of_what_is_not_there(runtime: EmbeddedRuntime, registry: str) -> None:
    with pytest.raises(RuntimeFault, match="manifest unknown") as caught:
        await runtime.pull_image(f"{registry}/nothing:1")
    assert caught.value.reason == "ErrImagePull"
    assert str(caught.value).startswith(f'failed to pull and unpack image "{registry}/nothing:1": failed to resolve reference')


async def test_pull_from_nobody(runtime: EmbeddedRuntime) -> None:
    with pytest.raises(RuntimeFault, match=r"127\.0\.0\.1:9: connect: connection refused$") as caught:
        await runtime.pull_image("127.0.0.1:9/x:1")
    assert caught.value.reason == "ErrImagePull"


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
async def test_archives(runtime: EmbeddedRuntime, busybox_archive: Path, tmp_path: Path, form: str, compressed: bool) -> None:
    if shutil.which("skopeo") is None:
        pytest.skip("needs skopeo")
    archive = tmp_path / "image.tar"
    name = "registry.example/team/box:7"
    target = f"{form}:{archive}:{name}"
    copy(f"docker-archive:{busybox_archive}", target)
    if compressed:
        packed = tmp_path / "image.tar.gz"
        packed.write_bytes(gzip.compress(archive.read_bytes(), 1))
        archive = packed
    [image] = await runtime.load_image(archive)
    assert name in image.repo_tags
    assert (await runtime.image_status(name)) == image
    await runtime.remove_image(name)


async def test_an_image_in_use_stays(pods: Pods, tmp_path: Path) -> None:
    (tmp_path / "root" / "bin").mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "", tmp_path / "root" / "bin" / "sh")
    image = await pods.runtime.import_rootfs(tmp_path / "root", "mine", cmd=["sh", "-c", "echo mine; exit 4"], env=["A=b"])
    assert image.repo_tags == ("docker.io/library/mine:latest",)
    sandbox_id, container = await pods.run(image="mine")
    await pods.ended(container)
    assert await pods.log(container) == ["stdout F mine"]
    with pytest.raises(RuntimeFault, match="in use"):
        await pods.runtime.remove_image("mine")
    await pods.runtime.remove_pod_sandbox(sandbox_id)
    await pods.runtime.remove_image("mine")
    assert await pods.runtime.image_status(image.id) is None
    await pods.runtime.remove_image("mine")


def layer(*members: tuple[str, bytes | str, int]) -> bytes:
    """A tar of (name, content or link's target, owner)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content, uid in members:
            member = tarfile.TarInfo(name)
            member.uid, member.mode = uid, 0o755
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def docker_archive(path: Path, name: str, layers: list[bytes]) -> None:
    digests = ["sha256:" + hashlib.sha256(each).hexdigest() for each in layers]
    files = {f"{number}/layer.tar": each for number, each in enumerate(layers)}
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": list(files)}]
    files["config.json"] = json.dumps({"config": {"Cmd": ["sh"]}, "rootfs": {"diff_ids": digests}}).encode()
    files["manifest.json"] = json.dumps(manifest).encode()
    path.write_bytes(layer(*((each, data, 0) for each, data in files.items())))


async def test_layers_hide_what_is_below(pods: Pods, config: RuntimeConfig, tmp_path: Path) -> None:
    """Whiteouts, opaque directories, links and owners, through a real mount."""
    shell = Path(shutil.which("busybox") or "").read_bytes()
    layers = [
        layer(("bin/sh", shell, 0)),
        layer(("d/gone", b"x", 0), ("d/kept", b"kept", 7), ("opaque/old", b"x", 0), ("link", "d/kept", 0)),
        layer(("d/.wh.gone", b"", 0), ("opaque/.wh..wh..opq", b"", 0), ("opaque/new", b"x", 0)),
    ]
    docker_archive(tmp_path / "image.tar", "layered:1", layers)
    await pods.runtime.load_image(tmp_path / "image.tar")
    _, container = await pods.run("sh", "-c", "for f in d/* opaque/*; do echo $f; done; read x < link; echo $x", image="layered:1")
    await pods.ended(container)
    assert [line.split(" ", 2)[2] for line in await pods.log(container)] == ["d/kept", "opaque/new", "kept"]
    [kept] = (config.containers / container / "rootfs" / "d").iterdir()
    assert kept.stat().st_uid == 7


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([("../../evil", b"x", 0)], id="dots"),
        pytest.param([("/../evil", b"x", 0)], id="root and dots"),
        pytest.param([("out", "/{tmp}", 0), ("out/evil", b"x", 0)], id="through a link"),
        pytest.param([("out", "../../../../../../../../{tmp}", 0), ("out/evil", b"x", 0)], id="through a relative link"),
    ],
)
async def test_a_hostile_layer_stays_inside(runtime: EmbeddedRuntime, tmp_path: Path, members: list[tuple[str, bytes | str, int]]) -> None:
    target = tmp_path / "outside"
    target.mkdir()
    filled = [(name, what.format(tmp=str(target)[1:]) if isinstance(what, str) else what, uid) for name, what, uid in members]
    docker_archive(tmp_path / "image.tar", "hostile:1", [layer(*filled)])
    with contextlib.suppress(RuntimeFault):
        await runtime.load_image(tmp_path / "image.tar")
    assert list(target.iterdir()) == []
    assert not list(runtime._config.images.glob("evil"))
    assert not list(runtime._config.images.glob("*/evil"))
    await runtime.remove_image("hostile:1")


async def test_a_layer_that_is_not_what_the_image_says(runtime: EmbeddedRuntime, tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    docker_archive(path, "broken:1", [layer(("a", b"one", 0))])
    path.write_bytes(path.read_bytes().replace(b"one", b"two"))
    with pytest.raises(RuntimeFault, match="has the content of sha256:"):
        await runtime.load_image(path)
    assert await runtime.image_status("broken:1") is None


@pytest.mark.parametrize("content", [b"", b"no archive", gzip.compress(b"nor this")], ids=["empty", "text", "gzip"])
async def test_a_file_that_is_no_image(runtime: EmbeddedRuntime, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(RuntimeFault, match=r"x\.tar"):
        await runtime.load_image(tmp_path / "x.tar")


async def test_a_store_that_is_opened_again_knows_its_images(runtime: EmbeddedRuntime, config: RuntimeConfig) -> None:
    before = {image.id for image in await runtime.list_images()}
    (config.images / "tmp" / "half").mkdir()
    (config.images / "layers" / "0123").mkdir()
    store = ImageStore(config.images)
    await asyncio.to_thread(store.open)
    assert {image.id for image in store.images()} == before
    assert not (config.images / "layers" / "0123").exists()
    assert not any((config.images / "tmp").iterdir())

"""References, registries' options, and the store's index."""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path

import pytest

from wherry.runtime.images import reference, registry
from wherry.runtime.images.store import ImageStore, describe
from wherry.runtime.interface import NotFound, RegistryAuth, RuntimeFault

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("team/app", "docker.io/team/app:latest"),
        ("docker.io/busybox", "docker.io/library/busybox:latest"),
        ("index.docker.io/busybox", "docker.io/library/busybox:latest"),
        ("localhost/app:1", "localhost/app:1"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("127.0.0.1:9/x:1", "127.0.0.1:9/x:1"),
        ("registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9"),
        (f"busybox@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
        (f"ghcr.io/a/b/c:v1@{DIGEST}", f"ghcr.io/a/b/c:v1@{DIGEST}"),
    ],
)
def test_normalisation(text: str, full: str) -> None:
    assert str(reference.parse(text)) == full
    assert reference.parse(full) == reference.parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("UPPER", "invalid reference format: repository name (library/UPPER) must be lowercase"),
        ("", "invalid reference format"),
        ("a b", "invalid reference format"),
        ("busybox:", "invalid reference format"),
        ("busybox:-x", "invalid reference format"),
        ("busybox@sha256:12", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("-host.io/a", "invalid reference format"),
    ],
)
def test_malformed_references(text: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        reference.parse(text)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("domain", "listed", "insecure"),
    [
        ("127.0.0.1:5000", (), True),
        ("localhost:5000", (), True),
        ("localhost", (), True),
        ("[::1]:5000", (), True),
        ("docker.io", (), False),
        ("10.0.0.1:5000", (), False),
        ("10.0.0.1:5000", ("10.0.0.1:5000",), True),
        ("registry.lan", ("registry.lan",), True),
    ],
)
def test_registries_without_tls(domain: str, listed: tuple[str, ...], insecure: bool) -> None:
    assert registry.is_insecure(domain, listed) is insecure


def test_credentials_go_through_a_file_of_root_s_own(tmp_path: Path) -> None:
    options = registry._options(reference.parse("r.example/a"), RegistryAuth("me", "secret"), (), tmp_path)
    assert "secret" not in " ".join(options)
    file = tmp_path / "auth.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text()) == {"auths": {"r.example": {"auth": "bWU6c2VjcmV0"}}}


def config(marker: str = "") -> bytes:
    return json.dumps({"config": {"Cmd": ["sh"], "User": "web", "Labels": {"m": marker}}, "rootfs": {"diff_ids": []}}).encode()


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    store = ImageStore(tmp_path)
    store.open()
    return store


def test_an_image_is_found_by_all_its_names(store: ImageStore) -> None:
    image = store.add(config(), [], tags=["docker.io/library/a:1"], digests=[f"docker.io/library/a@{DIGEST}"])
    assert image.id == "sha256:" + hashlib.sha256(config()).hexdigest()
    for name in ("a:1", "docker.io/a:1", f"a@{DIGEST}", f"a:2@{DIGEST}", image.id, image.id.removeprefix("sha256:")):
        assert store.find(name) == image
    for name in ("a", "b:1", "UPPER", "sha256:" + "0" * 64):
        assert store.find(name) is None


def test_a_tag_moves(store: ImageStore) -> None:
    old = store.add(config("old"), [], tags=["docker.io/library/a:1"])
    new = store.add(config("new"), [], tags=["docker.io/library/a:1"])
    assert store.find("a:1") == new
    assert store.find(old.id) is not None
    assert store.find(old.id).repo_tags == ()  # type: ignore[union-attr]


def test_names_gather(store: ImageStore) -> None:
    first = store.add(config(), [], tags=["docker.io/library/a:1"])
    again = store.add(config(), [], tags=["docker.io/library/b:1"])
    assert (first.id, again.repo_tags) == (again.id, ("docker.io/library/a:1", "docker.io/library/b:1"))
    assert store.name(first.id, ["docker.io/library/c:1"]).repo_tags[-1] == "docker.io/library/c:1"
    with pytest.raises(NotFound):
        store.name("sha256:none", [])


def test_the_last_name_takes_the_image_along(store: ImageStore) -> None:
    image = store.add(config(), [], tags=["docker.io/library/a:1", "docker.io/library/b:1"])
    store.remove("a:1", in_use={image.id})  # a name of several may go
    with pytest.raises(RuntimeFault, match="in use"):
        store.remove("b:1", in_use={image.id})
    assert store.find("b:1") is not None
    store.remove("b:1", in_use=())
    assert store.images() == []
    store.remove("b:1", in_use=())


def test_the_index_is_kept(store: ImageStore, tmp_path: Path) -> None:
    image = store.add(config(), [], tags=["docker.io/library/a:1"])
    again = ImageStore(tmp_path)
    again.open()
    assert again.images() == [image]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"{", "names no layers", id="torn"),
        pytest.param(b'{"rootfs": {"diff_ids": ["../../x"]}}', "no layer's digest", id="a path for a digest"),
        pytest.param(b'{"rootfs": {"diff_ids": ["sha256:' + b"0" * 64 + b'"]}}', "names 1 layers, the archive has 0", id="layers missing"),
    ],
)
def test_images_that_cannot_be(store: ImageStore, data: bytes, words: str) -> None:
    with pytest.raises(RuntimeFault, match=words):
        store.add(data, [])
    assert store.images() == []


def test_describe() -> None:
    image = describe(config(), 7, ["t"], [])
    assert (image.cmd, image.user, image.size, image.entrypoint) == (("sh",), "web", 7, ())

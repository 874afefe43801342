"""The user's kubeconfig: what `up` adds to it and `reset` takes away, and that nothing else in it is touched."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import yaml

from wherry.cluster import kubeconfig
from wherry.cluster.config import ClusterConfig
from wherry.cluster.kubeconfig import KubeconfigError
from wherry.cluster.pki import PKI
from wherry.util.clock import RealClock

OTHER = {
    "apiVersion": "v1", "kind": "Config", "current-context": "other",
    "clusters": [{"name": "other", "cluster": {"server": "https://other"}}],
    "contexts": [{"name": "other", "context": {"cluster": "other", "user": "me"}}],
    "users": [{"name": "me", "user": {"token": "secret"}}],
    "extensions": [{"name": "kept", "extension": {"a": 1}}],
}


@pytest.fixture
def config(tmp_path: Path) -> ClusterConfig:
    made = ClusterConfig("one", "api", tmp_path / "data", tmp_path / "run", 6444)
    PKI(made, RealClock()).ensure()
    return made


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home/kubeconfig"
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


def put(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))


def write(config: ClusterConfig) -> Path:
    return kubeconfig.write(config, PKI(config, RealClock()))


def contexts(path: Path) -> list[str]:
    return [each["name"] for each in yaml.safe_load(path.read_text())["contexts"]]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_for_its_owner_alone_and_goes_again(config: ClusterConfig, file: Path) -> None:
    assert write(config) == file
    assert contexts(file) == ["wherry-one"]
    assert yaml.safe_load(file.read_text())["current-context"] == "wherry-one"
    assert mode(file) == mode(config.kubeconfig) == 0o600
    assert [each.name for each in file.parent.iterdir()] == [file.name], "no lock and no temporary file"
    assert kubeconfig.remove(config) == []
    assert not file.exists()


def test_what_was_there_stays_and_is_what_is_left(config: ClusterConfig, file: Path) -> None:
    put(file, OTHER)
    write(config)
    write(config)
    assert contexts(file) == ["other", "wherry-one"]
    assert kubeconfig.remove(config) == []
    assert yaml.safe_load(file.read_text()) == {**OTHER, "current-context": "", "preferences": {}}


@pytest.mark.parametrize(
    ("there", "chosen"),
    [(["a", "b"], "a"), (["b"], "b"), ([], "b")],
    ids=["the first", "the first that is there", "none is there: the last"],
)
def test_of_several_files(config: ClusterConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: list[str], chosen: str) -> None:
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(["", str(tmp_path / "a"), str(tmp_path / "b"), ""]))
    for name in there:
        put(tmp_path / name, OTHER)
    assert write(config) == tmp_path / chosen
    assert [name for name in ("a", "b") if (tmp_path / name).exists() and "wherry-one" in contexts(tmp_path / name)] == [chosen]


def test_it_is_taken_out_of_the_file_of_another_terminal(config: ClusterConfig, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(file, OTHER)
    write(config)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "another"))
    put(tmp_path / "another", yaml.safe_load(file.read_text()))
    assert kubeconfig.remove(config) == []
    assert contexts(file) == contexts(tmp_path / "another") == ["other"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("clusters: [}", "no YAML in line 1"), ("just words", "it holds no object"), ("clusters: 3", "its clusters are no list of objects"),
        ("users: [3]", "its users are no list of objects"), ("[1]", "it holds no object"),
    ],
)
def test_a_broken_file_is_told_and_left_alone(config: ClusterConfig, file: Path, text: str, why: str) -> None:
    put(file, text)
    with pytest.raises(KubeconfigError) as caught:
        write(config)
    assert f"{file} is no kubeconfig ({why})" in str(caught.value)
    assert "set KUBECONFIG to another file" in str(caught.value)
    [trouble] = kubeconfig.remove(config)
    assert why in trouble
    assert file.read_text() == text


def test_a_file_that_is_no_text(config: ClusterConfig, file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KubeconfigError, match="no text"):
        write(config)


def test_a_read_only_file_is_not_replaced(config: ClusterConfig, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(file, OTHER)
    monkeypatch.setattr(kubeconfig.os, "access", lambda path, mode: False)  # root may write everything
    with pytest.raises(PermissionError, match="read-only"):
        write(config)
    assert contexts(file) == ["other"]


def test_a_link_stays_a_link(config: ClusterConfig, file: Path, tmp_path: Path) -> None:
    put(tmp_path / "real", OTHER)
    file.parent.mkdir()
    file.symlink_to(tmp_path / "real")
    write(config)
    assert file.is_symlink()
    assert contexts(tmp_path / "real") == ["other", "wherry-one"]
    assert kubeconfig.remove(config) == []
    assert contexts(file) == ["other"]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_users_file_stays_theirs(config: ClusterConfig, file: Path) -> None:
    put(file, OTHER)
    os.chown(file, 65534, 65534)
    write(config)
    assert (file.stat().st_uid, file.stat().st_gid) == (65534, 65534)


def test_a_lock_that_someone_left_does_not_hold_for_ever(config: ClusterConfig, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(file, OTHER)
    put(Path(f"{file}.lock"), "")
    waited: list[float] = []
    monkeypatch.setattr(kubeconfig.time, "sleep", waited.append)
    write(config)
    assert len(waited) == kubeconfig.LOCK_TRIES
    assert contexts(file) == ["other", "wherry-one"]
    assert not Path(f"{file}.lock").exists()

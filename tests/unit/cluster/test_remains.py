"""A cluster whose data was removed by hand: it is told, it is ended, and `up` neither takes it over nor trips over it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from wherry.cluster import lifecycle, remains
from wherry.cluster.config import ClusterConfig, ConfigError, choose, load, pointer
from wherry.cluster.lifecycle import Asked


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not root, and at home in a temporary folder."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))


@pytest.fixture
def config(tmp_path: Path) -> ClusterConfig:
    """One with a folder of its own, made and prepared."""
    made = choose("one", fidelity="api", data_dir=str(tmp_path / "data"))
    lifecycle.prepare(made)
    return made


def quiet(text: str) -> None:
    """No progress is shown."""


def test_nothing_is_left_of_what_never_was() -> None:
    assert remains.of("one") == ""
    assert lifecycle.reset("one", progress=quiet) is False
    with pytest.raises(ConfigError, match="there is no cluster 'one': `wherry up --name one` makes one"):
        remains.known("one")


def test_what_is_left_is_told_with_what_takes_it_away(config: ClusterConfig) -> None:
    shutil.rmtree(config.data)
    with pytest.raises(ConfigError) as caught:
        remains.known("one")
    assert str(caught.value) == (
        f"of cluster 'one' only traces are left, its data in {config.data} is gone: `wherry reset --name one` takes them away"
    )


def test_reset_takes_the_traces_away(config: ClusterConfig, tmp_path: Path) -> None:
    shutil.rmtree(config.data)
    assert lifecycle.reset("one", progress=quiet) is True
    assert not pointer("one").exists()
    assert not config.run.exists()
    assert not (tmp_path / "kubeconfig").exists()
    assert remains.of("one") == ""


def test_a_folder_that_is_someone_elses_now_is_not_deleted(config: ClusterConfig) -> None:
    shutil.rmtree(config.data)
    config.data.mkdir()
    (config.data / "letter").write_text("mine")
    assert lifecycle.reset("one", progress=quiet) is True
    assert (config.data / "letter").read_text() == "mine"


def test_up_makes_no_second_one_elsewhere_unasked(config: ClusterConfig, tmp_path: Path) -> None:
    """The disk with its data may just not be mounted."""
    shutil.rmtree(config.data)
    with pytest.raises(ConfigError, match=f"had its data in {config.data}, which is gone: `wherry reset --name one` forgets it"):
        choose("one", fidelity="api")
    assert choose("one", fidelity="api", data_dir=str(tmp_path / "other")).data == tmp_path / "other"
    assert choose("one", fidelity="api", data_dir=str(config.data)).data == config.data


def test_up_of_one_that_runs_without_its_data_is_refused(config: ClusterConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(config.data)
    monkeypatch.setattr(lifecycle, "_recorded", lambda run: 77)
    with pytest.raises(ConfigError, match="only traces are left"):
        lifecycle.up(Asked("one", fidelity="api", data_dir=str(config.data)), progress=quiet)


def test_other_settings_are_named(config: ClusterConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "_recorded", lambda run: 77)
    with pytest.raises(ConfigError) as caught:
        lifecycle.up(Asked("one", port=7777, processes=True), progress=quiet)
    assert str(caught.value) == (
        f"cluster 'one' is running with --port {config.port}, not 7777 and --no-processes, not --processes: `wherry down --name one` first"
    )
    assert load("one") == config


def test_no_two_clusters_are_given_one_port_or_range(config: ClusterConfig, tmp_path: Path) -> None:
    """Though the first is down, and nobody listens."""
    other = choose("two", fidelity="api", data_dir=str(tmp_path / "data2"))
    assert other.port != config.port
    assert not {other.pod_range, other.service_range} & {config.pod_range, config.service_range}


def test_a_process_that_says_why_it_ends_is_not_taken_for_one_that_was_told_to(config: ClusterConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended while it is still at its end, and by a signal then."""
    monkeypatch.setattr(lifecycle, "_await_ready", lambda fd, progress: "OSError: the reason")
    monkeypatch.setattr(lifecycle, "_command", lambda *given, verbose: ["/bin/sleep", "60"])
    with pytest.raises(lifecycle.LifecycleError, match="OSError: the reason"):
        lifecycle.start(config, lifecycle._spawn(config, verbose=False), quiet)


def test_a_moved_folder_is_told_when_volumes_name_where_it_was(config: ClusterConfig, tmp_path: Path) -> None:
    new = tmp_path / "new"
    config.data.rename(new)
    moved = load("one", str(new))
    assert moved is not None
    assert remains.moved(moved) == "", "there are no volumes"
    (new / "volumes/node/pvc-1").mkdir(parents=True)
    assert f"`ln -s {new} {config.data}`" in remains.moved(moved)
    config.data.symlink_to(new)
    assert remains.moved(moved) == ""


def test_reset_follows_a_link_to_the_data(config: ClusterConfig, tmp_path: Path) -> None:
    new = tmp_path / "new"
    config.data.rename(new)
    config.data.symlink_to(new)
    assert lifecycle.reset("one", progress=quiet) is True
    assert not new.exists()
    assert not config.data.is_symlink()

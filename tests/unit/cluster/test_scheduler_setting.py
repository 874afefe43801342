"""`wherry up --scheduler-config FILE`: checked before anything starts, and kept with the cluster's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.cluster import schedulerconfig
from wherry.cluster.config import ClusterConfig, ConfigError, load
from wherry.cluster.lifecycle import Asked

EXAMPLE = Path(__file__).parents[3] / "examples/scheduler/packing.yaml"
HEAD = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"


def ask(tmp_path: Path, file: str | None, fidelity: str = "sim") -> ClusterConfig:
    return Asked("unit-sched", fidelity, data_dir=str(tmp_path / "data"), port=7443, scheduler_config=file).choose()


def made(tmp_path: Path, file: str | None) -> ClusterConfig:
    config = ask(tmp_path, file)
    config.save()
    return config


def schedulers(config: ClusterConfig) -> list[str]:
    return [profile.scheduler_name for profile in schedulerconfig.of(config).profiles]


def test_nothing_said_is_the_default_scheduler(tmp_path: Path) -> None:
    assert schedulers(made(tmp_path, None)) == ["default-scheduler"]


def test_the_next_up_has_it_though_the_file_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.yaml"
    file.write_text(EXAMPLE.read_text())
    made(tmp_path, str(file))
    file.unlink()
    kept = load("unit-sched", str(tmp_path / "data"))
    assert kept is not None
    assert schedulers(kept) == schedulers(ask(tmp_path, None)) == ["default-scheduler", "packing"]


def test_an_empty_name_goes_back_to_the_default(tmp_path: Path) -> None:
    made(tmp_path, str(EXAMPLE))
    assert schedulers(ask(tmp_path, "")) == ["default-scheduler"]


@pytest.mark.parametrize(("text", "told"), [
    pytest.param(HEAD + "leaderElection: {leaderElect: true}\n", "leaderElection", id="unsupported"),
    pytest.param(HEAD + "profiles: [{plugins: {score: {enabled: [{name: Mine}]}}}]\n", "there is no plugin 'Mine'", id="unknown-plugin"),
    pytest.param(None, "No such file", id="absent"),
])
def test_what_cannot_be_used_is_refused_before_anything_is_made(tmp_path: Path, text: str | None, told: str) -> None:
    file = tmp_path / "scheduler.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=told) as refused:
        ask(tmp_path, str(file))
    assert str(file) in str(refused.value)
    assert not (tmp_path / "data").exists()


def test_the_api_alone_has_no_scheduler(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no scheduler"):
        ask(tmp_path, str(EXAMPLE), "api")

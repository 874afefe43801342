"""status: what it says of a cluster that runs, is down, does not answer, or never was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wherry.cli import status
from wherry.cluster import admin
from wherry.cluster.config import ClusterConfig

CONFIG = ClusterConfig("one", "real", Path("/data"), Path("/run/wherry/one"), 6444)
READY = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
NOT_READY = {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}


@pytest.mark.parametrize(
    ("nodes", "phases", "lines"),
    [
        ([READY], ["Running", "Pending", "Running"], ["nodes      1 of 1 ready", "pods       1 Pending, 2 Running"]),
        ([READY, NOT_READY, {}], [], ["nodes      1 of 3 ready", "pods       none"]),
        ([], [""], ["nodes      0 of 0 ready", "pods       1 Unknown"]),
    ],
    ids=["some Pods", "no Pods", "a Pod without a status"],
)
def test_nodes_and_pods_are_counted(nodes: list[Any], phases: list[str], lines: list[str]) -> None:
    assert status.counted(nodes, [{"status": {"phase": phase}} if phase else {} for phase in phases]) == lines


def test_what_is_known_without_asking() -> None:
    assert status.described(CONFIG, 77, 81.4) == [
        "cluster    one (real)", "data       /data", "process    77, 81 MiB, log /run/wherry/one/wherry.log",
        "api        https://127.0.0.1:6444, context wherry-one", "addresses  Pods 10.244.0.0/16, Services 10.96.0.0/16, DNS 10.96.0.10",
    ]
    assert status.described(CONFIG, 0, 0.0)[-1] == "process    down: `wherry up --name one` brings it back"
    assert status.described(CONFIG, 0, 0.0, left=True)[-1] == (
        "process    gone; its containers run on: `wherry up --name one` takes them over, `wherry down --name one` ends them"
    )


def test_memory_of_a_process(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/status").write_text("Name:\tx\nVmRSS:\t  2048 kB\n")
    assert status.memory_mib(7, tmp_path) == 2.0
    assert status.memory_mib(8, tmp_path) == 0.0


@pytest.mark.parametrize(
    ("known", "pid", "answer", "code", "told"),
    [
        (None, 0, None, 3, "There is no cluster 'one': `wherry up --name one` makes one."),
        (CONFIG, 0, None, 3, "process    down: `wherry up --name one` brings it back"),
        (CONFIG, 7, admin.NoAnswer("the cluster does not answer (refused)"), 1, "no answer  the cluster does not answer (refused)"),
        (CONFIG, 7, admin.Refused("Unauthorized"), 1, "no answer  Unauthorized"),
        (CONFIG, 7, {"items": []}, 0, "pods       none"),
    ],
    ids=["none", "down", "silent", "refused", "up"],
)
def test_exit_codes(
    known: ClusterConfig | None, pid: int, answer: Any, code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    def ask(config: ClusterConfig, path: str) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(status, "load", lambda name, data_dir: known)
    monkeypatch.setattr(status, "running", lambda config: pid)
    monkeypatch.setattr(status, "others", lambda name: [])
    monkeypatch.setattr(admin, "ask", ask)
    assert status.show("one", "") == code
    assert capsys.readouterr().out.splitlines()[-1] == told


def test_one_who_asks_for_the_wrong_cluster_is_told_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "others", lambda name: [CONFIG, replace(CONFIG, name="two")])
    assert status.neighbours("three") == ["There are others: one, two"]
    monkeypatch.setattr(status, "others", lambda name: [])
    assert status.neighbours("three") == []

"""Files that a Pod's user or group is to have: on a node that is root, and on one that is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wherry.kubelet.volumes.ownership import give


@pytest.fixture(autouse=True)
def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, uid: int, gid: int) -> None:
        raise PermissionError(1, f"{uid} {gid}")

    monkeypatch.setattr(os, "chown", refuse)


def test_nothing_asked_for_is_nothing_done(tmp_path: Path) -> None:
    give(tmp_path)


def test_root_is_told_when_it_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(PermissionError, match="5 -1"):
        give(tmp_path, uid=5)
    with pytest.raises(PermissionError, match="-1 7"):
        give(tmp_path, gid=7)


def test_a_simulated_node_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    give(tmp_path, uid=5, gid=7)

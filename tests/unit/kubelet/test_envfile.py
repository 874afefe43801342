"""Files with environment variables: what is taken, and what is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from wherry.api.types import core_v1
from wherry.kubelet.env import EnvError, EnvSources, make_environment
from wherry.kubelet.envfile import MAX_SIZE, parse_env_file


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A='1'\n  B = 'two words'  \n\n# note\nC=''", {"A": "1", "B": "two words", "C": ""}),
        ("A='line1\nline2 # kept'\n", {"A": "line1\nline2 # kept"}),
        ("A='$B ${C} \\n' # note\n", {"A": "$B ${C} \\n"}),
        ("A='1'\nA='2'\n", {"A": "2"}),
        ("", {}),
    ],
)
def test_what_is_taken(text: str, found: dict[str, str]) -> None:
    assert parse_env_file(text) == found


@pytest.mark.parametrize(
    ("text", "line"),
    [("A=1\n", 1), ('A="1"\n', 1), ("A='1'\nB='2''3'\n", 2), ("\n\nA='1'$B\n", 3), ("='1'", 1), ("A", 1), ("A='never closed\n", 1)],
)
def test_what_is_refused(text: str, line: int) -> None:
    with pytest.raises(ValueError, match=f"at line {line}$"):
        parse_env_file(text)


def value(volume: Path, **reference: object) -> dict[str, str]:
    given = {"volumeName": "v", "path": "e.env", "key": "A", **reference}
    spec = {"containers": [{"name": "c", "env": [{"name": "A", "valueFrom": {"fileKeyRef": given}}]}]}
    pod = msgspec.convert({"metadata": {"name": "p", "namespace": "n"}, "spec": spec}, core_v1.Pod)

    async def nothing(namespace: str, name: str) -> None:
        return None

    sources = EnvSources(nothing, nothing, volumes={"v": volume})
    return asyncio.run(make_environment(pod, pod.spec.containers[0], sources))


def test_a_variable_comes_from_a_volume(tmp_path: Path) -> None:
    (tmp_path / "e.env").write_text("A='there'\n")
    assert value(tmp_path) == {"A": "there"}
    assert value(tmp_path, key="B", optional=True) == {}
    assert value(tmp_path, path="none", optional=True) == {}


@pytest.mark.parametrize(("reference", "told"), [({"key": "B"}, 'key "B" not found'), ({"path": "none"}, 'file "none" not found'), ({"path": "link"}, "leads out")])
def test_why_there_is_none(tmp_path: Path, reference: dict[str, object], told: str) -> None:
    volume = tmp_path / "v"
    volume.mkdir()
    (volume / "e.env").write_text("A='there'\n")
    (tmp_path / "secret").write_text("A='theirs'\n")
    (volume / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(EnvError, match=told):
        value(volume, **reference)


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "e.env").write_text(f"A='{'x' * MAX_SIZE}'\n")
    with pytest.raises(EnvError, match="larger than"):
        value(tmp_path)

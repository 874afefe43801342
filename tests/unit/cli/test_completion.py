"""Shell completion, by the shells themselves."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from wherry.cli import arguments, completion

TYPED = [
    ("wherry do", {"down", "doctor"}),
    ("wherry --name x rese", {"reset"}),
    ("wherry --name up do", {"down", "doctor"}),  # the cluster's name is no command
    ("wherry up --fid", {"--fidelity"}),
    ("wherry up --fidelity ", {"real", "sim", "api"}),
    ("wherry up --port ", set()),
    ("wherry up ", set()),
    ("wherry --name x image im", {"import"}),
    ("wherry image import --r", {"--ref"}),
    ("wherry image load ", {"some.tar", "folder/"}),
    ("wherry image import ", {"folder/"}),
    ("wherry up --data-dir fol", {"folder/"}),
    ("wherry completion f", {"fish"}),
    ("wherry component sched", {"scheduler"}),
]
typed = pytest.mark.parametrize(("line", "offered"), TYPED, ids=[line for line, _ in TYPED])


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


def said(shell: str, then: str, folder: Path) -> set[str]:
    """What a shell prints, once the completion is there, in a folder with a file and a folder."""
    (folder / "some.tar").touch()
    (folder / "folder").mkdir()
    text = completion.script(shell, arguments.parser()) + then
    plain = {"bash": ["bash", "--norc"], "zsh": ["zsh", "-f"], "fish": ["fish", "--no-config"]}[shell]
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([*plain, "-c", text], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return {"folder/" if line == "folder" else line for line in done.stdout.splitlines() if line}


def in_bash(line: str) -> tuple[str, str]:
    words = line.split(" ")
    told = " ".join(f"'{word}'" for word in words)
    return "bash", f"COMP_WORDS=({told}); COMP_CWORD={len(words) - 1}; _wherry; printf '%s\\n' \"${{COMPREPLY[@]}}\""


def in_zsh(line: str) -> tuple[str, str]:
    """Outside a line editor: what its completion system would be handed is printed instead."""
    words = line.split(" ")
    told = " ".join(f"'{word}'" for word in words)
    given = (
        "_describe() { print -l -- ${(P)@[-1]}; }; _files() { if [[ $1 == -/ ]]; then print -l *(/); else print -l *; fi; }\n"
    )
    return "zsh", f"{given}words=({told}); CURRENT={len(words)}; _wherry"


@typed
def test_bash(line: str, offered: set[str], tmp_path: Path) -> None:
    assert said(*in_bash(line), tmp_path) == offered


@needs("zsh")
@typed
def test_zsh(line: str, offered: set[str], tmp_path: Path) -> None:
    """zsh itself drops what does not begin as typed."""
    begun = line.rpartition(" ")[2]
    told = {each.partition(":")[0] for each in said(*in_zsh(line), tmp_path)}
    assert {each for each in told if each.startswith(begun)} == offered


@needs("fish")
@typed
def test_fish(line: str, offered: set[str], tmp_path: Path) -> None:
    told = {each.partition("\t")[0] for each in said("fish", f"complete -C '{line}'", tmp_path)}
    assert told == offered

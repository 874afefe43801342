"""READMEs as tests: types each `$ command` of a README's console blocks and looks for the lines shown below it.

`…` stands for anything, any run of spaces for any other.  Lines must appear in their order; others may stand
between them.  A command that only looks is typed again until it shows what the README tells.
"""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LOOKS = re.compile(r"kubectl (get|describe|logs|top|exec|wait|rollout (status|history)|set env \S+ --list)\b|busybox wget")
FOLLOWS = re.compile(r"kubectl logs .*-f\b")
PAUSE, ATTEMPT = 0.3, 60.0  # seconds


@dataclass(frozen=True)
class Step:
    """One command, and the lines that it should print."""

    line: int
    command: str
    expected: tuple[str, ...]


def steps(readme: Path) -> Iterator[Step]:
    """The commands of all ```console blocks, in order."""
    inside, found = False, list[tuple[int, str, list[str]]]()
    for number, line in enumerate(readme.read_text().splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```console"
        elif inside and line.startswith("$ "):
            found.append((number, line[2:], []))
        elif inside and line.strip():
            found[-1][2].append(line)
    return (Step(number, command, tuple(expected)) for number, command, expected in found)


def pattern(line: str) -> re.Pattern[str]:
    """What a shown line matches."""
    parts = re.split(r"(\s+|…)", line.strip())
    return re.compile("".join(".*" if p == "…" else r"\s+" if p.isspace() else re.escape(p) for p in parts))


def missing(expected: Sequence[str], output: str) -> str:
    """The first line that was not seen in its place; "" when all were."""
    lines = iter(output.splitlines())
    for wanted in expected:
        shape = pattern(wanted)
        if not any(shape.fullmatch(line.strip()) for line in lines):
            return wanted
    return ""


class Console:
    """A shell in an example's folder."""

    def __init__(self, folder: Path, environment: Mapping[str, str], patience: float) -> None:
        self._folder, self._environment, self._patience = folder, dict(environment), patience

    def type(self, step: Step) -> None:
        """Run one command.  Fails when what should be seen is not seen."""
        run = self._follow if FOLLOWS.match(step.command) else self._run
        deadline = time.monotonic() + self._patience
        while True:
            code, output = run(step)
            absent = missing(step.expected, output)
            if code == 0 and not absent:
                return
            if not (step.expected and LOOKS.match(step.command)) or time.monotonic() > deadline:
                break
            time.sleep(PAUSE)
        why = f"did not show: {absent}" if absent else f"exit code {code}"
        raise AssertionError(f"line {step.line}: $ {step.command}\n{why}\nIt printed:\n{output}")

    def _run(self, step: Step) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", step.command], cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=ATTEMPT, check=False,
        )
        return done.returncode, done.stdout

    def _follow(self, step: Step) -> tuple[int, str]:
        """Read until everything was seen, then press Ctrl-C."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {step.command}"], cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        seen, timer = "", threading.Timer(self._patience, process.kill)
        timer.start()
        with process:
            assert process.stdout is not None
            for line in process.stdout:
                seen += line
                if not missing(step.expected, seen):
                    break
            timer.cancel()
            process.kill()
        return 0, seen

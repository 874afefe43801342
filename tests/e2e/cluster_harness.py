"""Clusters for end-to-end tests: each with its own name, data and kubeconfig, and nothing left afterwards."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from claims import claim, claimed

WHERRY = [sys.executable, "-m", "wherry.cli.main"]


class Cluster:
    """A cluster by name; commands are the real ones."""

    def __init__(self, name: str, folder: Path, kubectl: str = "kubectl") -> None:
        self.name = name
        self.folder = folder
        self.kubectl_program = kubectl
        self.environment = {**os.environ, "KUBECONFIG": str(folder / "kubeconfig"), "HOME": str(folder)}
        _make_room(name)

    def wherry(self, *arguments: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """A wherry command against this cluster."""
        done = subprocess.run(self._command(arguments), env=self.environment, capture_output=True, text=True, timeout=timeout, check=False)
        assert not check or done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}{done.stderr}{self.log()}"
        return done

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """The same, not waited for; what it prints is there to read."""
        return subprocess.Popen(self._command(arguments), env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [*WHERRY, arguments[0], "--name", self.name, "--data-dir", str(self.folder / "data"), *arguments[1:]]

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True, timeout: float = 60) -> str:
        """What kubectl printed."""
        done = subprocess.run(
            [self.kubectl_program, *arguments], env=self.environment, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert not check or done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout + (done.stderr if not check else "")

    def get(self, *arguments: str) -> Any:
        """kubectl get -o json, decoded."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def log(self) -> str:
        """The end of the cluster's log, for failures."""
        path = Path("/run/wherry") / self.name / "wherry.log"
        return "\n" + "\n".join(path.read_text().splitlines()[-20:]) if path.exists() else ""

    def process(self) -> int:
        """The id of the cluster's process."""
        return int((Path("/run/wherry") / self.name / "wherry.pid").read_text().split()[0])


def _make_room(name: str) -> None:
    """A run that was killed left its cluster, which runs on; a run beside this one keeps its own."""
    had = name in claimed()
    assert claim(name), f"another run of these tests has the cluster {name!r}"
    left = [Path("/run/wherry") / name, Path("/var/lib/wherry") / f"{name}.data"]
    if not had and any(path.exists() for path in left):
        subprocess.run([*WHERRY, "reset", "--name", name], capture_output=True, timeout=120, check=False)


@contextmanager
def running(name: str, folder: Path, *up: str, image: Path | None = None) -> Iterator[Cluster]:
    """A cluster, up (with these options) and with an image in its store; nothing is left of it behind the block."""
    cluster = Cluster(name, folder)
    try:
        cluster.wherry("up", *up)
        if image is not None:
            cluster.wherry("image", "load", str(image))
        yield cluster
    finally:
        cluster.wherry("reset")


def eventually(check: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Poll until `check` gives something true; its errors count as not yet."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = check()
            if last:
                return last
        except (AssertionError, KeyError, IndexError, json.JSONDecodeError) as error:
            last = error
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds:.0f} s: {what}; last seen: {last}")


def host_state() -> dict[str, list[str]]:
    """What a cluster could leave behind: links, routes, mounts, tables, cgroups, namespaces, conmon processes."""

    def lines(*command: str) -> list[str]:
        return sorted(subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines())

    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    cgroups = [str(path) for root in Path("/sys/fs/cgroup").iterdir() if root.is_dir() for path in root.glob("wherry*")]
    cgroups += [str(path) for path in Path("/sys/fs/cgroup").glob("wherry*")]
    return {
        "links": [line.split()[0] for line in lines("ip", "-br", "link")],
        "routes": lines("ip", "route", "show", "table", "all"),
        "mounts": sorted(mounts), "tables": lines("nft", "list", "tables"), "cgroups": sorted(cgroups),
        "netns": lines("ip", "netns", "list"), "forward": [Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()],
        "run": sorted(str(p) for p in Path("/run").glob("wherry/*") if p.is_dir()),
    }


def only_ours(state: dict[str, list[str]], marks: tuple[str, ...]) -> dict[str, list[str]]:
    """The part of a host state that mentions one of `marks` (other tests' clusters may come and go meanwhile)."""
    return {kind: [line for line in lines if any(mark in line for mark in marks)] for kind, lines in state.items()}


def derived_image(base: Path, target: Path, reference: str, **config: Any) -> Path:
    """An archive like `base` under another name, with other settings (Entrypoint, Cmd, User, StopSignal ...)."""
    with tarfile.open(base) as old, tarfile.open(target, "w") as new:
        for member in old:
            content = old.extractfile(member)
            assert content is not None
            data = content.read()
            if member.name == "manifest.json":
                data = json.dumps([{**json.loads(data)[0], "RepoTags": [reference]}]).encode()
            elif member.name == "config.json":
                read = json.loads(data)
                data = json.dumps({**read, "config": {**read["config"], **config}}).encode()
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    return target

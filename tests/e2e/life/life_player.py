"""Plays the recorded scenario on a cluster of ours, and records it in the form that the recording of upstream has.

The times are the recording's own: back-off, deadlines and time to live follow the clock, so nothing can be shortened.
Only the CronJob looks at the clock on the wall.  Upstream's ran once; where ours would run twice it is made after the next full
minute, which nothing else depends on.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from cluster_harness import Cluster

NAMESPACE = "life"
RESOURCES = {
    "pods": "/api/v1", "events": "/api/v1", "deployments": "/apis/apps/v1", "replicasets": "/apis/apps/v1",
    "statefulsets": "/apis/apps/v1", "daemonsets": "/apis/apps/v1", "jobs": "/apis/batch/v1", "cronjobs": "/apis/batch/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
}
BEGIN = 1.0  # when the manifests are made
END = 100.0  # when kubectl is asked
RUNS_ONCE = range(8)  # begun in these seconds of a minute, the CronJob's second minute comes well after kubectl has been asked
MADE_LATER = range(26, 60)  # and in these its first comes early: it is made after that, and has time to run before the end

Recording = dict[str, Any]


class Recorder:
    """The watch of one resource: kubectl copies what the server streams, a line an event."""

    def __init__(self, cluster: Cluster, resource: str, origin: float) -> None:
        path = f"{RESOURCES[resource]}/namespaces/{NAMESPACE}/{resource}?watch=1"
        self.events: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [cluster.kubectl_program, "get", "--raw", path], env=cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._thread = threading.Thread(target=self._read, args=(origin,), daemon=True)
        self._thread.start()

    def _read(self, origin: float) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            event["object"]["metadata"].pop("managedFields", None)
            self.events.append({"t": round(time.monotonic() - origin, 2), **event})

    def stop(self) -> list[dict[str, Any]]:
        alive = self._process.poll() is None
        self._process.kill()
        self._process.wait()
        self._thread.join(10)
        if self._process.stdout is not None:
            self._process.stdout.close()
        assert alive, "a watch ended before the scenario did"
        return self.events


def play(cluster: Cluster, scenario: dict[str, Any], asked: list[str]) -> Recording:
    """Every event of each resource by its name, and under `kubectl` what kubectl printed at the end."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    second = _wait_for_minute()
    origin = time.monotonic()
    recorders = {resource: Recorder(cluster, resource, origin) for resource in RESOURCES}
    try:
        for at, arguments, stdin in _steps(scenario, second):
            _sleep_until(origin + at)
            cluster.kubectl("-n", NAMESPACE, *arguments, stdin=stdin)
        _sleep_until(origin + END)
        printed = {command: _ask(cluster, command) for command in asked}
    finally:
        recorded: Recording = {resource: recorder.stop() for resource, recorder in recorders.items()}
    return {**recorded, "kubectl": printed}


def _steps(scenario: dict[str, Any], second: float) -> list[tuple[float, list[str], str]]:
    """(when, what kubectl is asked to do, with which manifests), when the scenario begins in this second of a minute."""
    cron_jobs = [each for each in scenario["manifests"] if each["kind"] == "CronJob"]
    rest = [each for each in scenario["manifests"] if each["kind"] != "CronJob"]
    later = int(second) in MADE_LATER
    made = [(BEGIN, rest if later else scenario["manifests"]), *([(60 - second + BEGIN, cron_jobs)] if later else [])]
    steps = [(at, ["create", "-f", "-"], json.dumps({"apiVersion": "v1", "kind": "List", "items": items})) for at, items in made]
    return sorted([*steps, *((each["t"], each["kubectl"], "") for each in scenario["actions"])], key=lambda step: step[0])


def _ask(cluster: Cluster, command: str) -> dict[str, Any]:
    """One command, with what it printed and its exit code; the recording writes a selector without its quotes."""
    words = command.replace("a in (web)", "a_in_(web)").replace("describe node n1", f"describe node {_node(cluster)}").split()
    words = [word.replace("_", " ") if "_in_" in word else word for word in words]
    scoped = words if words[:2] == ["describe", "node"] else [words[0], "-n", NAMESPACE, *words[1:]]
    done = subprocess.run(
        [cluster.kubectl_program, *scoped], env=cluster.environment, capture_output=True, text=True, timeout=60, check=False
    )
    return {"rc": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def _node(cluster: Cluster) -> str:
    return str(cluster.get("nodes")["items"][0]["metadata"]["name"])


def _wait_for_minute() -> float:
    """Until the scenario may begin; the seconds since the full minute."""
    while int(second := time.time() % 60) not in (*RUNS_ONCE, *MADE_LATER):
        time.sleep(0.2)
    return second


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def read(folder: Path) -> Recording:
    """A recording from its files."""
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json") if path.stem != "scenario"}


def write(folder: Path, recording: Recording) -> None:
    """A recording into files, for a look at it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in recording.items():
        (folder / f"{name}.json").write_text(json.dumps(content))

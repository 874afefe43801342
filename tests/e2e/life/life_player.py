"""Plays the recorded scenario on a cluster of ours, and records it in the form that the recording of upstream has.

The times are the recording's own: back-off, deadlines and time to live follow the clock, so nothing can be shortened.
The minute is chosen, since a CronJob looks at the clock on the wall: it runs once, after the rollouts and before the end,
when the scenario starts in the first part of a minute.
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
FIRST_SECONDS = 14  # into a minute; upstream began at 15. Up to here the CronJob runs once, and not again before kubectl has been asked

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
    _wait_for_minute()
    origin = time.monotonic()
    recorders = {resource: Recorder(cluster, resource, origin) for resource in RESOURCES}
    try:
        _sleep_until(origin + BEGIN)
        manifests = {"apiVersion": "v1", "kind": "List", "items": scenario["manifests"]}
        cluster.kubectl("-n", NAMESPACE, "create", "-f", "-", stdin=json.dumps(manifests))
        for action in scenario["actions"]:
            _sleep_until(origin + action["t"])
            cluster.kubectl("-n", NAMESPACE, *action["kubectl"])
        _sleep_until(origin + END)
        printed = {command: _ask(cluster, command) for command in asked}
    finally:
        recorded: Recording = {resource: recorder.stop() for resource, recorder in recorders.items()}
    return {**recorded, "kubectl": printed}


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


def _wait_for_minute() -> None:
    while time.time() % 60 > FIRST_SECONDS:
        time.sleep(0.2)


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

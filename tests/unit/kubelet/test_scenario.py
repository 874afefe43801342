"""The recorded scenario, lived again: what our kubelet told, held against what a real one did.

Each aspect of a Pod (phase, a condition, a container) is the sequence of its distinct values.  Ours must go
as the recording goes, for as long as both last; events must be the same ones.  `DIFFERENCES` are known,
each with its reason, and must really differ.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import busybox
import msgspec
import pytest
from kubelet_harness import Node, cluster

from wherry.kubelet.prober import http, tcp
from wherry.runtime.fake import FakeRuntime

CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")

DIFFERENCES = {
    ("always-completes", "container c"): "upstream missed a run that ended between two of its listings of containers",
    ("jttl-rgrrf", "container c"): "upstream missed the short run; ours is told by the runtime's events",
    ("jttl-rgrrf", "Ready"): "as above",
    ("jttl-rgrrf", "ContainersReady"): "as above",
    ("jttl-rgrrf", "phase"): "as above",
}

UNLIMITED = {"memory": "9007199254740988Ki"}  # how a cgroup (v1) says that it has no limit

Told = dict[str, list[dict[str, Any]]]  # Pod name -> its objects, in order


def _specs(recorded: Told) -> Iterator[tuple[float, str, str, dict[str, Any]]]:
    """What was done, with its time: (t, "create" or "delete", Pod, its manifest or what its deletion said)."""
    for name, events in recorded.items():
        if name.startswith("pending"):
            continue  # never bound to the node
        obj = json.loads(json.dumps(events[0]["object"]))
        spec = {**obj["spec"], "nodeName": "n1"}
        spec["volumes"] = [v for v in spec.get("volumes", []) if not v["name"].startswith("kube-api-access")]
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            mounts = container.get("volumeMounts", [])
            container["volumeMounts"] = [m for m in mounts if not m["name"].startswith("kube-api-access")]
        yield events[0]["t"], "create", name, {"spec": spec, "labels": obj["metadata"].get("labels", {})}
        for event in events:
            if "deletionTimestamp" in event["object"]["metadata"]:
                yield event["t"], "delete", name, event["object"]["metadata"]
                break


async def _live(root: Path, recorded: Told) -> tuple[Told, list[dict[str, Any]]]:
    async with cluster(root, lambda clock: FakeRuntime(clock, busybox.rule, pull=busybox.pull, name="containerd")) as node:
        node.runtime.images.add("busybox:1.36")
        node.start()
        await node.run(1)
        await _act(node, recorded)
        ours: Told = {}
        for _, pod in node.seen:
            ours.setdefault(pod["metadata"]["name"], []).append(pod)
        return ours, [json.loads(msgspec.json.encode(event)) for event in await node.events()]


async def _act(node: Node, recorded: Told) -> None:
    start = node.clock.time()
    for at, what, name, body in sorted(_specs(recorded), key=lambda step: step[0]):
        left = at - (node.clock.time() - start)
        if left > 0:
            await node.run(left)
        if what == "create":
            await node.create_pod(name, body["spec"], labels=body["labels"])
        elif node.pod(name) is not None:
            await node.delete(name, body["deletionGracePeriodSeconds"])
    await node.run(start + 104 - node.clock.time(), 0.2)


class Lived:
    """Both sides."""

    def __init__(self, life: Path, root: Path) -> None:
        self.recorded: dict[str, list[dict[str, Any]]] = {}
        events: Told = {}
        for event in json.loads((life / "pods.json").read_text()):
            name = event["object"]["metadata"]["name"]
            events.setdefault(name, []).append(event)
            self.recorded.setdefault(name, []).append(event["object"])
        told = [e["object"] for e in json.loads((life / "events.json").read_text())]
        self.recorded_events = [e for e in told if e["source"].get("component") == "kubelet"]
        self.ours, self.our_events = asyncio.run(_live(root, events))


@pytest.fixture(scope="module")
def lived(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    async def not_found(url: str, headers: object, seconds: float) -> http.Answer:
        return http.Answer(404, "")

    async def refused(host: str, port: int, seconds: float) -> str:
        return f"dial tcp {host}:{port}: connect: connection refused"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http, "get", not_found)
        patch.setattr(tcp, "connect", refused)
        return Lived(shared / "upstream" / "life", tmp_path_factory.mktemp("kubelet"))


def plain(text: str | None) -> str:
    """A message without what varies: uids and addresses."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uid>", text or "")
    return re.sub(r"10\.88\.\d+\.\d+", "<ip>", text)


def state(given: dict[str, Any]) -> tuple[Any, ...]:
    for kind, values in given.items():
        return kind, values.get("reason"), plain(values.get("message")), values.get("exitCode")
    return ()


def aspects(pods: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Each aspect's distinct values in order, from the first status that the kubelet wrote."""
    found: dict[str, list[Any]] = {}

    def add(name: str, value: Any) -> None:
        values = found.setdefault(name, [])
        if not values or values[-1] != value:
            values.append(value)

    for status in (pod["status"] for pod in pods if pod["status"].get("startTime")):
        add("phase", (status["phase"], status.get("reason"), status.get("message")))
        for each in status.get("conditions", []):
            if each["type"] in CONDITIONS:
                add(each["type"], (each["status"], each.get("reason"), each.get("message")))
        for each in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
            last = state(each.get("lastState", {}))
            add(f"container {each['name']}", (state(each["state"]), last, each["ready"], each["started"], each["restartCount"]))
    return found


def events_of(events: list[dict[str, Any]], name: str) -> set[tuple[str, ...]]:
    return {
        (e["type"], e["reason"], plain(e["message"]), e["involvedObject"].get("fieldPath", ""))
        for e in events if e["involvedObject"]["name"] == name
    }


def test_every_bound_pod_was_lived(lived: Lived) -> None:
    assert {name for name in lived.recorded if not name.startswith("pending")} == set(lived.ours)


def test_statuses_go_as_upstreams(lived: Lived) -> None:
    wrong = {}
    for name, pods in lived.ours.items():
        expected, got = aspects(lived.recorded[name]), aspects(pods)
        assert expected.keys() == got.keys(), name
        for aspect, values in expected.items():
            common = min(len(values), len(got[aspect]))
            if values[:common] != got[aspect][:common] or len(got[aspect]) < len(values) - 1:
                wrong[name, aspect] = (values, got[aspect])
    assert wrong.keys() == {key for key in DIFFERENCES if key[1] != "events"}, wrong


def test_events_are_upstreams(lived: Lived) -> None:
    wrong = {}
    for name in lived.ours:
        expected, got = events_of(lived.recorded_events, name), events_of(lived.our_events, name)
        if expected != got:
            wrong[name] = (expected - got, got - expected)
    assert wrong.keys() == {name for name, aspect in DIFFERENCES if aspect == "events"}, wrong


def test_a_deadline_is_told_of_at_each_step_of_the_end(lived: Lived) -> None:
    counts = [[e.get("count") for e in told if e["reason"] == "DeadlineExceeded"] for told in (lived.recorded_events, lived.our_events)]
    assert counts[0][-1:] == counts[1][-1:]


@pytest.mark.parametrize("name", ["crashloop", "always-completes", "liveness", "init-fails", "bad-command", "pull-fails"])
def test_a_wait_is_told_of_about_as_often(lived: Lived, name: str) -> None:
    """Upstream's waits are longer, by chance, and in its first seconds it looks once more than it must."""
    def count(told: list[dict[str, Any]]) -> int:
        return int([e["count"] for e in told if e["reason"] == "BackOff" and e["involvedObject"]["name"] == name][-1])

    assert abs(count(lived.recorded_events) - count(lived.our_events)) <= 2


STEADY = ("runs", "completes", "oom", "readiness", "inits", "sidecar", "nonroot", "pull-fails")


@pytest.mark.parametrize("name", STEADY)
def test_last_statuses_have_upstreams_members(lived: Lived, name: str) -> None:
    """The same members at every level, but for what a recording cannot have."""
    ignored = {"volumeMounts", "managedFields", "lastProbeTime", "user"}  # the last is of containerd 2, the recording of 1.6

    def members(value: Any, path: str = "") -> set[str]:
        if isinstance(value, dict):
            return {p for key, each in value.items() if key not in ignored for p in {f"{path}.{key}"} | members(each, f"{path}.{key}")}
        if isinstance(value, list):
            return {p for each in value for p in members(each, path)}
        return set()

    def last(pods: list[dict[str, Any]]) -> set[str]:
        status = dict(pods[-1]["status"])
        if status.get("resources", {}).get("limits") == UNLIMITED:
            status["resources"] = {}
        return members(status)

    assert last(lived.ours[name]) == last(lived.recorded[name])

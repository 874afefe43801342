"""Pods that write more than they may go; a node that runs short says so."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kubelet_harness import Node

from wherry.api.types import core_v1
from wherry.kubelet.admission import admit
from wherry.kubelet.eviction.local_storage import DiskUse, exceeded, is_limited
from wherry.kubelet.eviction.manager import disk_use, read_node
from wherry.kubelet.eviction.pressure import DISK, GIB, MEMORY, MIB, Observation, PodMemory, first_to_go, message, pressures
from wherry.kubelet.machine import Machine
from wherry.kubelet.node_status import make_conditions
from wherry.kubelet.podutil import pod_totals


def pod(spec: dict[str, Any] | None = None, name: str = "p") -> core_v1.Pod:
    whole = {"containers": [{"name": "c", "image": "i"}], **(spec or {})}
    return msgspec.convert({"metadata": {"name": name, "uid": name}, "spec": whole}, core_v1.Pod)


def container(**resources: dict[str, str]) -> dict[str, Any]:
    return {"name": "c", "image": "i", "resources": resources}


def volume(**source: str) -> dict[str, Any]:
    return {"volumes": [{"name": "v", "emptyDir": source}]}


LIMITED = {"containers": [container(limits={"ephemeral-storage": "1Mi"})]}
TWO = {"containers": [container(limits={"ephemeral-storage": "1Mi"}), {**container(limits={"ephemeral-storage": "3Mi"}), "name": "d"}]}


@pytest.mark.parametrize(("spec", "use", "why"), [
    pytest.param(volume(sizeLimit="1Mi"), DiskUse({"v": MIB}), None, id="at its limit"),
    pytest.param(volume(sizeLimit="1Mi"), DiskUse({"v": MIB + 1}), 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". ', id="over it"),
    pytest.param(volume(), DiskUse({"v": GIB}), None, id="without a limit"),
    pytest.param(volume(sizeLimit="1Mi", medium="Memory"), DiskUse({"v": GIB}), None, id="in memory"),
    pytest.param(LIMITED, DiskUse({}, {"c": MIB + 1}),
                 "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ", id="the Pod's total"),
    pytest.param({**LIMITED, **volume()}, DiskUse({"v": MIB}, {"c": 1}),
                 "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ", id="volumes count for the total"),
    pytest.param(TWO, DiskUse({}, {"c": 2 * MIB, "d": 0}),
                 'Container c exceeded its local ephemeral storage limit "1Mi". ', id="one container's own"),
    pytest.param(TWO, DiskUse({}, {"c": MIB, "d": 3 * MIB}), None, id="each within its own"),
])
def test_what_a_pod_may_write(spec: dict[str, Any], use: DiskUse, why: str | None) -> None:
    assert exceeded(pod(spec), use) == why


@pytest.mark.parametrize(("spec", "limited"), [
    pytest.param({}, False, id="nothing"), pytest.param(volume(), False, id="a volume without limit"),
    pytest.param(volume(sizeLimit="1Mi"), True, id="a volume's limit"), pytest.param(LIMITED, True, id="a container's limit"),
])
def test_only_pods_with_a_limit_are_measured(spec: dict[str, Any], limited: bool) -> None:
    assert is_limited(pod(spec)) is limited


@pytest.mark.parametrize(("seen", "found"), [
    pytest.param(Observation(GIB, 8 * GIB, 50 * GIB, 100 * GIB, 90, 100), set(), id="plenty"),
    pytest.param(Observation(99 * MIB, 8 * GIB, 50 * GIB, 100 * GIB), {MEMORY}, id="memory"),
    pytest.param(Observation(GIB, 8 * GIB, GIB - 1, 100 * GIB), {DISK}, id="a large disk's last gibibyte"),
    pytest.param(Observation(GIB, 8 * GIB, GIB // 2, 2 * GIB), set(), id="a small disk, half of it free"),
    pytest.param(Observation(GIB, 8 * GIB, 5 * MIB, 200 * MIB), {DISK}, id="a small disk, nearly full"),
    pytest.param(Observation(GIB, 8 * GIB, 50 * GIB, 100 * GIB, 4, 100), {DISK}, id="inodes"),
    pytest.param(Observation(0, 0), set(), id="nothing known"),
])
def test_when_a_node_runs_short(seen: Observation, found: set[str]) -> None:
    assert pressures(seen) == found


def test_who_goes_first() -> None:
    asked = {"containers": [container(requests={"memory": "100Mi"})]}
    critical = PodMemory(pod({"priority": 2_000_001_000}, "critical"), 4 * GIB)
    within = PodMemory(pod({**asked, "priority": -5}, "within"), 90 * MIB)
    over = PodMemory(pod({**asked, "priority": 7}, "over"), 110 * MIB)
    far_over = PodMemory(pod({"priority": 7}, "far over"), 120 * MIB, {"c": 120 * MIB})
    idle = PodMemory(pod({}, "idle"), 0)
    order = []
    left = [critical, within, over, idle, far_over]
    while (next_one := first_to_go(left)) is not None:
        order.append(next_one.pod.metadata.name)
        left.remove(next_one)
    assert order == ["far over", "over", "within"]
    assert message(far_over, 95 * MIB) == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 95Mi. "
        "Container c was using 120Mi, request is 0, has larger consumption of memory. "
    )


def test_conditions_tell_of_pressure() -> None:
    made = {each["type"]: (each["status"], each["reason"]) for each in make_conditions([], "now", "", {MEMORY})}
    assert made == {
        "MemoryPressure": ("True", "KubeletHasInsufficientMemory"), "DiskPressure": ("False", "KubeletHasNoDiskPressure"),
        "PIDPressure": ("False", "KubeletHasSufficientPID"), "Ready": ("True", "KubeletReady"),
    }


def test_disk_use_counts_what_is_there_once(tmp_path: Path) -> None:
    before = disk_use(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(b"x" * 100_000)
    (tmp_path / "b").hardlink_to(tmp_path / "sub" / "a")
    assert 100_000 <= disk_use(tmp_path) - before < 130_000
    assert disk_use(tmp_path / "nowhere") == 0


def test_the_node_is_measured(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 8 kB\nMemAvailable: 4 kB\n")
    seen = read_node(tmp_path / "not" / "there", tmp_path)
    assert (seen.memory_capacity, seen.memory_available) == (8192, 4096)
    assert seen.disk_capacity >= seen.disk_available > 0


async def test_a_pod_over_its_limit_is_evicted(node: Node) -> None:
    await node.create_pod("p", {
        "containers": [{"name": "c", "image": "busybox:1.36", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
        "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}],
    })
    await node.until(lambda: node.phase("p") == "Running")
    kubelet = node.kubelet
    assert kubelet is not None
    path = kubelet.volumes.paths(node.pod("p")["metadata"]["uid"])["v"]  # type: ignore[index]
    await kubelet.eviction.synchronize()
    await node.run(1.0)
    assert node.phase("p") == "Running"
    await asyncio.to_thread((path / "big").write_bytes, b"x" * (2 << 20))
    await kubelet.eviction.synchronize()
    await node.until(lambda: node.phase("p") == "Failed")
    status = node.pod("p")["status"]  # type: ignore[index]
    words = 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". '
    assert (status["reason"], status["message"]) == ("Evicted", words)
    assert node.container("p")["state"].keys() == {"terminated"}
    await node.run(1.0)
    assert [(e.type, e.reason, e.message) for e in await node.events("p") if e.reason == "Evicted"] == [("Warning", "Evicted", words)]


async def test_a_node_tells_of_pressure_at_once(node: Node) -> None:
    await node.run(0.5)
    assert node.kubelet is not None
    kubelet = node.kubelet
    low = Observation(MIB, 8 * GIB)
    kubelet.eviction.observe = lambda: low
    await kubelet.eviction.synchronize()
    await node.run(0.5)
    found = await node.client.get(core_v1.Node, "n1")
    assert {c.type for c in found.status.conditions if c.status == "True"} == {"MemoryPressure", "Ready"}
    told = [event.reason for event in await node.events("n1", "default")]
    assert "NodeHasInsufficientMemory" in told
    kubelet.eviction.observe = lambda: Observation(GIB, 8 * GIB)
    await kubelet.eviction.synchronize()
    await node.run(0.5)
    found = await node.client.get(core_v1.Node, "n1")
    assert {c.type for c in found.status.conditions if c.status == "True"} == {"Ready"}


@pytest.mark.parametrize(("context", "machine", "reason"), [
    pytest.param({"appArmorProfile": {"type": "RuntimeDefault"}}, Machine(), "AppArmor", id="AppArmor is off"),
    pytest.param({"appArmorProfile": {"type": "RuntimeDefault"}}, Machine(apparmor=True), "AppArmor", id="AppArmor is on"),
    pytest.param({"appArmorProfile": {"type": "Unconfined"}}, Machine(), None, id="not confined"),
    pytest.param({"seLinuxOptions": {"level": "s0"}}, Machine(), None, id="SELinux is off"),
    pytest.param({"seLinuxOptions": {"level": "s0"}}, Machine(selinux=True), "SELinuxNotSupported", id="SELinux is on"),
])
@pytest.mark.parametrize("place", ["pod", "container"])
def test_what_cannot_be_enforced_is_refused(context: dict[str, Any], machine: Machine, reason: str | None, place: str) -> None:
    spec = {"securityContext": context} if place == "pod" else {"containers": [{"name": "c", "image": "i", "securityContext": context}]}
    refused = admit(pod(spec), [], {"pods": "110"}, machine)
    assert (refused.reason if refused else None) == reason


@pytest.mark.parametrize(("taken", "refused"), [
    pytest.param({"hostPort": 80}, True, id="the same"),
    pytest.param({"hostPort": 80, "hostIP": "127.0.0.1"}, True, id="one of all addresses"),
    pytest.param({"hostPort": 80, "protocol": "UDP"}, False, id="another protocol"),
    pytest.param({"hostPort": 81}, False, id="another port"),
])
def test_a_port_of_the_host_is_given_once(taken: dict[str, Any], refused: bool) -> None:
    def listens(port: dict[str, Any]) -> core_v1.Pod:
        return pod({"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 1, **port}]}]})

    found = admit(listens({"hostPort": 80}), [listens(taken)], {"pods": "110"}, Machine())
    assert (found.reason if found else None) == ("NodePorts" if refused else None)


def test_a_pods_own_limit_is_its_limit() -> None:
    whole = {"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2", "memory": "1Gi"}}}
    assert pod_totals(pod(whole)) == ({"cpu": "1"}, {"cpu": "2", "memory": "1Gi"})
    mixed = {"containers": [container(limits={"memory": "1Gi"}), {"name": "d", "image": "i"}]}
    assert pod_totals(pod(mixed)) == ({}, {})

"""Resize in place: what the node promises, when not yet, when never, and what it says of it; and whom it does not take at all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kubelet_harness import Node, cluster

from wherry.api.types import core_v1
from wherry.kubelet.admission import admit
from wherry.kubelet.allocation import asked, given
from wherry.kubelet.machine import Machine
from wherry.runtime.fake import FakeRuntime, Script
from wherry.runtime.interface import ContainerConfig, Resources, RuntimeFault, SandboxConfig
from wherry.util.clock import FakeClock

STRATEGIC = "application/strategic-merge-patch+json"


class Runtime(FakeRuntime):
    fault = ""
    memory = 1 << 20

    async def update_container_resources(self, container_id: str, resources: Resources) -> None:
        if self.fault:
            raise RuntimeFault(self.fault)
        await super().update_container_resources(container_id, resources)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    def runtime(clock: FakeClock) -> FakeRuntime:
        def script(config: ContainerConfig, sandbox: SandboxConfig) -> Script:
            return Script(memory=40 << 20)

        return Runtime(clock, script)

    async with cluster(tmp_path, runtime) as node:
        node.runtime.images.add("busybox:1.36")
        node.start()
        yield node


def sized(cpu: str, memory: str = "100Mi") -> dict[str, Any]:
    resources = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": cpu, "memory": memory}}
    return {"containers": [{"name": "c", "image": "busybox:1.36", "resources": resources}]}


async def make(node: Node, name: str, cpu: str, memory: str = "100Mi", **spec: Any) -> None:
    await node.create_pod(name, {**sized(cpu, memory), **spec})
    await node.until(lambda: node.condition(name, "Ready") == "True", 5)


async def resize(node: Node, name: str, cpu: str, memory: str = "100Mi") -> None:
    body = json.dumps({"spec": sized(cpu, memory)}).encode()
    answer = await node.client.raw("PATCH", f"/api/v1/namespaces/life/pods/{name}/resize", body=body, content_type=STRATEGIC)
    assert answer.status == 200, answer.body
    await node.run(1)


def condition(node: Node, name: str, kind: str) -> tuple[Any, ...] | None:
    pod = node.pod(name) or {}
    found = [c for c in pod["status"]["conditions"] if c["type"] == kind]
    return tuple(found[0].get(key) for key in ("status", "reason", "message", "observedGeneration")) if found else None


def cpu_of(node: Node, name: str) -> str:
    return str(node.container(name)["resources"]["requests"]["cpu"])


async def events(node: Node, name: str) -> list[tuple[str, str, str]]:
    found = [each for each in await node.events(name) if each.reason.startswith("Resize")]
    found.sort(key=lambda each: int(each.metadata.resource_version))
    return [(each.type, each.reason, each.message) for each in found]


def message(told: str, cpu: str, generation: int, error: str = "", memory: str = "100Mi") -> str:
    amounts = f'{{"cpu":"{cpu}","memory":"{memory}"}}'
    told = f'{told}: {{"containers":[{{"name":"c","resources":{{"limits":{amounts},"requests":{amounts}}}}}],"generation":{generation}'
    return f'{told},"error":"{error}"}}' if error else f"{told}}}"


async def test_a_resize_is_told_from_beginning_to_end(node: Node) -> None:
    await make(node, "p", "500m")
    await resize(node, "p", "1")
    seen = [
        [c["type"] for c in pod["status"]["conditions"] if c["type"].startswith("PodResize")] for _, pod in node.seen
        if pod["metadata"].get("generation") == 2 and pod["status"].get("observedGeneration") == 2
    ]
    assert ["PodResizeInProgress"] in seen
    assert (seen[-1], cpu_of(node, "p")) == ([], "1")
    assert await events(node, "p") == [
        ("Normal", "ResizeStarted", message("Pod resize started", "1", 2)),
        ("Normal", "ResizeCompleted", message("Pod resize completed", "1", 2)),
    ]


async def test_what_the_node_could_never_give_is_infeasible(node: Node) -> None:
    await make(node, "p", "500m")
    await resize(node, "p", "3")
    why = "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000"
    assert condition(node, "p", "PodResizePending") == ("True", "Infeasible", why, 2)
    assert (cpu_of(node, "p"), node.container("p")["allocatedResources"]["cpu"]) == ("500m", "500m")
    await resize(node, "p", "3", "9Gi")
    memory = f"Node didn't have enough capacity: memory, requested: {9 << 30}, capacity: {8 << 30}"
    assert condition(node, "p", "PodResizePending") == ("True", "Infeasible", memory, 3), "memory is told before CPU"
    await resize(node, "p", "500m")
    assert condition(node, "p", "PodResizePending") is None, "the wish was taken back"
    assert await events(node, "p") == [
        ("Warning", "ResizeInfeasible", message("Pod resize Infeasible", "3", 2, why)),
        ("Warning", "ResizeInfeasible", message("Pod resize Infeasible", "3", 3, memory, "9Gi")),
    ]


async def test_what_the_node_cannot_give_yet_waits_for_room(node: Node) -> None:
    await make(node, "other", "1")
    await make(node, "p", "500m")
    await resize(node, "p", "1500m")
    why = "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"
    assert condition(node, "p", "PodResizePending") == ("True", "Deferred", why, 2)
    assert cpu_of(node, "p") == "500m"
    await node.delete("other", 0)
    await node.run(1)
    assert (condition(node, "p", "PodResizePending"), cpu_of(node, "p")) == (None, "1500m")
    assert [reason for _, reason, _ in await events(node, "p")] == ["ResizeDeferred", "ResizeStarted", "ResizeCompleted"]


async def test_room_goes_to_the_more_important_first(node: Node) -> None:
    """Both wait; the second has the higher priority, so the room is its."""
    await make(node, "other", "1")
    await make(node, "first", "300m")
    await make(node, "second", "300m")
    by_uid = {(node.pod(name) or {})["metadata"]["uid"]: name for name in ("first", "second")}
    assert node.kubelet is not None
    for uid, pod in list(node.kubelet._by_uid.items()):  # what PriorityClasses would have made of them
        if by_uid.get(uid) == "second":
            node.kubelet._by_uid[uid] = msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, priority=7))
    wish = core_v1.ResourceRequirements(requests={"cpu": "1500m"}, limits={"cpu": "1500m"})
    for name in ("first", "second"):
        pod = next(each for each in node.kubelet.pods() if each.metadata.name == name)
        container = msgspec.structs.replace(pod.spec.containers[0], resources=wish)
        spec = msgspec.structs.replace(pod.spec, containers=[container])
        node.kubelet._pod_updated(pod, msgspec.structs.replace(pod, spec=spec))
    assert list(node.kubelet.allocation._deferred) == list(by_uid), "both wait, in the order they came"
    other = next(each for each in node.kubelet.pods() if each.metadata.name == "other")
    node.kubelet._pod_deleted(other)
    assert [by_uid[uid] for uid in node.kubelet.allocation._deferred] == ["first"]


async def test_a_resize_that_fails_says_why_and_is_tried_again(node: Node) -> None:
    await make(node, "p", "500m")
    runtime = node.runtime
    assert isinstance(runtime, Runtime)
    runtime.fault = "the cgroup is busy"
    await resize(node, "p", "1")
    assert condition(node, "p", "PodResizeInProgress") == ("True", "Error", "the cgroup is busy", 2)
    runtime.fault = ""
    await node.run(20)
    assert (condition(node, "p", "PodResizeInProgress"), cpu_of(node, "p")) == (None, "1")
    assert [(kind, reason) for kind, reason, _ in await events(node, "p")] == [
        ("Normal", "ResizeStarted"), ("Warning", "ResizeError"), ("Normal", "ResizeCompleted"),
    ]


async def test_memory_in_use_is_not_taken_away(node: Node) -> None:
    await make(node, "p", "500m")
    await resize(node, "p", "500m", "30Mi")
    why = f'attempting to set container "c" memory limit ({30 << 20}) below current usage ({40 << 20})'
    assert condition(node, "p", "PodResizeInProgress") == ("True", "Error", why, 2)
    assert node.container("p")["resources"]["limits"]["memory"] == "100Mi"
    await resize(node, "p", "500m", "50Mi")
    assert condition(node, "p", "PodResizeInProgress") is None
    assert node.container("p")["resources"]["limits"]["memory"] == "50Mi"


async def test_another_life_of_the_kubelet_promises_no_more(node: Node) -> None:
    await make(node, "other", "1")
    await make(node, "p", "500m")
    await resize(node, "p", "1500m")
    await node.stop()
    node.start()
    await node.run(2)
    assert (condition(node, "p", "PodResizePending") or ())[:2] == ("True", "Deferred")
    assert cpu_of(node, "p") == "500m"
    await node.create_pod("q", sized("500m"))
    await node.until(lambda: node.condition("q", "Ready") == "True", 5)


def test_what_is_known_of_an_earlier_promise() -> None:
    def pod(status: dict[str, Any]) -> core_v1.Pod:
        return msgspec.convert({"metadata": {"name": "p"}, "spec": sized("2"), "status": status}, core_v1.Pod)

    told = {"name": "c", "resources": {"requests": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1"}, "limits": {"cpu": "1"}}}
    known = given(pod({"containerStatuses": [{**told, "containerID": "x://1"}]})).containers["c"]
    assert (known.requests, known.limits) == ({"cpu": "1", "memory": "1Gi"}, {"cpu": "1", "memory": "100Mi"})
    for status in ({}, {"containerStatuses": [told]}):
        assert given(pod(status)) == asked(pod(status)), "what never ran has what it asks for"


# Whom the node does not take ---------------------------------------------------------------------------

NODE = msgspec.convert({
    "metadata": {"name": "n1", "labels": {"disk": "ssd"}}, "spec": {"taints": [
        {"key": "keep-off", "effect": "NoSchedule"}, {"key": "leave", "value": "now", "effect": "NoExecute"}]},
}, core_v1.Node)
TOLERATES = [{"key": "leave", "operator": "Exists"}]
REQUIRED = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
    {"matchExpressions": [{"key": "disk", "operator": "NotIn", "values": ["ssd"]}]}]}}}
NOT_MINE = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
TAINTED = "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"


@pytest.mark.parametrize(("spec", "refused"), [
    pytest.param({"tolerations": TOLERATES}, None, id="fits; NoSchedule is the scheduler's"),
    pytest.param({}, ("TaintToleration", TAINTED), id="does not bear the taint"),
    pytest.param({"nodeSelector": {"disk": "hdd"}}, ("NodeAffinity", NOT_MINE), id="selector, told before the taint"),
    pytest.param({"affinity": REQUIRED, "tolerations": TOLERATES}, ("NodeAffinity", NOT_MINE), id="affinity"),
    pytest.param({"nodeSelector": {"disk": "hdd"}, **sized("3")},
                 ("OutOfcpu", "Node didn't have enough resource: cpu, requested: 3000, used: 0, capacity: 2000"), id="resources are first"),
    pytest.param({"containers": [{"name": "c", "image": "i", "resources": {"limits": {"example.com/a": "2"}, "requests": {"example.com/a": "2"}}}]},
                 ("OutOfexample.com/a", "Node didn't have enough resource: example.com/a, requested: 2, used: 0, capacity: 1"), id="extended"),
    pytest.param({"containers": [{"name": "c", "image": "i", "resources": {"requests": {"example.com/b": "2"}}}], "tolerations": TOLERATES},
                 None, id="an extended resource that the node does not know"),
])
def test_what_the_kubelet_refuses(spec: dict[str, Any], refused: tuple[str, str] | None) -> None:
    whole = {"containers": [{"name": "c", "image": "i"}], **spec}
    pod = msgspec.convert({"metadata": {"name": "p", "uid": "u"}, "spec": whole}, core_v1.Pod)
    found = admit(pod, [], {"pods": "1", "cpu": "2", "memory": "8Gi", "example.com/a": "1"}, Machine(), (), NODE)
    assert (None if found is None else (found.reason, found.message)) == refused


def test_a_pod_that_says_by_label_that_it_is_for_another_system() -> None:
    pod = msgspec.convert({"metadata": {"name": "p", "labels": {"kubernetes.io/os": "windows"}}, "spec": {"containers": []}}, core_v1.Pod)
    found = admit(pod, [], {"pods": "1"}, Machine())
    assert found is not None
    assert found.reason == "PodOSSelectorNodeLabelDoesNotMatch"


async def test_a_pod_for_other_nodes_fails_unless_the_labels_are_only_late(node: Node) -> None:
    await node.create_pod("p", {"nodeSelector": {"disk": "ssd"}})
    await node.run(1)
    status = (node.pod("p") or {})["status"]
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "NodeAffinity", f"Pod was rejected: {NOT_MINE}")
    assert [(each.type, each.reason, each.message) for each in await node.events("p")] == [("Warning", "NodeAffinity", NOT_MINE)]

    assert node.kubelet is not None
    stale = node.kubelet._nodes.store.get("n1")
    await node.client.patch(core_v1.Node, "n1", {"metadata": {"labels": {"disk": "ssd"}}})
    node.kubelet._nodes.store.get = lambda name, namespace="": stale  # type: ignore[method-assign]
    await node.create_pod("q", {"nodeSelector": {"disk": "ssd"}})
    await node.until(lambda: node.condition("q", "Ready") == "True", 5)


async def test_a_pod_bound_by_hand_to_a_node_that_sends_all_away(node: Node) -> None:
    await node.run(1)
    await node.client.patch(core_v1.Node, "n1", {"spec": {"taints": [{"key": "leave", "effect": "NoExecute"}]}})
    await node.run(1)
    await node.create_pod("p")
    await node.create_pod("q", {"tolerations": TOLERATES})
    await node.until(lambda: node.condition("q", "Ready") == "True", 5)
    status = (node.pod("p") or {})["status"]
    assert (status["reason"], status["message"]) == ("TaintToleration", f"Pod was rejected: {TAINTED}")

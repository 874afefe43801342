"""Pods end to end: a real API server, the kubelet, the fake runtime, a clock that moves when told."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kubelet_harness import Node, cluster

from wherry.api.types import core_v1
from wherry.kubelet.kubelet import Kubelet
from wherry.kubelet.pod_sync import PodSync
from wherry.runtime.fake import FakeRuntime, Script
from wherry.runtime.interface import ContainerConfig, ContainerState, SandboxConfig

MERGE = "application/merge-patch+json"


def kubelet(node: Node) -> Kubelet:
    assert node.kubelet is not None
    return node.kubelet


async def running(node: Node, name: str = "p") -> None:
    await node.until(lambda: node.condition(name, "Ready") == "True", 5)


async def patch(node: Node, path: str, body: dict[str, Any]) -> None:
    await node.client.raw("PATCH", path, body=json.dumps(body).encode(), content_type=MERGE)


def volume_file(node: Node, name: str, kind: str, volume: str, path: str) -> Path:
    pod = node.pod(name)
    assert pod is not None
    return node.root / "pods" / pod["metadata"]["uid"] / "volumes" / f"kubernetes.io~{kind}" / volume / path


def mounts(volume: dict[str, Any], **mount: Any) -> dict[str, Any]:
    """A Pod's spec with one volume `v`, mounted at /v."""
    container = {"name": "c", "image": "busybox:1.36", "volumeMounts": [{"name": "v", "mountPath": "/v", **mount}]}
    return {"containers": [container], "volumes": [{"name": "v", **volume}]}


# Life and death ------------------------------------------------------------------------------------


async def test_a_pod_runs_and_goes_and_leaves_nothing(node: Node) -> None:
    await node.create_pod("p")
    await running(node)
    pod = node.pod("p")
    assert pod is not None
    assert pod["status"]["phase"] == "Running"
    await node.delete("p")
    await node.until(lambda: node.pod("p") is None, 5)
    await node.run(1)
    assert not kubelet(node).cache.uids()
    assert not (node.root / "pods" / pod["metadata"]["uid"]).exists()
    assert not kubelet(node).statuses.known()
    assert not kubelet(node).workers.known()  # type: ignore[union-attr]


async def test_a_pod_is_ready_at_once(node: Node) -> None:
    """Nothing polls: no simulated time passes between creation and readiness."""
    before = node.clock.time()
    await node.create_pod("p")
    await node.clock.settle(400)
    assert node.condition("p", "Ready") == "True"
    assert node.clock.time() == before


async def test_deletion_waits_for_the_grace_period(node: Node) -> None:
    await node.create_pod("p", {"terminationGracePeriodSeconds": 5}, annotations={"wherry.dev/fake-term-seconds": "-1"})
    await running(node)
    await node.delete("p")
    await node.run(4.5)
    assert node.phase("p") == "Running"
    await node.run(1.5)
    assert node.pod("p") is None


async def test_a_second_deletion_shortens_the_grace_period(node: Node) -> None:
    await node.create_pod("p", {"terminationGracePeriodSeconds": 60}, annotations={"wherry.dev/fake-term-seconds": "-1"})
    await running(node)
    await node.delete("p")
    await node.run(3)
    await node.delete("p", 1)
    await node.run(2.5)
    assert node.pod("p") is None


async def test_forced_deletion_stops_the_container_soon(node: Node) -> None:
    await node.create_pod("p", {"terminationGracePeriodSeconds": 60}, annotations={"wherry.dev/fake-term-seconds": "-1"})
    await running(node)
    await node.delete("p", 0)
    await node.run(0.2)
    assert node.pod("p") is None
    await node.run(1.5)
    assert kubelet(node).cache.uids()
    await node.run(1)
    assert not kubelet(node).cache.uids()


async def test_what_has_ended_is_not_ended_again(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server marks a Pod once more before it goes: that is no news for a kubelet that asked for it."""
    ended, end = [], PodSync.sync_terminated_pod

    async def count(self: PodSync, pod: core_v1.Pod | None, uid: str) -> None:
        ended.append(uid)
        await end(self, pod, uid)

    monkeypatch.setattr(PodSync, "sync_terminated_pod", count)
    await node.create_pod("p")
    await running(node)
    await node.delete("p")
    await node.run(5)
    assert node.pod("p") is None
    assert len(ended) == 1


async def test_a_namesake_waits_until_the_old_one_is_gone(node: Node) -> None:
    await node.create_pod("p", annotations={"wherry.dev/fake-term-seconds": "3"})
    await running(node)
    first = (node.pod("p") or {})["metadata"]["uid"]
    await node.delete("p", 0)
    await node.run(0.2)
    await node.create_pod("p")
    await node.run(0.2)
    assert node.container("p")["state"] == {}
    await running(node)
    assert (node.pod("p") or {})["metadata"]["uid"] != first
    assert len(kubelet(node).cache.uids()) == 1


async def test_a_pod_that_pulls_for_long_can_be_deleted(tmp_path: Path) -> None:
    from wherry.runtime.fake.images import Pull

    async with cluster(tmp_path, lambda clock: FakeRuntime(clock, pull=lambda reference: Pull(delay=1000))) as node:
        node.start()
        await node.create_pod("p", {"containers": [{"name": "c", "image": "slow:1"}]})
        await node.run(2)
        assert node.container("p")["state"] == {"waiting": {"reason": "ContainerCreating"}}
        await node.delete("p")
        await node.run(1)
        assert node.pod("p") is None


async def test_a_container_killed_from_outside_is_started_again(node: Node) -> None:
    await node.create_pod("p")
    await running(node)
    (container,) = await node.runtime.list_containers()
    await node.runtime.kill(container.id)
    await node.until(lambda: node.container("p").get("restartCount") == 1, 3)
    await running(node)
    assert node.container("p")["lastState"]["terminated"]["exitCode"] == 137


async def test_a_sandbox_that_died_is_made_again(node: Node) -> None:
    await node.create_pod("p")
    await running(node)
    (sandbox,) = await node.runtime.list_pod_sandboxes()
    await node.runtime.stop_pod_sandbox(sandbox.id)
    await node.until(lambda: node.container("p").get("restartCount") == 1, 3)
    await running(node)
    newest = max(await node.runtime.list_pod_sandboxes(), key=lambda s: s.config.attempt)
    assert newest.config.attempt == 1
    assert (node.pod("p") or {})["status"]["podIP"] == newest.ips[0]
    assert "SandboxChanged" in {event.reason for event in await node.events("p")}


async def test_back_off_is_forgotten_after_ten_good_minutes(node: Node) -> None:
    await node.create_pod("p", annotations={"wherry.dev/fake-run-seconds": "1", "wherry.dev/fake-exit-code": "1"})
    await node.until(lambda: node.container("p")["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff", 10)
    assert "back-off 10s" in node.container("p")["state"]["waiting"]["message"]
    count = node.container("p")["restartCount"]
    await node.until(lambda: node.container("p")["restartCount"] > count, 12)


# Restart of the kubelet ------------------------------------------------------------------------------


async def test_a_new_kubelet_goes_on_with_what_runs(node: Node) -> None:
    await node.create_pod("p")
    await running(node)
    before = node.container("p")
    await node.stop()
    assert [c.state for c in await node.runtime.list_containers()] == [ContainerState.RUNNING]
    node.start()
    await node.run(3)
    assert node.container("p") == before
    assert len(await node.runtime.list_pod_sandboxes()) == 1
    started = [e for e in await node.events("p") if e.reason == "Started"]
    assert [e.count for e in started] == [1]


async def test_what_ended_meanwhile_is_noticed(node: Node) -> None:
    await node.create_pod("p")
    await running(node)
    await node.stop()
    (container,) = await node.runtime.list_containers()
    await node.runtime.kill(container.id, 7)
    node.start()
    await node.until(lambda: node.container("p").get("restartCount") == 1, 3)
    assert node.container("p")["lastState"]["terminated"]["exitCode"] == 7


async def test_pods_deleted_meanwhile_are_stopped(node: Node) -> None:
    await node.create_pod("p")
    await running(node)
    await node.stop()
    await node.delete("p", 0)
    node.start()
    await node.run(3)
    assert await node.runtime.list_containers() == []
    assert await node.runtime.list_pod_sandboxes() == []
    assert list((node.root / "pods").iterdir()) == []


async def test_a_pod_that_had_ended_stays_ended(node: Node) -> None:
    await node.create_pod("p", {"restartPolicy": "Never"}, annotations={"wherry.dev/fake-run-seconds": "1"})
    await node.until(lambda: node.phase("p") == "Succeeded", 5)
    await node.stop()
    told = len(node.seen)
    node.start()
    await node.run(3)
    assert node.phase("p") == "Succeeded"
    assert len(node.seen) == told
    await node.delete("p")
    await node.run(1)
    assert node.pod("p") is None


# Quiet -----------------------------------------------------------------------------------------------


async def test_nothing_is_written_while_nothing_happens(node: Node) -> None:
    await node.create_pod("p")
    await running(node)
    await node.run(1)
    told = len(node.seen)
    await node.run(200, 1)
    assert len(node.seen) == told


# Probes ----------------------------------------------------------------------------------------------


def probed(kind: str, **probe: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "busybox:1.36", kind: {"exec": {"command": ["x"]}, **probe}}]}


async def test_readiness_decides_about_traffic(node: Node) -> None:
    await node.create_pod("p", probed("readinessProbe", periodSeconds=1), annotations={"wherry.dev/fake-exec-exit-code": "1"})
    await node.run(5)
    assert node.container("p")["ready"] is False
    assert node.container("p")["started"] is True


async def test_no_probe_misses_its_period(node: Node) -> None:
    for number in range(20):
        await node.create_pod(f"p{number}", probed("livenessProbe", periodSeconds=2))
    await node.run(40, 0.5)
    workers = list(kubelet(node).probes._workers.values())
    assert len(workers) == 20
    for worker in workers:
        gaps = [b - a for a, b in zip(worker.started_at, worker.started_at[1:], strict=False)]
        assert gaps == pytest.approx([2.0] * 9)


async def test_initial_delay(node: Node) -> None:
    spec = probed("livenessProbe", periodSeconds=1, initialDelaySeconds=10, failureThreshold=1)
    await node.create_pod("p", spec, annotations={"wherry.dev/fake-exec-exit-code": "1"})
    await node.run(9)
    assert node.container("p")["restartCount"] == 0
    await node.run(4)
    assert node.container("p")["restartCount"] == 1


async def test_readiness_gates_are_waited_for(node: Node) -> None:
    await node.create_pod("p", {"readinessGates": [{"conditionType": "example.org/g"}]})
    await node.run(1)
    assert (node.condition("p", "ContainersReady"), node.condition("p", "Ready")) == ("True", "False")
    body = {"status": {"conditions": [{"type": "example.org/g", "status": "True"}]}}
    path = "/api/v1/namespaces/life/pods/p/status"
    await node.client.raw("PATCH", path, body=json.dumps(body).encode(), content_type="application/strategic-merge-patch+json")
    await running(node)
    assert node.condition("p", "example.org/g") == "True"


# Volumes ---------------------------------------------------------------------------------------------


async def test_a_config_map_volume_follows_its_config_map(node: Node) -> None:
    await node.create({"kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"k": "1"}})
    await node.create_pod("p", mounts({"configMap": {"name": "m"}}))
    await running(node)
    file = volume_file(node, "p", "configmap", "v", "k")
    assert file.read_text() == "1"
    await patch(node, "/api/v1/namespaces/life/configmaps/m", {"data": {"k": "2", "l": "3"}})
    await node.run(0.5)
    assert file.read_text() == "2"
    assert (file.parent / "l").read_text() == "3"
    (container,) = await node.runtime.list_containers()
    assert str(file.parent) in {mount.host_path for mount in container.config.mounts}


async def test_a_pod_starts_as_soon_as_its_secret_is_there(node: Node) -> None:
    await node.create_pod("p", mounts({"secret": {"secretName": "s"}}))
    await node.run(10)
    assert node.container("p")["state"] == {"waiting": {"reason": "ContainerCreating"}}
    (event,) = [e for e in await node.events("p") if e.reason == "FailedMount"]
    assert event.message == 'MountVolume.SetUp failed for volume "v" : secret "s" not found'
    data = {"k": base64.b64encode(b"x").decode()}
    await node.create({"kind": "Secret", "metadata": {"name": "s"}, "data": data})
    await node.run(0.5)
    assert node.condition("p", "Ready") == "True"


async def test_an_unsupported_volume_is_refused_in_clear_words(node: Node) -> None:
    await node.create_pod("p", mounts({"nfs": {"server": "s", "path": "/"}}))
    await node.run(2)
    (event,) = [e for e in await node.events("p") if e.reason == "FailedMount"]
    assert "volumes of kind nfs are not supported" in event.message


async def test_the_service_account_token_is_there_and_renewed(node: Node) -> None:
    await node.create_pod("p")
    await running(node)
    pod = node.pod("p") or {}
    volume = pod["spec"]["volumes"][0]["name"]
    file = volume_file(node, "p", "projected", volume, "token")
    first = file.read_text()
    assert first.count(".") == 2
    assert (file.parent / "namespace").read_text() == "life"
    assert (file.parent / "ca.crt").read_text() == "PEM"
    await node.run(0.7 * 3600, 30)
    assert file.read_text() == first
    await node.run(0.15 * 3600, 30)
    assert file.read_text() != first


async def test_sub_paths_and_their_variables(node: Node) -> None:
    spec = mounts({"emptyDir": {}}, subPathExpr="$(NAME)/logs")
    spec["containers"][0]["env"] = [{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    await node.create_pod("p", spec)
    await running(node)
    (container,) = await node.runtime.list_containers()
    (mount,) = [m for m in container.config.mounts if m.container_path == "/v"]
    assert mount.host_path.endswith("/v/p/logs")
    assert Path(mount.host_path).is_dir()


async def test_the_downward_api_follows_labels(node: Node) -> None:
    items = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    await node.create_pod("p", mounts({"downwardAPI": {"items": items}}), labels={"a": "1"})
    await running(node)
    file = volume_file(node, "p", "downward-api", "v", "labels")
    assert file.read_text() == 'a="1"'
    await patch(node, "/api/v1/namespaces/life/pods/p", {"metadata": {"labels": {"a": "2"}}})
    await node.run(0.5)
    assert file.read_text() == 'a="2"'


# What a container gets -------------------------------------------------------------------------------


async def test_the_containers_configuration(node: Node) -> None:
    await node.create({"kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}})
    container = {
        "name": "c", "image": "busybox:1.36", "command": ["sh", "-c", "echo $(A)"], "args": ["$(B)"], "workingDir": "/w",
        "env": [{"name": "A", "value": "1"}], "resources": {"limits": {"cpu": "500m", "memory": "16Mi"}},
        "ports": [{"containerPort": 80, "hostPort": 8080}],
        "securityContext": {"runAsUser": 5, "readOnlyRootFilesystem": True},
    }
    await node.create_pod("p", {"containers": [container], "hostname": "h"})
    await running(node)
    (made,) = await node.runtime.list_containers()
    config = made.config
    assert (config.command, config.args, config.working_dir) == (("sh", "-c", "echo 1"), ("$(B)",), "/w")
    envs = dict(config.envs)
    assert (envs["A"], envs["HOSTNAME"]) == ("1", "h")
    assert envs["WEB_SERVICE_PORT"] == "80"
    assert (config.resources.cpu_quota, config.resources.memory_limit) == (50_000, 16 << 20)
    assert (config.security.run_as_user, config.security.read_only_rootfs) == (5, True)
    assert node.container("p")["user"] == {"linux": {"uid": 5, "gid": 0, "supplementalGroups": [0]}}
    (sandbox,) = await node.runtime.list_pod_sandboxes()
    assert (sandbox.config.hostname, sandbox.config.dns_servers) == ("h", ("10.43.0.10",))
    assert sandbox.config.dns_searches == ("life.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.org")
    assert [(p.container_port, p.host_port, p.protocol) for p in sandbox.config.port_mappings] == [(80, 8080, "TCP")]
    hosts = next(m.host_path for m in config.mounts if m.container_path == "/etc/hosts")
    assert f"{sandbox.ips[0]}\th" in Path(hosts).read_text()


async def test_an_ephemeral_container_joins(node: Node) -> None:
    await node.create_pod("p")
    await running(node)
    old = kubelet(node).pod("life", "p")
    assert old is not None
    debug = core_v1.EphemeralContainer(name="debug", image="busybox:1.36")
    new = msgspec.structs.replace(old, spec=msgspec.structs.replace(old.spec, ephemeral_containers=[debug]))
    kubelet(node)._pod_updated(old, new)
    await node.run(1)
    (status,) = (kubelet(node).statuses.peek(old.metadata.uid) or {})["ephemeralContainerStatuses"]
    assert "running" in status["state"]


async def test_limits_change_while_a_container_runs(node: Node) -> None:
    policy = [{"resourceName": "cpu", "restartPolicy": "NotRequired"}, {"resourceName": "memory", "restartPolicy": "RestartContainer"}]
    resources = {"limits": {"cpu": "500m", "memory": "16Mi"}}
    container = {"name": "c", "image": "busybox:1.36", "resources": resources, "resizePolicy": policy}
    await node.create_pod("p", {"containers": [container]})
    await running(node)
    for change, quota, restarts in (({"cpu": "1"}, 100_000, 0), ({"cpu": "1", "memory": "32Mi"}, 100_000, 1)):
        old = kubelet(node).pod("life", "p")
        assert old is not None
        amounts = {**resources["limits"], **change}
        resized = msgspec.structs.replace(old.spec.containers[0], resources=core_v1.ResourceRequirements(limits=amounts, requests=amounts))
        spec = msgspec.structs.replace(old.spec, containers=[resized])
        kubelet(node)._pod_updated(old, msgspec.structs.replace(old, spec=spec))
        await node.run(1)
        newest = max(await node.runtime.list_containers(), key=lambda c: c.config.attempt)
        assert (newest.config.resources.cpu_quota, newest.config.attempt) == (quota, restarts)
        (sandbox,) = await node.runtime.list_pod_sandboxes()
        assert sandbox.config.cpu_quota == quota, "a container cannot have more than its Pod"
    assert newest.config.resources.memory_limit == 32 << 20


@pytest.mark.parametrize(("spec", "reason", "message"), [
    pytest.param({"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "3"}}}]}, "OutOfcpu",
                 "Node didn't have enough resource: cpu, requested: 3000, used: 0, capacity: 2000", id="too much"),
    pytest.param({"hostUsers": False}, "UserNamespacesNotSupported", "hostUsers", id="unsupported"),
])
async def test_what_the_node_cannot_take_fails(node: Node, spec: dict[str, Any], reason: str, message: str) -> None:
    await node.create_pod("p", spec)
    await node.run(1)
    status = (node.pod("p") or {})["status"]
    assert (status["phase"], status["reason"]) == ("Failed", reason)
    assert message in status["message"]
    assert {event.reason for event in await node.events("p")} == {reason}
    assert await node.runtime.list_pod_sandboxes() == []
    await node.delete("p")
    await node.run(1)
    assert node.pod("p") is None


# The node --------------------------------------------------------------------------------------------


async def test_node_status_is_told_every_five_minutes(node: Node) -> None:
    await node.run(1)
    first = await node.client.get(core_v1.Node, "n1")
    await node.run(280, 5)
    assert (await node.client.get(core_v1.Node, "n1")).metadata.resource_version == first.metadata.resource_version
    await node.run(30, 5)
    assert (await node.client.get(core_v1.Node, "n1")).metadata.resource_version != first.metadata.resource_version


# Many ------------------------------------------------------------------------------------------------


async def test_many_pods_come_and_go(tmp_path: Path) -> None:
    async with cluster(tmp_path) as node:
        node.runtime.images.add("busybox:1.36")
        node.start(max_pods=200)
        for number in range(200):
            await node.create_pod(f"p{number}")
        await node.until(lambda: all(node.condition(f"p{n}", "Ready") == "True" for n in range(200)), 10)
        for number in range(200):
            await node.delete(f"p{number}")
        await node.until(lambda: not kubelet(node).cache.uids(), 10)
        assert await node.runtime.list_pod_sandboxes() == []


async def test_a_pre_stop_hook_takes_from_the_grace_period(tmp_path: Path) -> None:
    def rule(sandbox: SandboxConfig, container: ContainerConfig) -> Script:
        return replace(Script(), term_after=None, exec_delay=lambda command: 3.0)

    async with cluster(tmp_path, lambda clock: FakeRuntime(clock, rule)) as node:
        node.runtime.images.add("busybox:1.36")
        node.start()
        hook = {"preStop": {"exec": {"command": ["sleep", "3"]}}}
        container = {"name": "c", "image": "busybox:1.36", "lifecycle": hook}
        await node.create_pod("p", {"containers": [container], "terminationGracePeriodSeconds": 10})
        await running(node)
        await node.delete("p")
        await node.run(9.5)
        assert node.phase("p") == "Running"
        await node.run(1)
        assert node.pod("p") is None


async def test_a_pod_that_ended_well_stays_so_when_its_container_is_gone(node: Node, caplog: pytest.LogCaptureFixture):
    """What was said of it counts then, an exit code of 0 included."""
    await node.create_pod("p", {"restartPolicy": "Never"}, annotations={"wherry.dev/fake-run-seconds": "1"})
    await node.until(lambda: node.phase("p") == "Succeeded")
    await node.stop()
    for container in await node.runtime.list_containers():
        await node.runtime.remove_container(container.id)
    node.start()
    await node.run(3)
    assert node.phase("p") == "Succeeded"
    assert "failed; trying again" not in caplog.text

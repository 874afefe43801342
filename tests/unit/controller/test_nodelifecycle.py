"""A node that falls silent: Unknown after the grace period, tainted, its Pods not ready and at last evicted."""

from __future__ import annotations

import pytest

from wherry.api.types import coordination_v1, core_v1, meta_v1
from wherry.controller.nodelifecycle.controller import NodeLifecycleController
from wherry.controller.nodelifecycle.zones import State, interval, state
from wherry.controller.podgc.controller import PodGCController
from wherry.controller.tainteviction.controller import TaintEvictionController
from wherry.util.clock import rfc3339, rfc3339_micro


async def add_node(w, name):
    await w.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name=name)))
    lease = coordination_v1.Lease(
        metadata=meta_v1.ObjectMeta(name=name, namespace="kube-node-lease"),
        spec=coordination_v1.LeaseSpec(holder_identity=name, renew_time=rfc3339_micro(w.clock.time())),
    )
    await w.client.create(lease)
    await say_ready(w, name)


async def say_ready(w, name):
    now = rfc3339(w.clock.time())
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now, "lastTransitionTime": now}
    await w.client.patch(
        core_v1.Node, name, {"status": {"conditions": [ready]}}, subresource="status", patch_type="strategic",
    )


async def renew(w, name):
    body = {"spec": {"renewTime": rfc3339_micro(w.clock.time())}}
    await w.client.patch(coordination_v1.Lease, name, body, "kube-node-lease")


async def add_pod(w, name, node, tolerations=()):
    spec = core_v1.PodSpec(
        node_name=node, containers=[core_v1.Container(name="c", image="busybox:1.36")], tolerations=list(tolerations),
    )
    pod = await w.client.create(core_v1.Pod(metadata=meta_v1.ObjectMeta(name=name, namespace="default"), spec=spec))
    await w.set_pod(pod)


async def taints(w, name):
    node = await w.client.get(core_v1.Node, name)
    return sorted((taint.key, taint.effect) for taint in node.spec.taints)


async def live(w, seconds, *nodes):
    """Let time pass while `nodes` renew their leases."""
    while seconds > 0:
        for name in nodes:
            await renew(w, name)
        await w.advance(10)
        seconds -= 10


async def start(w):
    await w.namespace("kube-node-lease")
    await w.namespace()
    w.start(NodeLifecycleController, TaintEvictionController, PodGCController)
    for name in ("n1", "n2"):
        await add_node(w, name)
    await w.settle()


UNREACHABLE = "node.kubernetes.io/unreachable"


async def test_a_silent_node_is_tainted_and_its_pods_go_when_their_time_is_over(world):
    async with world() as w:
        await start(w)
        await add_pod(w, "short", "n2", [core_v1.Toleration(key=UNREACHABLE, operator="Exists", effect="NoExecute", toleration_seconds=30)])
        await add_pod(w, "long", "n2", [core_v1.Toleration(operator="Exists")])
        await live(w, 40, "n1")
        assert await taints(w, "n2") == []
        await live(w, 20, "n1")
        assert await taints(w, "n1") == []
        assert await taints(w, "n2") == [(UNREACHABLE, "NoExecute"), (UNREACHABLE, "NoSchedule")]
        ready = next(c for c in (await w.client.get(core_v1.Node, "n2")).status.conditions if c.type == "Ready")
        assert (ready.status, ready.reason) == ("Unknown", "NodeStatusUnknown")
        pods = await w.pods()
        assert [pod.status.conditions[0].status for pod in pods] == ["False", "False"]
        assert not any(pod.metadata.deletion_timestamp for pod in pods)
        await live(w, 40, "n1")
        going = {pod.metadata.name: bool(pod.metadata.deletion_timestamp) for pod in await w.pods()}
        assert going == {"long": False, "short": True}


async def test_a_persons_taint_that_tells_no_time_counts_from_when_it_is_seen(world):
    async with world() as w:
        await start(w)
        for name, seconds in (("short", 5), ("long", 60)):
            tolerated = core_v1.Toleration(key="evict", operator="Exists", effect="NoExecute", toleration_seconds=seconds)
            await add_pod(w, name, "n1", [tolerated])
        taint = [{"key": "evict", "effect": "NoExecute"}]
        await w.client.patch(core_v1.Node, "n1", {"spec": {"taints": taint}}, patch_type="merge")
        await w.advance(4)
        assert not any(pod.metadata.deletion_timestamp for pod in await w.pods())
        await w.advance(3)
        going = {pod.metadata.name: bool(pod.metadata.deletion_timestamp) for pod in await w.pods()}
        assert going == {"long": False, "short": True}
        await w.client.patch(core_v1.Node, "n1", {"spec": {"taints": None}}, patch_type="merge")
        await w.advance(60)
        assert ("Pod/long", "TaintManagerEviction", "Cancelling deletion of Pod default/long") in await w.events()
        assert not next(pod for pod in await w.pods() if pod.metadata.name == "long").metadata.deletion_timestamp


async def test_a_node_that_comes_back_loses_its_taints(world):
    async with world() as w:
        await start(w)
        await live(w, 60, "n1")
        assert await taints(w, "n2")
        await say_ready(w, "n2")
        await live(w, 10, "n1", "n2")
        assert await taints(w, "n2") == []


async def test_nobody_is_evicted_while_no_node_is_ready(world):
    async with world() as w:
        await start(w)
        await add_pod(w, "p", "n1")
        await live(w, 70)
        assert await taints(w, "n1") == await taints(w, "n2") == [(UNREACHABLE, "NoSchedule")]
        await live(w, 400)
        assert [pod.metadata.deletion_timestamp for pod in await w.pods()] == [None]


async def test_pods_of_a_node_that_was_deleted_fail_and_go(world):
    async with world() as w:
        await start(w)
        await add_pod(w, "p", "n2")
        await w.client.delete(core_v1.Node, "n2")
        await live(w, 40, "n1")
        assert len(await w.pods()) == 1
        await live(w, 40, "n1")
        assert await w.pods() == []


@pytest.mark.parametrize(("ready", "missing", "expected"), [
    (0, 0, State.NORMAL), (1, 0, State.NORMAL), (0, 1, State.FULL), (0, 9, State.FULL), (1, 1, State.NORMAL), (1, 2, State.NORMAL),
    (3, 3, State.NORMAL), (2, 3, State.PARTIAL), (1, 3, State.PARTIAL), (9, 11, State.PARTIAL), (46, 54, State.NORMAL),
])
def test_the_state_of_a_zone(ready, missing, expected):
    assert state([True] * ready + [False] * missing) is expected


@pytest.mark.parametrize(("of", "nodes", "seconds"), [
    (State.NORMAL, 1, 10), (State.NORMAL, 1000, 10), (State.FULL, 3, 10), (State.PARTIAL, 50, None), (State.PARTIAL, 51, 100),
])
def test_how_fast_a_zone_gives_up_its_nodes(of, nodes, seconds):
    assert interval(of, nodes) == seconds


async def given_up(w, *names):
    return [name for name in names if (UNREACHABLE, "NoExecute") in await taints(w, name)]


async def test_nodes_of_a_zone_are_given_up_one_after_the_other(world):
    async with world() as w:
        await start(w)
        for name in ("n3", "n4", "n5"):
            await add_node(w, name)
        seen = []
        for _ in range(9):
            await live(w, 10, "n1", "n2", "n3")
            seen.append(len(await given_up(w, "n4", "n5")))
        assert sorted(set(seen)) == [0, 1, 2]
        assert seen.count(1) == 1, "ten seconds later the other"
        assert await given_up(w, "n1", "n2", "n3") == []


async def test_a_small_zone_of_which_most_is_silent_gives_up_nobody_but_another_does(world):
    async with world() as w:
        await start(w)
        for name in ("n3", "n4", "z1"):
            await add_node(w, name)
        await w.client.patch(core_v1.Node, "z1", {"metadata": {"labels": {"topology.kubernetes.io/zone": "z"}}})
        await live(w, 120, "n1")
        assert await given_up(w, "n2", "n3", "n4") == []
        assert await taints(w, "n2") == [(UNREACHABLE, "NoSchedule")]
        assert await given_up(w, "z1") == ["z1"], "a zone that is all silent is, while another lives"
        await say_ready(w, "n2")
        await w.advance(6)
        assert len(await given_up(w, "n3", "n4")) == 1, "half of it is silent: one by one they are"


async def test_old_labels_follow_the_new_ones(world):
    async with world() as w:
        await start(w)
        labels = {"kubernetes.io/os": "linux", "beta.kubernetes.io/os": "plan9", "beta.kubernetes.io/arch": "kept"}
        await w.client.patch(core_v1.Node, "n1", {"metadata": {"labels": labels}})
        await w.settle()
        found = (await w.client.get(core_v1.Node, "n1")).metadata.labels
        assert found == {"kubernetes.io/os": "linux", "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "kept"}


# The administrator sets the clock

jumps = pytest.mark.parametrize("jump", [pytest.param(3600, id="an hour forwards"), pytest.param(-3600, id="an hour backwards")])
SHORT = core_v1.Toleration(key=UNREACHABLE, operator="Exists", effect="NoExecute", toleration_seconds=100)


@jumps
async def test_nodes_that_live_are_not_given_up(world, jump):
    async with world() as w:
        await start(w)
        await live(w, 20, "n1", "n2")
        w.clock.jump(jump)
        await live(w, 120, "n1", "n2")
        for name in ("n1", "n2"):
            assert await taints(w, name) == []


@jumps
async def test_a_node_falls_silent_as_soon_as_ever(world, jump):
    async with world() as w:
        await start(w)
        await live(w, 20, "n1")
        w.clock.jump(jump)
        await live(w, 20, "n1")
        assert await taints(w, "n2") == []
        await live(w, 20, "n1")
        assert await taints(w, "n2") == [(UNREACHABLE, "NoExecute"), (UNREACHABLE, "NoSchedule")]


@jumps
async def test_pods_stay_as_long_as_they_tolerate(world, jump):
    async with world() as w:
        await start(w)
        await add_pod(w, "short", "n2", [SHORT])
        await live(w, 60, "n1")
        assert await taints(w, "n2") == [(UNREACHABLE, "NoExecute"), (UNREACHABLE, "NoSchedule")]
        w.clock.jump(jump)
        await w.client.patch(core_v1.Node, "n2", {"spec": {"unschedulable": True}}, patch_type="merge")  # another taint, and a look
        await live(w, 70, "n1")
        assert not (await w.pods())[0].metadata.deletion_timestamp
        await live(w, 40, "n1")
        assert (await w.pods())[0].metadata.deletion_timestamp

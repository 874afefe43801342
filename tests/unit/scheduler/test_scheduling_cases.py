"""What upstream's suites try on a cluster with a few hollow nodes: who is refused in which words, and what wakes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from scheduling_world import CORE, MERGE, PODS, STRATEGIC, Object, World, open_world

from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request, Response

NODES, CLAIMS = f"{CORE}/nodes", f"{CORE}/namespaces/default/persistentvolumeclaims"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def near(kind: str = "podAffinity", key: str = "z", labels: Object | None = None, **term: Any) -> Object:
    return {kind: {REQUIRED: [{"topologyKey": key, "labelSelector": {"matchLabels": labels or {"x": "x"}}, **term}]}}


def by_name(*names: str) -> Object:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [*names]}]}]}}}


def even(**more: Any) -> list[Object]:
    return [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"x": "x"}}, **more}]


def port(**more: Any) -> list[Object]:
    return [{"name": "c", "image": "i", "ports": [{"containerPort": 80, "hostPort": 8080, **more}]}]


def of_claim(name: str) -> list[Object]:
    return [{"name": "v", "persistentVolumeClaim": {"claimName": name}}]


def asking(**limits: str) -> list[Object]:
    return [{"name": "c", "image": "i", "resources": {"limits": {name.replace("__", "/"): amount for name, amount in limits.items()}}}]


UNHELPFUL, NOBODY = "Preemption is not helpful for scheduling", "No preemption victims found for incoming pod"
TAINTED = "1 node(s) had untolerated taint(s)"
TOLERANT: Object = {"tolerations": [{"operator": "Exists"}]}


@pytest.mark.parametrize(("spec", "why", "preemption"), [
    ({"cpu": "10"}, f"1 Insufficient cpu, {TAINTED}", f"2 {UNHELPFUL}"),
    ({"cpu": "10", **TOLERANT}, "2 Insufficient cpu", f"2 {UNHELPFUL}"),
    ({"nodeSelector": {"x": "y"}}, f"1 node(s) didn't match Pod's node affinity/selector, {TAINTED}", f"2 {UNHELPFUL}"),
    ({"containers": asking(example__gpu="1")}, f"1 Insufficient example/gpu, {TAINTED}", f"2 {UNHELPFUL}"),
    ({"containers": port()}, f"1 node(s) didn't have free ports for the requested pod ports, {TAINTED}", f"1 {NOBODY}, 1 {UNHELPFUL}"),
    (
        {"containers": port(hostIP="127.0.0.1")}, f"1 node(s) didn't have free ports for the requested pod ports, {TAINTED}",
        f"1 {NOBODY}, 1 {UNHELPFUL}",
    ),
    ({"volumes": of_claim("nope")}, 'persistentvolumeclaim "nope" not found', f"2 {UNHELPFUL}"),
    ({"affinity": by_name("nope")}, "2 node(s) didn't satisfy plugin(s) [NodeAffinity]", f"2 {UNHELPFUL}"),
    ({"affinity": by_name("b")}, f"1 node(s) didn't satisfy plugin(s) [NodeAffinity], {TAINTED}", f"2 {UNHELPFUL}"),
    ({"affinity": near(labels={"no": "body"})}, f"1 node(s) didn't match pod affinity rules, {TAINTED}", f"2 {UNHELPFUL}"),
    ({"affinity": near("podAntiAffinity")}, f"1 node(s) didn't match pod anti-affinity rules, {TAINTED}", f"1 {NOBODY}, 1 {UNHELPFUL}"),
    ({"labels": {"alone": "y"}}, f"1 node(s) didn't satisfy existing pods anti-affinity rules, {TAINTED}", f"1 {NOBODY}, 1 {UNHELPFUL}"),
    (
        {"labels": {"x": "x"}, "topologySpreadConstraints": even()},
        f"1 node(s) didn't match pod topology spread constraints, {TAINTED}", f"1 {NOBODY}, 1 {UNHELPFUL}",
    ),
    (
        {"topologySpreadConstraints": even(topologyKey="rack")},
        f"1 node(s) didn't match pod topology spread constraints (missing required label), {TAINTED}", f"2 {UNHELPFUL}",
    ),
    (
        {"labels": {"x": "x"}, "topologySpreadConstraints": even(nodeTaintsPolicy="Honor", minDomains=2)},
        f"1 node(s) didn't match pod topology spread constraints, {TAINTED}", f"1 {NOBODY}, 1 {UNHELPFUL}",
    ),
    ({"cpu": "4"}, f"1 Insufficient cpu, {TAINTED}", f"1 {NOBODY}, 1 {UNHELPFUL}"),
    ({"cpu": "4", "priorityClassName": "never"}, f"1 Insufficient cpu, {TAINTED}", None),
])
async def test_a_refusal_word_for_word(spec: Object, why: str, preemption: str | None) -> None:
    async with open_world() as world:
        await world.node("a", labels={"z": "1"})
        await world.node("b", labels={"z": "2"}, taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}])
        await world.pod("there", labels={"x": "x"}, containers=[{**port()[0], "resources": {"requests": {"cpu": "1"}}}], nodeName="a")
        await world.pod("hermit", nodeName="a", affinity=near("podAntiAffinity", labels={"alone": "y"}))
        never = {"metadata": {"name": "never"}, "value": 10, "preemptionPolicy": "Never"}
        await world.ask("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", never)
        await world.settle(1)
        await world.pod("p", **spec)
        await world.settle(2)
        begins, ends = f"0/2 nodes are available: {why}. no new claims to deallocate, preemption: ", f"0/2 nodes are available: {preemption}."
        message = begins + (ends if preemption else "not eligible due to preemptionPolicy=Never.")
        assert await world.why("p") == message
        assert await world.events("p") == [("Warning", "FailedScheduling", message)]


@pytest.mark.parametrize("spec", [
    {"containers": port(protocol="UDP")}, {"containers": port(hostPort=8081)}, {"affinity": near()},
    {"labels": {"x": "y"}, "affinity": near(labels={"x": "y"})},  # nobody is there yet but itself
    {"labels": {"x": "x"}, "topologySpreadConstraints": even(nodeTaintsPolicy="Honor")},
    {"topologySpreadConstraints": even()},
    {"labels": {"x": "x"}, "topologySpreadConstraints": even(whenUnsatisfiable="ScheduleAnyway")},
], ids=["protocol", "port", "near", "first of its kind", "tainted nodes are no domain", "not counted itself", "only a wish"])
async def test_who_is_not_refused(spec: Object) -> None:
    async with open_world() as world:
        await world.node("a", labels={"z": "1"})
        await world.node("b", labels={"z": "2"}, taints=[{"key": "k", "effect": "NoSchedule"}])
        await world.pod("there", labels={"x": "x"}, containers=port(), nodeName="a")
        await world.settle(1)
        await world.pod("p", **spec)
        await world.settle(2)
        assert await world.where("p") == "a"


# --- what wakes a Pod: a case prepares, yields while "p" must wait, and then does what helps -------

Case = Callable[[World], AsyncIterator[None]]
WAKES: dict[str, Case] = {}


def wakes(case: Case) -> Case:
    WAKES[case.__name__] = case
    return case


async def patch_node(world: World, name: str, body: Object) -> None:
    await world.ask("PATCH", f"{NODES}/{name}", body, STRATEGIC)


async def bound_claim(world: World, mode: str = "ReadWriteOnce", labels: Object | None = None, **source: Any) -> None:
    common = {"accessModes": [mode], "storageClassName": ""}
    volume = {**common, "capacity": {"storage": "1Gi"}, **(source or {"hostPath": {"path": "/x"}})}
    await world.ask("POST", f"{CORE}/persistentvolumes", {"metadata": {"name": "pv", "labels": labels or {}}, "spec": volume})
    meta = {"name": "c", "annotations": {"pv.kubernetes.io/bind-completed": "yes"}}
    asked = {"resources": {"requests": {"storage": "1Gi"}}}
    await world.ask("POST", CLAIMS, {"metadata": meta, "spec": {**common, "volumeName": "pv", **asked}})


@wakes
async def a_larger_node(world: World) -> AsyncIterator[None]:
    await world.node("a", cpu="1")
    await world.pod("p", "2")
    yield
    await world.ask("PATCH", f"{NODES}/a/status", {"status": {"allocatable": {"cpu": "4"}}}, MERGE)


@wakes
async def a_label(world: World) -> AsyncIterator[None]:
    await world.node("a")
    await world.pod("p", nodeSelector={"x": "y"})
    yield
    await patch_node(world, "a", {"metadata": {"labels": {"x": "y"}}})


@wakes
async def a_toleration(world: World) -> AsyncIterator[None]:
    await world.node("a", taints=[{"key": "k", "effect": "NoSchedule"}])
    made = await world.pod("p")
    yield
    await world.ask("PATCH", f"{PODS}/p", {"spec": {"tolerations": [*made["spec"]["tolerations"], {"key": "k", "operator": "Exists"}]}}, MERGE)


@wakes
async def uncordoned(world: World) -> AsyncIterator[None]:
    await world.node("a")
    await patch_node(world, "a", {"spec": {"unschedulable": True}})
    await world.pod("p")
    yield
    await patch_node(world, "a", {"spec": {"unschedulable": None}})


@wakes
async def the_end_of_another(world: World) -> AsyncIterator[None]:
    await world.node("a", cpu="1")
    await world.pod("q", "1", nodeName="a")
    await world.pod("p", "1")
    yield
    await world.ask("PATCH", f"{PODS}/q/status", {"status": {"phase": "Succeeded"}}, MERGE)


@wakes
async def another_made_smaller(world: World) -> AsyncIterator[None]:
    await world.node("a", cpu="2")
    await world.pod("q", "2", nodeName="a")
    await world.pod("p", "1")
    yield
    await world.change("q", {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}}, "resize")


@wakes
async def itself_made_smaller(world: World) -> AsyncIterator[None]:
    await world.node("a", cpu="1")
    await world.pod("p", "2")
    yield
    await world.change("p", {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}}, "resize")


@wakes
async def a_friend(world: World) -> AsyncIterator[None]:
    await world.node("a", labels={"z": "1"})
    await world.pod("q", nodeName="a")
    await world.pod("p", affinity=near())
    yield
    await world.change("q", {"metadata": {"labels": {"x": "x"}}})


@wakes
async def a_namespace_of_friends(world: World) -> AsyncIterator[None]:
    await world.node("a", labels={"z": "1"})
    await world.ask("POST", f"{CORE}/namespaces", {"metadata": {"name": "other"}})
    await world.ask("POST", f"{CORE}/namespaces/other/serviceaccounts", {"metadata": {"name": "default"}})
    await world.pod("q", namespace="other", labels={"x": "x"}, nodeName="a")
    await world.pod("p", affinity=near(namespaceSelector={"matchLabels": {"team": "t"}}))
    yield
    await world.ask("PATCH", f"{CORE}/namespaces/other", {"metadata": {"labels": {"team": "t"}}}, MERGE)


@wakes
async def a_foe_that_goes(world: World) -> AsyncIterator[None]:
    await world.node("a", labels={"z": "1"})
    await world.pod("q", labels={"x": "x"}, nodeName="a")
    await world.pod("p", affinity=near("podAntiAffinity"))
    yield
    await world.change("q", {"metadata": {"labels": {"x": None}}})


async def uneven(world: World, **more: Any) -> None:
    await world.node("a", labels={"z": "1"})
    await world.node("b", cpu="0", labels={"z": "2"})
    await world.pod("q", "1", labels={"x": "x"}, nodeName="a")
    await world.pod("p", "1", labels={"x": "x"}, topologySpreadConstraints=even(**more))


@wakes
async def a_domain_with_room(world: World) -> AsyncIterator[None]:
    await uneven(world)
    yield
    await world.node("c", labels={"z": "2"})


@wakes
async def a_domain_less(world: World) -> AsyncIterator[None]:
    await uneven(world)
    yield
    await world.ask("DELETE", f"{NODES}/b")


@wakes
async def a_domain_that_is_tainted(world: World) -> AsyncIterator[None]:
    await uneven(world, nodeTaintsPolicy="Honor")
    yield
    await patch_node(world, "b", {"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}})


@wakes
async def one_that_counts_no_more(world: World) -> AsyncIterator[None]:
    await uneven(world)
    yield
    await world.ask("DELETE", f"{PODS}/q", {"gracePeriodSeconds": 60})


@wakes
async def the_claims_only_user_gone(world: World) -> AsyncIterator[None]:
    await world.node("a")
    await bound_claim(world, "ReadWriteOncePod")
    await world.pod("q", volumes=of_claim("c"), nodeName="a")
    await world.pod("p", volumes=of_claim("c"))
    yield
    await world.delete("q")


@wakes
async def a_zone(world: World) -> AsyncIterator[None]:
    zone = "topology.kubernetes.io/zone"
    await world.node("a", labels={zone: "2"})
    await bound_claim(world, labels={zone: "1"})
    await world.pod("p", volumes=of_claim("c"))
    yield
    await patch_node(world, "a", {"metadata": {"labels": {zone: "1"}}})


@wakes
async def a_higher_limit(world: World) -> AsyncIterator[None]:
    def limited(count: int) -> Object:
        return {"spec": {"drivers": [{"name": "d", "nodeID": "a", "allocatable": {"count": count}, "topologyKeys": []}]}}

    await world.node("a")
    await world.ask("POST", "/apis/storage.k8s.io/v1/csinodes", {"metadata": {"name": "a"}, **limited(0)})
    await bound_claim(world, csi={"driver": "d", "volumeHandle": "h"})
    await world.pod("p", volumes=of_claim("c"))
    yield
    await world.ask("PATCH", "/apis/storage.k8s.io/v1/csinodes/a", limited(1), MERGE)


@wakes
async def a_port_set_free(world: World) -> AsyncIterator[None]:
    await world.node("a")
    await world.pod("q", containers=port(), nodeName="a")
    await world.pod("p", containers=port())
    yield
    await world.delete("q")


@wakes
async def the_last_gate(world: World) -> AsyncIterator[None]:
    await world.node("a")
    await world.pod("p", schedulingGates=[{"name": "one"}, {"name": "two"}])
    await world.ask("PATCH", f"{PODS}/p", {"spec": {"schedulingGates": [{"name": "two"}]}}, MERGE)
    yield
    await world.ask("PATCH", f"{PODS}/p", {"spec": {"schedulingGates": []}}, MERGE)


@pytest.mark.parametrize("case", WAKES.values(), ids=WAKES.keys())
async def test_what_wakes_a_pod(case: Case) -> None:
    async with open_world() as world:
        steps = case(world)
        await anext(steps)
        await world.settle(2)
        assert await world.where("p") == ""
        await anext(steps, None)
        await world.settle(3)
        assert await world.where("p") in ("a", "c"), await world.why("p")


# --- other schedulers, and a server that fails -----------------------------------------------------


async def test_a_scheduler_of_ones_own_binds_by_a_binding() -> None:
    async with open_world() as world:
        await world.node("a", cpu="2")
        await world.pod("p", "1", schedulerName="mine")
        await world.settle(2)
        assert (await world.get("p"))["status"] == {"phase": "Pending", "qosClass": "Burstable"}, "nobody else looks at it"
        await world.ask("POST", f"{PODS}/p/binding", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "a"}})
        assert (await world.condition("p"))["status"] == "True"
        with pytest.raises(StatusError, match='pod p is already assigned to node "a"'):
            await world.ask("POST", f"{PODS}/p/binding", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "a"}})
        await world.pod("q", "2")
        await world.settle(2)
        assert await world.where("q") == "", "what another has bound counts"


class Failing:
    """A transport that answers bindings with a failure for a while."""

    def __init__(self, inner: Any, error: Exception, times: int) -> None:
        self.inner, self.error, self.times = inner, error, times

    async def send(self, request: Request) -> Response:
        if request.path.endswith("/binding") and self.times:
            self.times -= 1
            raise self.error
        answer: Response = await self.inner.send(request)
        return answer

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(("error", "reason"), [
    (StatusError(500, "InternalError", "etcd is away"), "SchedulerError"), (OSError("the line is down"), "SchedulerError"),
    (StatusError(409, "Conflict", "not now"), None),
], ids=["refused", "no connection", "conflict"])
async def test_a_binding_that_fails_is_told_and_tried_again(error: Exception, reason: str | None) -> None:
    async with open_world(between=lambda inner: Failing(inner, error, 1)) as world:
        await world.node("a")
        await world.pod("p")
        await world.settle(0.5)
        message = f'running Bind plugin "DefaultBinder": {error}'
        assert await world.events("p") == [("Warning", "FailedScheduling", message)]
        told = await world.condition("p")
        assert (told.get("reason"), told.get("message")) == ((reason, message) if reason else (None, None))
        await world.settle(3)
        assert await world.where("p") == "a"
        assert (await world.condition("p"))["status"] == "True"


async def test_what_is_counted() -> None:
    async with open_world() as world:
        await world.ask("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "high"}, "value": 10})
        await world.node("a", cpu="1")
        await world.pod("v", "1")
        await world.settle(1)
        await world.pod("p", "1", priorityClassName="high")
        await world.pod("q", "2")
        await world.settle(2)
        await world.delete("v")
        await world.settle(3)
        assert await world.where("p") == "a"
        text = world.scheduler.metrics.metrics.expose()[0].decode()
        for line in (
            "scheduler_preemption_attempts_total 3.0", "scheduler_preemption_victims_count 1.0", "scheduler_pod_scheduling_attempts_count 2.0",
            'scheduler_pod_scheduling_sli_duration_seconds_count{attempts="1"} 1.0',
            'scheduler_unschedulable_pods{plugin="NodeResourcesFit",profile="default-scheduler"} 1.0',
        ):
            assert line in text, text

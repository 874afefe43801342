"""The controllers are killed at every request that they make, once just before it is served and once just after.

A new set then goes on from what the API holds.  After every write it is looked at whether a promise was
broken, and in the end whether the goal was reached.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from controller_objects import deployment, image_patch, pod_template
from workload_helpers import kill_controllers

from wherry.api import pod as pods
from wherry.api.types import apps_v1, batch_v1, core_v1, meta_v1
from wherry.apimachinery.http import Request, Response
from wherry.client import Client
from wherry.controller.controller import Controller
from wherry.controller.deployment.controller import DeploymentController
from wherry.controller.job.controller import JobController
from wherry.controller.manager import ControllerManager
from wherry.controller.replicaset.controller import ReplicaSetController
from wherry.controller.statefulset.controller import StatefulSetController

Check = Callable[[Any], Awaitable[None]]
NEW = "busybox:new"


class Deadly:
    """A transport whose owner dies with its write number `at`: before the server has it, or after, unanswered."""

    def __init__(self, inner: Any, at: int, served: bool, look: Callable[[], Awaitable[None]]) -> None:
        self.inner, self.left, self.served, self.look = inner, at, served, look
        self.dead = asyncio.Event()

    async def send(self, request: Request) -> Response:
        if request.method == "GET" or "/events" in request.path:
            return await self.inner.send(request)
        if self.dead.is_set():
            await asyncio.Event().wait()
        self.left -= 1
        if self.left == 0:
            self.dead.set()
            if self.served:
                await self.inner.send(request)
                await self.look()
            await asyncio.Event().wait()
        answer = await self.inner.send(request)
        await self.look()
        return answer

    async def close(self) -> None:
        await self.inner.close()


async def live(w: Any, controllers: tuple[type[Controller], ...], at: int, served: bool, check: Check, act: Check) -> bool:
    """Run a scenario with one death in it.  False when it ended before that: there is nothing left to try."""
    transport = Deadly(w.client.transport, at, served, lambda: check(w))
    mortal = Client(transport)

    def start(client: Client) -> None:
        w.manager = ControllerManager(lambda name: client, w.clock, controllers=controllers)
        w._tasks.append(w._group.create_task(w.manager.run()))

    start(mortal)
    going = asyncio.create_task(act(w))
    died = asyncio.create_task(transport.dead.wait())
    await asyncio.wait({going, died}, return_when=asyncio.FIRST_COMPLETED)
    if not transport.dead.is_set():
        died.cancel()
        await going
        await kill_controllers(w)
        return False
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    await kill_controllers(w)
    transport.left = -1
    transport.dead.clear()
    start(mortal)
    await act(w)
    await kill_controllers(w)
    return True


async def everywhere(world: Any, prepare: Check, controllers: tuple[type[Controller], ...], check: Check, act: Check, served: bool) -> int:
    """Once for each write of a run; how many there were."""
    for at in range(1, 500):
        async with world() as w:
            await w.namespace()
            await prepare(w)
            if not await live(w, controllers, at, served, check, act):
                return at - 1
    raise AssertionError("the scenario never ends")


when = pytest.mark.parametrize("served", [pytest.param(False, id="before"), pytest.param(True, id="after")])


# Deployment ------------------------------------------------------------------------------------------

ROLLING = apps_v1.DeploymentStrategy(type="RollingUpdate", rolling_update=apps_v1.RollingUpdateDeployment(max_surge=1, max_unavailable=1))
WORKLOADS = (DeploymentController, ReplicaSetController)


async def a_deployment_at_rest(w: Any) -> None:
    await w.client.create(deployment(replicas=3, strategy=ROLLING))
    w.start(*WORKLOADS)
    await w.run_kubelet()
    await kill_controllers(w)
    await w.client.patch(apps_v1.Deployment, "web", image_patch(NEW), "default", patch_type="strategic")


async def between_two_and_four(w: Any) -> None:
    found = [pod for pod in await w.pods() if pods.is_active(pod)]
    assert len(found) <= 4
    assert sum(pods.is_ready(pod) for pod in found) >= 2


async def roll(w: Any) -> None:
    await w.run_kubelet()
    found = await w.pods()
    assert [pod.spec.containers[0].image for pod in found] == [NEW] * 3
    status = (await w.client.get(apps_v1.Deployment, "web", "default")).status
    assert (status.replicas, status.updated_replicas, status.available_replicas, status.observed_generation) == (3, 3, 3, 2)


@when
async def test_a_rolling_update_keeps_its_bounds(world: Any, served: bool) -> None:
    assert await everywhere(world, a_deployment_at_rest, WORKLOADS, between_two_and_four, roll, served) > 10


# StatefulSet -----------------------------------------------------------------------------------------


async def a_stateful_set_at_rest(w: Any) -> None:
    labels = {"a": "db"}
    spec = apps_v1.StatefulSetSpec(
        replicas=3, service_name="db", selector=meta_v1.LabelSelector(match_labels=labels), template=pod_template(labels),
    )
    await w.client.create(apps_v1.StatefulSet(metadata=meta_v1.ObjectMeta(name="db", namespace="default"), spec=spec))
    w.start(StatefulSetController)
    await w.run_kubelet()
    await kill_controllers(w)
    await w.client.patch(apps_v1.StatefulSet, "db", image_patch(NEW), "default", patch_type="strategic")


async def one_at_a_time_from_the_last(w: Any) -> None:
    found = {pod.metadata.name: pod for pod in await w.pods()}
    assert found.keys() <= {"db-0", "db-1", "db-2"}
    assert sum(pods.is_ready(pod) and pods.is_active(pod) for pod in found.values()) >= 2
    new = [name for name, pod in found.items() if pod.spec.containers[0].image == NEW]
    assert sorted(new) in ([], ["db-2"], ["db-1", "db-2"], ["db-0", "db-1", "db-2"])


async def roll_stateful(w: Any) -> None:
    await w.run_kubelet()
    assert [(pod.metadata.name, pod.spec.containers[0].image) for pod in await w.pods()] == [(f"db-{n}", NEW) for n in range(3)]
    status = (await w.client.get(apps_v1.StatefulSet, "db", "default")).status
    assert (status.ready_replicas, status.updated_replicas) == (3, 3)
    assert status.current_revision == status.update_revision


@when
async def test_a_stateful_set_rolls_in_order(world: Any, served: bool) -> None:
    controllers = (StatefulSetController,)
    assert await everywhere(world, a_stateful_set_at_rest, controllers, one_at_a_time_from_the_last, roll_stateful, served) > 5


# Job -------------------------------------------------------------------------------------------------


async def a_job(w: Any) -> None:
    spec = batch_v1.JobSpec(
        completions=4, parallelism=2, completion_mode="Indexed", template=pod_template({"a": "sum"}, restart_policy="Never"),
    )
    await w.client.create(batch_v1.Job(metadata=meta_v1.ObjectMeta(name="sum", namespace="default"), spec=spec))


def index_of(pod: core_v1.Pod) -> str:
    return pod.metadata.annotations["batch.kubernetes.io/job-completion-index"]


async def two_at_a_time_each_index_once(w: Any) -> None:
    found = await w.pods()
    assert sum(pods.is_active(pod) for pod in found) <= 2
    assert max(Counter(index_of(pod) for pod in found if not pods.is_terminating(pod)).values(), default=0) <= 1


async def work(w: Any) -> None:
    await w.settle()
    for _ in range(20):
        active = [pod for pod in await w.pods() if pods.is_active(pod)]
        if not active:
            break
        await w.set_pod(active[0], "Succeeded", ready=False)
        await w.settle()
    status = (await w.client.get(batch_v1.Job, "sum", "default")).status
    assert (status.succeeded, status.failed or 0, status.completed_indexes, status.active or 0) == (4, 0, "0-3", 0)
    assert {c.type for c in status.conditions if c.status == "True"} == {"SuccessCriteriaMet", "Complete"}
    assert sorted(index_of(pod) for pod in await w.pods()) == ["0", "1", "2", "3"]
    assert not any(pod.metadata.finalizers for pod in await w.pods())


@when
async def test_a_job_counts_exactly(world: Any, served: bool) -> None:
    assert await everywhere(world, a_job, (JobController,), two_at_a_time_each_index_once, work, served) > 8

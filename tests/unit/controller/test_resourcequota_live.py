"""ResourceQuotas against the API server: admission and the controller together, on a fake clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from controller_objects import deployment, image_patch
from controller_world import open_world
from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.api.quota import weigh
from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.quantity import milli
from wherry.controller.deployment.controller import DeploymentController
from wherry.controller.replicaset.controller import ReplicaSetController
from wherry.controller.resourcequota.controller import ResourceQuotaController
from wherry.controller.resourcequota.plan import next_end, status_change, used

World = Callable[[], Any]


def quota(hard: dict[str, str], told: dict[str, str] | None = None, **spec: Any) -> core_v1.ResourceQuota:
    status = core_v1.ResourceQuotaStatus(hard=hard if told is not None else {}, used=told or {})
    meta = meta_v1.ObjectMeta(name="q", namespace="default")
    return core_v1.ResourceQuota(metadata=meta, spec=core_v1.ResourceQuotaSpec(hard=hard, **spec), status=status)


def pod(name: str, cpu: str = "100m") -> core_v1.Pod:
    resources = core_v1.ResourceRequirements(requests={"cpu": cpu})
    spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="busybox:1.36", resources=resources)], restart_policy="Never")
    return core_v1.Pod(metadata=meta_v1.ObjectMeta(name=name, namespace="default"), spec=spec)


def config_map(name: str) -> core_v1.ConfigMap:
    return core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name=name, namespace="default"))


@pytest.mark.parametrize(
    ("of", "change"),
    [
        pytest.param(quota({"pods": "5"}), {"hard": {"pods": "5"}, "used": {"pods": "2"}}, id="new"),
        pytest.param(quota({"pods": "5"}, {"pods": "1"}), {"used": {"pods": "2"}}, id="more used"),
        pytest.param(quota({"pods": "5"}, {"pods": "2"}), None, id="as it says"),
        pytest.param(quota({"pods": "5"}, {"pods": "2", "cpu": "1"}), {"used": {"cpu": None}}, id="a name that is bounded no more"),
        pytest.param(quota({"cpu": "1"}, {"cpu": "0.2"}), None, id="the same amount in other words"),
    ],
)
def test_what_is_written(of: core_v1.ResourceQuota, change: dict[str, Any] | None) -> None:
    weights = [weigh(("", "pods"), pod(name)) for name in ("a", "b")]
    assert status_change(of, used(of.spec, weights, 0.0)) == change
    assert next_end(weights, 0.0) is None


async def told(w: Any) -> dict[str, str]:
    return (await w.client.get(core_v1.ResourceQuota, "q", "default")).status.used  # type: ignore[no-any-return]


async def test_usage_follows_what_comes_goes_and_ends(world: World) -> None:
    async with world() as w:
        await w.namespace()
        await w.client.create(pod("early"))
        w.start(ResourceQuotaController)
        await w.client.create(quota({"pods": "3", "requests.cpu": "1", "count/configmaps": "5", "services": "2", "requests.storage": "1Gi"}))
        await w.settle()
        nothing = {"services": "0", "requests.storage": "0", "count/configmaps": "0"}
        assert await told(w) == {**nothing, "pods": "1", "requests.cpu": "100m"}
        await w.client.create(pod("late", "300m"))
        await w.client.create(config_map("c"))
        await w.advance(1)
        assert await told(w) == {**nothing, "pods": "2", "requests.cpu": "400m", "count/configmaps": "1"}
        await w.set_pod(pod("late"), phase="Succeeded", ready=False)
        await w.client.delete(core_v1.ConfigMap, "c", "default")
        await w.advance(1)
        assert await told(w) == {**nothing, "pods": "1", "requests.cpu": "100m"}, "ended Pods use nothing"


async def test_the_spec_is_followed_at_once(world: World) -> None:
    async with world() as w:
        await w.namespace()
        w.start(ResourceQuotaController)
        await w.client.create(quota({"pods": "3"}))
        await w.settle()
        await w.client.patch(core_v1.ResourceQuota, "q", {"spec": {"hard": {"pods": None, "secrets": "9"}}}, "default")
        await w.settle()
        status = (await w.client.get(core_v1.ResourceQuota, "q", "default")).status
        assert (status.hard, status.used) == ({"secrets": "9"}, {"secrets": "0"})


async def test_a_write_that_fails_after_admission_gives_back_what_it_took(world: World) -> None:
    async with world() as w:
        await w.namespace()
        w.start(ResourceQuotaController)
        await w.client.create(quota({"count/configmaps": "5"}))
        await w.client.create(config_map("c"))
        await w.advance(1)
        wrong = {"status": {"used": {"count/configmaps": "4"}}}
        await w.client.patch(core_v1.ResourceQuota, "q", wrong, "default", subresource="status")
        await w.advance(1)
        assert await told(w) == {"count/configmaps": "1"}


async def test_many_writers_never_have_more_than_there_is(world: World) -> None:
    async with world() as w:
        await w.namespace()
        w.start(ResourceQuotaController)
        await w.client.create(quota({"pods": "7", "requests.cpu": "550m"}))
        await w.settle()
        results = await asyncio.gather(*(w.client.create(pod(f"p{i}")) for i in range(24)), return_exceptions=True)
        refused = [each for each in results if isinstance(each, StatusError)]
        assert len(results) - len(refused) == 5, "five times 100m, whatever room is left for Pods"
        assert all("exceeded quota: q, requested: requests.cpu=100m" in each.message for each in refused)
        await w.advance(1)
        assert await told(w) == {"pods": "5", "requests.cpu": "500m"}
        await asyncio.gather(*(w.client.delete(core_v1.Pod, each.metadata.name, "default") for each in await w.pods()))
        again = await asyncio.gather(*(w.client.create(pod(f"r{i}")) for i in range(24)), return_exceptions=True)
        assert sum(1 for each in again if isinstance(each, core_v1.Pod)) == 5, "what is deleted has room at once"


async def test_a_rollout_that_hits_a_quota_says_so_and_goes_on_when_there_is_room(world: World) -> None:
    async with world() as w:
        await w.namespace()
        w.start(ResourceQuotaController, DeploymentController, ReplicaSetController)
        await w.client.create(quota({"pods": "2"}))
        await w.client.create(deployment(replicas=3))
        await w.settle()
        assert len(await w.pods()) == 2
        [made] = (await w.client.list(apps_v1.ReplicaSet, "default")).items
        [failure] = [c for c in made.status.conditions if c.type == "ReplicaFailure"]
        assert (failure.status, failure.reason) == ("True", "FailedCreate")
        assert "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2" in failure.message
        await w.client.patch(core_v1.ResourceQuota, "q", {"spec": {"hard": {"pods": "5"}}}, "default")
        await w.advance(30)
        assert len(await w.pods()) == 3
        assert await told(w) == {"pods": "3"}


@pytest.mark.parametrize("unavailable", [0, 1])
async def test_a_quota_in_the_middle_of_a_rolling_update(world: World, unavailable: int) -> None:
    """With none to spare it stops and no old Pod goes; where one may be missing it goes on inside the quota."""
    rolling = apps_v1.RollingUpdateDeployment(max_surge=1, max_unavailable=unavailable)
    async with world() as w:
        await w.namespace()
        w.start(ResourceQuotaController, DeploymentController, ReplicaSetController)
        await w.client.create(quota({"pods": "3"}))
        await w.client.create(deployment(strategy=apps_v1.DeploymentStrategy(type="RollingUpdate", rolling_update=rolling)))
        await w.run_kubelet()
        await w.client.patch(apps_v1.Deployment, "web", image_patch("busybox:new"), "default", patch_type="strategic")
        if unavailable == 0:
            await w.settle()
            assert [each.spec.containers[0].image for each in await w.pods()] == ["busybox:1.36"] * 3
            found = await w.client.get(apps_v1.Deployment, "web", "default")
            (failure,) = (c for c in found.status.conditions if c.type == "ReplicaFailure")
            assert (failure.status, failure.reason) == ("True", "FailedCreate")
            assert "exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3" in failure.message
            await w.client.patch(core_v1.ResourceQuota, "q", {"spec": {"hard": {"pods": "4"}}}, "default")
        for _ in range(8):  # what was refused is tried again after a back-off
            await w.advance(30)
            await w.run_kubelet()
        assert [each.spec.containers[0].image for each in await w.pods()] == ["busybox:new"] * 3
        found = await w.client.get(apps_v1.Deployment, "web", "default")
        assert not [c for c in found.status.conditions if c.type == "ReplicaFailure"]
        assert found.status.available_replicas == 3


async def test_a_pod_that_never_goes_counts_until_its_time_is_over(world: World) -> None:
    async with world() as w:
        await w.namespace()
        w.start(ResourceQuotaController)
        await w.client.create(quota({"pods": "1"}))
        made = await w.client.create(pod("stuck"))
        target = core_v1.ObjectReference(kind="Node", name="n")
        await w.client.create(core_v1.Binding(metadata=made.metadata, target=target), subresource="binding")
        await w.client.delete(core_v1.Pod, "stuck", "default", grace_period_seconds=20)
        await w.advance(5)
        assert await told(w) == {"pods": "1"}
        with pytest.raises(StatusError, match="exceeded quota"):
            await w.client.create(pod("next"))
        await w.advance(38)
        assert await told(w) == {"pods": "0"}
        await w.client.create(pod("next"))


async def test_another_life_of_the_controller_counts_the_same(world: World) -> None:
    async with world() as w:
        await w.namespace()
        await w.client.create(quota({"pods": "9", "count/configmaps": "9"}))
        for i in range(3):
            await w.client.create(pod(f"p{i}"))
            await w.client.create(config_map(f"c{i}"))
        await w.client.patch(core_v1.ResourceQuota, "q", {"status": {"used": {"pods": "8"}}}, "default", subresource="status")
        w.start(ResourceQuotaController)
        await w.settle()
        assert await told(w) == {"pods": "3", "count/configmaps": "3"}


async def _writers(hard: dict[str, str], rounds: list[list[tuple[str, str]]]) -> None:
    """Every round's writes at once; after each, what is there must fit, and the status must come to say just that."""
    async with open_world() as w:
        await w.namespace()
        w.start(ResourceQuotaController)
        await w.client.create(quota(hard))
        await w.settle()
        for writes in rounds:
            await asyncio.gather(*(_write(w, name, cpu) for name, cpu in writes))
            alive = await w.pods()
            used = {"pods": len(alive), "requests.cpu": sum(milli(each.spec.containers[0].resources.requests["cpu"]) for each in alive)}
            assert used["pods"] <= int(hard["pods"])
            assert used["requests.cpu"] <= milli(hard["requests.cpu"])
            await w.advance(1)
            status = await told(w)
            assert (int(status["pods"]), milli(status["requests.cpu"])) == (used["pods"], used["requests.cpu"])


async def _write(w: Any, name: str, cpu: str) -> None:
    """Make a Pod; one without CPU is deleted instead."""
    try:
        if cpu:
            await w.client.create(pod(name, cpu))
        else:
            await w.client.delete(core_v1.Pod, name, "default", grace_period_seconds=0)
    except StatusError as error:
        if error.code not in (403, 404, 409):
            raise


writes = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["", "100m", "250m", "1"])), max_size=8)


@settings(max_examples=15, deadline=None)
@given(st.fixed_dictionaries({"pods": st.sampled_from("0123"), "requests.cpu": st.sampled_from(["200m", "500m", "2"])}), st.lists(writes, max_size=4))
def test_no_order_of_writers_ever_has_more_than_there_is(hard: dict[str, str], rounds: list[list[tuple[str, str]]]) -> None:
    asyncio.run(_writers(hard, rounds))

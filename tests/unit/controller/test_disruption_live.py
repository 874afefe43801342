"""PodDisruptionBudgets and evictions against the API server, on a fake clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from controller_objects import deployment

from wherry.api.types import core_v1, meta_v1, policy_v1
from wherry.apimachinery.errors import StatusError
from wherry.client.codec import encode
from wherry.controller.deployment.controller import DeploymentController
from wherry.controller.disruption.controller import DisruptionController
from wherry.controller.replicaset.controller import ReplicaSetController

World = Callable[[], Any]
Budget = policy_v1.PodDisruptionBudget
ALL = (DeploymentController, ReplicaSetController, DisruptionController)


def budget(name: str = "pdb", **spec: Any) -> Budget:
    selector = meta_v1.LabelSelector(match_labels={"a": "web"})
    return Budget(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default"), spec=policy_v1.PodDisruptionBudgetSpec(selector=selector, **spec),
    )


async def evict(w: Any, pod: core_v1.Pod, version: str = "policy/v1", query: Any = (), **options: Any) -> None:
    meta = pod.metadata
    body = {"apiVersion": version, "kind": "Eviction", "metadata": {"name": meta.name}, **({"deleteOptions": options} if options else {})}
    await w.client.raw("POST", f"/api/v1/namespaces/{meta.namespace}/pods/{meta.name}/eviction", query=query, body=encode(body))


async def status(w: Any, name: str = "pdb") -> policy_v1.PodDisruptionBudgetStatus:
    return (await w.client.get(Budget, name, "default")).status  # type: ignore[no-any-return]


async def web(w: Any, replicas: int = 3, **spec: Any) -> list[core_v1.Pod]:
    """A Deployment whose Pods are ready, and its budget."""
    await w.namespace()
    w.start(*ALL)
    await w.client.create(deployment(replicas=replicas))
    await w.settle()
    for pod in await w.pods():  # a Pod without a node would be gone at once
        target = core_v1.ObjectReference(kind="Node", name="n")
        await w.client.create(core_v1.Binding(metadata=pod.metadata, target=target), subresource="binding")
    await w.run_kubelet()
    await w.client.create(budget(**spec))
    await w.settle()
    return await w.pods()  # type: ignore[no-any-return]


async def test_the_status_tells_what_may_be_evicted(world: World) -> None:
    async with world() as w:
        await web(w, max_unavailable="34%")
        told = await status(w)
        assert (told.expected_pods, told.current_healthy, told.desired_healthy, told.disruptions_allowed) == (3, 3, 1, 2)
        assert told.observed_generation == 1
        assert [(c.type, c.status, c.reason) for c in told.conditions] == [("DisruptionAllowed", "True", "SufficientPods")]


async def test_an_eviction_spends_the_budget_and_a_new_pod_fills_it_again(world: World) -> None:
    async with world() as w:
        first, second, _ = await web(w, min_available=2)
        await evict(w, first)
        await w.settle()
        gone = await w.client.get(core_v1.Pod, first.metadata.name, "default")
        target = next(c for c in gone.status.conditions if c.type == "DisruptionTarget")
        assert (target.status, target.reason, target.message) == ("True", "EvictionByEvictionAPI", "Eviction API: evicting")
        with pytest.raises(StatusError) as refused:
            await evict(w, second)
        error = refused.value
        assert (error.code, error.reason) == (429, "TooManyRequests")
        assert error.message == "Cannot evict pod as it would violate the pod's disruption budget."
        assert error.details["causes"] == [  # type: ignore[index]
            {"reason": "DisruptionBudget", "message": "The disruption budget pdb needs 2 healthy pods and has 2 currently"},
        ]
        await w.run_kubelet()
        told = await status(w)
        assert (told.disruptions_allowed, told.disrupted_pods) == (1, {})
        await evict(w, second)


async def test_two_evictions_at_once_never_spend_the_same_disruption(world: World) -> None:
    async with world() as w:
        pods = await web(w, replicas=6, min_available=4)
        results = await asyncio.gather(*(evict(w, pod) for pod in pods), return_exceptions=True)
        assert sum(1 for each in results if each is None) == 2
        assert {each.code for each in results if isinstance(each, StatusError)} == {429}
        assert sum(1 for each in results if isinstance(each, StatusError)) == 4
        going = [pod for pod in await w.pods() if pod.metadata.deletion_timestamp is not None]
        assert len(going) == 2


async def test_a_budget_that_the_controller_has_not_seen_asks_to_wait(world: World) -> None:
    async with world() as w:
        first, *_ = await web(w, min_available=1)
        w.manager.controllers[2].queue.shut_down()
        await w.client.patch(Budget, "pdb", {"spec": {"minAvailable": 2}}, "default")
        with pytest.raises(StatusError) as refused:
            await evict(w, first)
        assert (refused.value.code, refused.value.details["retryAfterSeconds"]) == (429, 10)  # type: ignore[index]
        assert refused.value.details["causes"][0]["message"] == "The disruption budget pdb is still being processed by the server."  # type: ignore[index]


async def test_two_budgets_of_a_pod_are_refused(world: World) -> None:
    async with world() as w:
        first, *_ = await web(w, min_available=1)
        await w.client.create(budget("other", min_available=1))
        await w.settle()
        with pytest.raises(StatusError) as refused:
            await evict(w, first)
        assert refused.value.code == 500
        assert refused.value.message == "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


@pytest.mark.parametrize(
    ("how", "code"),
    [
        pytest.param({"query": [("dryRun", "All")]}, 0, id="dry run of the request"),
        pytest.param({"dryRun": ["All"]}, 0, id="dry run of the options"),
        pytest.param({"preconditions": {"uid": "another"}}, 409, id="another uid"),
        pytest.param({"preconditions": {"resourceVersion": "1"}}, 409, id="an old version"),
    ],
)
async def test_what_leaves_pod_and_budget_as_they_are(world: World, how: dict[str, Any], code: int) -> None:
    async with world() as w:
        first, *_ = await web(w, min_available=2)
        if code:
            with pytest.raises(StatusError) as refused:
                await evict(w, first, **how)
            assert refused.value.code == code
        else:
            await evict(w, first, **how)
        seen = await w.client.get(core_v1.Pod, first.metadata.name, "default")
        assert seen == first
        assert (await status(w)).disruptions_allowed == 1


async def test_the_old_version_of_an_eviction_is_taken(world: World) -> None:
    async with world() as w:
        first, *_ = await web(w, min_available=2)
        await evict(w, first, "policy/v1beta1")
        assert (await status(w)).disruptions_allowed == 0
        with pytest.raises(StatusError) as refused:
            await evict(w, first, "policy/v2")
        assert refused.value.code == 400


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [pytest.param("", False, id="not while too few are healthy"), pytest.param("AlwaysAllow", True, id="always, when the policy says so")],
)
async def test_unready_pods(world: World, policy: str, allowed: bool) -> None:
    async with world() as w:
        first, *_ = await web(w, min_available=3, unhealthy_pod_eviction_policy=policy)
        await w.set_pod(first, ready=False)
        await w.settle()
        if allowed:
            await evict(w, first)
            assert (await w.client.get(core_v1.Pod, first.metadata.name, "default")).metadata.deletion_timestamp
        else:
            with pytest.raises(StatusError) as refused:
                await evict(w, first)
            assert refused.value.code == 429


async def test_a_pod_that_was_to_go_and_stays_is_counted_again(world: World) -> None:
    async with world() as w:
        first, *_ = await web(w, min_available=2)
        noted = {"disruptionsAllowed": 0, "disruptedPods": {first.metadata.name: "2023-11-14T22:13:20Z"}}  # the fake clock's beginning
        await w.client.patch(Budget, "pdb", {"status": noted}, "default", subresource="status")
        await w.settle()
        assert ((await status(w)).disruptions_allowed, (await status(w)).current_healthy) == (0, 2)
        await w.advance(123)
        told = await status(w)
        assert (told.disruptions_allowed, told.current_healthy, told.disrupted_pods) == (1, 3, {})
        assert (f"Pod/{first.metadata.name}", "NotDeleted") in [event[:2] for event in await w.events()]


async def test_a_stale_condition_is_taken_back(world: World) -> None:
    async with world() as w:
        first, *_ = await web(w, min_available=2)
        condition = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "m",
                     "lastTransitionTime": "2023-11-14T22:13:20Z"}
        await w.client.patch(
            core_v1.Pod, first.metadata.name, {"status": {"conditions": [condition]}}, "default", subresource="status",
            patch_type="strategic",
        )
        await w.settle()
        await w.advance(122)
        seen = await w.client.get(core_v1.Pod, first.metadata.name, "default")
        [left] = [c for c in seen.status.conditions if c.type == "DisruptionTarget"]
        assert (left.status, left.reason, left.message) == ("False", "", "")
        assert any(c.type == "Ready" for c in seen.status.conditions)


async def test_pods_whose_controller_has_no_scale_fail_the_budget(world: World) -> None:
    async with world() as w:
        await w.namespace()
        w.start(*ALL)
        ref = meta_v1.OwnerReference(api_version="batch/v1", kind="Job", name="j", uid="u", controller=True)
        spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="busybox:1.36")])
        await w.client.create(core_v1.Pod(
            metadata=meta_v1.ObjectMeta(name="p", namespace="default", labels={"a": "web"}, owner_references=[ref]), spec=spec,
        ))
        await w.client.create(budget(max_unavailable=1))
        await w.settle()
        [condition] = (await status(w)).conditions
        assert (condition.reason, condition.message) == ("SyncFailed", "jobs.batch does not implement the scale subresource")
        events = [event[1:] for event in await w.events() if event[0] == "PodDisruptionBudget/pdb"]
        assert events == [(
            "CalculateExpectedPodCountFailed",
            "Failed to calculate the number of expected pods: jobs.batch does not implement the scale subresource",
        )]


@pytest.mark.parametrize(("told", "words"), [
    pytest.param({"status": "False", "reason": "SyncFailed", "message": "hm"},
                 "does not allow evicting pods currently because it failed sync: hm", id="a failure"),
    pytest.param({"status": "False", "reason": "Odd", "message": "hm"}, "does not allow evicting pods currently (Odd): hm", id="a reason"),
    pytest.param({"status": "True", "reason": "Odd", "message": "hm"}, "does not allow evicting pods currently", id="none"),
])
async def test_a_refusal_that_no_number_explains_gives_the_reason(world: World, told: dict[str, Any], words: str) -> None:
    async with world() as w:
        await w.namespace()
        spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="busybox:1.36")])
        await w.client.create(core_v1.Pod(metadata=meta_v1.ObjectMeta(name="p", namespace="default", labels={"a": "web"}), spec=spec))
        await w.client.create(budget(min_available=1))
        condition = {"type": "DisruptionAllowed", "lastTransitionTime": "2026-01-01T00:00:00Z", **told}
        status = {"observedGeneration": 1, "currentHealthy": 4, "desiredHealthy": 3, "disruptionsAllowed": 0, "conditions": [condition]}
        await w.client.patch(Budget, "pdb", {"status": status}, "default", subresource="status")
        await w.client.patch(core_v1.Pod, "p", {"status": {"phase": "Running", "conditions": [
            {"type": "Ready", "status": "True"}]}}, "default", subresource="status")
        with pytest.raises(StatusError) as refused:
            await evict(w, (await w.pods())[0])
        [cause] = refused.value.details["causes"]  # type: ignore[index]
        assert cause["message"] == f"The disruption budget pdb {words}"


@pytest.mark.parametrize(("spec", "reasons"), [
    pytest.param({"min_available": 1}, [], id="a plain number needs no controller"),
    pytest.param({"min_available": "50%"}, ["UnmanagedPods"], id="a part of nobody knows how many"),
])
async def test_pods_of_nobody(world: World, spec: dict[str, Any], reasons: list[str]) -> None:
    async with world() as w:
        await w.namespace()
        w.start(*ALL)
        pod = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="busybox:1.36")])
        await w.client.create(core_v1.Pod(metadata=meta_v1.ObjectMeta(name="p", namespace="default", labels={"a": "web"}), spec=pod))
        await w.settle()
        await w.client.create(budget(**spec))
        await w.settle()
        assert [event[1] for event in await w.events() if event[0] == "PodDisruptionBudget/pdb"] == reasons

"""Pods with claims: which node, or in which words not; what is kept, and what wakes a Pod."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from device_makers import DRIVER, allocated, claim, device, device_class, devices, exact, slice_of, wanted
from scheduler_makers import Cluster, node, pod

from wherry.api.types import core_v1, resource_v1
from wherry.scheduler.framework import UNSCHEDULED_POD, Action
from wherry.scheduler.plugins.dynamicresources import DynamicResources

A = f'device.attributes["{DRIVER}"]'
MINE = [{"name": "gpu", "resourceClaimName": "c"}]
GENERATED = [{"name": "gpu", "resourceClaimTemplateName": "t"}]
N, M = node("n"), node("m")
ON_N, ON_M = slice_of(devices("a"), node="n"), slice_of(devices("a"), node="m")


def plugin_of(cluster: Cluster) -> DynamicResources:
    return next(each for each in cluster.profile.filters if isinstance(each, DynamicResources))


def generated(wanted_pod: core_v1.Pod, name: str = "c") -> core_v1.Pod:
    """With the claim that was made for it told in its status."""
    told = [core_v1.PodResourceClaimStatus(name="gpu", resource_claim_name=name)]
    return msgspec.structs.replace(wanted_pod, status=msgspec.structs.replace(wanted_pod.status, resource_claim_statuses=told))


THERE = {"allocation": {"devices": {"results": []}}}
FULL = {**THERE, "reservedFor": [{"resource": "pods", "name": str(i), "uid": str(i)} for i in range(256)]}
REFUSED: dict[str, tuple[list[Any], str]] = {
    "no claim": ([], 'resourceclaim "c" not found.'),
    "goes": ([msgspec.structs.replace(claim(), metadata=msgspec.structs.replace(claim().metadata, deletion_timestamp="2026-01-01T00:00:00Z"))], 'resourceclaim "c" is being deleted.'),
    "no class": ([claim()], "request r: device class gpu does not exist."),
    "no class of an alternative": ([claim("c", {"name": "r", "firstAvailable": [{"name": "s", **wanted()}]})], "request r/s: device class gpu does not exist."),
    "no devices": ([claim(), device_class()], "2 cannot allocate all claims."),
    "in use": ([claim("c", status=FULL)], "resourceclaim in use."),
    "on a node that is gone": ([claim("c", status=allocated("a", node="o"))], "2 resourceclaim not available on the node."),
    "wrong selector": ([claim("c", exact("r", f"{A}.x > 1")), device_class(), ON_N, ON_M], "1 claim default/c: selector #0 on device dra.example.com/m/a: CEL runtime error: no such key: x."),
}


@pytest.mark.parametrize(("things", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_words(things: list[Any], words: str):
    cluster = Cluster(N, M)
    cluster.put(*things)
    decision = cluster.decide(pod(resourceClaims=MINE))
    assert decision.node == ""
    assert decision.message.startswith("0/2 nodes are available: ")
    assert words in decision.message


def test_goes_where_the_device_is():
    cluster = Cluster(N, M)
    cluster.put(claim(), device_class(), ON_M)
    assert cluster.decide(pod(resourceClaims=MINE)).node == "m"


def test_goes_where_the_claim_is_already():
    cluster = Cluster(N, M)
    cluster.put(claim("c", status=allocated("a", node="m", reservedFor=[{"resource": "pods", "name": "x", "uid": "x"}])), device_class(), ON_N, ON_M)
    assert cluster.decide(pod(resourceClaims=MINE)).node == "m"


def test_claims_of_templates():
    cluster = Cluster(N)
    cluster.put(device_class(), ON_N)
    waiting = pod("p", resourceClaims=GENERATED)
    assert cluster.decide(waiting).message == '0/1 nodes are available: pod "default/p": ResourceClaim not created yet.'
    cluster.put(claim())
    assert "was not created for pod default/p (pod is not owner)" in cluster.decide(generated(waiting)).message
    cluster.put(claim("c", owner=waiting))
    assert cluster.decide(generated(waiting)).node == "n"
    assert cluster.decide(generated(waiting, "")).node == "n"  # none is needed


def test_two_pods_never_get_one_device():
    cluster = Cluster(N)
    cluster.put(device_class(), ON_N, claim("c"), claim("d"))
    plugin = plugin_of(cluster)
    first = pod(resourceClaims=MINE)
    decision = cluster.decide(first)
    assert plugin.reserve(decision.state, first, decision.node) is None
    second = pod(resourceClaims=[{"name": "gpu", "resourceClaimName": "d"}])
    assert cluster.decide(second).message == "0/1 nodes are available: 1 cannot allocate all claims."
    assert cluster.decide(pod(resourceClaims=MINE)).message == "0/1 nodes are available: resource claim default/c is in the process of being allocated."
    plugin.unreserve(decision.state, first, decision.node)
    assert cluster.decide(second).node == "n"


def test_better_alternatives_score_higher():
    cluster = Cluster(N, M)
    alternatives = {"name": "r", "firstAvailable": [{"name": "big", **wanted(f"{A}.size > 1")}, {"name": "small", **wanted()}]}
    cluster.put(device_class(), claim("c", alternatives), slice_of([device("a", attributes={"size": 1})], node="n"), slice_of([device("a", attributes={"size": 2})], node="m"))
    assert {cluster.decide(pod(resourceClaims=MINE)).node for _ in range(5)} == {"m"}


def test_pods_wait_untried_for_their_claims():
    cluster = Cluster(N)
    plugin, waiting = plugin_of(cluster), pod("p", resourceClaims=[*GENERATED, {"name": "x", "resourceClaimName": "d"}])
    assert plugin.pre_enqueue(pod()) == ""
    assert plugin.pre_enqueue(waiting) == 'pod "default/p": ResourceClaim not created yet'
    cluster.put(claim("c", owner=waiting))
    assert plugin.pre_enqueue(generated(waiting)) == 'resourceclaim "d" not found'
    cluster.put(claim("d"))
    assert plugin.pre_enqueue(generated(waiting)) == ""


def test_what_wakes_a_pod():
    cluster = Cluster(N)
    plugin, waiting = plugin_of(cluster), pod(resourceClaims=MINE)
    free, used, others = claim("c"), claim("c", status=allocated("a", node="n")), claim("d", status=allocated("a", node="n"))
    hints = {each.resource: each for each in plugin.events()}
    helps = hints[resource_v1.ResourceClaim].hint
    assert helps(waiting, None, free)
    assert not helps(waiting, None, claim("other"))
    assert helps(waiting, free, used)
    assert not helps(waiting, free, free)
    assert helps(waiting, others, claim("d"))  # its devices are free
    assert helps(waiting, others, None)
    assert not helps(waiting, claim("d"), others)
    assert hints[UNSCHEDULED_POD].actions == Action.UPDATE_POD_GENERATED_RESOURCE_CLAIM
    assert resource_v1.ResourceSlice in hints
    assert resource_v1.DeviceClass in hints


class Recording:
    """A client that writes down what is patched."""

    def __init__(self) -> None:
        self.patches: list[tuple[str, Any]] = []

    async def patch(self, kind: Any, name: str, body: Any, namespace: str, subresource: str = "") -> None:
        self.patches.append((name, body["status"]))


class WithClient(Cluster):
    @property
    def client(self) -> Any:
        return self.__dict__.setdefault("_client", Recording())


async def test_a_claim_that_is_in_the_way_is_given_free():
    cluster = WithClient(N)
    plugin = plugin_of(cluster)
    assert await plugin.post_filter(cluster.decide(pod()).state, pod()) == "no new claims to deallocate"
    cluster.put(claim("c", status=allocated("a", node="gone", reservedFor=[{"resource": "pods", "name": "x", "uid": "x"}])))
    waiting = pod(resourceClaims=MINE)
    assert await plugin.post_filter(cluster.decide(waiting).state, waiting) == "still not schedulable"  # somebody uses it
    cluster.put(claim("c", status=allocated("a", node="gone")))
    assert await plugin.post_filter(cluster.decide(waiting).state, waiting) == "deallocation of ResourceClaim completed"
    assert cluster.client.patches == [("c", {"allocation": None, "reservedFor": None, "devices": None})]


def test_a_pod_is_bound_to_a_device_that_will_not_be_ready_no_more():
    cluster = Cluster(N)
    conditions = {"bindingConditions": ["ready"], "bindingFailureConditions": ["failed"]}
    status = allocated("a", node="n", devices=[{"driver": DRIVER, "pool": "n", "device": "a", "conditions": [{"type": "failed", "status": "True", "reason": "R", "message": "m"}]}])
    status["allocation"]["devices"]["results"][0] |= conditions
    cluster.put(claim("c", status=status), device_class(), ON_N)
    assert cluster.decide(pod(resourceClaims=MINE)).message == "0/1 nodes are available: 1 resourceclaim not available on the node."


def test_all_profiles_give_out_the_same_devices():
    cluster = Cluster(N)
    cluster.put(device_class(), ON_N, claim("c"), claim("d"))
    first = pod(resourceClaims=MINE)
    decision = cluster.decide(first)
    other = DynamicResources(cluster)  # of another profile
    other.reserve(decision.state, first, decision.node)
    assert cluster.decide(pod(resourceClaims=[{"name": "gpu", "resourceClaimName": "d"}])).node == ""


def test_why_a_node_will_not_do():
    cluster = Cluster(N)
    cluster.put(claim("c", exact("r", "true", count=2)), device_class(), slice_of(devices("a", "b"), node="n"), claim("x", status=allocated("a", node="n")))
    [(_, refusal)] = cluster.decide(pod(resourceClaims=MINE)).diagnosis.values()
    assert refusal.detail == "request r of default/c: 2 devices here, 2 match, 1 of them free, 2 wanted"


# --- extended resources --------------------------------------------------------------------------

GPU = "example.com/gpu"


def asks(resource: str = GPU, amount: str = "1") -> core_v1.Pod:
    wanted_pod = pod("p")
    container = msgspec.structs.replace(wanted_pod.spec.containers[0], resources=core_v1.ResourceRequirements(requests={resource: amount, "cpu": "1"}))
    return msgspec.structs.replace(wanted_pod, spec=msgspec.structs.replace(wanted_pod.spec, containers=[container]))


def test_an_extended_resource_is_a_device_where_the_node_does_not_have_it():
    cluster = Cluster(N, M)
    assert cluster.decide(asks()).message == "0/2 nodes are available: 2 Insufficient example.com/gpu."
    cluster.put(device_class("gpu", extendedResourceName=GPU), ON_M)
    decision = cluster.decide(asks())
    assert decision.node == "m"
    [offer] = decision.state.data["DynamicResources"].offers["m"]
    assert [(result["request"], result["device"]) for result in offer.results] == [("container-0-request-1", "a")]
    assert cluster.decide(asks(amount="2")).message == "0/2 nodes are available: 2 cannot allocate all claims."
    assert cluster.decide(asks("deviceclass.resource.kubernetes.io/gpu")).node == "m"


def test_a_node_that_has_the_resource_gives_it():
    cluster = Cluster(node("n", extended={GPU: "1"}), M)
    cluster.put(device_class("gpu", extendedResourceName=GPU))
    decision = cluster.decide(asks())
    assert decision.node == "n"
    assert not decision.state.data["DynamicResources"].offers


def test_a_claim_of_an_earlier_try_goes_first():
    cluster = Cluster(N)
    cluster.put(device_class("gpu", extendedResourceName=GPU), ON_N)
    wanted_pod = asks()
    made = claim("p-extended-resources-x", owner=wanted_pod)
    annotated = msgspec.structs.replace(made.metadata, annotations={"resource.kubernetes.io/extended-resource-claim": "true"})
    cluster.put(msgspec.structs.replace(made, metadata=annotated))
    assert cluster.decide(wanted_pod).message == "0/1 nodes are available: cannot schedule extended resource claim."

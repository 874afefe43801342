"""What objects weigh on quotas, and which quotas they weigh on."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api.quota import Kind, in_scope, kind_of, kinds_of, unspecified, weigh
from wherry.api.types.core_v1 import ResourceQuotaSpec, ScopedResourceSelectorRequirement, ScopeSelector

PODS, SERVICES, CLAIMS = ("", "pods"), ("", "services"), ("", "persistentvolumeclaims")


def pod(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None, phase: str = "Running", **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "resources": {"requests": requests or {}, "limits": limits or {}}}
    return {"metadata": {"name": "p"}, "spec": {"containers": [container], **spec}, "status": {"phase": phase}}


def claim(storage: str = "1Gi", storage_class: str | None = None, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "c"}, "spec": {"resources": {"requests": {"storage": storage}}, "storageClassName": storage_class}, "status": status}


def service(type_: str, *ports: dict[str, int], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "s"}, "spec": {"type": type_, "ports": list(ports), **spec}}


@pytest.mark.parametrize(
    ("kind", "obj", "expected"),
    [
        pytest.param(("apps", "deployments"), None, {"count/deployments.apps": "1"}, id="an object of any kind"),
        pytest.param(("", "secrets"), None, {"count/secrets": "1", "secrets": "1"}, id="a classic one"),
        pytest.param(
            PODS, pod({"cpu": "500m", "example.com/gpu": "2", "hugepages-2Mi": "4Mi"}, {"memory": "1Gi"}),
            {"count/pods": "1", "pods": "1", "cpu": "500m", "requests.cpu": "500m", "requests.example.com/gpu": "2", "hugepages-2Mi": "4Mi",
             "requests.hugepages-2Mi": "4Mi", "limits.memory": "1Gi"},
            id="a Pod",
        ),
        pytest.param(PODS, pod({"cpu": "1"}, phase="Succeeded"), {"count/pods": "1"}, id="a Pod that has ended"),
        pytest.param(SERVICES, service("ClusterIP", {"port": 80}), {"count/services": "1", "services": "1"}, id="a Service"),
        pytest.param(
            SERVICES, service("NodePort", {"port": 80}, {"port": 81}), {"count/services": "1", "services": "1", "services.nodeports": "2"},
            id="a NodePort",
        ),
        pytest.param(
            SERVICES, service("LoadBalancer", {"port": 80, "nodePort": 30000}, {"port": 81}, allocateLoadBalancerNodePorts=False),
            {"count/services": "1", "services": "1", "services.loadbalancers": "1", "services.nodeports": "1"},
            id="a load balancer that takes only the node ports it names",
        ),
        pytest.param(
            CLAIMS, claim("1Gi", "fast"),
            {"count/persistentvolumeclaims": "1", "persistentvolumeclaims": "1", "requests.storage": "1Gi",
             "fast.storageclass.storage.k8s.io/persistentvolumeclaims": "1", "fast.storageclass.storage.k8s.io/requests.storage": "1Gi"},
            id="a claim of a class",
        ),
        pytest.param(
            CLAIMS, claim("1Gi", allocatedResources={"storage": "3Gi"}),
            {"count/persistentvolumeclaims": "1", "persistentvolumeclaims": "1", "requests.storage": "3Gi"},
            id="a claim that could not grow",
        ),
    ],
)
def test_usage(kind: Kind, obj: Any, expected: dict[str, str]) -> None:
    assert {name: str(amount) for name, amount in weigh(kind, obj).usage.items()} == expected


def test_the_beta_annotation_names_the_class_of_a_claim() -> None:
    made = claim("1Gi", "field")
    made["metadata"]["annotations"] = {"volume.beta.kubernetes.io/storage-class": "old"}
    assert "old.storageclass.storage.k8s.io/requests.storage" in weigh(CLAIMS, made).usage


@pytest.mark.parametrize(("asks", "has", "conditions", "counted"), [
    ("1", "2", [], "2"), ("3", "2", [], "3"), ("3", "2", [{"type": "PodResizePending", "status": "True", "reason": "Infeasible"}], "2"),
])
def test_a_pod_that_is_resized_counts_for_what_it_has_and_what_it_is_to_have(
    asks: str, has: str, conditions: list[Any], counted: str,
) -> None:
    amounts = {"requests": {"cpu": has}, "limits": {"cpu": has}}
    resized = pod({"cpu": asks}, {"cpu": asks})
    resized["status"] |= {"conditions": conditions, "containerStatuses": [{"name": "c", "resources": amounts}]}
    usage = weigh(PODS, resized).usage
    assert {str(usage[name]) for name in ("cpu", "requests.cpu", "limits.cpu")} == {counted}


def test_a_pod_that_goes_counts_until_its_time_is_over() -> None:
    going = pod({"cpu": "1"})
    going["metadata"] |= {"deletionTimestamp": "2023-11-14T22:13:20Z", "deletionGracePeriodSeconds": 30}
    weight = weigh(PODS, going)
    over = 1_700_000_000 + 30
    assert (weight.until, "pods" in weight.at(over), set(weight.at(over + 1))) == (over, True, {"count/pods"})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("count/deployments.apps", ("apps", "deployments")), ("count/pods", PODS), ("pods", PODS), ("requests.cpu", PODS), ("memory", PODS),
        ("requests.example.com/gpu", PODS), ("services.nodeports", SERVICES), ("services", SERVICES), ("requests.storage", CLAIMS),
        ("fast.storageclass.storage.k8s.io/requests.storage", CLAIMS), ("configmaps", ("", "configmaps")),
        ("count/widgets.example.com", ("example.com", "widgets")),
    ],
    ids=str,
)
def test_which_kind_a_name_is_about(name: str, kind: Kind) -> None:
    assert kind_of(name) == kind
    assert kinds_of([name, "pods"]) == {kind, PODS}


def scoped(name: str, operator: str = "Exists", *values: str) -> ResourceQuotaSpec:
    expression = ScopedResourceSelectorRequirement(scope_name=name, operator=operator, values=list(values))
    return ResourceQuotaSpec(scope_selector=ScopeSelector(match_expressions=[expression]))


ACROSS = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "k", "namespaces": ["other"]}]}}
HERE = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "k"}]}}
SOFT = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
    {"weight": 1, "podAffinityTerm": {"topologyKey": "k", "namespaceSelector": {}}},
]}}


@pytest.mark.parametrize(
    ("spec", "kind", "obj", "expected"),
    [
        pytest.param(ResourceQuotaSpec(), PODS, pod(), True, id="without scopes all"),
        pytest.param(scoped("Terminating"), PODS, pod(activeDeadlineSeconds=5), True, id="with a deadline"),
        pytest.param(scoped("Terminating"), PODS, pod(), False, id="without a deadline"),
        pytest.param(scoped("NotTerminating"), PODS, pod(), True, id="not terminating"),
        pytest.param(scoped("BestEffort"), PODS, pod(), True, id="best effort"),
        pytest.param(scoped("BestEffort"), PODS, pod({"cpu": "1"}), False, id="burstable is not"),
        pytest.param(scoped("NotBestEffort"), PODS, pod({"cpu": "1"}), True, id="not best effort"),
        pytest.param(scoped("PriorityClass", "In", "high"), PODS, pod(priorityClassName="high"), True, id="of a class"),
        pytest.param(scoped("PriorityClass", "In", "high"), PODS, pod(priorityClassName="low"), False, id="of another"),
        pytest.param(scoped("PriorityClass", "NotIn", "high"), PODS, pod(), True, id="not of it"),
        pytest.param(scoped("PriorityClass", "DoesNotExist"), PODS, pod(), True, id="of none"),
        pytest.param(ResourceQuotaSpec(scopes=["PriorityClass"]), PODS, pod(priorityClassName="low"), True, id="of any, by the short form"),
        pytest.param(scoped("CrossNamespacePodAffinity"), PODS, pod(affinity=ACROSS), True, id="affinity to another namespace"),
        pytest.param(scoped("CrossNamespacePodAffinity"), PODS, pod(affinity=SOFT), True, id="preferred, by a selector"),
        pytest.param(scoped("CrossNamespacePodAffinity"), PODS, pod(affinity=HERE), False, id="affinity here"),
        pytest.param(scoped("BestEffort"), SERVICES, service("ClusterIP"), False, id="other kinds have no Pod's scopes"),
        pytest.param(
            scoped("VolumeAttributesClass", "In", "gold"), CLAIMS, claim(currentVolumeAttributesClassName="gold"), True,
            id="a claim's attributes",
        ),
        pytest.param(scoped("VolumeAttributesClass", "In", "gold"), CLAIMS, claim(), False, id="a claim without"),
        pytest.param(
            ResourceQuotaSpec(scopes=["BestEffort", "Terminating"]), PODS, pod(), False, id="every scope must hold",
        ),
    ],
)
def test_scopes(spec: ResourceQuotaSpec, kind: Kind, obj: Any, expected: bool) -> None:
    assert in_scope(spec, weigh(kind, obj)) is expected


def test_containers_that_do_not_say() -> None:
    assert unspecified(["limits.cpu", "memory", "pods"], pod({"memory": "1Mi"})) == "limits.cpu for: c"
    assert unspecified(["limits.cpu"], pod(resources={"limits": {"cpu": "1"}})) == ""
    assert unspecified(["memory"], pod(resources={"limits": {"cpu": "1"}})) == "", "a Pod that says anything for itself says enough"
    assert unspecified(["limits.ephemeral-storage", "requests.ephemeral-storage"], pod()) == ""

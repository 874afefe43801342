"""How many Pods the controllers of some Pods want: each counts once, whatever way it is found."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api.types import apps_v1, autoscaling_v1, core_v1, meta_v1
from wherry.apimachinery.errors import StatusError, not_found, page_not_found
from wherry.client import ResourceInfo
from wherry.client.store import Store
from wherry.controller.disruption.finders import Expected, Finders, NotFound

WIDGETS = ResourceInfo("example.com", "v1", "widgets", True, "Widget")


class SomeScales:
    """Widgets have a scale; `scale` may be an error."""

    def __init__(self, scale: autoscaling_v1.Scale | StatusError) -> None:
        self.scale, self.asked = scale, 0

    async def resource_of(self, group: str, kind: str) -> ResourceInfo | None:
        return WIDGETS if (group, kind) == ("example.com", "Widget") else None

    async def get(self, resource: ResourceInfo, namespace: str, name: str) -> autoscaling_v1.Scale:
        self.asked += 1
        if isinstance(self.scale, StatusError):
            raise self.scale
        return self.scale


def meta(name: str, *owner: str) -> meta_v1.ObjectMeta:
    return meta_v1.ObjectMeta(name=name, namespace="default", uid=f"uid-{name}", owner_references=[ref(*owner)] if owner else [])


def ref(api_version: str, kind: str, name: str, uid: str = "") -> meta_v1.OwnerReference:
    return meta_v1.OwnerReference(api_version=api_version, kind=kind, name=name, uid=uid or f"uid-{name}", controller=True)


def pod(name: str, *owner: str) -> core_v1.Pod:
    return core_v1.Pod(metadata=meta(name, *owner))


def store(*objects: Any) -> Store[Any]:
    made: Store[Any] = Store()
    for obj in objects:
        made.put(obj)
    return made


def finders(scale: autoscaling_v1.Scale | StatusError | None = None) -> tuple[Finders, SomeScales]:
    scales = SomeScales(scale or page_not_found())
    deployment = apps_v1.Deployment(metadata=meta("web"), spec=apps_v1.DeploymentSpec(replicas=5))
    of_deployment = [
        apps_v1.ReplicaSet(metadata=meta(name, "apps/v1", "Deployment", "web"), spec=apps_v1.ReplicaSetSpec(replicas=3)) for name in ("new", "old")
    ]
    alone = apps_v1.ReplicaSet(metadata=meta("alone"), spec=apps_v1.ReplicaSetSpec(replicas=2))
    rc = core_v1.ReplicationController(metadata=meta("rc"), spec=core_v1.ReplicationControllerSpec(replicas=4))
    sts = apps_v1.StatefulSet(metadata=meta("db"), spec=apps_v1.StatefulSetSpec(replicas=7))
    return Finders(store(rc), store(*of_deployment, alone), store(deployment), store(sts), scales), scales  # type: ignore[arg-type]


NEW, OLD = ("apps/v1", "ReplicaSet", "new"), ("apps/v1", "ReplicaSet", "old")


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        pytest.param([], Expected(0, False), id="no Pods"),
        pytest.param([pod("a", *NEW), pod("b", *OLD)], Expected(5, False), id="two ReplicaSets of one Deployment"),
        pytest.param([pod("a", "apps/v1", "ReplicaSet", "alone")], Expected(2, False), id="a ReplicaSet of nobody"),
        pytest.param([pod("a", "v1", "ReplicationController", "rc")], Expected(4, False), id="a ReplicationController"),
        pytest.param([pod("a", "apps/v1", "StatefulSet", "db"), pod("b", *NEW)], Expected(12, False), id="two workloads"),
        pytest.param([pod("a"), pod("b", *NEW)], Expected(5, True), id="a Pod of nobody"),
    ],
)
async def test_expected(pods: list[core_v1.Pod], expected: Expected) -> None:
    assert await finders()[0].expected(pods) == expected


async def test_a_custom_resource_is_asked_for_its_scale_once() -> None:
    scale = autoscaling_v1.Scale(metadata=meta("w"), spec=autoscaling_v1.ScaleSpec(replicas=9))
    found, scales = finders(scale)
    pods = [pod(name, "example.com/v1", "Widget", "w") for name in "abc"]
    assert await found.expected(pods) == Expected(9, False)
    assert scales.asked == 1


@pytest.mark.parametrize(
    ("owner", "scale", "why"),
    [
        pytest.param(("apps/v1", "StatefulSet", "db", "another"), None, "no matches for kind", id="another object of the name"),
        pytest.param(("example.com/v1", "Widget", "w"), not_found("example.com", "widgets", "w"), 'found no controllers for pod "a"', id="gone"),
        pytest.param(
            ("example.com/v1", "Widget", "w"), page_not_found(), "widgets.example.com does not implement the scale subresource", id="no scale",
        ),
        pytest.param(("b/v1", "Odd", "o"), None, 'no matches for kind "Odd" in version "b/v1"', id="a kind that nobody serves"),
    ],
)
async def test_what_cannot_be_told(owner: tuple[str, ...], scale: StatusError | None, why: str) -> None:
    one = core_v1.Pod(metadata=meta_v1.ObjectMeta(name="a", namespace="default", owner_references=[ref(*owner)]))
    with pytest.raises(NotFound, match=why):
        await finders(scale)[0].expected([one])


async def test_other_errors_are_the_callers() -> None:
    with pytest.raises(StatusError):
        await finders(StatusError(500, "InternalError", "no"))[0].expected([pod("a", "example.com/v1", "Widget", "w")])

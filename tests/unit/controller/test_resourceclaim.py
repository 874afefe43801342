"""Claims from templates, and claims whose users have ended: plans as tables, and against the API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from wherry.api.resourceclaims import FINALIZER, POD_CLAIM, Claim
from wherry.api.types import core_v1, meta_v1
from wherry.apimachinery.http import UserInfo
from wherry.client import Client, InProcessTransport
from wherry.controller.resourceclaim.controller import ResourceClaimController
from wherry.controller.resourceclaim.plan import Template, plan_claim, plan_pod, status_of

ADMIN = UserInfo("kubernetes-admin", ("system:masters", "system:authenticated"))
SPEC = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1}}]}}
ALLOCATION = {"devices": {"results": [{"request": "r", "driver": "dra.example.com", "pool": "p", "device": "d"}]}}


def pod(name: str = "p", *, entries: Any = None, told: dict[str, str] | None = None, **more: Any) -> core_v1.Pod:
    """With one entry that names a template."""
    spec = {"containers": [{"name": "c", "image": "i"}], "resourceClaims": entries or [{"name": "gpu", "resourceClaimTemplateName": "t"}], **more.pop("spec", {})}
    status = {"resourceClaimStatuses": [{"name": key, "resourceClaimName": value} for key, value in (told or {}).items()], **more.pop("status", {})}
    return msgspec.convert({"metadata": {"name": name, "namespace": "default", "uid": f"{name}-uid", **more}, "spec": spec, "status": status}, core_v1.Pod)


def claim(name: str, *, owner: core_v1.Pod | None = None, entry: str = "gpu", users: tuple[str, ...] = (), allocated: bool = False, **meta: Any) -> Claim:
    raw: dict[str, Any] = {"metadata": {"name": name, "namespace": "default", "uid": f"{name}-uid", **meta}, "spec": SPEC, "status": {}}
    if owner is not None:
        raw["metadata"] |= {
            "annotations": {POD_CLAIM: entry},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": owner.metadata.name, "uid": owner.metadata.uid, "controller": True}],
        }
    if allocated or users:
        raw["status"]["allocation"] = ALLOCATION
    if users:
        raw["status"]["reservedFor"] = [{"resource": "pods", "name": each, "uid": f"{each}-uid"} for each in users]
    return msgspec.convert(raw, Claim)


def template(**meta: Any) -> Template:
    return msgspec.convert({"metadata": {"name": "t", "namespace": "default"}, "spec": {"metadata": meta, "spec": SPEC}}, Template)


def plan(of: core_v1.Pod, *claims: Claim, known: Template | None = None):
    by_name = {each.metadata.name: each for each in claims}
    made = [each for each in claims if any(o.uid == of.metadata.uid for o in each.metadata.owner_references)]
    return plan_pod(of, by_name.get, made, lambda name: known if name == "t" else None)


# --- plans -------------------------------------------------------------------------------------


def test_a_claim_is_made_of_the_template():
    found = plan(pod(), known=template(labels={"a": "b"}, annotations={"c": "d"}))
    [made] = found.create.values()
    assert (made.metadata.generate_name, made.metadata.labels, made.metadata.annotations) == ("p-gpu-", {"a": "b"}, {"c": "d", POD_CLAIM: "gpu"})
    assert made.spec == template().spec.spec
    [owner] = made.metadata.owner_references
    assert (owner.kind, owner.name, owner.uid, owner.controller, owner.block_owner_deletion) == ("Pod", "p", "p-uid", True, True)


def test_long_names_are_cut_in_proportion():
    found = plan(pod("p" * 63, entries=[{"name": "e" * 21, "resourceClaimTemplateName": "t"}]), known=template())
    assert found.create["e" * 21].metadata.generate_name == "p" * 41 + "-" + "e" * 13


OWNED = claim("p-gpu-x", owner=pod())
CASES = {
    "told and there": (pod(told={"gpu": "p-gpu-x"}), [OWNED], ([], {}, [])),
    "made and not told": (pod(), [OWNED], ([], {"gpu": "p-gpu-x"}, [])),
    "made for another entry": (pod(), [claim("p-y", owner=pod(), entry="other")], (["gpu"], {}, [])),
    "told and gone": (pod(told={"gpu": "p-gpu-x"}), [], (["gpu"], {}, [])),
    "told and another's": (pod(told={"gpu": "p-gpu-x"}), [claim("p-gpu-x", owner=pod("q"))], (["gpu"], {}, [])),
    "none is needed": (pod(told={"gpu": ""}), [], ([], {}, [])),
    "of its own": (pod(entries=[{"name": "gpu", "resourceClaimName": "c"}]), [], ([], {}, [])),
    "the Pod goes": (pod(deletionTimestamp="2026-01-01T00:00:00Z"), [], ([], {}, [])),
    "the Pod has ended": (pod(status={"phase": "Succeeded"}), [], ([], {}, [])),
    "placed by hand": (pod(entries=[{"name": "gpu", "resourceClaimName": "c"}], spec={"nodeName": "n"}), [claim("c", allocated=True)], ([], {}, ["c"])),
    "placed and reserved": (pod(entries=[{"name": "gpu", "resourceClaimName": "c"}], spec={"nodeName": "n"}), [claim("c", users=("p",))], ([], {}, [])),
    "placed without devices": (pod(entries=[{"name": "gpu", "resourceClaimName": "c"}], spec={"nodeName": "n"}), [claim("c")], ([], {}, [])),
}


@pytest.mark.parametrize(("of", "claims", "expected"), CASES.values(), ids=CASES.keys())
def test_what_a_pod_needs(of: core_v1.Pod, claims: list[Claim], expected: Any):
    found = plan(of, *claims, known=template())
    assert (list(found.create), found.found, [each.metadata.name for each in found.reserve]) == expected
    assert not found.refused


def test_without_a_template():
    assert plan(pod()).refused == {"gpu": 'resource claim template "t": resourceclaimtemplate.resource.k8s.io "t" not found'}


GOING = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [FINALIZER]}
KEPT = {"finalizers": [FINALIZER]}
OWNER, ENDED = pod(), pod(status={"phase": "Failed"})
CLAIMS: dict[str, tuple[Claim, set[str], core_v1.Pod | None, tuple[Any, bool, bool, bool]]] = {
    "in use": (claim("c", users=("p",), **KEPT), set(), None, (None, False, False, False)),
    "one of two ended": (claim("c", users=("p", "q"), **KEPT), {"p-uid"}, None, (["q"], False, False, False)),
    "the last ended": (claim("c", users=("p",), **KEPT), {"p-uid"}, None, ([], True, True, False)),
    "the last ended, allocated by others": (claim("c", users=("p",)), {"p-uid"}, None, ([], False, False, False)),
    "allocated for nobody": (claim("c", allocated=True, **KEPT), set(), None, (None, False, False, False)),
    "goes": (claim("c", **GOING), set(), None, (None, False, True, False)),
    "goes, allocated": (claim("c", allocated=True, **GOING), set(), None, (None, True, True, False)),
    "goes, in use": (claim("c", users=("p",), **GOING), set(), None, (None, False, False, False)),
    "made for a Pod": (claim("c", owner=OWNER), set(), OWNER, (None, False, False, False)),
    "made for a Pod that ended": (claim("c", owner=OWNER, users=("p",), **KEPT), {"p-uid"}, ENDED, ([], True, True, True)),
    "made for a Pod that was replaced": (claim("c", owner=pod("p", uid="old")), set(), OWNER, (None, False, False, True)),
    "made for a Pod that is not known": (claim("c", owner=OWNER), set(), None, (None, False, False, False)),
}


@pytest.mark.parametrize(("of", "gone", "owner", "expected"), CLAIMS.values(), ids=CLAIMS.keys())
def test_what_becomes_of_a_claim(of: Claim, gone: set[str], owner: core_v1.Pod | None, expected: Any):
    found = plan_claim(of, lambda user: user.uid in gone, owner)
    users = None if found.reserved_for is None else [each.name for each in found.reserved_for]
    assert (users, found.deallocate, found.let_go, found.delete) == expected


def test_other_users_stay():
    of = claim("c", users=("p",))
    other = msgspec.structs.replace(of.status.reserved_for[0], resource="jobs", api_group="batch")
    of = msgspec.structs.replace(of, status=msgspec.structs.replace(of.status, reserved_for=[other]))
    assert plan_claim(of, lambda user: True, None).reserved_for is None


def test_what_is_written():
    assert status_of(OWNED, plan_claim(claim("c", users=("p",), **KEPT), lambda user: True, None)) == {"reservedFor": None, "allocation": None}


# --- against the API server --------------------------------------------------------------------


async def make(world: Any, of: Any) -> Any:
    meta = msgspec.structs.replace(of.metadata, uid="")
    return await world.client.create(msgspec.structs.replace(of, metadata=meta))


async def claims(world: Any) -> list[Claim]:
    return sorted((await world.client.list(Claim, "default")).items, key=lambda each: each.metadata.name)


async def write_status(world: Any, kind: Any, name: str, status: dict[str, Any]) -> None:
    await world.client.patch(kind, name, {"status": status}, "default", subresource="status")


@asynccontextmanager
async def opened(world: Any) -> AsyncIterator[Any]:
    async with world() as here:
        await here.namespace()
        yield here


async def test_a_pod_gets_its_claim(world: Any):
    async with opened(world) as here:
        here.start(ResourceClaimController)
        await make(here, pod())
        await here.settle()
        [(about, reason, message)] = await here.events()
        assert (about, reason) == ("Pod/p", "FailedResourceClaimCreation")
        assert message == 'PodResourceClaim gpu: resource claim template "t": resourceclaimtemplate.resource.k8s.io "t" not found'
        await make(here, template(labels={"a": "b"}))
        await here.advance(2)
        [made] = await claims(here)
        assert made.metadata.name.startswith("p-gpu-")
        [found] = (await here.pods())[0].status.resource_claim_statuses
        assert (found.name, found.resource_claim_name) == ("gpu", made.metadata.name)
        await here.client.delete(Claim, made.metadata.name, "default")
        await here.advance(1)
        [again] = await claims(here)
        assert again.metadata.name != made.metadata.name
        assert (await here.pods())[0].status.resource_claim_statuses[0].resource_claim_name == again.metadata.name


async def test_a_claim_that_was_made_before_a_stop_is_found(world: Any):
    async with opened(world) as here:
        await make(here, template())
        owner = await make(here, pod())
        await make(here, claim("p-gpu-x", owner=owner))
        here.start(ResourceClaimController)
        await here.settle()
        assert [each.metadata.name for each in await claims(here)] == ["p-gpu-x"]
        assert (await here.pods())[0].status.resource_claim_statuses[0].resource_claim_name == "p-gpu-x"


async def test_the_last_user_takes_the_devices_along(world: Any):
    async with opened(world) as here:
        await make(here, claim("c", **KEPT))
        entries = [{"name": "gpu", "resourceClaimName": "c"}]
        users = [await make(here, pod(name, entries=entries)) for name in ("p", "q")]
        reserved = [{"resource": "pods", "name": each.metadata.name, "uid": each.metadata.uid} for each in users]
        reserved.append({"resource": "pods", "name": "never", "uid": "never-seen"})
        await write_status(here, Claim, "c", {"allocation": ALLOCATION, "reservedFor": reserved})
        here.start(ResourceClaimController)
        await here.settle()
        [found] = await claims(here)
        assert [each.name for each in found.status.reserved_for] == ["p", "q"]
        await write_status(here, core_v1.Pod, "p", {"phase": "Succeeded"})
        await here.settle()
        assert [each.name for each in (await claims(here))[0].status.reserved_for] == ["q"]
        await here.client.delete(core_v1.Pod, "q", "default", grace_period_seconds=0)
        await here.settle()
        [found] = await claims(here)
        assert (found.status.reserved_for, found.status.allocation, found.metadata.finalizers) == ([], None, [])


async def test_a_generated_claim_goes_when_its_pod_has_ended(world: Any):
    async with opened(world) as here:
        await make(here, template())
        await make(here, pod())
        here.start(ResourceClaimController)
        await here.settle()
        [made] = await claims(here)
        await write_status(here, core_v1.Pod, "p", {"phase": "Failed"})
        await here.settle()
        assert await claims(here) == []


async def test_claims_whose_names_the_status_lost_go_too(world: Any):
    async with opened(world) as here:
        await make(here, template())
        await make(here, pod())
        here.start(ResourceClaimController)
        await here.settle()
        await write_status(here, core_v1.Pod, "p", {"phase": "Failed", "resourceClaimStatuses": None})
        await here.settle()
        assert await claims(here) == []


async def test_a_claim_that_is_deleted_while_in_use_goes_after_its_user(world: Any):
    async with opened(world) as here:
        await make(here, claim("c", **KEPT))
        user = await make(here, pod(entries=[{"name": "gpu", "resourceClaimName": "c"}]))
        await write_status(here, Claim, "c", {"allocation": ALLOCATION, "reservedFor": [{"resource": "pods", "name": "p", "uid": user.metadata.uid}]})
        here.start(ResourceClaimController)
        await here.client.delete(Claim, "c", "default")
        await here.settle()
        assert len(await claims(here)) == 1
        await here.client.delete(core_v1.Pod, "p", "default", grace_period_seconds=0)
        await here.settle()
        assert await claims(here) == []


async def test_a_pod_that_was_placed_by_hand_has_its_claims_reserved(world: Any):
    async with opened(world) as here:
        await here.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name="n")))
        await make(here, claim("c", **KEPT))
        await write_status(here, Claim, "c", {"allocation": ALLOCATION})
        user = await make(here, pod(entries=[{"name": "gpu", "resourceClaimName": "c"}], spec={"nodeName": "n"}))
        here.start(ResourceClaimController)
        await here.settle()
        [found] = await claims(here)
        assert [each.uid for each in found.status.reserved_for] == [user.metadata.uid]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_lost_write_is_made_up_for(world: Any, method: str):
    """The connection is lost once before a claim is made, and once before (or after) it is told in the Pod's status."""
    async with opened(world) as here:
        await make(here, template())
        lost: list[str] = []

        async def handle(request: Any) -> Any:
            ours = request.path.endswith("/resourceclaims") or request.path.endswith("/pods/p/status")
            if request.method == method and ours and len(lost) < 2:
                lost.append(request.path)
                if len(lost) == 2:
                    await here.server.handle(request)  # it arrives, and the answer does not
                raise OSError("connection lost")
            return await here.server.handle(request)

        await make(here, pod())
        here.client = Client(InProcessTransport(handle, ADMIN))
        here.start(ResourceClaimController)
        await here.advance(5)
        made = await claims(here)
        told = (await here.pods())[0].status.resource_claim_statuses[0].resource_claim_name
        assert [each.metadata.name for each in made if each.metadata.name == told] == [told]
        assert len(made) == 1
        assert len(lost) == 2

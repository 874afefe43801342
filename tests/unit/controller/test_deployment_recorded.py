"""Deployments live against the API server, held against what upstream recorded for the same scenario."""

from __future__ import annotations

import json
import re

import pytest
from controller_objects import RECREATE, deployment, image_patch

from wherry.api.types import apps_v1
from wherry.controller.deployment.controller import DeploymentController
from wherry.controller.replicaset.controller import ReplicaSetController

HASH = re.compile(r"(web|recreate|stuck)-[bcdfghjklmnpqrstvwxz2456789]+(-[a-z0-9]{5})?")


def nameless(text: str) -> str:
    """Hashes and generated names differ from cluster to cluster."""
    return HASH.sub(r"\1-HASH", text)


def recorded_events(shared, name: str, count: int) -> list[tuple[str, str]]:
    events = [event["object"] for event in json.loads((shared / "upstream/life/events.json").read_text())]
    mine = [each for each in events if each["involvedObject"]["kind"] == "Deployment" and each["involvedObject"]["name"] == name]
    return [(each["reason"], nameless(each["message"])) for each in mine][:count]


async def told(w, name: str) -> list[tuple[str, str]]:
    return [(reason, nameless(message)) for about, reason, message in await w.events() if about == f"Deployment/{name}"]


async def conditions(w, name: str) -> dict[str, tuple[str, str, str]]:
    found = await w.client.get(apps_v1.Deployment, name, "default")
    return {each.type: (each.status, each.reason, nameless(each.message)) for each in found.status.conditions}


def recorded_conditions(shared, name: str, reason: str) -> dict[str, tuple[str, str, str]]:
    """The first recorded set of conditions in which Progressing has this reason, and what was observed is up to date."""
    for event in json.loads((shared / "upstream/life/deployments.json").read_text()):
        obj = event["object"]
        found = {c["type"]: (c["status"], c["reason"], nameless(c["message"])) for c in obj["status"].get("conditions", ())}
        if obj["metadata"]["name"] == name and len(found) == 2 and found["Progressing"][1] == reason:
            return found
    raise AssertionError(f"nothing recorded for {name} with {reason}")


@pytest.mark.parametrize(("name", "strategy", "events"), [("web", None, 7), ("recreate", RECREATE, 3)])
async def test_a_rollout_tells_the_same_events_and_ends_in_the_same_conditions(world, shared, name, strategy, events):
    async with world() as w:
        await w.namespace()
        w.start(ReplicaSetController, DeploymentController)
        more = {"strategy": strategy} if strategy else {}
        await w.client.create(deployment(name, replicas=3 if name == "web" else 2, **more))
        await w.run_kubelet()
        assert await conditions(w, name) == recorded_conditions(shared, name, "NewReplicaSetAvailable")
        await w.client.patch(apps_v1.Deployment, name, image_patch("busybox:2"), "default", patch_type="strategic")
        await w.run_kubelet()
        assert await told(w, name) == recorded_events(shared, name, events)
        found = await w.client.get(apps_v1.Deployment, name, "default")
        assert found.metadata.annotations["deployment.kubernetes.io/revision"] == "2"


async def test_a_pod_that_never_is_ready_runs_into_the_deadline_as_recorded(world, shared):
    async with world() as w:
        await w.namespace()
        w.start(ReplicaSetController, DeploymentController)
        await w.client.create(deployment("stuck", replicas=2, progress_deadline_seconds=15))
        await w.advance(14)
        assert (await conditions(w, "stuck"))["Progressing"][1] == "ReplicaSetUpdated"
        await w.advance(4)
        assert await conditions(w, "stuck") == recorded_conditions(shared, "stuck", "ProgressDeadlineExceeded")


async def test_a_rollback_takes_the_old_replica_set_up_again_with_a_new_revision(world):
    async with world() as w:
        await w.namespace()
        w.start(ReplicaSetController, DeploymentController)
        await w.client.create(deployment())
        await w.run_kubelet()
        for image in ("busybox:2", "busybox:1.36"):
            await w.client.patch(apps_v1.Deployment, "web", image_patch(image), "default", patch_type="strategic")
            await w.run_kubelet()
        sets = (await w.client.list(apps_v1.ReplicaSet, "default")).items
        revisions = {
            rs.spec.template.spec.containers[0].image: (
                rs.spec.replicas, rs.metadata.annotations["deployment.kubernetes.io/revision"],
                rs.metadata.annotations.get("deployment.kubernetes.io/revision-history"),
            ) for rs in sets
        }
        assert revisions == {"busybox:1.36": (3, "3", "1"), "busybox:2": (0, "2", None)}


async def test_a_paused_deployment_scales_but_does_not_roll(world):
    async with world() as w:
        await w.namespace()
        w.start(ReplicaSetController, DeploymentController)
        await w.client.create(deployment())
        await w.run_kubelet()
        await w.client.patch(apps_v1.Deployment, "web", {"spec": {"paused": True, "replicas": 5}}, "default")
        await w.client.patch(apps_v1.Deployment, "web", image_patch("busybox:2"), "default", patch_type="strategic")
        await w.run_kubelet()
        assert len((await w.client.list(apps_v1.ReplicaSet, "default")).items) == 1
        assert len(await w.pods()) == 5
        assert (await conditions(w, "web"))["Progressing"] == ("Unknown", "DeploymentPaused", "Deployment is paused")
        await w.client.patch(apps_v1.Deployment, "web", {"spec": {"paused": None}}, "default")
        await w.run_kubelet()
        images = {pod.spec.containers[0].image for pod in await w.pods()}
        assert images == {"busybox:2"}


async def test_history_is_kept_to_its_limit(world):
    async with world() as w:
        await w.namespace()
        w.start(ReplicaSetController, DeploymentController)
        await w.client.create(deployment(revision_history_limit=1))
        await w.run_kubelet()
        for number in range(2, 6):
            await w.client.patch(apps_v1.Deployment, "web", image_patch(f"busybox:{number}"), "default", patch_type="strategic")
            await w.run_kubelet()
        await w.advance(2)
        sets = (await w.client.list(apps_v1.ReplicaSet, "default")).items
        assert sorted(rs.spec.template.spec.containers[0].image for rs in sets) == ["busybox:4", "busybox:5"]

"""DaemonSets against the API server in-process."""

from __future__ import annotations

import msgspec
from controller_objects import image_patch, pod_template
from workload_helpers import kill_controllers, raw

from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.controller.daemonset.controller import DaemonSetController
from wherry.controller.daemonset.nodes import node_of

PATH = "/apis/apps/v1/namespaces/default/daemonsets/dset"


def daemon_set() -> apps_v1.DaemonSet:
    labels = {"a": "dset"}
    spec = apps_v1.DaemonSetSpec(selector=meta_v1.LabelSelector(match_labels=labels), template=pod_template(labels))
    return apps_v1.DaemonSet(metadata=meta_v1.ObjectMeta(name="dset", namespace="default"), spec=spec)


async def add_node(w, name: str) -> None:
    """A node that is ready: admission gives new ones a taint, which the node controller takes off."""
    await w.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name=name)))
    await w.client.patch(core_v1.Node, name, {"spec": {"taints": None}})


async def test_follows_nodes_and_rolls_over(world):
    async with world() as w:
        await w.namespace()
        for name in ("n1", "n2"):
            await add_node(w, name)
        w.start(DaemonSetController)
        await w.client.create(daemon_set())
        await w.run_kubelet()
        pods = await w.pods()
        assert sorted(map(node_of, pods)) == ["n1", "n2"]
        assert {pod.metadata.labels["pod-template-generation"] for pod in pods} == {"1"}
        assert (await raw(w, PATH))["status"] == {
            "currentNumberScheduled": 2, "numberMisscheduled": 0, "desiredNumberScheduled": 2, "numberReady": 2, "observedGeneration": 1,
            "updatedNumberScheduled": 2, "numberAvailable": 2,
        }
        assert sorted(await w.events()) == sorted(
            ("DaemonSet/dset", "SuccessfulCreate", f"Created pod: {pod.metadata.name}") for pod in pods
        )
        await add_node(w, "n3")
        await w.run_kubelet()
        assert len(await w.pods()) == 3
        await w.client.patch(apps_v1.DaemonSet, "dset", image_patch("busybox:1.37"), "default", patch_type="strategic")
        await w.run_kubelet()
        assert {pod.spec.containers[0].image for pod in await w.pods()} == {"busybox:1.37"}
        revisions = (await w.client.list(apps_v1.ControllerRevision, "default")).items
        assert sorted(each.revision for each in revisions) == [1, 2]


async def test_undo_makes_the_old_revision_the_newest(world):
    async with world() as w:
        await w.namespace()
        await add_node(w, "n1")
        w.start(DaemonSetController)
        await w.client.create(daemon_set())
        await w.run_kubelet()
        await w.client.patch(apps_v1.DaemonSet, "dset", image_patch("busybox:bad"), "default", patch_type="strategic")
        await w.run_kubelet()
        await kill_controllers(w)
        w.start(DaemonSetController)
        first = min((await w.client.list(apps_v1.ControllerRevision, "default")).items, key=lambda each: each.revision)
        await w.client.patch(apps_v1.DaemonSet, "dset", first.data, "default", patch_type="strategic")
        await w.run_kubelet()
        revisions = (await w.client.list(apps_v1.ControllerRevision, "default")).items
        assert sorted((each.revision, each.metadata.name == first.metadata.name) for each in revisions) == [(2, False), (3, True)]
        assert [pod.spec.containers[0].image for pod in await w.pods()] == ["busybox:1.36"]


async def test_a_failing_pod_is_made_later_and_later_and_at_once_after_a_change(world):
    async with world() as w:
        await w.namespace()
        await add_node(w, "n1")
        w.start(DaemonSetController)
        await w.client.create(daemon_set())
        waits = []

        async def fail_and_wait() -> int:
            await w.settle()
            (pod,) = await w.pods()
            await w.set_pod(pod, "Failed", ready=False)
            await w.settle()
            for seconds in range(100):
                found = await w.pods()
                if found and found[0].metadata.deletion_timestamp is not None:
                    await w.remove_pod(found[0])
                if [each.metadata.uid for each in await w.pods()] not in ([], [pod.metadata.uid]):
                    return seconds
                await w.advance(1)
            raise AssertionError("it is never made again")

        for _ in range(5):
            waits.append(await fail_and_wait())
        assert waits == sorted(waits)
        assert (waits[0] <= 1, waits[-1] >= 5) == (True, True)
        await w.client.patch(apps_v1.DaemonSet, "dset", image_patch("busybox:mended"), "default", patch_type="strategic")
        await w.run_kubelet()
        assert await fail_and_wait() <= 1
        events = {reason for _, reason, _ in await w.events()}
        assert events == {"SuccessfulCreate", "SuccessfulDelete", "FailedDaemonPod"}


async def test_history_keeps_as_many_as_asked_for(world):
    async with world() as w:
        await w.namespace()
        await add_node(w, "n1")
        w.start(DaemonSetController)
        made = daemon_set()
        made = msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, revision_history_limit=1))
        await w.client.create(made)
        await w.run_kubelet()
        for image in ("busybox:2", "busybox:3", "busybox:4"):
            await w.client.patch(apps_v1.DaemonSet, "dset", image_patch(image), "default", patch_type="strategic")
            await w.run_kubelet()
        revisions = (await w.client.list(apps_v1.ControllerRevision, "default")).items
        assert sorted(each.revision for each in revisions) == [3, 4]


async def test_a_revision_is_sent_in_the_bytes_that_kubectl_compares_it_with(world):
    """kubectl writes the template as Go does: keys in order, and what HTML would read in escapes."""
    async with world() as w:
        await w.namespace()
        w.start(DaemonSetController)
        made = daemon_set()
        container = core_v1.Container(name="c", image="b", command=["sh", "-c", "a < b && c > d\u2028é"])
        template = msgspec.structs.replace(made.spec.template, spec=core_v1.PodSpec(containers=[container]))
        await w.client.create(msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, template=template)))
        await w.settle()
        sent = (await w.client.raw("GET", "/apis/apps/v1/namespaces/default/controllerrevisions")).body.decode()
        assert '"data":{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"a":"dset"}},"spec":{"containers":[{"command":[' in sent
        assert r'"a \u003c b \u0026\u0026 c \u003e d\u2028é"' in sent
        assert await raw(w, "/apis/apps/v1/namespaces/default/daemonsets/dset"), "and is read again"

"""An API server that is away for a while ends no component: all go on where they were when it is back."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from component_world import eventually, running, settings

from wherry.api.types import apps_v1, core_v1
from wherry.client import Client
from wherry.client.paths import info_of
from wherry.cluster.identities import ADMIN
from wherry.cluster.node import node_ready
from wherry.util.clock import RealClock


def deployment(replicas: int) -> dict[str, Any]:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    return {"metadata": {"name": "web"}, "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}}


async def test_components_outlive_the_api_server(tmp_path: Path) -> None:
    config = settings("itest-away", tmp_path, "sim", 2)
    admin = ADMIN.client(config, "test")

    async def ready_pods(count: int) -> bool:
        pods = (await admin.list(core_v1.Pod, "default")).items
        return len(pods) == count == sum(any(c.type == "Ready" and c.status == "True" for c in p.status.conditions) for p in pods)

    async with AsyncExitStack() as stack:
        stack.push_async_callback(admin.close)
        first = AsyncExitStack()
        await first.enter_async_context(running(config, "apiserver"))
        tasks = [await stack.enter_async_context(running(config, name)) for name in ("controller-manager", "scheduler", "provisioner")]
        tasks += [await stack.enter_async_context(running(config, "kubelet", node)) for node in config.node_names]
        for node in config.node_names:
            await node_ready(admin, node, RealClock())
        await create(admin, deployment(3))
        await eventually(lambda: ready_pods(3), "three Pods")

        await first.aclose()
        await asyncio.sleep(1.5)  # long enough for every informer to have failed at least once
        assert [task.get_name() for task in tasks if task.done()] == []
        await stack.enter_async_context(running(config, "apiserver"))

        await eventually(lambda: scaled(admin, 5), "the API")
        await eventually(lambda: ready_pods(5), "five Pods")
        await eventually(lambda: scaled(admin, 1), "the API")
        await eventually(lambda: ready_pods(1), "one Pod")
        assert [task.get_name() for task in tasks if task.done()] == []
    if (mounts := Path("/proc/mounts")).exists():
        assert str(tmp_path) not in mounts.read_text(), "a simulated node leaves nothing on the host"


async def create(admin: Client, obj: dict[str, Any]) -> None:
    async def account() -> bool:
        return bool((await admin.list(core_v1.ServiceAccount, "default")).items)

    await eventually(account, "the namespace's service account")
    await admin.create_raw(info_of(apps_v1.Deployment), obj, "default")


async def scaled(admin: Client, replicas: int) -> bool:
    await admin.patch(apps_v1.Deployment, "web", {"spec": {"replicas": replicas}}, "default")
    return True


async def test_each_controller_is_a_user_of_its_own(tmp_path: Path) -> None:
    config = settings("itest-users", tmp_path, "api")
    admin = ADMIN.client(config, "test")
    async with running(config, "apiserver"), running(config, "controller-manager"):
        await create(admin, deployment(1))

        async def accounts() -> bool:
            found = {each.metadata.name for each in (await admin.list(core_v1.ServiceAccount, "kube-system")).items}
            return found >= {"deployment-controller", "replicaset-controller"}

        async def made() -> list[apps_v1.ReplicaSet]:
            return (await admin.list(apps_v1.ReplicaSet, "default")).items

        await eventually(made, "a ReplicaSet")
        await eventually(accounts, "the controllers' accounts")
        await admin.close()

"""The official client for asyncio: a watch, a log and exec over WebSocket."""

from __future__ import annotations

import asyncio

from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.stream import WsApiClient


def pod(name: str, command: str) -> dict[str, object]:
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "busybox:1.36", "command": ["sh", "-c", command], "stdin": True}],
        },
    }


async def main() -> None:
    await config.load_kube_config()
    async with client.ApiClient() as api, WsApiClient() as streams:
        core = client.CoreV1Api(api)
        await core.create_namespaced_pod("default", pod("asynchronous", "echo hello; sleep 600"))
        async with watch.Watch() as events:
            async for event in events.stream(core.list_namespaced_pod, "default", label_selector="app=asynchronous", timeout_seconds=30):
                if event["object"].status.phase == "Running":
                    break
        assert await core.read_namespaced_pod_log("asynchronous", "default") == "hello\n"
        said = await client.CoreV1Api(streams).connect_get_namespaced_pod_exec(
            "asynchronous", "default", command=["echo", "hi"], stdin=False, stdout=True, stderr=True, tty=False
        )
        assert said == "hi\n", said


asyncio.run(main())

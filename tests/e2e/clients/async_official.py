"""The official client for asyncio: a watch, a log and exec over WebSocket."""

from __future__ import annotations

import asyncio

from busybox_pod import pod
from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.stream import WsApiClient


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

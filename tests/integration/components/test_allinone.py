"""All components on one loop: what its one /metrics shows of each."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from component_world import eventually, settings

from wherry.cluster.allinone import Cluster
from wherry.cluster.identities import ADMIN


@pytest.mark.parametrize(
    "figure",
    [
        "wherry_loop_lag_seconds_total ", 'workqueue_adds_total{name="deployment-controller"} ', "scheduler_pending_pods{",
        'apiserver_storage_objects{resource="nodes"} 1.0',
    ],
    ids=["loop", "controllers", "scheduler", "apiserver"],
)
async def test_metrics_of_every_component_are_scraped_together(tmp_path: Path, figure: str) -> None:
    config = settings("itest-one", tmp_path, "sim")
    stop, admin = asyncio.Event(), ADMIN.client(config, "test")
    cluster = Cluster(config, lambda **fields: None)
    work = asyncio.create_task(cluster.run(stop))

    async def ready() -> bool:
        if work.done():
            work.result()
        return cluster.ready

    await eventually(ready, "the cluster")
    shown = (await admin.raw("GET", "/metrics", accept="text/plain")).body.decode()
    assert figure in shown
    await admin.close()
    stop.set()
    await asyncio.wait_for(work, 30)


JOB = {
    "metadata": {"name": "sum"},
    "spec": {"completions": 2, "parallelism": 2, "template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "sum", "image": "busybox", "command": ["expr", "3", "+", "2"]}],
        "initContainers": [{"name": "first", "image": "busybox"}, {"name": "beside", "image": "busybox", "restartPolicy": "Always"}],
    }}},
}
WEB = {
    "metadata": {"name": "web"},
    "spec": {
        "initContainers": [{"name": "first", "image": "busybox"}],
        "containers": [{
            "name": "web", "image": "busybox", "startupProbe": {"tcpSocket": {"port": 80}}, "readinessProbe": {"httpGet": {"port": 80}},
            "livenessProbe": {"grpc": {"port": 81}}, "lifecycle": {"postStart": {"httpGet": {"port": 80}}},
        }],
    },
}


async def test_simulated_containers_end_where_meant_to_and_answer_for_their_network(tmp_path: Path) -> None:
    config = settings("itest-ends", tmp_path, "sim")
    stop, admin = asyncio.Event(), ADMIN.client(config, "test")
    cluster = Cluster(config, lambda **fields: None)
    work = asyncio.create_task(cluster.run(stop))

    async def ready() -> bool:
        return cluster.ready

    async def job_complete() -> bool:
        status = json.loads((await admin.raw("GET", "/apis/batch/v1/namespaces/default/jobs/sum")).body).get("status", {})
        return status.get("succeeded") == 2 and any(each["type"] == "Complete" for each in status.get("conditions", []))

    async def web_ready() -> bool:
        status = json.loads((await admin.raw("GET", "/api/v1/namespaces/default/pods/web")).body)["status"]
        return any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", []))

    await eventually(ready, "the cluster")
    await admin.raw("POST", "/apis/batch/v1/namespaces/default/jobs", body=json.dumps(JOB).encode())
    await admin.raw("POST", "/api/v1/namespaces/default/pods", body=json.dumps(WEB).encode())
    await eventually(job_complete, "the Job's end")
    await eventually(web_ready, "a Pod that is asked over the network")
    await admin.close()
    stop.set()
    await asyncio.wait_for(work, 30)

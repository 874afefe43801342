"""All components on one loop: what its one /metrics shows of each."""

from __future__ import annotations

import asyncio
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

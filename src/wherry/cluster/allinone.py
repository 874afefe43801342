"""All components of a cluster on one event loop, in one process: what `wherry up` runs because it is light and fast.

`supervisor` is the other way to run the same components.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from wherry.cluster import schedulerconfig
from wherry.cluster.components import controller_options
from wherry.cluster.config import ClusterConfig
from wherry.cluster.controlplane import ControlPlane
from wherry.cluster.identities import SCHEDULER
from wherry.cluster.node import start_nodes
from wherry.cluster.pki import PKI
from wherry.controller.manager import ControllerManager
from wherry.controller.metrics import controller_metrics
from wherry.scheduler.scheduler import Scheduler
from wherry.storage.compactor import compact_periodically
from wherry.util import collector
from wherry.util.clock import RealClock
from wherry.util.looplag import LoopLag

if TYPE_CHECKING:
    from wherry.cluster.process import Notify


log = logging.getLogger("wherry")
CATCH_UP_SECONDS = 2.0  # at most, until the controllers know what became of the Pods of an earlier run


def _runs(task: asyncio.Task[None]) -> Callable[[], str]:
    """What is wrong with a component in this process: with one that ends, the cluster does."""
    return lambda: "it has ended" if task.done() else ""


class Cluster:
    """All components of one cluster, started in order and ended in reverse."""

    def __init__(self, config: ClusterConfig, notify: Notify) -> None:
        self.config = config
        self._notify = notify
        self.ready = False
        self.clock = RealClock()
        self.lag = LoopLag()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set.  Raises what keeps the cluster from starting."""
        config, clock = self.config, self.clock
        pki = PKI(config, clock)
        pki.ensure()
        async with AsyncExitStack() as stack:
            plane = ControlPlane(config, pki, clock)
            stack.push_async_callback(plane.close)
            self._notify(step="api", text="API server")
            await plane.start()
            await plane.listen(["127.0.0.1"])
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.lag.run(), name="loop lag")]
                assert plane.storage is not None
                assert plane.server is not None
                metrics = plane.server.metrics
                metrics.watch_loop(self.lag)
                tasks.append(group.create_task(compact_periodically(plane.storage, clock), name="compaction"))
                waits: list[Awaitable[object]] = []
                if config.fidelity != "api":
                    self._notify(step="controllers", text="controllers and scheduler")
                manager = ControllerManager(plane.client_for, clock, controller_options(pki))
                metrics.metrics.include(controller_metrics(manager.controllers))
                tasks.append(running := group.create_task(manager.run(), name="controllers"))
                plane.server.components["controller-manager"] = _runs(running)
                if config.fidelity != "api":
                    scheduler = Scheduler(plane.client(SCHEDULER.user, "kube-scheduler"), clock, schedulerconfig.of(config))
                    metrics.metrics.include(scheduler.metrics.metrics)
                    tasks.append(running := group.create_task(scheduler.run(), name="scheduler"))
                    plane.server.components["scheduler"] = _runs(running)
                    self._notify(step="node", text="node")
                    waits += await start_nodes(config, plane, clock, group, tasks, stack)
                async with asyncio.timeout(60):
                    for wait in waits:
                        await wait
                if waits and plane.server.cached_list("", "pods"):  # of an earlier run: what is told of them may be long over
                    try:
                        async with asyncio.timeout(CATCH_UP_SECONDS):
                            await manager.settled()
                    except TimeoutError:
                        log.info("the controllers are busy still with what became of the Pods: going on")
                collector.settle()
                tasks.append(group.create_task(collector.run(clock), name="collector"))
                self.ready = True
                self._notify(ready=True)
                await stop.wait()
                for task in tasks:
                    task.cancel()

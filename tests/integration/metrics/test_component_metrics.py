"""/metrics of the API server, the controllers and the scheduler: what is counted, and by which names."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from metrics_world import ADMIN, World
from prometheus_client.parser import text_string_to_metric_families

from wherry.client.client import Client
from wherry.client.transport import InProcessTransport
from wherry.client.workqueue import WorkQueue
from wherry.controller.metrics import controller_metrics
from wherry.scheduler.scheduler import Scheduler
from wherry.util.clock import FakeClock
from wherry.util.looplag import LoopLag
from wherry.util.metrics import Metrics


def read(text: bytes, name: str, /, **labels: str) -> float:
    """The sum of the samples called `name` with these labels, whatever else they have."""
    found = [
        sample.value for family in text_string_to_metric_families(text.decode()) for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return sum(found)


async def scrape(world: World) -> bytes:
    return (await world.send("GET", "/metrics")).body


async def test_requests_are_counted_by_verb_resource_and_answer(metrics_world: World) -> None:
    maps = "/api/v1/namespaces/default/configmaps"
    await metrics_world.call("POST", maps, {"metadata": {"name": "a"}})
    for _ in range(3):
        await metrics_world.send("GET", f"{maps}/a")
    await metrics_world.send("GET", f"{maps}/none")
    await metrics_world.send("GET", maps)
    await metrics_world.send("GET", "/api/v1/configmaps")
    await metrics_world.send("DELETE", f"{maps}/a")
    text = await scrape(metrics_world)
    total, of = "apiserver_request_total", {"resource": "configmaps", "version": "v1", "group": ""}
    assert read(text, total, verb="GET", code="200", scope="resource", **of) == 3
    assert read(text, total, verb="GET", code="404", **of) == 1
    assert read(text, total, verb="POST", code="201", scope="namespace", **of) == 1
    assert read(text, total, verb="LIST", code="200", scope="namespace", **of) == 1
    assert read(text, total, verb="LIST", code="200", scope="cluster", **of) == 1
    assert read(text, total, verb="DELETE", code="200", **of) == 1
    assert read(text, "apiserver_request_duration_seconds_count", verb="GET", **of) == 4


async def test_clients_cannot_make_up_labels(metrics_world: World) -> None:
    for number in range(20):
        await metrics_world.send("GET", f"/apis/made-up-{number}/v1/things")
        await metrics_world.send("GET", f"/api/v1/namespaces/default/pods/x/sub-{number}")
        await metrics_world.send(f"VERB{number}", f"/path-{number}")
    text = await scrape(metrics_world)
    assert b"made-up" not in text
    assert b"sub-" not in text
    assert b"VERB" not in text
    assert read(text, "apiserver_request_total", resource="", verb="LIST", code="404") == 20
    assert len(metrics_world.server.metrics.requests._records) < 40


async def test_health_checks_are_counted_for_those_who_promise_figures(metrics_world: World) -> None:
    for path in ("/livez", "/livez?exclude=ping", "/readyz"):
        await metrics_world.send("GET", path)
    text = (await metrics_world.send("GET", "/metrics/slis")).body
    assert read(text, "kubernetes_healthcheck", name="etcd", type="livez") == 1
    assert read(text, "kubernetes_healthchecks_total", name="etcd", status="success", type="livez") == 2
    assert read(text, "kubernetes_healthchecks_total", name="ping", type="livez") == 1
    assert read(text, "kubernetes_healthchecks_total", name="etcd-readiness", type="readyz") == 1
    assert b"apiserver_request_total" not in text


async def test_what_is_stored_and_who_watches(metrics_world: World) -> None:
    text = await scrape(metrics_world)
    assert read(text, "apiserver_storage_objects", resource="namespaces") == 2
    before = read(text, "apiserver_registered_watchers", resource="configmaps")
    response = await metrics_world.send("GET", "/api/v1/configmaps?watch=true")
    assert response.stream is not None
    text = await scrape(metrics_world)
    assert read(text, "apiserver_registered_watchers", resource="configmaps") == before + 1
    assert read(text, "apiserver_request_total", verb="WATCH", resource="configmaps") == 1
    assert read(text, "apiserver_request_duration_seconds_count", verb="WATCH") == 0
    await response.stream.aclose()  # type: ignore[union-attr]
    assert read(await scrape(metrics_world), "apiserver_registered_watchers", resource="configmaps") == before


async def test_the_loop_and_other_components_are_shown_with_it(metrics_world: World) -> None:
    lag, other = LoopLag(), Metrics()
    lag.total, lag.worst, lag.late = 1.5, 0.5, 3
    other.counter("other_total", "Things.").inc()
    metrics_world.server.metrics.watch_loop(lag)
    metrics_world.server.metrics.metrics.include(other)
    text = await scrape(metrics_world)
    assert [read(text, f"wherry_loop_{name}") for name in ("lag_seconds_total", "lag_worst_seconds", "late_total")] == [1.5, 0.5, 3]
    assert read(text, "other_total") == 1
    assert read(text, "process_resident_memory_bytes") > 0


class _OneQueue:
    """As much of a controller as its metrics look at."""

    name = "replicaset-controller"

    def __init__(self, clock: FakeClock) -> None:
        self.queue: WorkQueue[str] = WorkQueue(clock)
        self.figures = Metrics()


async def test_work_queues() -> None:
    clock = FakeClock()
    controller: Any = _OneQueue(clock)
    metrics, queue = controller_metrics([controller]), controller.queue
    for key in ("a", "b", "a"):
        queue.add(key)
    await clock.advance(3)
    key = await queue.get()
    await clock.advance(2)
    text, name = metrics.expose()[0], controller.name
    assert read(text, "workqueue_depth", name=name) == 1
    assert read(text, "workqueue_adds_total", name=name) == 2
    assert read(text, "workqueue_queue_duration_seconds_sum", name=name) == pytest.approx(3)
    assert read(text, "workqueue_unfinished_work_seconds", name=name) == pytest.approx(2)
    queue.done(key)
    queue.add_rate_limited(key)
    text = metrics.expose()[0]
    assert read(text, "workqueue_retries_total", name=name) == 1
    assert read(text, "workqueue_work_duration_seconds_sum", name=name) == pytest.approx(2)
    assert read(text, "workqueue_longest_running_processor_seconds", name=name) == 0


async def test_the_scheduler(metrics_world: World) -> None:
    scheduler = Scheduler(Client(InProcessTransport(metrics_world.server.handle, ADMIN)), metrics_world.clock)
    spec = {"containers": [{"name": "c", "image": "i"}]}
    made = await metrics_world.call("POST", "/api/v1/namespaces/default/pods", {"metadata": {"name": "p"}, "spec": spec})
    assert made["kind"] == "Pod", made
    task = asyncio.get_running_loop().create_task(scheduler.run())
    try:
        await metrics_world.clock.advance(1)
        text = scheduler.metrics.metrics.expose()[0]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    labels = {"result": "unschedulable", "profile": "default-scheduler"}
    assert read(text, "scheduler_schedule_attempts_total", **labels) == 1
    assert read(text, "scheduler_scheduling_attempt_duration_seconds_count", **labels) == 1
    assert read(text, "scheduler_pending_pods", queue="unschedulable") == 1
    assert read(text, "scheduler_pending_pods", queue="active") == 0

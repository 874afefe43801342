"""When a probe asks: a worker on its own, under a clock that moves with every look, as a real one does."""

from __future__ import annotations

from wherry.api.types import core_v1
from wherry.kubelet.prober.results import Result, Results
from wherry.kubelet.prober.worker import PodView, Worker
from wherry.util.clock import FakeClock


class Moving(FakeClock):
    """Never the same time twice."""

    def monotonic(self) -> float:
        self._now += 0.000_001
        return super().monotonic()


async def test_without_a_delay_the_first_look_at_a_running_container_asks() -> None:
    asked = []

    async def ask(pod: core_v1.Pod, container: object, container_id: str) -> Result:
        asked.append(container_id)
        return Result.SUCCESS

    container = core_v1.Container(name="c")
    status = {"phase": "Running", "containerStatuses": [
        {"name": "c", "containerID": "x://1", "started": True, "state": {"running": {"startedAt": "2023-11-14T22:13:20Z"}}},
    ]}
    pod = core_v1.Pod(spec=core_v1.PodSpec(containers=[container]))
    worker = Worker(
        "Liveness", core_v1.Probe(period_seconds=1), container, "uid", view=lambda: PodView(pod, status), ask=ask, results=Results(lambda *_: None), clock=Moving(),
    )
    await worker.once()
    assert asked == ["1"]

"""What a Pod's owner is told of the scheduler's work: events, the PodScheduled condition, the nominated node."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from wherry.api.pod import get_condition
from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError
from wherry.client import Client
from wherry.client.recorder import NORMAL, WARNING, EventRecorder
from wherry.scheduler.preemptor import Outcome
from wherry.util.clock import Clock, rfc3339

log = logging.getLogger(__name__)
UNSCHEDULABLE, SCHEDULER_ERROR = "Unschedulable", "SchedulerError"
NOTHING = Outcome()
MOST = 1024  # characters of an event's note


class Reporter:
    """One a scheduler; `recorders` by schedulerName."""

    def __init__(self, client: Client, clock: Clock, recorders: Mapping[str, EventRecorder]) -> None:
        self._client, self._clock, self._recorders = client, clock, recorders

    def scheduled(self, pod: core_v1.Pod, node: str) -> None:
        message = f"Successfully assigned {pod.metadata.namespace}/{pod.metadata.name} to {node}"
        self._recorders[pod.spec.scheduler_name].event(pod, NORMAL, "Scheduled", message, action="Binding")

    async def failed(self, pod: core_v1.Pod, message: str, reason: str = UNSCHEDULABLE, outcome: Outcome = NOTHING) -> None:
        """Tell that it has no node, and why."""
        self.event(pod, message)
        try:
            if status := self._status(pod, message, reason, outcome):
                await self.patch(pod, status)
        except (StatusError, OSError) as error:
            if not (isinstance(error, StatusError) and error.code in (404, 409)):
                log.warning("status of %s/%s: %s", pod.metadata.namespace, pod.metadata.name, error)

    def event(self, pod: core_v1.Pod, message: str) -> None:
        note = message if len(message) <= MOST else message[: MOST - 4] + " ..."
        self._recorders[pod.spec.scheduler_name].event(pod, WARNING, "FailedScheduling", note, action="Scheduling")

    async def expect(self, pod: core_v1.Pod, node: str) -> None:
        """Others, who make nodes, are told where it is expected (KEP-5278): the binding ends it."""
        await self.patch(pod, {"nominatedNodeName": node})

    async def expect_no_more(self, pod: core_v1.Pod) -> None:
        """It will not get the node that it was announced for."""
        try:
            await self.patch(pod, {"nominatedNodeName": None})
        except (StatusError, OSError) as error:
            log.debug("status of %s/%s: %s", pod.metadata.namespace, pod.metadata.name, error)  # gone, or it is overwritten next time

    async def patch(self, pod: core_v1.Pod, status: dict[str, object]) -> None:
        meta, body = pod.metadata, {"metadata": {"uid": pod.metadata.uid}, "status": status}
        await self._client.patch(core_v1.Pod, meta.name, body, meta.namespace, subresource="status", patch_type="strategic")

    def _status(self, pod: core_v1.Pod, message: str, reason: str, outcome: Outcome) -> dict[str, object]:
        """What changes of the Pod's status."""
        changed: dict[str, object] = {}
        if outcome.candidate is not None:
            changed["nominatedNodeName"] = outcome.candidate.node
        elif outcome.denominate and pod.status.nominated_node_name:
            changed["nominatedNodeName"] = None
        old = get_condition(pod, "PodScheduled")
        if old is None or (old.status, old.reason, old.message) != ("False", reason, message):
            since = old.last_transition_time if old is not None and old.status == "False" else rfc3339(self._clock.time())
            changed["conditions"] = [{
                "type": "PodScheduled", "status": "False", "reason": reason, "message": message,
                "lastProbeTime": None, "lastTransitionTime": since, "observedGeneration": pod.metadata.generation or 1,
            }]
        return changed

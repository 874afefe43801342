"""Carries preemption out: the dry run with pauses, the victims' way out, and what they are told."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass

from wherry.api.pod import get_condition
from wherry.api.types import core_v1, policy_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client import Client
from wherry.client.recorder import NORMAL, EventRecorder
from wherry.client.store import Store
from wherry.scheduler import preemption
from wherry.scheduler.extender import Extender, interested_in, preempting
from wherry.scheduler.nominator import Nominator
from wherry.scheduler.plan import Decision
from wherry.scheduler.preemption import BY_SCHEDULER, Candidate, DryRun, priority_of
from wherry.scheduler.profile import Profile
from wherry.scheduler.snapshot import Snapshot
from wherry.util.clock import Clock, rfc3339

log = logging.getLogger(__name__)
SLICE = 0.01  # seconds of dry run before the loop gets a turn


@dataclass(frozen=True, slots=True)
class Outcome:
    """`candidate`: where room was found; else `message` says why not, and whether an earlier nomination falls.

    `plugins` refused nodes where room was looked for: what helps them may help the Pod.
    """

    candidate: Candidate | None = None
    message: str = ""
    denominate: bool = False
    plugins: frozenset[str] = frozenset()


class Preemptor:
    """One a scheduler."""

    def __init__(
        self, client: Client, clock: Clock, recorder: EventRecorder, snapshot: Snapshot, nominator: Nominator,
        budgets: Store[policy_v1.PodDisruptionBudget], rng: random.Random, extenders: Sequence[Extender] = (),
    ) -> None:
        self._client, self._clock, self._recorder, self._rng, self._extenders = client, clock, recorder, rng, extenders
        self._snapshot, self._nominator, self._budgets = snapshot, nominator, budgets

    async def find(self, pod: core_v1.Pod, profile: Profile, decision: Decision) -> Outcome:
        """Look for the node where making room hurts least.  Raises ExtenderError."""
        reason = preemption.ineligible(pod, self._snapshot, decision)
        if reason:
            return Outcome(message=reason)
        extenders = [each for each in interested_in(self._extenders, pod) if each.spec.preempt_verb]
        budgets = list(self._budgets)
        run = DryRun(pod, self._snapshot, profile, decision, self._nominator, budgets, extended=bool(extenders))
        began = self._clock.monotonic()
        for _ in run.steps(self._rng):
            if self._clock.monotonic() - began >= SLICE:
                await self._clock.sleep(0)
                began = self._clock.monotonic()
        if run.candidates and (left := await preempting(extenders, pod, run.candidates, self._snapshot.nodes)):
            return Outcome(preemption.select(left))
        message = preemption.hopeless(decision.diagnosis, decision.total, run.told)
        return Outcome(message=message, denominate=True, plugins=frozenset(run.plugins))

    async def evict(self, pod: core_v1.Pod, candidate: Candidate) -> None:
        """The victims go, gracefully; Pods of lower priority lose their claim on the node.

        Raises StatusError and OSError; what was done stays done.
        """
        self._nominator.put(pod, candidate.node)
        for victim in candidate.victims:
            if not victim.metadata.deletion_timestamp:
                await self._evict(pod, victim, candidate.node)
        for other in self._nominator.on(candidate.node):
            if priority_of(other) < priority_of(pod):
                self._nominator.remove(other.metadata.uid)
                await self._patch(other, {"nominatedNodeName": None})

    async def _evict(self, pod: core_v1.Pod, victim: core_v1.Pod, node: str) -> None:
        meta = victim.metadata
        try:
            if get_condition(victim, "DisruptionTarget") is None:
                await self._patch(victim, {"conditions": [{
                    "type": "DisruptionTarget", "status": "True", "reason": BY_SCHEDULER,
                    "message": f"{pod.spec.scheduler_name}: preempting to accommodate a higher priority pod",
                    "lastProbeTime": None, "lastTransitionTime": rfc3339(self._clock.time()),
                    "observedGeneration": meta.generation or 1,
                }]})
            await self._client.delete(core_v1.Pod, meta.name, meta.namespace, uid=meta.uid)
        except StatusError as error:
            if is_not_found(error) or error.code == 409:  # gone already, or another of that name
                return
            raise
        log.info("%s/%s preempts %s/%s on %s", pod.metadata.namespace, pod.metadata.name, meta.namespace, meta.name, node)
        message = f"Preempted by pod {pod.metadata.uid} on node {node}"
        self._recorder.event(victim, NORMAL, "Preempted", message, action="Preempting", related=pod)

    async def _patch(self, pod: core_v1.Pod, status: dict[str, object]) -> None:
        body = {"metadata": {"uid": pod.metadata.uid}, "status": status}
        await self._client.patch(
            core_v1.Pod, pod.metadata.name, body, pod.metadata.namespace, subresource="status", patch_type="strategic"
        )

"""DefaultPreemption, pure: which Pods of lower priority would have to go so that this one fits, and where it hurts least.

https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from wherry.api.pod import get_condition
from wherry.api.types import core_v1, policy_v1
from wherry.apimachinery.labels import from_label_selector
from wherry.scheduler.framework import CycleState, FilterPlugin, Refusal
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.nominator import Nominator
from wherry.scheduler.plan import Decision, explain
from wherry.scheduler.profile import Profile
from wherry.scheduler.ranking import Verdict, refused, refused_beside
from wherry.scheduler.snapshot import Snapshot

NAME = "DefaultPreemption"
NOT_HELPFUL = Refusal("Preemption is not helpful for scheduling")
NO_VICTIMS = Refusal("No preemption victims found for incoming pod")
BY_SCHEDULER = "PreemptionByScheduler"
_PRIORITY_OFFSET = 2**31  # so that a sum of negative priorities still grows with their number


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node, and who would have to go: the most important first."""

    node: str
    victims: tuple[core_v1.Pod, ...]
    violations: int  # of PodDisruptionBudgets


def priority_of(pod: core_v1.Pod) -> int:
    return pod.spec.priority or 0


def ineligible(pod: core_v1.Pod, snapshot: Snapshot, decision: Decision) -> str:
    """Why the Pod may not preempt now, "" when it may."""
    if pod.spec.preemption_policy == "Never":
        return "not eligible due to preemptionPolicy=Never."
    info = snapshot.nodes.get(pod.status.nominated_node_name)
    if info is None:
        return ""
    verdict = decision.diagnosis.get(info.name)
    if verdict is not None and not verdict[1].resolvable:
        return ""  # that node will not do any more: others may
    leaving = (other for other in info.pods.values() if priority_of(other) < priority_of(pod))
    if any(_preempted(other) for other in leaving):
        return "not eligible due to a terminating pod on the nominated node."
    return ""


def _preempted(pod: core_v1.Pod) -> bool:
    condition = get_condition(pod, "DisruptionTarget")
    return bool(
        pod.metadata.deletion_timestamp and condition and condition.status == "True" and condition.reason == BY_SCHEDULER
    )


def hopeless(diagnosis: dict[str, Verdict], total: int, told: dict[str, Refusal]) -> str:
    """The message when no node became a candidate; `told`: what the dry run found, by node."""
    found = {
        name: (NAME, told.get(name, NO_VICTIMS if refusal.resolvable else NOT_HELPFUL))
        for name, (_, refusal) in diagnosis.items()
    }
    return explain(found, total)


class DryRun:
    """Looks at one node after the other for candidates, on copies: the snapshot stays as it is.

    Others are placed between the decision and this, and in its pauses: what the plugins counted is counted anew then.
    """

    def __init__(
        self, pod: core_v1.Pod, snapshot: Snapshot, profile: Profile, decision: Decision, nominator: Nominator,
        budgets: Sequence[policy_v1.PodDisruptionBudget], *, extended: bool = False,
    ) -> None:
        """`extended`: extenders may yet name those who have to go where the plugins need nobody's going."""
        self._extended = extended
        self._pod, self._snapshot, self._profile, self._nominator = pod, snapshot, profile, nominator
        self._state, self._seen = CycleState(), (-1, -1)
        self._budgets = [(budget, from_label_selector(budget.spec.selector)) for budget in budgets]
        self._nodes = [name for name, (_, refusal) in decision.diagnosis.items() if refusal.resolvable]
        self._plugins: list[FilterPlugin] = []
        self.told: dict[str, Refusal] = {}
        self.plugins: set[str] = set()  # that refused a node even without its less important Pods: their events can help, too
        self.candidates: list[Candidate] = []

    def steps(self, rng: random.Random) -> Iterator[None]:
        """Node by node, from a random one on, until there are candidates enough; the caller may pause between."""
        lowest = min(self._snapshot.priorities, default=0)
        if not self._nodes or lowest >= priority_of(self._pod):
            return
        total = len(self._nodes)
        enough = min(total, max(total * self._profile.min_candidate_nodes_percentage // 100, self._profile.min_candidate_nodes_absolute))
        offset = rng.randrange(total)
        harmless = 0
        for index in range(total):
            if not self._count():
                return
            info = self._snapshot.nodes.get(self._nodes[(offset + index) % total])
            if info is None:
                continue
            found = self._look(info)
            if isinstance(found, Refusal):
                self.told[info.name] = found
            else:
                self.candidates.append(found)
                harmless += not found.violations
                if harmless and len(self.candidates) >= enough:
                    return
            yield

    def _count(self) -> bool:
        """Have the plugins count as of now; False when they refuse the Pod before they look at any node."""
        now = self._snapshot.topology, self._snapshot.touched.end
        if now != self._seen:
            self._seen, self._state = now, CycleState()
            for plugin in self._profile.filters:
                if isinstance(plugin.pre_filter(self._state, self._pod, self._snapshot), Refusal):
                    return False
            self._plugins = [plugin for plugin in self._profile.filters if plugin.relevant(self._state, self._pod)]
        return True

    def _look(self, original: NodeInfo) -> Candidate | Refusal:
        """Take all away that may go, then spare whom one can: those of broken budgets first, then the important."""
        pod, state, info = self._pod, self._state.clone(), original.clone()
        possible = [other for other in info.pods.values() if priority_of(other) < priority_of(pod)]
        if not possible:
            return NO_VICTIMS
        for other in possible:
            self._remove(state, other, info)
        verdict = self._refused(state, info)
        if verdict is not None:
            self.plugins.add(verdict[0])
            return verdict[1]
        possible.sort(key=importance)
        violating, harmless = self._split(possible)
        victims, violations = [], 0
        for others, harms in ((violating, 1), (harmless, 0)):
            for other in others:
                self._add(state, other, info)
                if self._refused(state, info) is not None:
                    self._remove(state, other, info)
                    victims.append(other)
                    violations += harms
        if not victims and not self._extended:  # who refused the node is not to be pleased so: an extender, or it fits by now
            return Refusal(f'expected at least one victim pod on node "{info.name}"')
        victims.sort(key=importance)
        return Candidate(info.name, tuple(victims), violations)

    def _add(self, state: CycleState, other: core_v1.Pod, info: NodeInfo) -> None:
        info.add(other)
        for plugin in self._plugins:
            plugin.add_pod(state, self._pod, other, info)

    def _remove(self, state: CycleState, other: core_v1.Pod, info: NodeInfo) -> None:
        info.remove(other)
        for plugin in self._plugins:
            plugin.remove_pod(state, self._pod, other, info)

    def _refused(self, state: CycleState, info: NodeInfo) -> Verdict | None:
        """With the nominated Pods on the node, and without them."""
        rivals = self._nominator.rivals(self._pod, info.name)
        verdict = refused_beside(self._profile.filters, state, self._pod, info, rivals) if rivals else None
        return verdict or refused(self._plugins, state, self._pod, info)

    def _split(self, pods: Iterable[core_v1.Pod]) -> tuple[list[core_v1.Pod], list[core_v1.Pod]]:
        """Those whose going would break a PodDisruptionBudget, and the others."""
        allowed = [budget.status.disruptions_allowed or 0 for budget, _ in self._budgets]
        violating: list[core_v1.Pod] = []
        harmless: list[core_v1.Pod] = []
        for pod in pods:
            broken = False
            for index, (budget, selector) in enumerate(self._budgets):
                if budget.metadata.namespace != pod.metadata.namespace or not selector.requirements:
                    continue
                if not selector.matches(pod.metadata.labels) or pod.metadata.name in budget.status.disrupted_pods:
                    continue
                allowed[index] -= 1
                broken = broken or allowed[index] < 0
            (violating if broken else harmless).append(pod)
        return violating, harmless


def importance(pod: core_v1.Pod) -> tuple[int, str]:
    """Sorts the most important first: by priority, then who runs longest."""
    return -priority_of(pod), pod.status.start_time or "~"


def select(candidates: Sequence[Candidate]) -> Candidate:
    """Fewest broken budgets, lowest highest priority, smallest sum, fewest victims, the latest to have started."""

    def cost(candidate: Candidate) -> tuple[int, int, int, int]:
        priorities = [priority_of(pod) for pod in candidate.victims]
        total = sum(priority + _PRIORITY_OFFSET for priority in priorities)
        return candidate.violations, max(priorities, default=-_PRIORITY_OFFSET), total, len(priorities)

    least = min(map(cost, candidates))
    return max((c for c in candidates if cost(c) == least), key=_earliest_start)


def _earliest_start(candidate: Candidate) -> str:
    """Since when the longest-running victim of the highest priority runs; RFC 3339 sorts as text."""
    top = max(map(priority_of, candidate.victims), default=0)
    return min((pod.status.start_time or "~" for pod in candidate.victims if priority_of(pod) == top), default="~")

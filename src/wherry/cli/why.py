"""`wherry why`: why a Pod has no node, or does not run; worked out anew from what the API holds."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from wherry.api.pod import get_condition
from wherry.api.types import core_v1, policy_v1
from wherry.client import Client
from wherry.client.paths import info_of
from wherry.client.store import Store
from wherry.cluster import admin, schedulerconfig
from wherry.cluster.config import ClusterConfig
from wherry.cluster.lifecycle import LifecycleError
from wherry.scheduler.config import SchedulerConfig
from wherry.scheduler.extender import concerns
from wherry.scheduler.framework import CycleState, Refusal
from wherry.scheduler.nominator import Nominator
from wherry.scheduler.plan import Decision
from wherry.scheduler.preemption import NO_VICTIMS, NOT_HELPFUL, DryRun, ineligible, priority_of, select
from wherry.scheduler.profile import DEFAULT_SCHEDULER, Profile, make_profile
from wherry.scheduler.ranking import Verdict, refused, refused_beside
from wherry.scheduler.reporter import SCHEDULER_ERROR
from wherry.scheduler.snapshot import Snapshot
from wherry.util.clock import Clock, RealClock

T = TypeVar("T")
Ask = Callable[[str], Any]
WARNINGS = 5  # the last ones


class Listers:
    """The scheduler's Handle over plain lists: read once, nothing is watched."""

    def __init__(self, ask: Ask) -> None:
        self._ask, self._stores, self._shared = ask, dict[type[Any], Store[Any]](), dict[type[Any], Any]()

    @property
    def client(self) -> Client:
        raise RuntimeError("nothing is bound here")

    @property
    def clock(self) -> Clock:
        return RealClock()

    def lister(self, kind: type[T]) -> Store[T]:
        if kind not in self._stores:
            store = self._stores[kind] = Store[Any]()
            for item in self._ask(info_of(kind).path())["items"]:
                store.put(msgspec.convert(item, kind, strict=False))
        return self._stores[kind]

    def shared(self, kind: type[T]) -> T:
        found: T = self._shared.setdefault(kind, kind())
        return found


def verdicts(pod: core_v1.Pod, snapshot: Snapshot, profile: Profile, nominator: Nominator | None = None) -> dict[str, Verdict | None]:
    """What each node has against the Pod, those who are nominated for it counted; None: it fits.  Pure."""
    snapshot.arrange()
    state, allowed = CycleState(), dict[str, frozenset[str]]()
    for plugin in profile.filters:
        answer = plugin.pre_filter(state, pod, snapshot)
        if isinstance(answer, Refusal):
            return dict.fromkeys(snapshot.nodes, (plugin.name, answer))
        if answer is not None:
            allowed[plugin.name] = answer
    relevant = [plugin for plugin in profile.filters if plugin.relevant(state, pod)]
    found: dict[str, Verdict | None] = {}
    for name, info in snapshot.nodes.items():
        out = next((plugin for plugin, names in allowed.items() if name not in names), "")
        verdict = (out, Refusal("node(s) didn't satisfy the plugin")) if out else refused(relevant, state, pod, info)
        rivals = nominator.rivals(pod, name) if nominator is not None and verdict is None else []
        found[name] = refused_beside(profile.filters, state, pod, info, rivals) if rivals else verdict
    return found


def preempting(
    pod: core_v1.Pod, snapshot: Snapshot, profile: Profile, nominator: Nominator, found: dict[str, Verdict | None],
    budgets: Sequence[policy_v1.PodDisruptionBudget],
) -> list[str]:
    """What making room would take, a node a line; nothing where the Pod needs no room made.  Pure."""
    diagnosis = {name: verdict for name, verdict in found.items() if verdict is not None}
    if not diagnosis or len(diagnosis) < len(found):
        return []
    if not profile.preempts:
        return ["preemption: the profile has none"]
    decision = Decision("", diagnosis, total=len(found))
    if why := ineligible(pod, snapshot, decision):
        return [f"preemption: {why}"]
    whole = replace(profile, min_candidate_nodes_absolute=len(found))  # every node is looked at, not only as many as will do
    run = DryRun(pod, snapshot, whole, decision, nominator, budgets)
    for _ in run.steps(random.Random(0)):
        pass
    rows = {name: run.told.get(name, NO_VICTIMS if refusal.resolvable else NOT_HELPFUL).reason for name, (_, refusal) in diagnosis.items()}
    best = select(run.candidates).node if run.candidates else ""
    for candidate in run.candidates:
        victims = ", ".join(f"{v.metadata.namespace}/{v.metadata.name} (priority {priority_of(v)})" for v in candidate.victims)
        broken = f"; PodDisruptionBudgets broken: {candidate.violations}" if candidate.violations else ""
        rows[candidate.node] = f"{'is' if candidate.node == best else 'would be'} possible without {victims}{broken}"
    first = max(map(len, rows))
    return ["preemption:", *(f"{name:{first}}   {text}" for name, text in sorted(rows.items()))]


def table(found: dict[str, Verdict | None]) -> list[str]:
    """A node a line.  Pure."""
    if not found:
        return ["no nodes available to schedule pods"]
    rows = [
        (name, verdict[0], verdict[1].reason.replace("\n", ", ") + (f" ({verdict[1].detail})" if verdict[1].detail else ""))
        if verdict else (name, "-", "fits")
        for name, verdict in sorted(found.items())
    ]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [f"{name:{first}}   {plugin:{second}}   {reason}" for name, plugin, reason in rows]


def placed(pod: core_v1.Pod, warnings: list[Any]) -> list[str]:
    """Where a Pod is, and what was last wrong with it.  Pure."""
    ready = any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions)
    lines = [f"node {pod.spec.node_name}, {pod.status.phase or 'Pending'}, {'ready' if ready else 'not ready'}"]
    if ready or pod.status.phase == "Succeeded":
        return lines
    last = sorted(warnings, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")[-WARNINGS:]
    return lines + [f"{event.get('reason', '')}: {event.get('message', '')}" for event in last]


def explained(ask: Ask, namespace: str, name: str, scheduler: SchedulerConfig | None = None) -> list[str]:
    """The whole answer.  Raises what `ask` raises."""
    config = scheduler or SchedulerConfig()
    profiles = {spec.scheduler_name: spec for spec in config.profiles}
    base = f"/api/v1/namespaces/{quote(namespace, safe='')}"
    pod = msgspec.convert(ask(f"{base}/pods/{quote(name, safe='')}"), core_v1.Pod, strict=False)
    if pod.spec.node_name:
        selector = quote(f"involvedObject.uid={pod.metadata.uid},type=Warning")
        return placed(pod, ask(f"{base}/events?fieldSelector={selector}")["items"])
    if pod.spec.scheduling_gates and getattr(profiles.get(pod.spec.scheduler_name), "gated", True):
        return ["gated by " + ", ".join(gate.name for gate in pod.spec.scheduling_gates)]
    spec = profiles.get(pod.spec.scheduler_name or DEFAULT_SCHEDULER)
    if spec is None:
        return [f"it waits for the scheduler {pod.spec.scheduler_name!r}, which is not wherry's"]
    listers, snapshot, nominator = Listers(ask), Snapshot(), Nominator()
    for node in listers.lister(core_v1.Node):
        snapshot.set_node(node)
    for other in listers.lister(core_v1.Pod):
        if other.status.phase in ("Succeeded", "Failed"):
            continue
        if other.spec.node_name:
            snapshot.put_pod(other)
        elif other.status.nominated_node_name:
            nominator.put(other, other.status.nominated_node_name)
    profile = make_profile(listers, spec)
    found = verdicts(pod, snapshot, profile, nominator)
    lines = table(found) + preempting(pod, snapshot, profile, nominator, found, list(listers.lister(policy_v1.PodDisruptionBudget)))
    lines += [f"nominated for {pod.status.nominated_node_name}"] if pod.status.nominated_node_name else []
    lines += [f"extender {each.url_prefix} has a word, too, and is not asked here" for each in config.extenders if concerns(each, pod)]
    return lines + went_wrong(pod)


def went_wrong(pod: core_v1.Pod) -> list[str]:
    """What no look at the nodes shows: a plugin, an extender or the binding failed.  Pure."""
    told = get_condition(pod, "PodScheduled")
    return [f"{SCHEDULER_ERROR}: {told.message}"] if told is not None and told.reason == SCHEDULER_ERROR else []


def show(config: ClusterConfig, namespace: str, name: str) -> int:
    """Print it.  Raises LifecycleError."""
    try:
        print("\n".join(explained(lambda path: admin.ask(config, path), namespace, name, schedulerconfig.of(config))))
    except (admin.NoAnswer, admin.Refused) as error:
        raise LifecycleError(str(error)) from None
    return 0

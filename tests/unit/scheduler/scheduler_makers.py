"""Nodes, Pods and snapshots for the scheduler's tests."""

from __future__ import annotations

import itertools
import random
from typing import Any, TypeVar

import msgspec

from wherry.api.types import core_v1
from wherry.client import Client
from wherry.client.store import Store
from wherry.scheduler.nominator import Nominator
from wherry.scheduler.plan import Decision, schedule
from wherry.scheduler.profile import Profile, ProfileSpec, make_profile
from wherry.scheduler.snapshot import Snapshot
from wherry.util.clock import FakeClock

T = TypeVar("T")
_numbers = itertools.count()


def node(name: str, *, cpu: str = "4", memory: str = "8Gi", pods: str = "110", labels: dict[str, str] | None = None, **more: Any) -> core_v1.Node:
    """A Ready Node; `more` goes into its spec."""
    resources = {"cpu": cpu, "memory": memory, "pods": pods, **more.pop("extended", {})}
    raw = {
        "metadata": {"name": name, "uid": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": more, "status": {"capacity": resources, "allocatable": resources},
    }
    return msgspec.convert(raw, core_v1.Node)


def pod(
    name: str = "", *, on: str = "", namespace: str = "default", cpu: str = "", memory: str = "", labels: dict[str, str] | None = None,
    priority: int | None = None, owner: dict[str, Any] | None = None, start: str = "", **spec: Any,
) -> core_v1.Pod:
    """A Pod of one container; `spec` is added to its spec, in the API's names."""
    number = next(_numbers)
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    container = {"name": "c", "image": "app", "resources": {"requests": requests}, "ports": spec.pop("ports", [])}
    raw: dict[str, Any] = {
        "metadata": {
            "name": name or f"pod-{number}", "namespace": namespace, "uid": f"{name}-{number}", "labels": labels or {},
            "ownerReferences": [owner] if owner else [],
        },
        "spec": {"containers": [container], "schedulerName": "default-scheduler", **spec},
        "status": {"startTime": start} if start else {},
    }
    if on:
        raw["spec"]["nodeName"] = on
    if priority is not None:
        raw["spec"]["priority"] = priority
    return msgspec.convert(raw, core_v1.Pod)


def affinity(kind: str, key: str, labels: dict[str, str] | None, *, weight: int = 0, **term: Any) -> dict[str, Any]:
    """spec.affinity with one term of podAffinity or podAntiAffinity; with a weight it is only preferred."""
    made = {"topologyKey": key, "labelSelector": {"matchLabels": labels} if labels is not None else None, **term}
    if weight:
        return {kind: {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": weight, "podAffinityTerm": made}]}}
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [made]}}


def spread(key: str, labels: dict[str, str], max_skew: int = 1, when: str = "DoNotSchedule", **more: Any) -> dict[str, Any]:
    """One topologySpreadConstraint."""
    return {"topologyKey": key, "maxSkew": max_skew, "whenUnsatisfiable": when, "labelSelector": {"matchLabels": labels}, **more}


class Cluster:
    """A handle for plugins, a snapshot, and decisions in it."""

    def __init__(self, *things: core_v1.Node | core_v1.Pod, spec: ProfileSpec | None = None, seed: int = 0) -> None:
        self.clock = FakeClock()
        self.stores: dict[type[Any], Store[Any]] = {}
        self._shared: dict[type[Any], Any] = {}
        self.snapshot, self.nominator = Snapshot(), Nominator()
        self.profile: Profile = make_profile(self, spec)
        self.rng = random.Random(seed)
        self.put(*things)

    @property
    def client(self) -> Client:
        raise AssertionError("a plan asked for the API server")

    def lister(self, kind: type[T]) -> Store[T]:
        return self.stores.setdefault(kind, Store())

    def shared(self, kind: type[T]) -> T:
        found: T = self._shared.setdefault(kind, kind())
        return found

    def put(self, *things: Any) -> None:
        for thing in things:
            if isinstance(thing, core_v1.Node):
                self.snapshot.set_node(thing)
            elif isinstance(thing, core_v1.Pod):
                self.snapshot.put_pod(thing)
            else:
                self.lister(type(thing)).put(thing)

    def decide(self, wanted: core_v1.Pod) -> Decision:
        return schedule(wanted, self.snapshot, self.profile, self.rng, self.nominator)

    def place(self, wanted: core_v1.Pod) -> str:
        """Decide, and count the Pod as placed."""
        decision = self.decide(wanted)
        if decision.node:
            self.snapshot.put_pod(placed(wanted, decision.node))
        return decision.node


def placed(wanted: core_v1.Pod, name: str) -> core_v1.Pod:
    return msgspec.structs.replace(wanted, spec=msgspec.structs.replace(wanted.spec, node_name=name))


def namespace(name: str, **labels: str) -> core_v1.Namespace:
    return msgspec.convert({"metadata": {"name": name, "labels": labels}}, core_v1.Namespace)

"""The scheduling framework: what a plugin is, and what it sees of the cluster.

https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/
A plugin is one file in `plugins/` and one line in `registry.py`.  It may stand at several extension points.
Those that decide (PreFilter, Filter, Score, Reserve) are pure: they read a snapshot and listers.  Only
PreBind may speak with the API server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any, Protocol, TypeVar, runtime_checkable

from wherry.api.types import core_v1
from wherry.client import Client
from wherry.client.store import Store
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.util.clock import Clock

MAX_NODE_SCORE = 100
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a node will not do, in the words of events.  `resolvable`: evicting Pods there might help."""

    reason: str
    resolvable: bool = False
    detail: str = ""  # for `wherry why`: this node's own figures


class PluginError(Exception):
    """Something went wrong that says nothing about the node (upstream's status Error): the Pod is tried again after a back-off."""


@dataclass(slots=True)
class CycleState:
    """What the extension points of a plugin leave for each other about one Pod, by a key of its own.

    A value that `add_pod` and `remove_pod` change has a `clone` method.
    """

    data: dict[str, Any] = field(default_factory=dict)

    def clone(self) -> CycleState:
        return CycleState({key: value.clone() if hasattr(value, "clone") else value for key, value in self.data.items()})


class Derived(Protocol):
    """Something counted over all Pods.  Nodes change their labels seldom: then it is rebuilt."""

    def rebuild(self, nodes: Iterable[NodeInfo]) -> None: ...

    def count(self, node: NodeInfo, pod: core_v1.Pod, sign: int) -> None:
        """A Pod came to the node (1) or left it (-1)."""
        ...


D = TypeVar("D", bound=Derived)


class Snapshot(Protocol):
    """The nodes as one scheduling cycle sees them."""

    @property
    def nodes(self) -> Mapping[str, NodeInfo]:
        """Those that exist as Nodes."""
        ...

    @property
    def images(self) -> Mapping[str, int]:
        """On how many nodes each image is."""
        ...

    @property
    def avoided(self) -> int:
        """How many nodes have a PreferNoSchedule taint."""
        ...

    def derived(self, key: Any, make: Callable[[], D]) -> D:
        """What a plugin counts over all Pods and keeps between cycles: made once a key, brought up to date when asked for."""
        ...


class Handle(Protocol):
    """What a plugin may hold on to, given when it is made."""

    @property
    def client(self) -> Client:
        """For PreBind alone."""
        ...

    @property
    def clock(self) -> Clock: ...

    def lister(self, kind: type[T]) -> Store[T]:
        """A local copy of a collection; what a plugin asks for here is watched from the start."""
        ...

    def shared(self, kind: type[T]) -> T:
        """The one object of a kind that the same plugin of every profile works on (made when first asked for).

        All profiles give out the same volumes and devices, so what one has decided has to be seen by the others.
        """
        ...


# --- events that may help a Pod ----------------------------------------------------------------


class Action(IntFlag):
    """What happened to an object (upstream's ActionType)."""

    ADD = 1
    DELETE = 2
    UPDATE_NODE_ALLOCATABLE = 4
    UPDATE_NODE_LABEL = 8
    UPDATE_NODE_TAINT = 16  # spec.unschedulable too
    UPDATE_NODE_CONDITION = 32
    UPDATE_NODE_ANNOTATION = 64
    UPDATE_POD_LABEL = 128
    UPDATE_POD_SCALE_DOWN = 256
    UPDATE_POD_TOLERATION = 512
    UPDATE_POD_SCHEDULING_GATES_ELIMINATED = 1024
    UPDATE = 2048  # of any other kind of object
    UPDATE_NODE_DECLARED_FEATURE = 4096
    UPDATE_POD_GENERATED_RESOURCE_CLAIM = 8192  # a claim was made for it


NODE = "Node"
ASSIGNED_POD = "AssignedPod"  # a Pod that has a node
UNSCHEDULED_POD = "UnscheduledPod"  # the waiting Pod itself
Resource = str | type[Any]  # one of the three above, or the type of any other kind, which is then watched
QueueingHint = Callable[[core_v1.Pod, Any, Any], bool]


def always(pod: core_v1.Pod, old: Any, new: Any) -> bool:
    """The hint of an event that may help every Pod."""
    return True


@dataclass(frozen=True, slots=True)
class EventHint:
    """An event that may help Pods which the plugin refused; `hint(pod, old, new)` says whether it helps this one."""

    resource: Resource
    actions: Action
    hint: QueueingHint = always


# --- extension points --------------------------------------------------------------------------


class Plugin(Protocol):
    name: str

    def events(self) -> Sequence[EventHint]:
        """What may make a refused Pod fit (upstream's EventsToRegister)."""
        ...


@runtime_checkable
class PreEnqueuePlugin(Plugin, Protocol):
    """Keeps a Pod from being tried before it can have a chance."""

    def pre_enqueue(self, pod: core_v1.Pod) -> str:
        """What it waits for, "" when it may be tried.  Asked again when one of the plugin's events helps."""
        ...


@runtime_checkable
class FilterPlugin(Plugin, Protocol):
    """Says which nodes will not do."""

    local: bool
    """The Pod's own `sign` and one NodeInfo decide: such answers are kept for equal Pods until that node changes."""

    def sign(self, pod: core_v1.Pod, snapshot: Snapshot) -> Any:
        """Everything that a local filter or score looks at beside the node, encodable.  Called of local plugins alone."""
        ...

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> Refusal | frozenset[str] | None:
        """Once a Pod: a Refusal refuses every node, names limit the search to these nodes."""
        ...

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        """Whether `filter` could refuse anything for this Pod: what is not relevant is not asked."""
        ...

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None: ...

    def add_pod(self, state: CycleState, pod: core_v1.Pod, other: core_v1.Pod, node: NodeInfo) -> None:
        """As if `other` were on the node: what pre_filter counted follows (upstream's PreFilterExtensions)."""
        ...

    def remove_pod(self, state: CycleState, pod: core_v1.Pod, other: core_v1.Pod, node: NodeInfo) -> None:
        """As if `other` were not on the node."""
        ...


@runtime_checkable
class ScorePlugin(Protocol):
    """Says how good a node is: higher is better; `normalize` brings the scores to 0..100."""

    name: str
    local_score: bool
    """`sign` and one NodeInfo decide, and `normalize` changes nothing."""

    def sign(self, pod: core_v1.Pod, snapshot: Snapshot) -> Any: ...

    def scores(self, pod: core_v1.Pod, snapshot: Snapshot) -> bool:
        """Whether this plugin may have anything to say about the Pod: a quick look, before nodes are filtered."""
        ...

    def prepare(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> None:
        """Of local scores, once a signature: what `score` needs beside the node."""
        ...

    def pre_score(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot, nodes: Sequence[NodeInfo]) -> bool:
        """Once a Pod, with the nodes that passed; False: nothing to say.  Not called of local scores."""
        ...

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float: ...

    def normalize(self, scores: list[float]) -> list[float]: ...


@runtime_checkable
class ReservePlugin(Protocol):
    """Keeps what the Pod will take, from the decision until it is bound."""

    name: str

    def reserve(self, state: CycleState, pod: core_v1.Pod, node: str) -> Refusal | None: ...

    def unreserve(self, state: CycleState, pod: core_v1.Pod, node: str) -> None:
        """Give it back; also called when `reserve` was not, or refused."""
        ...


@runtime_checkable
class PreBindPlugin(Protocol):
    """What must be done before the Pod is bound: the only point that may wait."""

    name: str

    def pre_bind_pre_flight(self, state: CycleState, pod: core_v1.Pod, node: str) -> bool:
        """Whether there is anything to do for this Pod."""
        ...

    async def pre_bind(self, state: CycleState, pod: core_v1.Pod, node: str) -> Refusal | None:
        """A Refusal sends the Pod back to the queue; StatusError, OSError and PluginError do so with a back-off."""
        ...


@runtime_checkable
class PostFilterPlugin(Plugin, Protocol):
    """What can be done for a Pod that no node will take, before others have to make room."""

    async def post_filter(self, state: CycleState, pod: core_v1.Pod) -> str:
        """What was done, or why nothing was, for the Pod's event; StatusError and OSError as of `pre_bind`."""
        ...


def spread_scores(scores: Iterable[float], *, reverse: bool = False) -> list[float]:
    """Scores scaled so that the largest is 100 (0 when `reverse`)."""
    values = list(scores)
    top = max(values, default=0.0)
    if top <= 0:
        return [float(MAX_NODE_SCORE)] * len(values) if reverse else values
    scaled = [float(int(value * MAX_NODE_SCORE / top)) for value in values]
    return [MAX_NODE_SCORE - value for value in scaled] if reverse else scaled

"""A profile: which plugins run, in which order, with which weights.  A new plugin is a line in `DEFAULTS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wherry.api.types import core_v1, resource_v1
from wherry.scheduler import args
from wherry.scheduler.framework import (
    FilterPlugin,
    Handle,
    PostFilterPlugin,
    PreBindPlugin,
    PreEnqueuePlugin,
    ReservePlugin,
    ScorePlugin,
)
from wherry.scheduler.plugins.defaultselector import default_selector
from wherry.scheduler.plugins.dynamicresources import DynamicResources
from wherry.scheduler.plugins.dynamicresources.extended import Resolver
from wherry.scheduler.plugins.imagelocality import ImageLocality
from wherry.scheduler.plugins.interpodaffinity import InterPodAffinity
from wherry.scheduler.plugins.nodeaffinity import NodeAffinity
from wherry.scheduler.plugins.nodebasics import NodeName, NodePorts, NodeUnschedulable
from wherry.scheduler.plugins.nodedeclaredfeatures import NodeDeclaredFeatures
from wherry.scheduler.plugins.noderesources import NodeResourcesBalancedAllocation, NodeResourcesFit
from wherry.scheduler.plugins.nodevolumelimits import NodeVolumeLimits
from wherry.scheduler.plugins.podtopologyspread import PodTopologySpread
from wherry.scheduler.plugins.tainttoleration import TaintToleration
from wherry.scheduler.plugins.volumebinding import VolumeBinding
from wherry.scheduler.plugins.volumerestrictions import VolumeRestrictions
from wherry.scheduler.plugins.volumezone import VolumeZone

DEFAULT_SCHEDULER = "default-scheduler"
PREEMPTION = "DefaultPreemption"
Make = Callable[[Handle, Any], Any]  # (handle, the plugin's arguments) -> the plugin


@dataclass(frozen=True, slots=True)
class Registration:
    """How a plugin is made; `weight` counts when it scores."""

    make: Make
    weight: int = 1
    args: type[Any] = args.NoArgs


def _affinity(handle: Handle, given: args.NodeAffinityArgs) -> NodeAffinity:
    return NodeAffinity(given.added_affinity)


def _fit(handle: Handle, given: args.NodeResourcesFitArgs) -> NodeResourcesFit:
    return NodeResourcesFit(**given.settings(), backed=Resolver(handle.lister(resource_v1.DeviceClass)).class_of)


def _balanced(handle: Handle, given: args.NodeResourcesBalancedAllocationArgs) -> NodeResourcesBalancedAllocation:
    return NodeResourcesBalancedAllocation([(each.name, each.weight) for each in given.resources])


def _spread(handle: Handle, given: args.PodTopologySpreadArgs) -> PodTopologySpread:
    selector = default_selector(handle)
    if given.defaulting_type == "List":
        return PodTopologySpread(given.default_constraints, selector, system=False)
    return PodTopologySpread(default_selector=selector)


def _volumes(handle: Handle, given: args.VolumeBindingArgs) -> VolumeBinding:
    return VolumeBinding(handle, given.bind_timeout_seconds, given.scorer())


def _inter_pod(handle: Handle, given: args.InterPodAffinityArgs) -> InterPodAffinity:
    return InterPodAffinity(
        handle.lister(core_v1.Namespace), given.hard_pod_affinity_weight,
        ignore_preferred_of_others=given.ignore_preferred_terms_of_existing_pods,
    )


# Filters run in this order and the first refusal counts; local ones come first.
DEFAULTS: Mapping[str, Registration] = {
    "NodeUnschedulable": Registration(lambda handle, given: NodeUnschedulable()),
    "NodeName": Registration(lambda handle, given: NodeName()),
    "TaintToleration": Registration(lambda handle, given: TaintToleration(), 3),
    "NodeAffinity": Registration(_affinity, 2, args.NodeAffinityArgs),
    "NodePorts": Registration(lambda handle, given: NodePorts()),
    "NodeResourcesFit": Registration(_fit, 1, args.NodeResourcesFitArgs),
    "VolumeRestrictions": Registration(lambda handle, given: VolumeRestrictions(handle)),
    "NodeVolumeLimits": Registration(lambda handle, given: NodeVolumeLimits(handle)),
    "VolumeBinding": Registration(_volumes, 1, args.VolumeBindingArgs),
    "VolumeZone": Registration(lambda handle, given: VolumeZone(handle)),
    "PodTopologySpread": Registration(_spread, 2, args.PodTopologySpreadArgs),
    "InterPodAffinity": Registration(_inter_pod, 2, args.InterPodAffinityArgs),
    "DynamicResources": Registration(lambda handle, given: DynamicResources(handle), 2),
    "NodeDeclaredFeatures": Registration(lambda handle, given: NodeDeclaredFeatures()),
    "NodeResourcesBalancedAllocation": Registration(_balanced, 1, args.NodeResourcesBalancedAllocationArgs),
    "ImageLocality": Registration(lambda handle, given: ImageLocality()),
}


CLAIMS = frozenset(("DynamicResources",))
HOLDERS = frozenset(("VolumeBinding", "DynamicResources"))  # plugins that keep something for a Pod, and hand it over before it is bound


@dataclass(frozen=True, slots=True)
class Profile:
    """What one schedulerName stands for.  Scores are weighted and summed."""

    filters: tuple[FilterPlugin, ...]
    scores: tuple[tuple[ScorePlugin, int], ...]
    scheduler_name: str = DEFAULT_SCHEDULER
    reserve: tuple[ReservePlugin, ...] = ()
    pre_bind: tuple[PreBindPlugin, ...] = ()
    post_filter: tuple[PostFilterPlugin, ...] = ()
    pre_enqueue: tuple[PreEnqueuePlugin, ...] = ()
    preempts: bool = True
    percentage_of_nodes_to_score: int = 0  # 0: less the more nodes there are
    min_candidate_nodes_percentage: int = 10
    min_candidate_nodes_absolute: int = 100
    local: tuple[FilterPlugin | ScorePlugin, ...] = field(init=False)

    def __post_init__(self) -> None:
        found = {p.name: p for p in self.filters if p.local} | {p.name: p for p, _ in self.scores if p.local_score}
        object.__setattr__(self, "local", tuple(found.values()))


@dataclass(frozen=True, slots=True)
class ProfileSpec:
    """What a configuration asks for: names of plugins by extension point (those of `DEFAULTS` unless said otherwise)."""

    scheduler_name: str = DEFAULT_SCHEDULER
    filters: tuple[str, ...] = tuple(DEFAULTS)
    scores: tuple[tuple[str, int], ...] = tuple((name, each.weight) for name, each in DEFAULTS.items())
    reserve: frozenset[str] = HOLDERS
    pre_bind: frozenset[str] = HOLDERS
    post_filter: frozenset[str] = CLAIMS  # what else than preemption may help
    pre_enqueue: frozenset[str] = CLAIMS  # what else than gates may keep Pods out of the queue
    preempts: bool = True
    arguments: Mapping[str, Any] = field(default_factory=dict)
    percentage_of_nodes_to_score: int = 0
    gated: bool = True  # whether schedulingGates keep Pods out of the queue


def make_profile(handle: Handle, spec: ProfileSpec | None = None) -> Profile:
    """Make the plugins, each once, and put them at their extension points."""
    spec = spec or ProfileSpec()
    made: dict[str, Any] = {}

    def plugin(name: str) -> Any:
        if name not in made:
            registration = DEFAULTS[name]
            given = spec.arguments.get(name)
            made[name] = registration.make(handle, given if given is not None else msgspec.convert({}, registration.args))
        return made[name]

    filters = [plugin(name) for name in spec.filters]
    scores = [(plugin(name), weight) for name, weight in spec.scores]
    reserve = [plugin(name) for name in DEFAULTS if name in spec.reserve]
    pre_bind = [plugin(name) for name in DEFAULTS if name in spec.pre_bind]
    post_filter = [plugin(name) for name in DEFAULTS if name in spec.post_filter]
    pre_enqueue = [plugin(name) for name in DEFAULTS if name in spec.pre_enqueue]
    preemption = spec.arguments.get(PREEMPTION) or args.DefaultPreemptionArgs()
    return Profile(
        tuple(each for each in filters if isinstance(each, FilterPlugin)),
        tuple((each, weight) for each, weight in scores if isinstance(each, ScorePlugin)),
        spec.scheduler_name,
        tuple(each for each in reserve if isinstance(each, ReservePlugin)),
        tuple(each for each in pre_bind if isinstance(each, PreBindPlugin)),
        tuple(each for each in post_filter if isinstance(each, PostFilterPlugin)),
        tuple(each for each in pre_enqueue if isinstance(each, PreEnqueuePlugin)),
        spec.preempts, spec.percentage_of_nodes_to_score,
        preemption.min_candidate_nodes_percentage, preemption.min_candidate_nodes_absolute,
    )

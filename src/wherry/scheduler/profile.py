"""The default profile: which plugins, in which order, with which weights.  A new plugin is a line here."""

from __future__ import annotations

from dataclasses import dataclass

from wherry.scheduler.framework import FilterPlugin, ScorePlugin
from wherry.scheduler.plugins.interpodaffinity import InterPodAffinity
from wherry.scheduler.plugins.nodeaffinity import NodeAffinity
from wherry.scheduler.plugins.nodebasics import NodeName, NodePorts, NodeUnschedulable
from wherry.scheduler.plugins.noderesources import NodeResourcesBalancedAllocation, NodeResourcesFit
from wherry.scheduler.plugins.podtopologyspread import PodTopologySpread
from wherry.scheduler.plugins.tainttoleration import TaintToleration

DEFAULT_SCHEDULER = "default-scheduler"


@dataclass(frozen=True, slots=True)
class Profile:
    """Filters run in this order and the first refusal counts; scores are weighted and summed."""

    filters: tuple[FilterPlugin, ...]
    scores: tuple[tuple[ScorePlugin, int], ...]
    scheduler_name: str = DEFAULT_SCHEDULER


def default_profile() -> Profile:
    taints, affinity, fit = TaintToleration(), NodeAffinity(), NodeResourcesFit()
    spread, inter_pod = PodTopologySpread(), InterPodAffinity()
    return Profile(
        filters=(NodeUnschedulable(), NodeName(), taints, affinity, NodePorts(), fit, spread, inter_pod),
        scores=((taints, 3), (affinity, 2), (fit, 1), (spread, 2), (inter_pod, 2), (NodeResourcesBalancedAllocation(), 1)),
    )

"""On which nodes a DaemonSet's Pods belong, and what those Pods look like.  Pure.

https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#how-daemon-pods-are-scheduled
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from wherry.api.nodeaffinity import required_matches
from wherry.api.tolerations import tolerates
from wherry.api.types import apps_v1, core_v1
from wherry.controller.history import HASH_LABEL
from wherry.controller.podcontrol import pod_from_template

GENERATION_LABEL = "pod-template-generation"
GENERATION = "deprecated.daemonset.template.generation"
_NODE_NAME = "metadata.name"
_TOLERATED = (
    ("not-ready", "NoExecute"), ("unreachable", "NoExecute"), ("disk-pressure", "NoSchedule"), ("memory-pressure", "NoSchedule"),
    ("pid-pressure", "NoSchedule"), ("unschedulable", "NoSchedule"),
)
replace = msgspec.structs.replace


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a Pod is to run on a node, and whether one that runs there may go on."""

    run: bool
    keep: bool


def fit(ds: apps_v1.DaemonSet, node: core_v1.Node) -> Fit:
    template = ds.spec.template
    pod = core_v1.Pod(metadata=template.metadata, spec=with_tolerations(template.spec))
    if (pod.spec.node_name and pod.spec.node_name != node.metadata.name) or not required_matches(pod, node):
        return Fit(False, False)
    untolerated = {taint.effect for taint in node.spec.taints if not tolerates(pod, taint)} & {"NoSchedule", "NoExecute"}
    return Fit(not untolerated, "NoExecute" not in untolerated)


def with_tolerations(spec: core_v1.PodSpec) -> core_v1.PodSpec:
    """A daemon stays on a node that has trouble, and starts on one that is closed to others."""
    wanted = [(f"node.kubernetes.io/{name}", effect) for name, effect in _TOLERATED]
    if spec.host_network:
        wanted.append(("node.kubernetes.io/network-unavailable", "NoSchedule"))
    tolerations = list(spec.tolerations)
    for key, effect in wanted:
        own = core_v1.Toleration(key=key, operator="Exists", effect=effect)
        if own not in tolerations:
            tolerations.append(own)
    return replace(spec, tolerations=tolerations)


def build(ds: apps_v1.DaemonSet, node: str, digest: str) -> core_v1.Pod:
    """The Pod for a node: bound by affinity, so that the scheduler still has the word."""
    pod = pod_from_template(ds.spec.template, ds)
    labels = {**pod.metadata.labels, HASH_LABEL: digest}
    generation = ds.metadata.annotations.get(GENERATION)
    if generation:
        labels[GENERATION_LABEL] = generation
    spec = with_tolerations(pod.spec)
    spec = replace(spec, affinity=_pinned(spec.affinity, node))
    return replace(pod, metadata=replace(pod.metadata, labels=labels), spec=spec)


def _pinned(affinity: core_v1.Affinity | None, node: str) -> core_v1.Affinity:
    """What is required of nodes has selected this one already, so the pin takes its place; what is preferred stays."""
    affinity = affinity or core_v1.Affinity()
    field = core_v1.NodeSelectorRequirement(key=_NODE_NAME, operator="In", values=[node])
    pin = core_v1.NodeSelector(node_selector_terms=[core_v1.NodeSelectorTerm(match_fields=[field])])
    on_nodes = affinity.node_affinity or core_v1.NodeAffinity()
    return replace(affinity, node_affinity=replace(on_nodes, required_during_scheduling_ignored_during_execution=pin))


def node_of(pod: core_v1.Pod) -> str:
    """The node that it runs on or is pinned to; empty when it tells none."""
    if pod.spec.node_name:
        return pod.spec.node_name
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    for term in required.node_selector_terms if required is not None else ():
        for field in term.match_fields:
            if field.key == _NODE_NAME and field.operator == "In" and len(field.values) == 1:
                return field.values[0]
    return ""


def is_updated(ds: apps_v1.DaemonSet, pod: core_v1.Pod, digest: str) -> bool:
    labels = pod.metadata.labels
    generation = ds.metadata.annotations.get(GENERATION)
    return labels.get(HASH_LABEL) == digest or (bool(generation) and labels.get(GENERATION_LABEL) == generation)

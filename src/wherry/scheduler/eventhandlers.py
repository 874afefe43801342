"""What a change of a Node or of a Pod on a node amounts to, pure: the actions that plugins have hints for."""

from __future__ import annotations

from wherry.api.types import core_v1
from wherry.scheduler.framework import Action
from wherry.scheduler.resources import held_changed, pod_requests


def node_actions(old: core_v1.Node, new: core_v1.Node) -> Action:
    """Nothing for a heartbeat."""
    actions = Action(0)
    if old.status.allocatable != new.status.allocatable:
        actions |= Action.UPDATE_NODE_ALLOCATABLE
    if old.metadata.labels != new.metadata.labels:
        actions |= Action.UPDATE_NODE_LABEL
    if old.spec.taints != new.spec.taints or bool(old.spec.unschedulable) != bool(new.spec.unschedulable):
        actions |= Action.UPDATE_NODE_TAINT
    if {c.type: c.status for c in old.status.conditions} != {c.type: c.status for c in new.status.conditions}:
        actions |= Action.UPDATE_NODE_CONDITION
    if old.status.declared_features != new.status.declared_features:
        actions |= Action.UPDATE_NODE_DECLARED_FEATURE
    if old.metadata.annotations != new.metadata.annotations:
        actions |= Action.UPDATE_NODE_ANNOTATION
    return actions


def assigned_pod_actions(old: core_v1.Pod, new: core_v1.Pod) -> Action:
    """Of a Pod that has a node.  One on its way out no longer counts where its labels are counted."""
    actions = Action(0)
    leaves = bool(new.metadata.deletion_timestamp) and not old.metadata.deletion_timestamp
    if leaves or old.metadata.labels != new.metadata.labels:
        actions |= Action.UPDATE_POD_LABEL
    if old.spec != new.spec or held_changed(old, new):
        before, after = pod_requests(old), pod_requests(new)
        if any(after.get(name, 0) < value for name, value in before.items()):
            actions |= Action.UPDATE_POD_SCALE_DOWN
    return actions

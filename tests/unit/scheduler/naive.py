"""The scheduler's rules written down plainly: every question looks at every Pod anew.  What the fast ones are held against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from scheduler_makers import placed

from wherry.api.types import core_v1
from wherry.apimachinery import quantity

Pod, Node = core_v1.Pod, core_v1.Node


@dataclass
class Picture:
    """Nodes, Pods that have one, and the labels of namespaces."""

    nodes: dict[str, Node] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)  # by uid
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)

    def on(self, node: str) -> list[Pod]:
        return [each for each in self.pods.values() if each.spec.node_name == node]

    def with_pods(self, pods: Iterable[Pod], without: Iterable[Pod] = ()) -> Picture:
        gone = {each.metadata.uid for each in without}
        kept = {uid: each for uid, each in self.pods.items() if uid not in gone}
        return Picture(self.nodes, kept | {each.metadata.uid: each for each in pods}, self.namespaces)


def priority(pod: Pod) -> int:
    return pod.spec.priority or 0


def selects(selector: Any, labels: dict[str, str]) -> bool:
    """A metav1.LabelSelector; None selects nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in selector.match_labels.items()):
        return False
    for each in selector.match_expressions:
        have = labels.get(each.key)
        good = {
            "In": have is not None and have in each.values, "NotIn": have is None or have not in each.values,
            "Exists": have is not None, "DoesNotExist": have is None,
        }[each.operator]
        if not good:
            return False
    return True


# --- one node alone ------------------------------------------------------------------------------


def requests(pod: Pod) -> dict[str, int]:
    """The Pods of these tests have regular containers alone."""
    total = {"pods": 1}
    for container in pod.spec.containers:
        for name, text in container.resources.requests.items():
            amount = quantity.milli(text) if name == "cpu" else quantity.value(text)
            total[name] = total.get(name, 0) + amount
    return total


def overcommitted(node: Node, pods: Iterable[Pod]) -> dict[str, tuple[int, int]]:
    """Resource -> (asked for, there is)."""
    total: dict[str, int] = {}
    for pod in pods:
        for name, amount in requests(pod).items():
            total[name] = total.get(name, 0) + amount
    there = {name: quantity.milli(text) if name == "cpu" else quantity.value(text) for name, text in node.status.allocatable.items()}
    return {name: (amount, there.get(name, 0)) for name, amount in total.items() if amount > there.get(name, 0)}


def fits(pod: Pod, node: Node, others: list[Pod]) -> bool:
    over = overcommitted(node, [pod, *others])
    return not any(requests(pod).get(name) for name in over)


def ports(pod: Pod) -> list[tuple[str, str, int]]:
    return [(p.host_ip or "0.0.0.0", p.protocol or "TCP", p.host_port) for c in pod.spec.containers for p in c.ports if p.host_port]


def collide(one: Pod, other: Pod) -> bool:
    return any(
        a[1:] == b[1:] and (a[0] == b[0] or "0.0.0.0" in (a[0], b[0])) for a in ports(one) for b in ports(other)
    )


def tolerated(pod: Pod, taint: core_v1.Taint) -> bool:
    for each in pod.spec.tolerations:
        if each.effect in ("", taint.effect) and each.key in ("", taint.key) and (each.operator == "Exists" or each.value == taint.value):
            return True
    return False


def accepted(pod: Pod, node: Node) -> bool:
    """Taints and cordon."""
    cordon = core_v1.Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
    if node.spec.unschedulable and not tolerated(pod, cordon):
        return False
    return all(tolerated(pod, t) for t in node.spec.taints if t.effect in ("NoSchedule", "NoExecute"))


def selected(pod: Pod, node: Node) -> bool:
    return all(node.metadata.labels.get(key) == value for key, value in pod.spec.node_selector.items())


# --- between Pods --------------------------------------------------------------------------------


def terms(pod: Pod, kind: str, wish: str = "required_during_scheduling_ignored_during_execution") -> list[Any]:
    side = getattr(pod.spec.affinity, kind) if pod.spec.affinity else None
    return getattr(side, wish) if side else []


def meant(term: core_v1.PodAffinityTerm, owner: Pod, other: Pod, picture: Picture) -> bool:
    """Whether a term of `owner` is about `other`."""
    namespace = other.metadata.namespace
    if term.namespaces or term.namespace_selector is not None:
        chosen = selects(term.namespace_selector, picture.namespaces.get(namespace, {}))
        if namespace not in term.namespaces and not chosen:
            return False
    elif namespace != owner.metadata.namespace:
        return False
    if not selects(term.label_selector, other.metadata.labels):
        return False
    mine, theirs = owner.metadata.labels, other.metadata.labels
    same = all(theirs.get(key) == mine[key] for key in term.match_label_keys if key in mine)
    return same and all(theirs.get(key) != mine[key] for key in term.mismatch_label_keys if key in mine)


def together(one: Node | None, other: Node | None, key: str) -> bool:
    """In the same domain."""
    if one is None or other is None:
        return False
    return key in one.metadata.labels and one.metadata.labels[key] == other.metadata.labels.get(key)


def kept_apart(pod: Pod, node: Node, picture: Picture) -> bool:
    """Anti-affinity, of this Pod and of the others."""
    for other in picture.pods.values():
        there = picture.nodes.get(other.spec.node_name)
        for owner, about in ((pod, other), (other, pod)):
            for term in terms(owner, "pod_anti_affinity"):
                if meant(term, owner, about, picture) and together(node, there, term.topology_key):
                    return True
    return False


def near(pod: Pod, node: Node, picture: Picture) -> bool:
    """Affinity: for each term a Pod that all terms are about is in the domain; the first of its kind may go anywhere."""
    wanted = terms(pod, "pod_affinity")
    if any(term.topology_key not in node.metadata.labels for term in wanted):
        return False
    friends = [other for other in picture.pods.values() if all(meant(term, pod, other, picture) for term in wanted)]
    where = [picture.nodes[friend.spec.node_name] for friend in friends if friend.spec.node_name in picture.nodes]
    if all(any(together(node, there, term.topology_key) for there in where) for term in wanted):
        return True
    none = not any(term.topology_key in there.metadata.labels for term in wanted for there in where)
    return none and all(meant(term, pod, pod, picture) for term in wanted)


def spread_counts(pod: Pod, constraint: core_v1.TopologySpreadConstraint, picture: Picture, keys: list[str]) -> dict[str, int]:
    """Matching Pods by domain, over the nodes that count."""
    counts: dict[str, int] = {}
    for name, node in picture.nodes.items():
        labels = node.metadata.labels
        if any(key not in labels for key in keys):
            continue
        if constraint.node_affinity_policy != "Ignore" and not selected(pod, node):
            continue
        if constraint.node_taints_policy == "Honor" and any(
            not tolerated(pod, t) for t in node.spec.taints if t.effect in ("NoSchedule", "NoExecute")
        ):
            continue
        domain = labels[constraint.topology_key]
        counts[domain] = counts.get(domain, 0) + sum(
            other.metadata.namespace == pod.metadata.namespace and not other.metadata.deletion_timestamp
            and counted(constraint, pod, other) for other in picture.on(name)
        )
    return counts


def counted(constraint: core_v1.TopologySpreadConstraint, pod: Pod, other: Pod) -> bool:
    labels = pod.metadata.labels
    if not selects(constraint.label_selector, other.metadata.labels):
        return False
    return all(other.metadata.labels.get(key) == labels[key] for key in constraint.match_label_keys if key in labels)


def even(pod: Pod, node: Node, picture: Picture) -> bool:
    """Every DoNotSchedule constraint."""
    hard = [c for c in pod.spec.topology_spread_constraints if c.when_unsatisfiable == "DoNotSchedule"]
    keys = [c.topology_key for c in hard]
    for constraint in hard:
        domain = node.metadata.labels.get(constraint.topology_key)
        if domain is None:
            return False
        counts = spread_counts(pod, constraint, picture, keys)
        least = 0 if len(counts) < (constraint.min_domains or 1) else min(counts.values(), default=0)
        if counts.get(domain, 0) + counted(constraint, pod, pod) - least > (constraint.max_skew or 1):
            return False
    return True


# --- altogether ----------------------------------------------------------------------------------


def passes(pod: Pod, node: Node, picture: Picture) -> bool:
    others = picture.on(node.metadata.name)
    return (
        accepted(pod, node) and selected(pod, node) and fits(pod, node, others) and not any(collide(pod, other) for other in others)
        and near(pod, node, picture) and not kept_apart(pod, node, picture) and even(pod, node, picture)
    )


def feasible(pod: Pod, picture: Picture, nominated: Iterable[tuple[Pod, str]] = ()) -> set[str]:
    """Nodes where it may go: also when the Pods nominated there, of no lower priority, are there already."""
    found = set()
    for name, node in picture.nodes.items():
        rivals = [
            placed(other, name) for other, where in nominated
            if where == name and priority(other) >= priority(pod) and other.metadata.uid != pod.metadata.uid
        ]
        if passes(pod, node, picture) and (not rivals or passes(pod, node, picture.with_pods(rivals))):
            found.add(name)
    return found

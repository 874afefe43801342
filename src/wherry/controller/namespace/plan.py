"""What a namespace on its way out says about itself.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wherry.api.types import core_v1
from wherry.client.paths import ResourceInfo
from wherry.util.clock import rfc3339

FINALIZER = "kubernetes"


@dataclass(slots=True)
class Progress:
    """What one round of emptying has found."""

    discovery_error: str = ""
    errors: list[str] = field(default_factory=list)  # of deletions and lists
    remaining: dict[ResourceInfo, int] = field(default_factory=dict)
    finalizers: Counter[str] = field(default_factory=Counter)

    @property
    def empty(self) -> bool:
        return not (self.discovery_error or self.errors or any(self.remaining.values()))


def order(resources: Sequence[ResourceInfo]) -> list[list[ResourceInfo]]:
    """What to delete in which round: Pods go first, so that nothing they use goes before them (KEP-5080)."""
    usable = [each for each in resources if each.namespaced and {"delete", "list"} <= each.verbs]
    pods = [each for each in usable if (each.group, each.plural) == ("", "pods")]
    return [pods, [each for each in usable if each not in pods]]


def conditions(namespace: core_v1.Namespace, progress: Progress, now: float) -> list[dict[str, str]]:
    """The five conditions, each in the words for what went wrong or for nothing."""
    return [_condition(namespace, type_, *told, now) for type_, told in _told(progress).items()]


def _told(progress: Progress) -> dict[str, tuple[str, str, str]]:
    """(status, reason, message) of each condition."""
    discovery = ("False", "ResourcesDiscovered", "All resources successfully discovered")
    if progress.discovery_error:
        discovery = ("True", "DiscoveryFailed", f"Discovery failed for some groups, 1 failing: {progress.discovery_error}")
    content = ("False", "ContentDeleted", "All content successfully deleted, may be waiting on finalization")
    if progress.errors:
        told = ", ".join(progress.errors)
        message = f"Failed to delete all resource types, {len(progress.errors)} remaining: {told}"
        content = ("True", "ContentDeletionFailed", message)
    remaining = ("False", "ContentRemoved", "All content successfully removed")
    if any(progress.remaining.values()):
        message = f"Some resources are remaining: {_instances(progress.remaining)}"
        remaining = ("True", "SomeResourcesRemain", message)
    finalizers = ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished")
    if progress.finalizers:
        told = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(progress.finalizers.items()))
        message = f"Some content in the namespace has finalizers remaining: {told}"
        finalizers = ("True", "SomeFinalizersRemain", message)
    return {
        "NamespaceDeletionDiscoveryFailure": discovery,
        "NamespaceDeletionGroupVersionParsingFailure": (
            "False", "ParsedGroupVersions", "All legacy kube types successfully parsed",
        ),
        "NamespaceDeletionContentFailure": content,
        "NamespaceContentRemaining": remaining,
        "NamespaceFinalizersRemaining": finalizers,
    }


def _instances(remaining: Mapping[ResourceInfo, int]) -> str:
    texts = [f"{each.plural}.{each.group} has {count} resource instances" for each, count in remaining.items() if count]
    return ", ".join(sorted(texts))


def _condition(
    namespace: core_v1.Namespace, type_: str, status: str, reason: str, message: str, now: float,
) -> dict[str, str]:
    old = next((each for each in namespace.status.conditions if each.type == type_), None)
    since = old.last_transition_time if old is not None and old.status == status else None
    return {
        "type": type_, "status": status, "lastTransitionTime": since or rfc3339(now), "reason": reason, "message": message,
    }

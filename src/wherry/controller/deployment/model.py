"""What the Deployment's planners work on: bounds, annotations, and ReplicaSets as they will be.  Pure.

Behaviour: kubernetes.io/docs/concepts/workloads/controllers/deployment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from wherry.api.types import apps_v1, core_v1
from wherry.controller.intstr import scaled
from wherry.controller.podutil import created

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAX = "deployment.kubernetes.io/max-replicas"
HASH_LABEL = "pod-template-hash"
HISTORY_CHARACTERS = 2000
NO_DEADLINE = 2**31 - 1
# Annotations of a Deployment that its ReplicaSets do not take over.
OWN_ANNOTATIONS = frozenset({
    "kubectl.kubernetes.io/last-applied-configuration", REVISION, REVISION_HISTORY, DESIRED, MAX,
    "deprecated.deployment.rollback.to",
})


def wanted(d: apps_v1.Deployment) -> int:
    return 1 if d.spec.replicas is None else d.spec.replicas


def is_rolling(d: apps_v1.Deployment) -> bool:
    return d.spec.strategy.type == "RollingUpdate"


def has_deadline(d: apps_v1.Deployment) -> bool:
    return d.spec.progress_deadline_seconds is not None and d.spec.progress_deadline_seconds != NO_DEADLINE


def bounds(d: apps_v1.Deployment) -> tuple[int, int]:
    """How many Pods more (surge) and fewer (unavailable) than wanted there may be.

    Surge rounds up and unavailable down; were both zero nothing could move, so then one may be unavailable.
    """
    if not is_rolling(d):
        return 0, 0
    rolling, replicas = d.spec.strategy.rolling_update or apps_v1.RollingUpdateDeployment(), wanted(d)
    surge = scaled(rolling.max_surge, replicas, True, "25%")
    unavailable = scaled(rolling.max_unavailable, replicas, False, "25%")
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, replicas)


@dataclass(slots=True)
class Sized:
    """A ReplicaSet and the size that the plan so far gives it."""

    rs: apps_v1.ReplicaSet
    replicas: int
    annotations: dict[str, str]

    @classmethod
    def of(cls, rs: apps_v1.ReplicaSet) -> Sized:
        return cls(rs, 1 if rs.spec.replicas is None else rs.spec.replicas, dict(rs.metadata.annotations))

    @property
    def name(self) -> str:
        return self.rs.metadata.name

    @property
    def available(self) -> int:
        return self.rs.status.available_replicas or 0

    @property
    def surely_available(self) -> int:
        """Available and to stay: until a smaller size has been carried out, the status counts Pods that are to go."""
        return min(self.available, self.replicas)

    @property
    def age_key(self) -> tuple[float, str]:
        """Sorts the oldest first."""
        return created(self.rs), self.name

    def desired(self) -> int | None:
        """The Deployment's size when this one was last sized."""
        return _integer(self.annotations.get(DESIRED))

    def maximum(self) -> int | None:
        return _integer(self.annotations.get(MAX))


def _integer(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def total(sets: Iterable[Sized]) -> int:
    return sum(each.replicas for each in sets)


def revision_of(annotations: dict[str, str]) -> int:
    return _integer(annotations.get(REVISION)) or 0


def _without_hash(template: core_v1.PodTemplateSpec) -> core_v1.PodTemplateSpec:
    labels = {key: value for key, value in template.metadata.labels.items() if key != HASH_LABEL}
    meta = msgspec.structs.replace(template.metadata, labels=labels)
    return msgspec.structs.replace(template, metadata=meta)


def same_template(one: core_v1.PodTemplateSpec, other: core_v1.PodTemplateSpec) -> bool:
    """Equal but for the hash label."""
    return _without_hash(one) == _without_hash(other)


def find_new(d: apps_v1.Deployment, sets: Iterable[Sized]) -> Sized | None:
    """The ReplicaSet of the Deployment's template: the oldest, if a race has made several."""
    matching = [each for each in sets if same_template(each.rs.spec.template, d.spec.template)]
    return min(matching, key=lambda each: each.age_key, default=None)

"""What an autoscaler's plan is made of, and upstream's defaults.  Seconds, where not said otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace

SYNC_PERIOD = 15.0
TOLERANCE = 0.1  # of the ratio between what is measured and what is wanted
CPU_INITIALIZATION = 300.0  # how long after its start a Pod's CPU is looked at with care
INITIAL_READINESS_DELAY = 30.0  # a Pod that became unready within it has never been ready
DOWNSCALE_STABILIZATION = 300.0
MAX_REPLICAS = 2**31 - 1  # an int32 upstream


class CannotCompute(Exception):
    """A metric tells no replica count, and why."""


@dataclass(frozen=True, slots=True)
class PodMetric:
    """What one Pod uses, in thousandths; taken over `window` until `timestamp` (wall time)."""

    value: int
    timestamp: float
    window: float


PodMetrics = dict[str, PodMetric]  # by the Pod's name


@dataclass(frozen=True, slots=True)
class Failure:
    """A metric that could not be had, and why."""

    message: str


Reading = PodMetrics | int | Failure  # of Pods one by one; of an object or from outside, in thousandths; or neither


@dataclass(frozen=True, slots=True)
class Target:
    """The scale of what is scaled: wanted replicas, and those there are."""

    replicas: int
    status_replicas: int


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far the ratio may be from 1 until anything is done."""

    down: float = TOLERANCE
    up: float = TOLERANCE

    def covers(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(frozen=True, slots=True)
class Past:
    """A number of replicas and when it was: a recommendation, or a change (always positive)."""

    replicas: int
    at: float  # monotonic


@dataclass(frozen=True, slots=True)
class History:
    """What an autoscaler remembers between its rounds.  Lost with the process, as upstream's."""

    recommendations: tuple[Past, ...] = ()
    ups: tuple[Past, ...] = ()
    downs: tuple[Past, ...] = ()

    def recommended(self, replicas: int, at: float, keep: float) -> History:
        """With one more recommendation, without those that are older than `keep`."""
        return replace(self, recommendations=(*recent(self.recommendations, at, keep), Past(replicas, at)))

    def scaled(self, change: int, at: float, keep: float) -> History:
        if change > 0:
            return replace(self, ups=(*recent(self.ups, at, keep), Past(change, at)))
        return replace(self, downs=(*recent(self.downs, at, keep), Past(-change, at)))


def recent(past: tuple[Past, ...], at: float, seconds: float) -> tuple[Past, ...]:
    return tuple(each for each in past if at - each.at <= seconds)

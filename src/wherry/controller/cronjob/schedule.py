"""When a CronJob was due last and is due next.  Pure; times are seconds since the epoch.

https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from wherry.api.types import batch_v1
from wherry.apimachinery import cron
from wherry.controller.podutil import created
from wherry.util.clock import parse_rfc3339

MANY = 100  # missed times above which something must be wrong: a warning tells


@dataclass(frozen=True, slots=True)
class Due:
    """`latest` is the last time at or before now that was not acted on, `following` the next one to wake at."""

    latest: float | None
    following: float | None
    missed_many: bool = False

    @property
    def never(self) -> bool:
        """There is no such day."""
        return self.latest is None and self.following is None


def zone_of(cj: batch_v1.CronJob) -> tzinfo:
    """Raises LookupError or ValueError for a zone that is not known."""
    return ZoneInfo(cj.spec.time_zone) if cj.spec.time_zone else UTC


def due(cj: batch_v1.CronJob, now: float) -> Due:
    """Raises ValueError for a schedule that cannot be read, LookupError for an unknown zone."""
    schedule, zone = cron.parse(cj.spec.schedule), zone_of(cj)

    def after(seconds: float) -> float | None:
        found = schedule.next_after(datetime.fromtimestamp(seconds, zone))
        return found.timestamp() if found is not None else None

    since = parse_rfc3339(cj.status.last_schedule_time) if cj.status.last_schedule_time else created(cj)
    deadline = cj.spec.starting_deadline_seconds
    if deadline is not None:
        since = max(since, now - deadline)
    first = after(since)
    if first is None or first > now:
        return Due(None, first)
    second = after(first)
    if second is None or second > now:
        return Due(first, second)
    step = max(1.0, second - first)
    latest, window = first, 2 * step
    while latest == first:  # look back in growing windows: a schedule may be dense by day and empty by night
        start = max(first, first + (now - window - first) // step * step)  # whole steps: `@every` counts from its start
        moment = after(start)
        while moment is not None and moment <= now:
            latest, moment = moment, after(moment)
        if start == first:
            break
        window *= 4
    return Due(latest, after(latest), (now - first) // step + 1 > MANY)

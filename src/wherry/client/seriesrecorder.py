"""Events of the new kind (events.k8s.io), as the scheduler's are: told once, and as a series when they come again.

The same thing said of the same version of an object is one event.  Its second time starts a series, which is
written at once; later times are only counted, and written every half hour or when the series has been silent
for six minutes.  So a Pod that cannot be placed costs two writes, however often it is tried.
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from wherry.api.types import core_v1, meta_v1
from wherry.client.client import Client
from wherry.client.recorder import CACHE, Correlated, EventRecorder, Noted, next_stamp
from wherry.util.clock import Clock, rfc3339_micro

FINISH_SECONDS, REFRESH_SECONDS = 360.0, 1800.0
Key = tuple[str, ...]


@dataclass(slots=True)
class _Series:
    event: core_v1.Event
    last: float
    count: int = 1
    written: int = 1


@dataclass(slots=True)
class SeriesCorrelator:
    """Decides what becomes of an event; pure.  `instance` is who reports: the component and its host."""

    component: str
    instance: str
    _seen: OrderedDict[Key, _Series] = field(default_factory=OrderedDict)

    def correlate(self, noted: Noted) -> Correlated:
        """The event and None when it is new, its patch when a series begins, None when there is nothing to write."""
        key = _key(noted)
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = _Series(self._event(noted), noted.at)
            if len(self._seen) > CACHE:
                self._seen.popitem(last=False)
            return seen.event, None
        self._seen.move_to_end(key)
        seen.count, seen.last = seen.count + 1, noted.at
        return (seen.event, _patch(seen)) if seen.count == 2 else None

    def forget(self, noted: Noted) -> None:
        """The event expired on the server: the next of its kind is a new one."""
        self._seen.pop(_key(noted), None)

    def finish(self, now: float) -> list[tuple[core_v1.Event, dict[str, Any]]]:
        """Let go of what has been silent; the patches of series that were counted on."""
        silent = [key for key, seen in self._seen.items() if now - seen.last > FINISH_SECONDS]
        ended = [self._seen.pop(key) for key in silent]
        return [(seen.event, _patch(seen)) for seen in ended if seen.count > seen.written]

    def refresh(self) -> list[tuple[core_v1.Event, dict[str, Any]]]:
        """The patches of the series that go on."""
        return [(seen.event, _patch(seen)) for seen in self._seen.values() if seen.count > seen.written]

    def _event(self, noted: Noted) -> core_v1.Event:
        return core_v1.Event(
            metadata=meta_v1.ObjectMeta(
                name=f"{noted.involved.name}.{next_stamp(noted.at):x}", namespace=noted.involved.namespace or "default",
            ),
            involved_object=noted.involved, type=noted.type, reason=noted.reason, message=noted.message, action=noted.action,
            related=noted.related, event_time=rfc3339_micro(noted.at), reporting_component=self.component, reporting_instance=self.instance,
        )


def _key(noted: Noted) -> Key:
    about, other = noted.involved, noted.related
    return (
        noted.type, noted.action, noted.reason, about.kind, about.namespace, about.name, about.uid, about.resource_version,
        other.uid if other is not None else "",
    )


def _patch(seen: _Series) -> dict[str, Any]:
    seen.written = seen.count
    return {"series": {"count": seen.count, "lastObservedTime": rfc3339_micro(seen.last)}}


class SeriesRecorder(EventRecorder):
    """An `EventRecorder` whose events are of the new kind."""

    def __init__(self, client: Client, clock: Clock, component: str) -> None:
        correlator = SeriesCorrelator(component, f"{component}-{socket.gethostname()}")
        super().__init__(client, clock, component, correlator=correlator)
        self._series = correlator

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(super().run())
            group.create_task(self._keep())

    async def _keep(self) -> None:
        refreshed = self._clock.monotonic()
        while True:
            await self._clock.sleep(FINISH_SECONDS)
            patches = self._series.finish(self._clock.time())
            if self._clock.monotonic() - refreshed >= REFRESH_SECONDS:
                refreshed = self._clock.monotonic()
                patches += self._series.refresh()
            for event, patch in patches:
                await self._put(event, patch)

"""Events of components: correlated as upstream's `EventCorrelator` does; those of one object are written in order.

Three steps, all of them pure in `Correlator`: a spam filter (a token bucket for each source, object
and type), aggregation (more than ten of a kind that differ in their message become one, "(combined
from similar events)"), and counting (one that was seen before becomes a patch of its count).
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from wherry.api.types import core_v1, meta_v1
from wherry.apimachinery.errors import StatusError
from wherry.client.client import Client
from wherry.util.clock import Clock, rfc3339

log = logging.getLogger(__name__)

NORMAL, WARNING = "Normal", "Warning"
SPAM_BURST, SPAM_QPS = 25, 1 / 300
SIMILAR, SIMILAR_SECONDS = 10, 600.0
CACHE = 4096
QUEUE = 10_000  # events that may wait: some seconds of a busy cluster
LATE = 8  # objects whose events may wait for the server before all others do too
ATTEMPTS, RETRY_SECONDS = 12, 10.0
COMBINED = "(combined from similar events): "


@dataclass(frozen=True, slots=True)
class Noted:
    """What was said about an object."""

    involved: core_v1.ObjectReference
    type: str
    reason: str
    message: str
    at: float  # wall time
    action: str = ""  # what was done or tried; only the new kind of events tells it
    related: core_v1.ObjectReference | None = None


class _Lru(OrderedDict[Any, Any]):
    """The newest CACHE entries."""

    def keep(self, key: Any, value: Any) -> Any:
        self[key] = value
        self.move_to_end(key)
        if len(self) > CACHE:
            self.popitem(last=False)
        return value


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(slots=True)
class _Similar:
    messages: set[str]
    at: float


@dataclass(slots=True)
class _Seen:
    name: str
    count: int
    first: str


class _Stamps:
    """Nanoseconds that never come twice in a process: they make the names of events."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, at: float) -> int:
        self._last = max(self._last + 1, int(at * 1e9))
        return self._last


_stamps = _Stamps()


def next_stamp(at: float) -> int:
    """What makes an event's name one of a kind."""
    return _stamps.next(at)


Correlated = tuple[core_v1.Event, dict[str, Any] | None] | None


class Correlates(Protocol):
    """Decides what becomes of an event: what to write of it, and whether anew or as a patch."""

    def correlate(self, noted: Noted) -> Correlated: ...

    def forget(self, noted: Noted) -> None: ...


@dataclass(slots=True)
class Correlator:
    """Decides what becomes of an event: `(event, patch)`, of which one is None, or None when it is spam."""

    component: str
    host: str = ""
    _buckets: _Lru = field(default_factory=_Lru)
    _similar: _Lru = field(default_factory=_Lru)
    _seen: _Lru = field(default_factory=_Lru)

    def correlate(self, noted: Noted) -> Correlated:
        """The event (its name tells which), and the patch when it exists already."""
        message, combined = self._aggregate(noted)
        about = _about(noted.involved)
        # A combined event is the same one whatever it says: the newest message replaces the others.
        key = (about, noted.type, noted.reason, COMBINED if combined else message)
        seen = self._seen.get(key)
        now = rfc3339(noted.at)
        if seen is None:
            seen = _Seen(f"{noted.involved.name}.{next_stamp(noted.at):x}", 1, now)
        else:
            seen = _Seen(seen.name, seen.count + 1, seen.first)
        self._seen.keep(key, seen)
        if self._is_spam(noted):
            return None
        event = self._event(noted, seen, message, now, combined)
        if seen.count == 1:
            return event, None
        return event, {"count": seen.count, "lastTimestamp": now, "message": message}

    def forget(self, noted: Noted) -> None:
        """The event expired on the server: the next of its kind is a new one."""
        about = _about(noted.involved)
        for text in (noted.message, COMBINED):
            self._seen.pop((about, noted.type, noted.reason, text), None)

    def _is_spam(self, noted: Noted) -> bool:
        about = (*_about(noted.involved)[:-1], noted.type)  # warnings in plenty do not silence what is normal
        bucket = self._buckets.get(about) or _Bucket(SPAM_BURST, noted.at)
        tokens = min(SPAM_BURST, bucket.tokens + max(0.0, noted.at - bucket.at) * SPAM_QPS)
        allowed = tokens >= 1
        self._buckets.keep(about, _Bucket(tokens - allowed, noted.at))
        return not allowed

    def _aggregate(self, noted: Noted) -> tuple[str, bool]:
        key = (_about(noted.involved), noted.type, noted.reason)
        similar = self._similar.get(key)
        if similar is None or noted.at - similar.at > SIMILAR_SECONDS:
            similar = _Similar(set(), noted.at)
        similar.messages.add(noted.message)
        similar.at = noted.at
        self._similar.keep(key, similar)
        if len(similar.messages) < SIMILAR:
            return noted.message, False
        similar.messages.pop()  # keeps the set as small as upstream's, and just at its limit
        return COMBINED + noted.message, True

    def _event(self, noted: Noted, seen: _Seen, message: str, now: str, combined: bool) -> core_v1.Event:
        return core_v1.Event(
            metadata=meta_v1.ObjectMeta(name=seen.name, namespace=noted.involved.namespace or "default"),
            involved_object=noted.involved, type=noted.type, reason=noted.reason, message=message, count=seen.count,
            first_timestamp=seen.first, last_timestamp=now,
            source=core_v1.EventSource(component=self.component, host=self.host),
            # Upstream builds combined events anew and leaves these two out.
            reporting_component="" if combined else self.component, reporting_instance="" if combined else self.host,
        )


def _about(ref: core_v1.ObjectReference) -> tuple[str, ...]:
    return ref.kind, ref.namespace, ref.name, ref.uid, ref.api_version, ref.field_path


def reference(obj: Any, field_path: str = "") -> core_v1.ObjectReference:
    """An ObjectReference to a typed object."""
    if isinstance(obj, core_v1.ObjectReference):
        return obj
    meta = obj.metadata
    return core_v1.ObjectReference(
        kind=obj.kind, api_version=obj.api_version, name=meta.name, namespace=meta.namespace, uid=meta.uid,
        resource_version=meta.resource_version, field_path=field_path,
    )


class EventRecorder:
    """`event` never waits; `run` is the owner's task that writes.  When too many wait, new ones are dropped."""

    def __init__(self, client: Client, clock: Clock, component: str, host: str = "", *, correlator: Correlates | None = None) -> None:
        self._client, self._clock = client, clock
        self._correlator = correlator or Correlator(component, host)
        self._queue: asyncio.Queue[Noted] = asyncio.Queue()
        self._late: dict[tuple[str, ...], deque[Noted]] = {}  # by object, what waits because the first could not be written yet
        self._pending = 0  # in the queue, late, or being written

    def event(
        self, obj: Any, type_: str, reason: str, message: str, field_path: str = "", *, action: str = "", related: Any = None,
    ) -> None:
        """Say something about `obj` (a typed object, or an ObjectReference)."""
        involved = reference(obj, field_path)
        if self._pending >= QUEUE:
            log.warning("too many events wait; dropped %s of %s: %s", reason, involved.name, message)
            return
        self._pending += 1
        other = reference(related) if related is not None else None
        self._queue.put_nowait(Noted(involved, type_, reason, message[:1024], self._clock.time(), action, other))

    def normal(self, obj: Any, reason: str, message: str) -> None:
        self.event(obj, NORMAL, reason, message)

    def warning(self, obj: Any, reason: str, message: str) -> None:
        self.event(obj, WARNING, reason, message)

    @property
    def idle(self) -> bool:
        """Everything noted has been written or given up."""
        return self._pending == 0

    async def run(self) -> None:
        """Write until cancelled, one event at a time: what is told must not keep others from what they do.

        The events of an object whose event cannot be written yet wait for it; the others do not.
        """
        slots = asyncio.Semaphore(LATE)
        async with asyncio.TaskGroup() as group:
            while True:
                noted = await self._queue.get()
                about = _about(noted.involved)[:-1]
                if (lane := self._late.get(about)) is not None:
                    lane.append(noted)
                    continue
                correlated = self._correlator.correlate(noted)
                try:
                    await self._write(noted, correlated, self._try)
                except OSError:
                    await slots.acquire()
                    lane = self._late[about] = deque([noted])
                    group.create_task(self._catch_up(about, lane, correlated, slots), name=f"events of {noted.involved.name}")
                else:
                    self._pending -= 1

    async def _catch_up(self, about: tuple[str, ...], lane: deque[Noted], correlated: Correlated, slots: asyncio.Semaphore) -> None:
        """Write the first of a lane, which has been tried already, and what comes to wait behind it."""
        try:
            await self._clock.sleep(RETRY_SECONDS)
            await self._write(lane[0], correlated, self._put)
            while self._leave(lane):
                await self._write(lane[0], self._correlator.correlate(lane[0]), self._put)
        finally:
            self._pending -= len(lane)
            del self._late[about]
            slots.release()

    def _leave(self, lane: deque[Noted]) -> bool:
        """The first is written; whether another waits."""
        lane.popleft()
        self._pending -= 1
        return bool(lane)

    async def _write(self, noted: Noted, correlated: Correlated, put: Callable[..., Awaitable[bool]]) -> None:
        if correlated is not None and not await put(*correlated):  # it expired on the server
            self._correlator.forget(noted)
            await self._write(noted, self._correlator.correlate(noted), put)

    async def _put(self, event: core_v1.Event, patch: dict[str, Any] | None) -> bool:
        """`_try` again and again, for two minutes."""
        for _ in range(ATTEMPTS):
            try:
                return await self._try(event, patch)
            except OSError as error:
                log.debug("event %s of %s not written yet: %s", event.reason, event.involved_object.name, error)
                await self._clock.sleep(RETRY_SECONDS)
        return True

    async def _try(self, event: core_v1.Event, patch: dict[str, Any] | None) -> bool:
        """Write it, or give it up.  False when what is to be patched is not there any more; raises OSError."""
        meta = event.metadata
        try:
            if patch is None:
                await self._client.post(event)
            else:
                await self._client.patch(core_v1.Event, meta.name, patch, meta.namespace, patch_type="strategic")
        except StatusError as error:
            if patch is not None and error.code == 404:
                return False
            # A namespace that is going away takes no events; nothing else that a server refuses gets better.
            log.debug("event %s of %s refused: %s", event.reason, event.involved_object.name, error.message)
        return True

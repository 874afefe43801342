"""Watches: each event is framed once an object version, and the same bytes go to every watcher.

A watcher that does not read is dropped (its backlog is bounded); an event that a selector makes an
object enter or leave is ADDED or DELETED for that watcher, as upstream's watch cache does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from functools import lru_cache

from msgspec import structs

from wherry.apimachinery.errors import StatusError
from wherry.apiserver.codec import encode, with_revision, without_revision
from wherry.apiserver.endpoints.selection import Selection
from wherry.apiserver.endpoints.shape import Shape
from wherry.storage.cached import CachedObject, WatchEvent
from wherry.storage.cacher import Cacher, Subscription
from wherry.storage.interface import Compacted
from wherry.util.clock import Clock

BACKLOG_BYTES = 16 << 20
BACKLOG_EVENTS = 10_000
BOOKMARK_SECONDS = 60.0
PACE_SECONDS = 0.004  # between two pieces of a burst
SHARED_BYTES = 65536  # of an event that is kept for the other watchers in this process
_HEADS = {kind: b'{"type":"%s","object":' % kind.encode() for kind in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")}


def _chunk(line: bytes) -> bytes:
    """One HTTP/1.1 chunk."""
    return b"%x\r\n%b\r\n" % (len(line), line)


def event_line(kind: str, body: bytes) -> bytes:
    """A watch event as it goes over the wire, ended by a line feed."""
    return b"%b%b}\n" % (_HEADS[kind], body)


class Outbox:
    """Watches that have something to send.

    The first event after a quiet moment goes two turns of the loop later: so the writer that caused it has its
    answer first, and the events of one commit go out in one piece.  Those that follow within PACE_SECONDS wait
    until that time is over: a burst costs each connection one write for many events.
    """

    def __init__(self) -> None:
        self._waiting: list[Watch] = []
        self._next = 0.0  # in the loop's time: nothing is sent before

    def add(self, watch: Watch) -> None:
        if not self._waiting:
            loop = asyncio.get_running_loop()
            if loop.time() < self._next:
                loop.call_at(self._next, self._flush)
            else:
                loop.call_soon(loop.call_soon, self._flush)
        self._waiting.append(watch)

    def _flush(self) -> None:
        self._next = asyncio.get_running_loop().time() + PACE_SECONDS
        waiting, self._waiting = self._waiting, []
        for watch in waiting:
            watch.flush()


class Watch:
    """One client's watch: a PushStream.  Made by the list endpoint, ended by time, client or error."""

    def __init__(
        self, cacher: Cacher, selection: Selection, shape: Shape, clock: Clock, outbox: Outbox, *, timeout: float, bookmarks: bool,
        frame: Callable[[str, bytes], bytes] = event_line,
    ) -> None:
        self._cacher = cacher
        self._outbox = outbox
        self._selection = selection
        self._shape = shape
        self._clock = clock
        self._timeout = timeout
        self._bookmarks = bookmarks
        self._line = frame  # an event's kind and object as bytes
        form = "" if frame is event_line else f" {frame.__name__}"
        self._memo = {kind: f"{kind} {shape.key}{form}" for kind in ("ADDED", "MODIFIED", "DELETED")}
        self._lines: list[bytes] = []  # what waits to be sent
        self._wake = asyncio.Event()
        self._ended = False
        self._write: Callable[[bytes], None] | None = None
        self._backlog: Callable[[], int] = lambda: 0
        self._subscription: Subscription | None = None
        self._alarm: asyncio.Task[None] | None = None
        self._sent = 0
        self._first_bookmark = 0

    # -- starting --------------------------------------------------------------------------------

    def start(self, revision: int, initial: Iterable[CachedObject] | None, *, initial_bookmark: bool) -> None:
        """Send `initial` as ADDED, then every change after `revision`.  Raises Compacted."""
        for cached in initial or ():
            self._put(self._frame("ADDED", cached))
        if initial_bookmark:
            self._put(_chunk(self._bookmark_line(revision, initial=True)))
        self._sent = revision
        self._subscription = self._cacher.subscribe(
            revision, self._selection.namespace, self._on_events, self._on_dropped, field=self._selection.indexed
        )
        self._alarm = asyncio.get_running_loop().create_task(self._keep(), name="watch timer")

    async def _keep(self) -> None:
        """Bookmarks now and then, and the end when its time has come."""
        end = self._clock.monotonic() + self._timeout
        while (left := end - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(left, BOOKMARK_SECONDS))
            if self._bookmarks and self._cacher.revision > self._sent:
                self._sent = self._cacher.revision
                self._put(_chunk(self._bookmark_line(self._sent)))
        if self._bookmarks and self._cacher.revision > self._sent:
            self._put(_chunk(self._bookmark_line(self._cacher.revision)))
        self._end()

    def _bookmark_line(self, revision: int, *, initial: bool = False) -> bytes:
        return self._line("BOOKMARK", self._shape.bookmark(revision, initial=initial))

    # -- events ----------------------------------------------------------------------------------

    def _on_events(self, events: list[WatchEvent]) -> None:
        selection = self._selection
        for event in events:
            kind = event.type if selection.everything else selection.transition(event)
            if kind:
                shown = departed(event) if kind == "DELETED" != event.type else event.object
                self._put(self._frame(kind, shown))
        if events:
            self._sent = events[-1].revision

    def _frame(self, kind: str, cached: CachedObject) -> bytes:
        """The framed event: made by the first watcher that wants this kind and shape, shared by the others."""
        if not self._shape.shareable:
            return _chunk(self._line(kind, self._shape.event(cached)))
        key = self._memo[kind]
        framed: bytes | None = cached.memo.get(key)
        if framed is None:
            framed = cached.memo[key] = _chunk(self._line(kind, self._shape.event(cached)))
        return framed

    def _on_dropped(self) -> None:
        """The cache could not keep this watcher up to date any longer."""
        status = StatusError(410, "Expired", "too old resource version: the watch fell behind")
        self._put(_chunk(self._line("ERROR", encode(status.to_json()))))
        self._end()

    def _put(self, framed: bytes) -> None:
        if self._ended:
            return
        if len(self._lines) >= BACKLOG_EVENTS:
            self._lines.clear()
            self._end()
            return
        self._lines.append(framed)
        if self._write is None:
            self._wake.set()
        elif len(self._lines) == 1:
            self._outbox.add(self)

    def flush(self) -> None:
        """Hand what waits to the connection, in one piece."""
        write, lines = self._write, self._lines
        if write is None or not lines:
            return
        self._lines = []
        if self._backlog() > BACKLOG_BYTES:  # its client does not read
            self._end()
            return
        write(lines[0] if len(lines) == 1 else b"".join(lines))

    def _end(self) -> None:
        self._ended = True
        self._wake.set()
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    # -- PushStream ------------------------------------------------------------------------------

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> bytes:
        framed = await self._take()
        if not framed:
            raise StopAsyncIteration
        return b"".join(map(_unframe, framed))

    async def lines(self) -> AsyncGenerator[list[bytes], None]:
        try:
            while framed := await self._take():
                yield [_line_of(each) if len(each) <= SHARED_BYTES else _unframe(each)[:-1] for each in framed]
        finally:
            await self.aclose()

    async def _take(self) -> list[bytes]:
        """What waits to be sent, once something does; nothing at the end."""
        while not self._lines:
            if self._ended:
                await self.aclose()
                return []
            self._wake.clear()
            await self._wake.wait()
        framed, self._lines = self._lines, []
        return framed

    async def push(self, write: Callable[[bytes], None], backlog: Callable[[], int]) -> None:
        lines, self._lines = self._lines, []
        if lines:
            write(b"".join(lines))
        self._write, self._backlog = write, backlog
        try:
            while not self._ended:
                self._wake.clear()
                await self._wake.wait()
            self.flush()
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        self._end()
        if self._alarm is not None and self._alarm is not asyncio.current_task():
            self._alarm.cancel()
            await asyncio.gather(self._alarm, return_exceptions=True)
            self._alarm = None


def departed(event: WatchEvent) -> CachedObject:
    """What a watcher sees of an object that its selector no longer matches: the last state that it did, as of now."""
    found: CachedObject | None = event.object.memo.get("departed")
    if found is None:
        last = event.previous
        assert last is not None
        value = with_revision(without_revision(last.value, last.revision), event.revision)
        found = structs.replace(last, revision=event.revision, value=value, memo={})
        event.object.memo["departed"] = found
    return found


def _unframe(framed: bytes) -> bytes:
    return framed[framed.index(b"\r\n") + 2 : -2]


@lru_cache(maxsize=256)
def _line_of(framed: bytes) -> bytes:
    """The event without its frame and line feed: the same object for all watchers in this process, who know it by that."""
    return _unframe(framed)[:-1]


__all__ = ["Compacted", "Outbox", "Watch", "event_line"]

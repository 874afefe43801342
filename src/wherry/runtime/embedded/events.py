"""Container events for whoever listens."""

import asyncio
from collections.abc import AsyncIterator

from wherry.runtime.interface import ContainerEvent

LIMIT = 10_000
"""Events that a listener may be behind; one that is further behind is dropped (its iteration ends: list again)."""


class Listener(AsyncIterator[ContainerEvent]):
    """Every event since it was made."""

    def __init__(self, events: "Events") -> None:
        self._events = events
        self.queue: asyncio.Queue[ContainerEvent | None] = asyncio.Queue(LIMIT + 1)

    def __aiter__(self) -> "Listener":
        return self

    async def __anext__(self) -> ContainerEvent:
        event = await self.queue.get()
        if event is None:
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        self._events.drop(self)


class Events:
    """Hands each event to every listener."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()

    def listen(self) -> Listener:
        listener = Listener(self)
        self._listeners.add(listener)
        return listener

    def tell(self, kind: str, container_id: str, sandbox_id: str) -> None:
        event = ContainerEvent(kind, container_id, sandbox_id)
        for listener in list(self._listeners):
            if listener.queue.qsize() >= LIMIT:
                self.drop(listener)
            else:
                listener.queue.put_nowait(event)

    def drop(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.discard(listener)
            listener.queue.put_nowait(None)

    def close(self) -> None:
        for listener in list(self._listeners):
            self.drop(listener)

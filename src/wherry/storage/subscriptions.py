"""Who watches a resource: each is called with the events of a commit, directly, in revision order.

Watchers of one namespace, or of one value of an indexed field, are not called for others' events: a
thousand node agents that each watch their own Pods cost an event one call, not a thousand.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from wherry.storage.cached import WatchEvent, WatchEvents
from wherry.storage.index import INDEXED_FIELDS

log = logging.getLogger(__name__)

OnEvents = Callable[[WatchEvents], None]
Audience = tuple[str, str, str]  # namespace, field, value; "" is any

EVERYTHING: Audience = ("", "", "")


class Subscription:
    """One watcher's.  `close` ends it; after that it is not called again."""

    __slots__ = ("_members", "audience", "closed", "on_dropped", "on_events")

    def __init__(self, members: Subscriptions, audience: Audience, on_events: OnEvents, on_dropped: Callable[[], None]) -> None:
        self._members = members
        self.audience = audience
        self.on_events = on_events
        self.on_dropped = on_dropped
        self.closed = False

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._members.remove(self)

    def deliver(self, events: WatchEvents) -> None:
        """A watcher that raises is dropped, and told so: it has missed something."""
        if self.closed:
            return
        try:
            self.on_events(events)
        except Exception:
            log.exception("a watcher failed and is dropped")
            self.drop()

    def drop(self) -> None:
        self.close()
        try:
            self.on_dropped()
        except Exception:
            log.exception("a watcher failed while it was dropped")


class Subscriptions:
    """All watchers of one resource, by what they want to hear."""

    def __init__(self) -> None:
        self._audiences: dict[Audience, dict[Subscription, None]] = {}

    def __len__(self) -> int:
        return sum(len(members) for members in self._audiences.values())

    def add(self, audience: Audience, on_events: OnEvents, on_dropped: Callable[[], None]) -> Subscription:
        subscription = Subscription(self, audience, on_events, on_dropped)
        self._audiences.setdefault(audience, {})[subscription] = None
        return subscription

    def remove(self, subscription: Subscription) -> None:
        members = self._audiences[subscription.audience]
        del members[subscription]
        if not members:
            del self._audiences[subscription.audience]

    def publish(self, events: WatchEvents) -> None:
        for audience, part in self._parts(events).items():
            for subscription in tuple(self._audiences.get(audience, ())):
                subscription.deliver(part)

    def drop_all(self) -> None:
        for members in list(self._audiences.values()):
            for subscription in tuple(members):
                subscription.drop()

    def _parts(self, events: WatchEvents) -> dict[Audience, WatchEvents]:
        if self._audiences.keys() <= {EVERYTHING}:
            return {EVERYTHING: events}
        parts: dict[Audience, WatchEvents] = {}
        for event in events:
            for audience in audiences(event):
                if audience in self._audiences:
                    parts.setdefault(audience, []).append(event)
        return parts


def audience_of(namespace: str, field: tuple[str, str] | None) -> Audience:
    """The narrowest that hears all of a watcher's events.  `field`: a name and the value that it must have."""
    name, value = field if field is not None and field[0] in INDEXED_FIELDS else ("", "")
    return (namespace, name, value)


def audiences(event: WatchEvent) -> Iterator[Audience]:
    """Everyone whom `event` may concern, also for what the object was before it."""
    places = ("", event.object.namespace) if event.object.namespace else ("",)
    for place in places:
        yield (place, "", "")
    for name in INDEXED_FIELDS:
        now = event.object.fields.get(name)
        before = now if event.previous is None else event.previous.fields.get(name)
        for value in (now,) if before == now else (now, before):
            if value is not None:
                for place in places:
                    yield (place, name, value)

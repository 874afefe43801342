"""Typed objects of events/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import core_v1
from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class Event(Struct):
    action: str = ""
    api_version: str = msgspec.field(default="events.k8s.io/v1", name="apiVersion")
    deprecated_count: int | None = msgspec.field(default=None, name="deprecatedCount")
    deprecated_first_timestamp: str | None = msgspec.field(default=None, name="deprecatedFirstTimestamp")
    deprecated_last_timestamp: str | None = msgspec.field(default=None, name="deprecatedLastTimestamp")
    deprecated_source: core_v1.EventSource | None = msgspec.field(default=None, name="deprecatedSource")
    event_time: str | None = msgspec.field(default=None, name="eventTime")
    kind: str = "Event"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    note: str = ""
    reason: str = ""
    regarding: core_v1.ObjectReference = msgspec.field(default_factory=lambda: core_v1.ObjectReference())
    related: core_v1.ObjectReference | None = None
    reporting_controller: str = msgspec.field(default="", name="reportingController")
    reporting_instance: str = msgspec.field(default="", name="reportingInstance")
    series: EventSeries | None = None
    type: str = ""


class EventList(Struct):
    api_version: str = msgspec.field(default="events.k8s.io/v1", name="apiVersion")
    items: list[Event] = msgspec.field(default_factory=list)
    kind: str = "EventList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class EventSeries(Struct):
    count: int = 0
    last_observed_time: str | None = msgspec.field(default=None, name="lastObservedTime")

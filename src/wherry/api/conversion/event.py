"""Event between its hub (core/v1) and events.k8s.io/v1: one storage, two sets of field names.

The forms differ in names only, so both ways keep everything.  Both also show some fields when they are
zero, and not the same ones; that is upstream's wire form, which typed clients compare with.
"""

from __future__ import annotations

from wherry.api.resource import Object

# hub name -> events.k8s.io name, of what is not called the same in both
_RENAMED = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
_NAMES = {new: old for old, new in _RENAMED.items()}


def complete(event: Object) -> None:
    """Write out the fields that core/v1 shows even when they are zero."""
    event.setdefault("involvedObject", {})
    event.setdefault("source", {})
    for name in ("firstTimestamp", "lastTimestamp", "eventTime"):
        event.setdefault(name, None)
    for name in ("reportingComponent", "reportingInstance"):
        event.setdefault(name, "")


def from_hub(event: Object) -> Object:
    """core/v1 -> events.k8s.io/v1."""
    new = {_RENAMED.get(name, name): value for name, value in event.items()}
    for name in ("reportingController", "reportingInstance", "note"):
        if new.get(name) == "":
            del new[name]
    if not new.get("deprecatedCount"):
        new.pop("deprecatedCount", None)
    if not new.get("regarding"):
        new.pop("regarding", None)
    new.setdefault("deprecatedSource", {})
    for name in ("eventTime", "deprecatedFirstTimestamp", "deprecatedLastTimestamp"):
        new.setdefault(name, None)
    new["apiVersion"] = "events.k8s.io/v1"
    return new


def to_hub(event: Object) -> Object:
    """events.k8s.io/v1 -> core/v1."""
    new = {_NAMES.get(name, name): value for name, value in event.items()}
    complete(new)
    new["apiVersion"] = "v1"
    return new

"""Events, in core/v1's form (events.k8s.io's is converted to it)."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.rules import Causes, by_rule, immutable
from wherry.apimachinery import names
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import invalid, required

Dict = dict[str, Any]
# What upstream's type always shows, given or not.
_SHOWN = (
    ("involvedObject", dict), ("source", dict), ("firstTimestamp", None), ("lastTimestamp", None), ("eventTime", None),
    ("reportingComponent", str), ("reportingInstance", str),
)
MAX_WORD, MAX_MESSAGE = 128, 1024
_TOLD = (
    "involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "type", "eventTime", "action",
    "related", "reportingComponent", "reportingInstance",
)
_SHOWN_AS = {"reportingComponent": "reportingController"}


def default(obj: Dict) -> None:
    for name, make in _SHOWN:
        if obj.get(name) is None:
            obj[name] = make() if make is not None else None


def _word(obj: Dict, name: str, errs: Causes) -> None:
    value = obj.get(name) or ""
    if not value:
        errs.append(required(name))
    if len(value) > MAX_WORD:
        errs.append(invalid(name, "", f"can have at most {MAX_WORD} characters"))


def validate(obj: Dict) -> list[Cause]:
    """What both APIs ask of an event."""
    errs: Causes = []
    namespace = (obj.get("metadata") or {}).get("namespace") or ""
    involved = (obj.get("involvedObject") or {}).get("namespace") or ""
    if not obj.get("eventTime"):
        if namespace != involved and (involved or namespace not in ("", "default")):
            errs.append(invalid("involvedObject.namespace", involved, "does not match event.namespace"))
        return errs
    # An event with eventTime is of the new kind, which must say who reports it.
    if not involved and namespace not in ("default", "kube-system"):
        errs.append(invalid("involvedObject.namespace", involved, "does not match event.namespace"))
    reporter = obj.get("reportingComponent") or ""
    if not reporter:
        errs.append(required("reportingController"))
    by_rule(reporter, names.is_qualified_name, "reportingController", errs)
    for name in ("reportingInstance", "action", "reason"):
        _word(obj, name, errs)
    if len(obj.get("message") or "") > MAX_MESSAGE:
        errs.append(invalid("message", "", f"can have at most {MAX_MESSAGE} characters"))
    return errs


def validate_new(obj: Dict) -> list[Cause]:
    """What events.k8s.io/v1 asks beside, which has no past to be kind to."""
    errs = _series(obj)
    if not obj.get("eventTime"):
        errs.append(required("eventTime"))
    if obj.get("type") not in ("Normal", "Warning"):
        errs.append(invalid("type", "", f"has invalid value: {obj.get('type') or ''}"))
    errs += [invalid(name, "", "needs to be unset") for name in ("firstTimestamp", "lastTimestamp", "count") if obj.get(name)]
    source = obj.get("source") or {}
    if source.get("component") or source.get("host"):
        errs.append(invalid("source", "", "needs to be unset"))
    return errs


def validate_new_update(obj: Dict, old: Dict) -> list[Cause]:
    """There, an event is told once; only its series goes on."""
    errs = _series(obj) if obj.get("series") != old.get("series") else []
    for name in _TOLD:
        immutable(obj.get(name) or None, old.get(name) or None, _SHOWN_AS.get(name, name), errs)
    return errs


def _series(obj: Dict) -> Causes:
    series = obj.get("series")
    errs: Causes = []
    if series is not None:
        if (series.get("count") or 0) < 2:
            errs.append(invalid("series.count", "", "should be at least 2"))
        if not series.get("lastObservedTime"):
            errs.append(required("series.lastObservedTime"))
    return errs


EVENT = Strategy(default=default, validate=validate, has_generation=False, allow_create_on_update=True)

"""Events, in core/v1's form (events.k8s.io's is converted to it)."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.rules import Causes, by_rule
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
    errs: Causes = []
    namespace = (obj.get("metadata") or {}).get("namespace") or ""
    involved = (obj.get("involvedObject") or {}).get("namespace") or ""
    if namespace != involved and (involved or namespace not in ("", "default")):
        errs.append(invalid("involvedObject.namespace", involved, "does not match event.namespace"))
    if not obj.get("eventTime"):
        return errs
    # An event with eventTime is of the new kind, which must say who reports it.
    reporter = obj.get("reportingComponent") or ""
    if not reporter:
        errs.append(required("reportingComponent"))
    by_rule(reporter, names.is_qualified_name, "reportingComponent", errs)
    for name in ("reportingInstance", "action", "reason"):
        _word(obj, name, errs)
    if len(obj.get("message") or "") > MAX_MESSAGE:
        errs.append(invalid("message", "", f"can have at most {MAX_MESSAGE} characters"))
    return errs


EVENT = Strategy(default=default, validate=validate, has_generation=False, allow_create_on_update=True)

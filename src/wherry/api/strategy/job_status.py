"""What a Job's status may say, and become: whoever manages the Job (`spec.managedBy`) is held to it.

Most rules look at a field only when the write changes it: a status that is wrong already can be mended bit by
bit, and one that a change of the spec has made wrong for a moment is its controller's to follow.
"""

from __future__ import annotations

from typing import Any

from wherry.api.strategy.job_spec import interval, intervals
from wherry.api.strategy.rules import Causes, not_negative
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import duplicate, invalid, invalid_whole, required
from wherry.util.clock import parse_rfc3339

Dict = dict[str, Any]
COMPLETE, FAILED, TARGET, MET = "Complete", "Failed", "FailureTarget", "SuccessCriteriaMet"
ENDS = {COMPLETE, FAILED}


def validate_status(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    spec, status, before = obj.get("spec") or {}, obj.get("status") or {}, old.get("status") or {}
    for name in ("active", "succeeded", "failed", "ready", "terminating"):
        not_negative(status.get(name), f"status.{name}", errs)
    _uncounted(status.get("uncountedTerminatedPods") or {}, errs)
    _conditions(spec, status, before, errs)
    _completion_time(status, before, errs)
    _finished(spec, status, before, errs)
    _indexes(spec, status, before, errs)
    _counters(spec, status, before, errs)
    if _changed("startTime", status, before) and before.get("startTime") and not spec.get("suspend"):
        errs.append(required("status.startTime", "startTime cannot be removed for unsuspended job"))
    return errs


def _true(status: Dict) -> set[str]:
    return {each["type"] for each in status.get("conditions") or () if each.get("status") == "True"}


def _changed(name: str, status: Dict, before: Dict) -> bool:
    return bool(status.get(name) != before.get(name))


def _uncounted(uncounted: Dict, errs: Causes) -> None:
    seen: set[str] = set()
    for name in ("succeeded", "failed"):
        for i, uid in enumerate(uncounted.get(name) or ()):
            where = f"status.uncountedTerminatedPods.{name}[{i}]"
            if not uid:
                errs.append(invalid(where, uid, "must not be empty"))
            elif uid in seen:
                errs.append(duplicate(where, uid))
            seen.add(uid)


def _conditions(spec: Dict, status: Dict, before: Dict, errs: Causes) -> None:
    now, then = _true(status), _true(before)

    def refuse(words: str) -> None:
        errs.append(invalid_whole("status.conditions", words))

    changed = now ^ then
    if now >= ENDS and changed & ENDS:
        refuse("cannot set Complete=True and Failed=true conditions")
    if {COMPLETE, TARGET} <= now and changed & {COMPLETE, TARGET}:
        refuse("cannot set Complete=True and FailureTarget=true conditions")
    if {MET, FAILED} <= now:
        refuse("cannot set SuccessCriteriaMet=True and Failed=true conditions")
    if {MET, TARGET} <= now:
        refuse("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")
    if FAILED in now and TARGET not in now and FAILED in changed:
        refuse("cannot set Failed=True condition without the FailureTarget=true condition")
    if COMPLETE in now and MET not in now:
        if COMPLETE in changed:
            refuse("cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
        if spec.get("successPolicy") is not None:
            refuse("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True")
    for type_ in (FAILED, COMPLETE, TARGET):
        if type_ in then - now:
            refuse(f"cannot disable the terminal {type_}=True condition")
    if MET in then - now:
        refuse("cannot disable the SuccessCriteriaMet=True condition")
    if COMPLETE in then and MET in now - then:
        refuse("cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions")


def _completion_time(status: Dict, before: Dict, errs: Causes) -> None:
    now, then, done = status.get("completionTime"), before.get("completionTime"), COMPLETE in _true(status)
    start, where = status.get("startTime"), "status.completionTime"
    if now != then or done != (COMPLETE in _true(before)):
        if now and not done:
            errs.append(invalid(where, now, "cannot set completionTime when there is no Complete=True condition"))
        if done and not now:
            errs.append(required(where, "completionTime is required for Complete jobs"))
    if (now != then or _changed("startTime", status, before)) and now and start and parse_rfc3339(now) < parse_rfc3339(start):
        errs.append(invalid(where, now, "completionTime cannot be set before startTime"))
    if now and then and now != then:
        errs.append(invalid(where, now, "completionTime cannot be mutated"))


def _finished(spec: Dict, status: Dict, before: Dict, errs: Causes) -> None:
    """What a Job that has ended no longer has."""
    if not _true(status) & ENDS:
        return
    ends = not _true(before) & ENDS
    uncounted = status.get("uncountedTerminatedPods") or {}
    for name in ("active", "terminating"):
        count = status.get(name) or 0
        if count > 0 and (ends or _changed(name, status, before)):
            errs.append(invalid(f"status.{name}", count, f"{name}>0 is invalid for finished job"))
    never_begun = spec.get("suspend") and spec.get("completions") == 0  # it has nothing to begin with
    if not status.get("startTime") and not never_begun and (ends or _changed("startTime", status, before)):
        errs.append(required("status.startTime", "startTime is required for finished job"))
    if any(uncounted.values()) and (ends or _changed("uncountedTerminatedPods", status, before)):
        words = "uncountedTerminatedPods needs to be empty for finished job"
        errs.append(invalid("status.uncountedTerminatedPods", uncounted, words))


def _indexes(spec: Dict, status: Dict, before: Dict, errs: Causes) -> None:
    completions, done, failed = spec.get("completions"), status.get("completedIndexes") or "", status.get("failedIndexes")
    done_changed, failed_changed = done != (before.get("completedIndexes") or ""), _changed("failedIndexes", status, before)
    per_index = spec.get("backoffLimitPerIndex") is not None
    if done_changed and completions is not None:
        _readable("completedIndexes", done, completions, errs)
    if failed_changed and failed is not None and completions is not None and per_index:
        _readable("failedIndexes", failed, completions, errs)
    if done_changed and done and spec.get("completionMode") != "Indexed":
        words = "cannot set non-empty completedIndexes when non-indexed completion mode"
        errs.append(invalid("status.completedIndexes", done, words))
    if failed_changed and failed is not None and not per_index:
        words = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        errs.append(invalid("status.failedIndexes", failed, words))
    if (done_changed or failed_changed) and completions is not None and failed is not None:
        common = _common(done, failed, completions)
        if common is not None:
            errs.append(invalid("status.failedIndexes", failed, f"failedIndexes and completedIndexes overlap at index: {common}"))


def _readable(name: str, text: str, completions: int, errs: Causes) -> None:
    try:
        for _ in intervals(text, completions):
            pass
    except ValueError as error:
        errs.append(invalid(f"status.{name}", text, f"error parsing {name}: {error}"))


def _common(one: str, other: str, completions: int) -> int | None:
    """The first index that both have."""
    overlaps = (
        max(a, c) for a, b in _parts(one, completions) for c, d in _parts(other, completions) if a <= d and c <= b
    )
    return min(overlaps, default=None)


def _parts(text: str, completions: int) -> list[tuple[int, int]]:
    """The intervals that can be read: the others are told of elsewhere."""
    found = []
    for part in text.split(","):
        try:
            found.append(interval(part, completions))
        except ValueError:
            continue
    return found


def _counters(spec: Dict, status: Dict, before: Dict, errs: Causes) -> None:
    elastic = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
    for name in ("failed",) if elastic else ("failed", "succeeded"):
        count = status.get(name) or 0
        if count < (before.get(name) or 0):
            errs.append(invalid(f"status.{name}", count, f"cannot decrease the {name} counter"))
    ready, active = status.get("ready"), status.get("active") or 0
    if ready is not None and ready > active and (_changed("ready", status, before) or _changed("active", status, before)):
        errs.append(invalid("status.ready", ready, "cannot set more ready pods than active"))

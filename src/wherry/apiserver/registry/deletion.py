"""Deletion, decided: what a DELETE does to an object now (upstream's `rest.BeforeDelete` and finalizers).

Pure: `plan` looks at the object and the options, marks the object in place where it only begins to go,
and says which step the store takes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from wherry.api.resource import Object, Resource, Version
from wherry.apimachinery import errors
from wherry.apimachinery.fielderrors import invalid, not_supported
from wherry.util.clock import rfc3339

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
_POLICIES = {"Orphan": ORPHAN, "Foreground": FOREGROUND, "Background": ""}


class Step(Enum):
    """What the store does next."""

    NOTHING = "already on its way"
    MARK = "write the mark"
    REMOVE = "remove it now"


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """meta/v1 DeleteOptions, checked."""

    grace_period_seconds: int | None = None
    propagation_policy: str = ""  # Orphan | Foreground | Background | ""
    orphan_dependents: bool | None = None
    uid: str = ""
    resource_version: str = ""

    @classmethod
    def parse(cls, options: dict[str, Any]) -> DeleteOptions:
        """From a decoded body.  Raises StatusError 422 as upstream words it."""
        policy = options.get("propagationPolicy") or ""
        orphan = options.get("orphanDependents")
        causes = []
        if policy and policy not in _POLICIES:
            causes.append(not_supported("propagationPolicy", policy, ("Foreground", "Background", "Orphan", "nil")))
        if policy and orphan is not None:
            causes.append(invalid("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set"))
        if causes:
            raise errors.invalid("meta.k8s.io", "DeleteOptions", "", causes)
        preconditions = options.get("preconditions") or {}
        grace = options.get("gracePeriodSeconds")
        return cls(grace, policy, orphan, preconditions.get("uid") or "", preconditions.get("resourceVersion") or "")


def check_preconditions(resource: Resource, obj: Object, revision: int, options: DeleteOptions) -> None:
    """Raises StatusError 409 when the object is not the one that the client meant."""
    meta = obj["metadata"]
    if options.uid and options.uid != meta["uid"]:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({meta['uid']})."
            " The object might have been deleted and then recreated"
        )
        raise errors.conflict(resource.group, resource.kind, meta["name"], why)
    if options.resource_version and options.resource_version != str(revision):
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the ResourceVersion in record"
            f" ({revision}). The object might have been modified"
        )
        raise errors.conflict(resource.group, resource.kind, meta["name"], why)


def is_finished(obj: Object) -> bool:
    """Whether a marked object has nothing left to wait for: no finalizers, no grace."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers") or meta.get("deletionGracePeriodSeconds"):
        return False
    return not (obj["kind"] == "Namespace" and obj.get("spec", {}).get("finalizers"))


def plan(resource: Resource, obj: Object, options: DeleteOptions, now: float) -> Step:
    """Decide, and mark `obj` in place where the step is MARK."""
    meta = obj["metadata"]
    finalizers = _finalizers(meta.get("finalizers", []), options)
    changed = finalizers != meta.get("finalizers", [])
    if finalizers:
        meta["finalizers"] = finalizers
    else:
        meta.pop("finalizers", None)
    grace = _grace(resource, obj, options)
    if meta.get("deletionTimestamp"):
        return _again(obj, grace, options, changed, now)
    if grace == 0 and not finalizers and not _namespace_has_finalizers(obj):
        if resource.strategy.graceful:
            _mark(obj, 0, now)
        return Step.REMOVE
    _mark(obj, grace, now)
    return Step.MARK


def _mark(obj: Object, grace: int, now: float) -> None:
    meta = obj["metadata"]
    meta["deletionTimestamp"] = rfc3339(now + grace)
    if obj["kind"] != "Namespace":  # which upstream marks by a way of its own
        meta["deletionGracePeriodSeconds"] = grace
    if "generation" in meta:
        meta["generation"] += 1
    if obj["kind"] == "Namespace":
        obj.setdefault("status", {})["phase"] = "Terminating"


def _again(obj: Object, grace: int, options: DeleteOptions, changed: bool, now: float) -> Step:
    """A second DELETE may shorten the grace period, never lengthen it."""
    meta = obj["metadata"]
    left = meta.get("deletionGracePeriodSeconds", 0)
    shortened = options.grace_period_seconds is not None and grace < left
    if shortened:
        meta["deletionTimestamp"] = rfc3339(now + grace)
        meta["deletionGracePeriodSeconds"] = grace
    if grace == 0 and not meta.get("finalizers") and not _namespace_has_finalizers(obj):
        meta["deletionGracePeriodSeconds"] = 0
        return Step.REMOVE
    if shortened:
        return Step.MARK
    return Step.MARK if changed else Step.NOTHING


def _namespace_has_finalizers(obj: Object) -> bool:
    return obj["kind"] == "Namespace" and bool(obj.get("spec", {}).get("finalizers"))


def leaves_open(options: DeleteOptions) -> bool:
    """Nothing is said of what becomes of what the object owns."""
    return not options.propagation_policy and options.orphan_dependents is None


def with_default_policy(options: DeleteOptions, obj: Object, version: Version) -> DeleteOptions:
    """What the version does when nothing is said, neither now nor by a deletion before (the object's finalizers)."""
    said = {ORPHAN, FOREGROUND} & set(obj["metadata"].get("finalizers") or ())
    if version.orphans and leaves_open(options) and not said:
        return replace(options, propagation_policy="Orphan")
    return options


def _finalizers(present: list[str], options: DeleteOptions) -> list[str]:
    """The finalizers with what the propagation policy asks of the garbage collector."""
    policy = options.propagation_policy
    if options.orphan_dependents is not None:
        policy = "Orphan" if options.orphan_dependents else "Background"
    if not policy:
        return present
    wanted = _POLICIES[policy]
    kept = [f for f in present if f not in (ORPHAN, FOREGROUND) or f == wanted]
    return [*kept, wanted] if wanted and wanted not in kept else kept


def _grace(resource: Resource, obj: Object, options: DeleteOptions) -> int:
    """Seconds until the object goes (Pods; everything else goes at once)."""
    if not resource.strategy.graceful:
        return 0
    spec, status = obj.get("spec", {}), obj.get("status", {})
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    if options.grace_period_seconds is not None:
        grace = options.grace_period_seconds
    else:
        grace = int(spec.get("terminationGracePeriodSeconds", 30))
    return 1 if grace < 0 else grace

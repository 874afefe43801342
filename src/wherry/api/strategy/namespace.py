"""Namespaces: labelled with their name, and held by a finalizer until they are empty."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.rules import Causes, qualified_name
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import invalid

Dict = dict[str, Any]
NAME_LABEL = "kubernetes.io/metadata.name"
FINALIZER = "kubernetes"
STANDARD_FINALIZERS = (FINALIZER, "orphan", "foregroundDeletion")


def default(obj: Dict) -> None:
    meta = obj.setdefault("metadata", {})
    name = meta.get("name")
    if name and (meta.get("labels") or {}).get(NAME_LABEL) != name:
        meta["labels"] = {**(meta.get("labels") or {}), NAME_LABEL: name}
    if obj.get("spec") is None:
        obj["spec"] = {}
    status = obj.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = "Active"


def prepare_for_create(obj: Dict) -> None:
    obj["status"] = {"phase": "Active"}
    finalizers = obj["spec"].get("finalizers") or []
    if FINALIZER not in finalizers:
        obj["spec"]["finalizers"] = [*finalizers, FINALIZER]


def prepare_for_update(obj: Dict, old: Dict) -> None:
    """Only the finalize subresource changes finalizers."""
    finalizers = (old.get("spec") or {}).get("finalizers")
    if finalizers:
        obj["spec"]["finalizers"] = finalizers
    else:
        obj["spec"].pop("finalizers", None)


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    for finalizer in (obj.get("spec") or {}).get("finalizers") or ():
        qualified_name(finalizer, "spec.finalizers", errs)
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
            words = "name is neither a standard finalizer name nor is it fully qualified"
            errs.append(invalid("spec.finalizers", finalizer, words))
    return errs


def validate_status(obj: Dict, old: Dict) -> list[Cause]:
    phase, going = (obj.get("status") or {}).get("phase"), bool(obj["metadata"].get("deletionTimestamp"))
    if phase == ("Terminating" if going else "Active"):
        return []
    if going:
        return [invalid("status.Phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")]
    return [invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty")]


NAMESPACE = Strategy(
    default=default,
    prepare_for_create=prepare_for_create,
    prepare_for_update=prepare_for_update,
    validate=validate,
    validate_status=validate_status,
    has_generation=False,
)

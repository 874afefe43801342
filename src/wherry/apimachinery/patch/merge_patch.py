"""JSON merge patch (RFC 7396): objects merge, null deletes, everything else replaces."""

from __future__ import annotations

from typing import Any

from wherry.apimachinery.patch.error import PatchError
from wherry.apimachinery.values import deep_copy


def apply_merge_patch(doc: dict[str, Any], patch: Any) -> dict[str, Any]:
    """`doc` with `patch` merged into it; what the patch does not touch is `doc`'s own.  Raises PatchError 400 when `patch` is no object."""
    if not isinstance(patch, dict):
        raise PatchError("error decoding patch: a merge patch is an object")
    merged: dict[str, Any] = _merge(doc, deep_copy(patch))
    return merged


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = _merge(target.get(key), value)
    return target

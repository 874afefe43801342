"""PodDisruptionBudget between its hub (policy/v1) and policy/v1beta1: what an empty selector means.

v1's empty selector matches every Pod and v1beta1's none.  A selector on a label that no Pod has says the
other meaning, in each direction, with upstream's key.
"""

from __future__ import annotations

from wherry.api.resource import Object

_KEY = "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match"
_NO_POD = {"matchExpressions": [{"key": _KEY, "operator": "Exists"}]}
_EVERY_POD = {"matchExpressions": [{"key": _KEY, "operator": "DoesNotExist"}]}


def from_hub(pdb: Object) -> Object:
    """v1 -> v1beta1."""
    return _converted(pdb, "policy/v1beta1", empty=_EVERY_POD, marked=_NO_POD)


def to_hub(pdb: Object) -> Object:
    """v1beta1 -> v1."""
    return _converted(pdb, "policy/v1", empty=_NO_POD, marked=_EVERY_POD)


def _converted(pdb: Object, api_version: str, empty: Object, marked: Object) -> Object:
    new = {**pdb, "apiVersion": api_version}
    spec = pdb.get("spec") or {}
    selector = spec.get("selector")
    if selector is not None and not any(selector.values()):
        new["spec"] = {**spec, "selector": empty}
    elif selector == marked:
        new["spec"] = {**spec, "selector": {}}
    return new

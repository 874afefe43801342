"""ServiceAccounts: names of secrets, and nothing else of them."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy

Dict = dict[str, Any]
ENFORCE_MOUNTABLE = "kubernetes.io/enforce-mountable-secrets"


def _names_only(obj: Dict) -> None:
    """A reference to a secret is its name: what else was given is dropped, as upstream drops it."""
    if obj.get("secrets"):
        obj["secrets"] = [{"name": ref["name"]} for ref in obj["secrets"] if ref.get("name")]


def prepare_for_update(obj: Dict, old: Dict) -> None:
    _names_only(obj)


def warnings(obj: Dict) -> list[str]:
    if ENFORCE_MOUNTABLE in ((obj.get("metadata") or {}).get("annotations") or {}):
        words = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
        return [f"metadata.annotations[{ENFORCE_MOUNTABLE}]: {words}"]
    return []


SERVICE_ACCOUNT = Strategy(
    prepare_for_create=_names_only, prepare_for_update=prepare_for_update, warnings=warnings, has_generation=False,
)

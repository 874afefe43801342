"""The definitions of old workloads: apps/v1's, but that a selector may be left out, and a DaemonSet counts its templates."""

from __future__ import annotations

from typing import Any

from wherry.api import schemas
from wherry.api.table.rows import schema_name

NOW_REQUIRED = {"selector"}  # once, the template's labels were the selector


def add(api_version: str, kind: str, **more: Any) -> str:
    """Add the definitions of a kind and of its spec; the kind's name."""
    group, _, version = api_version.partition("/")
    present, old = schema_name("apps", "v1", kind), schema_name(group, version, kind)
    spec = schemas.facts(f"{present}Spec")
    schemas.add(f"{old}Spec", {
        **spec, "fields": {**spec["fields"], **more}, "prose": f"{present}Spec",
        "required": [name for name in spec.get("required", ()) if name not in NOW_REQUIRED],
    })
    whole = schemas.facts(present)
    schemas.add(old, {
        **whole, "fields": {**whole["fields"], "spec": f"@{old}Spec"}, "gvk": [[group, version, kind]], "prose": present,
    })
    return old

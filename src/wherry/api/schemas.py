"""The schemas of the built-in kinds, made from the compiled table when they are asked for.

The table (`data/schema-1.37.txt.gz`, written by `tools/compile_schema.py`) is the published OpenAPI
document without its prose.  Reading it is splitting lines; a definition is parsed when first used, with
those that it refers to, and kept.  Pruning, the patches, server-side apply and OpenAPI all read these.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from wherry.apimachinery.schema import Schema

TABLE = "data/schema-1.37.txt.gz"
_SHELLS: dict[str, Schema] = {}  # every definition made, also those whose fields are being filled in
_ADDED: dict[str, dict[str, Any]] = {}  # definitions that the published document no longer has
_SCALARS: dict[str, Schema] = {}  # one node for all strings, one for all booleans ...


def _packed() -> bytes:
    return files("wherry.api").joinpath(TABLE).read_bytes()


def digest() -> str:
    """What tells this table from another."""
    return hashlib.sha256(_packed()).hexdigest()


@cache
def _table() -> Mapping[str, bytes]:
    """Definition name -> its line's JSON; "kinds" is the first line."""
    lines = gzip.decompress(_packed()).splitlines()
    return {name.decode(): line for name, _, line in (entry.partition(b"\t") for entry in lines)}


def add(name: str, line: dict[str, Any]) -> None:
    """Add a definition that the published document does not have (an old version's), in the table's words."""
    if _ADDED.setdefault(name, line) != line:
        raise ValueError(f"another definition is already called {name}")
    kinds.cache_clear()


def names() -> Iterable[str]:
    """Every definition's name, sorted."""
    return sorted({*_ADDED, *_table()} - {"kinds"})


def facts(name: str) -> dict[str, Any]:
    """What the table says of a definition, in its own words (see tools/compile_schema.py).  Not kept.

    Raises KeyError for a name that the table does not have.
    """
    if name in _ADDED:
        return _ADDED[name]
    line: dict[str, Any] = msgspec.json.decode(_table()[name])
    return line


@cache
def kinds() -> Mapping[tuple[str, str, str], str]:
    """(group, version, kind) -> definition name."""
    rows: list[tuple[str, str, str, str]] = msgspec.json.decode(_table()["kinds"])
    rows += [(group, version, kind, name) for name, line in _ADDED.items() for group, version, kind in line.get("gvk", ())]
    return {(group, version, kind): name for group, version, kind, name in rows}


def definition(name: str) -> Schema:
    """The schema of a definition, e.g. "io.k8s.api.core.v1.Pod".  Raises KeyError when there is none."""
    schema = _SHELLS.get(name)
    return schema if schema is not None else _define(name)


def _define(name: str) -> Schema:
    """Make a definition.  The shell stands in `_SHELLS` before its fields do: types may contain themselves."""
    line = facts(name)
    fields: dict[str, Schema] = {}
    schema = _SHELLS[name] = Schema(
        type=line["type"], fields=fields, required=frozenset(line.get("required", ())),
        map_type=line.get("mapType", "granular"), name=name,
    )
    for field, node in line.get("fields", {}).items():
        fields[field] = _node(node)
    return schema


def _node(node: str | dict[str, Any]) -> Schema:
    if isinstance(node, str):
        return definition(node[1:]) if node.startswith("@") else _scalar(node)
    kind = node["type"]
    if kind.startswith("@"):  # the same type with marks of this field
        base = definition(kind[1:])
        return Schema(
            type=base.type, fields=base.fields, required=base.required, name=base.name,
            map_type=node.get("mapType", base.map_type), patch_strategy=_strategy(node),
            nullable=node.get("nullable", False),
        )
    if node.keys() <= {"type", "format"}:
        return _scalar(kind, node["format"])
    return Schema(
        type=kind, format=node.get("format", ""),
        items=_node(node["items"]) if "items" in node else None,
        values=_node(node["values"]) if "values" in node else None,
        list_type=node.get("listType", "atomic"), list_map_keys=tuple(node.get("listMapKeys", ())),
        map_type=node.get("mapType", "granular"),
        patch_strategy=_strategy(node), patch_merge_key=node.get("patchMergeKey", ""),
        key_defaults=node.get("keyDefaults", {}),
        nullable=node.get("nullable", False), omit_zero=node.get("omitZero", False),
    )


def _scalar(kind: str, format_: str = "") -> Schema:
    key = f"{kind}/{format_}"
    if key not in _SCALARS:
        _SCALARS[key] = Schema(type=kind, format=format_)
    return _SCALARS[key]


def _strategy(node: dict[str, Any]) -> frozenset[str]:
    marks = node.get("patchStrategy", "")
    return frozenset(marks.split(",")) if marks else frozenset()

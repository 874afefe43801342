"""Schemas of the documents: facts of the table, in the words of OpenAPI v2 or v3, with the prose.

Both forms differ in a few corners only: where a reference may have neighbours, and how "integer or string" is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.api import schemas
from wherry.api.openapi.prose import Library, Prose

Document = dict[str, Any]
V2, V3 = "#/definitions/", "#/components/schemas/"

_MARKS = {
    "listType": "x-kubernetes-list-type",
    "listMapKeys": "x-kubernetes-list-map-keys",
    "mapType": "x-kubernetes-map-type",
    "patchStrategy": "x-kubernetes-patch-strategy",
    "patchMergeKey": "x-kubernetes-patch-merge-key",
}
_OWN_V2: dict[str, Document] = {
    "any": {"type": "object"},  # but for apiextensions' JSON, which may be anything
    "bytes": {"type": "string", "format": "byte"},
    "quantity": {"type": "string"},
    "time": {"type": "string", "format": "date-time"},
    "micro-time": {"type": "string", "format": "date-time"},
    "int-or-string": {"type": "string", "format": "int-or-string"},
}
_OWN_V3: dict[str, Document] = {
    **_OWN_V2,
    "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "int-or-string": {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
}
# What a custom resource's schema may say that OpenAPI v2 cannot.
_CHOICES = {"oneOf", "anyOf", "allOf", "not"}
_NOT_V2 = _CHOICES | {"nullable", "default", "example", "$schema", "id"}


class Definitions:
    """Writes definitions in one form, and remembers what they refer to."""

    def __init__(
        self, prefix: str, library: Library, extra: Mapping[str, Document], kinds: Mapping[str, Sequence[Document]],
    ) -> None:
        """`kinds`: the group, version and kind that each definition is served as; an old version may share its schema."""
        self._prefix, self._library, self._extra, self._kinds = prefix, library, extra, kinds
        self._own = _OWN_V3 if prefix == V3 else _OWN_V2
        self._seen: dict[str, None] = {}

    def ref(self, name: str) -> Document:
        """A reference; what it names will be among `wanted`."""
        self._seen[name] = None
        return {"$ref": self._prefix + name}

    def wanted(self) -> list[tuple[str, Document]]:
        """Every definition that was referred to, and those that they refer to, by name."""
        made: dict[str, Document] = {}
        while fresh := [name for name in self._seen if name not in made]:
            for name in fresh:
                made[name] = self.write(name)
        return sorted(made.items())

    def write(self, name: str) -> Document:
        if name in self._extra:
            return self._extra[name] if self._prefix == V3 else _as_v2(self._extra[name])
        try:
            facts = schemas.facts(name)
        except KeyError:
            return self._list_of(name)
        return self._object(name, facts, self._library.of(facts.get("prose", name)))

    def _object(self, name: str, facts: Document, prose: Prose) -> Document:
        written: Document = {"description": prose.text} if prose.text else {}
        kind = facts["type"]
        if kind in self._own:
            return written if ".JSON" in name else {**written, **self._own[kind]}
        written["type"] = "object"
        if "fields" in facts:
            written["properties"] = {
                field: self._node(node, prose.fields.get(field, "")) for field, node in facts["fields"].items()
            }
        if "required" in facts:
            written["required"] = facts["required"]
        if "mapType" in facts:
            written["x-kubernetes-map-type"] = facts["mapType"]
        if "unions" in facts:
            written["x-kubernetes-unions"] = facts["unions"]
        gvks = [{"group": group, "kind": kind, "version": version} for group, version, kind in facts.get("gvk", ())]
        gvks += [gvk for gvk in self._kinds.get(name, ()) if gvk not in gvks]
        if gvks:
            written["x-kubernetes-group-version-kind"] = gvks
        return written

    def _node(self, node: str | Document, text: str = "") -> Document:
        facts: Document = {"type": node} if isinstance(node, str) else node
        written: Document = {mark: facts[word] for word, mark in _MARKS.items() if word in facts}
        if text:
            written["description"] = text
        if "default" in facts:
            written["default"] = facts["default"]
        kind: str = facts["type"]
        if kind.startswith("@"):
            reference = self.ref(kind[1:])
            return {**written, "allOf": [reference]} if written and self._prefix == V3 else {**written, **reference}
        if kind == "map":
            return {**written, "type": "object", "additionalProperties": self._node(facts["values"])}
        if kind in self._own:
            return {**written, **self._own[kind]}
        written["type"] = kind
        if "format" in facts:
            written["format"] = facts["format"]
        if "items" in facts:
            written["items"] = self._node(facts["items"])
        return written

    def _list_of(self, name: str) -> Document:
        """The list of a kind whose schema came without one: every client knows its form."""
        kind = name.removesuffix("List")
        if name not in self._kinds:
            raise KeyError(name)
        return {
            "type": "object",
            "required": ["items"],
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": self.ref("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"),
                "items": {"type": "array", "items": self.ref(kind)},
            },
            "x-kubernetes-group-version-kind": list(self._kinds[name]),
        }


def _as_v2(schema: Document) -> Document:
    """A custom resource's schema for old clients: what v2 has no words for goes, and with it the types it qualifies."""
    loose = schema.get("nullable") or schema.get("x-kubernetes-preserve-unknown-fields") or schema.keys() & _CHOICES
    left_out = _NOT_V2 | {"type", "items", "properties", "required", "additionalProperties"} if loose else _NOT_V2
    written = {key: value for key, value in schema.items() if key not in left_out}
    if "properties" in written:
        written["properties"] = {name: _as_v2(member) for name, member in written["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(written.get(key), dict):
            written[key] = _as_v2(written[key])
    return written

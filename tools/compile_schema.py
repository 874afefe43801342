#!/usr/bin/env python3
"""Write `src/wherry/api/data/schema-1.37.txt.gz`: what every published type of Kubernetes 1.37 is, without its prose.

Source: the published OpenAPI definitions of Kubernetes 1.37, as PyPI's `kubernetes-validate` carries
them (`$defs`).  Facts are taken, prose is not; what the document leaves out is told in KEY_DEFAULTS.

    python tools/compile_schema.py            # writes the table anew

The table is lines, so that reading it is splitting it and a definition is parsed only when it is asked for:
the first line maps kinds to definitions, each other line is a definition's name, a tab and its JSON:

    kinds  [[group, version, kind, definition], ...]
    NAME   {"type": ..., "fields": {field: node}, "required": [...], "mapType": "atomic", "gvk": [[g, v, k]]}

A node is a type's name ("string"), a reference ("@NAME"), or an object that has the marks as well.
"""

import gzip
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from go_facts import KEY_DEFAULTS, NULLABLE, OMIT_ZERO

VERSION = "1.37"
OUT = Path(__file__).parent.parent / f"src/wherry/api/data/schema-{VERSION}.txt.gz"
# Types that marshal themselves: the document calls them objects or strings.
OWN_TYPES = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "micro-time",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "any",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Patch": "any",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "any",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": "any",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": "any",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": "any",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": "any",
}
# OpenAPI mark -> the table's (and Schema's) word for it.
MARKS = {
    "x-kubernetes-list-type": "listType",
    "x-kubernetes-list-map-keys": "listMapKeys",
    "x-kubernetes-map-type": "mapType",
    "x-kubernetes-patch-strategy": "patchStrategy",
    "x-kubernetes-patch-merge-key": "patchMergeKey",
}
Node = str | dict[str, Any]


def ref_of(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rsplit("/", 1)[-1]


def type_of(schema: dict[str, Any]) -> str:
    """The one JSON type of a schema; the document adds "null" to what may be left out."""
    kind = schema.get("type", "object")
    return str(kind if isinstance(kind, str) else next(t for t in kind if t != "null"))


def compile_node(schema: dict[str, Any]) -> Node:
    node: dict[str, Any] = {word: schema[mark] for mark, word in MARKS.items() if mark in schema}
    if ref := ref_of(schema):
        node["type"] = f"@{ref}"
    else:
        node["type"] = type_of(schema)
        if node["type"] == "string" and schema.get("format") == "byte":
            node["type"] = "bytes"
        elif schema.get("format"):
            node["format"] = schema["format"]
        if "items" in schema:
            node["items"] = compile_node(schema["items"])
            if defaults := KEY_DEFAULTS.get(ref_of(schema["items"])):
                keys = [*node.get("listMapKeys", ()), node.get("patchMergeKey")]
                node["keyDefaults"] = {k: v for k, v in defaults.items() if k in keys}
        if "additionalProperties" in schema:
            node["type"], node["values"] = "map", compile_node(schema["additionalProperties"])
    node = {word: value for word, value in node.items() if value}
    return str(node["type"]) if len(node) == 1 else node


def compile_field(definition: str, field: str, schema: dict[str, Any]) -> Node:
    node = compile_node(schema)
    more: dict[str, Any] = {}
    if field in NULLABLE.get(definition, "").split():
        more["nullable"] = True
    if field in OMIT_ZERO.get(definition, "").split():
        more["omitZero"] = True
    if field in KEY_DEFAULTS.get(definition, ()):
        more["default"] = KEY_DEFAULTS[definition][field]
    return {**({"type": node} if isinstance(node, str) else node), **more} if more else node


def compile_definition(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    if name in OWN_TYPES:
        return {"type": OWN_TYPES[name]}
    gvk = [[x["group"], x["version"], x["kind"]] for x in schema.get("x-kubernetes-group-version-kind", ())]
    line: dict[str, Any] = {
        "type": type_of(schema),
        "fields": {field: compile_field(name, field, s) for field, s in schema.get("properties", {}).items()},
        "required": schema.get("required", []),
        "mapType": schema.get("x-kubernetes-map-type", ""),
        "unions": schema.get("x-kubernetes-unions", []),
        "gvk": gvk,
    }
    return {word: value for word, value in line.items() if value}


def check_facts(definitions: dict[str, Any]) -> None:
    """Every field that is told of by hand must be a field of the document."""
    for facts in (NULLABLE, OMIT_ZERO):
        for name, told in facts.items():
            unknown = [field for field in told.split() if field not in definitions[name]["properties"]]
            if unknown:
                raise SystemExit(f"{name} has no {', '.join(unknown)}")


def compile_table(definitions: dict[str, Any]) -> str:
    table = {name: compile_definition(name, schema) for name, schema in sorted(definitions.items())}
    kinds = [[*gvk, name] for name, line in table.items() for gvk in line.get("gvk", ())]
    lines = [f"kinds\t{json.dumps(kinds, separators=(',', ':'))}"]
    lines += [f"{name}\t{json.dumps(line, separators=(',', ':'))}" for name, line in table.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    source = files("kubernetes_validate") / f"kubernetes-json-schema/v{VERSION}.0-local/_definitions.json"
    definitions = json.loads(source.read_text())["$defs"]
    check_facts(definitions)
    text = compile_table(definitions)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{OUT.name}: {text.count(chr(10)) - 1} definitions, {len(text)} bytes, {OUT.stat().st_size} compressed")


if __name__ == "__main__":
    main()

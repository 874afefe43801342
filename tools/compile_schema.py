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
# Defaults of map keys: the published document has no defaults, and lists keyed by these cannot be merged without.
KEY_DEFAULTS = {
    "io.k8s.api.core.v1.ContainerPort": {"protocol": "TCP"},
    "io.k8s.api.core.v1.ServicePort": {"protocol": "TCP"},
    "io.k8s.api.core.v1.LocalObjectReference": {"name": ""},
}
# Fields that upstream writes as null when they hold nothing; the others it leaves out.
NULLABLE = {
    "io.k8s.api.core.v1.Event": ("eventTime", "firstTimestamp", "lastTimestamp"),
    "io.k8s.api.events.v1.Event": ("eventTime", "deprecatedFirstTimestamp", "deprecatedLastTimestamp"),
    "io.k8s.api.core.v1.PodCondition": ("lastProbeTime",),
    "io.k8s.api.core.v1.ContainerStateTerminated": ("startedAt", "finishedAt"),
    "io.k8s.api.discovery.v1.EndpointSlice": ("endpoints", "ports"),
    "io.k8s.api.rbac.v1.ClusterRole": ("rules",),
    "io.k8s.api.rbac.v1.Role": ("rules",),
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatus": ("currentMetrics",),
    "io.k8s.api.authentication.v1.TokenRequestSpec": ("boundObjectRef",),
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
    more: dict[str, Any] = {"nullable": True} if field in NULLABLE.get(definition, ()) else {}
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


def compile_table(definitions: dict[str, Any]) -> str:
    table = {name: compile_definition(name, schema) for name, schema in sorted(definitions.items())}
    kinds = [[*gvk, name] for name, line in table.items() for gvk in line.get("gvk", ())]
    lines = [f"kinds\t{json.dumps(kinds, separators=(',', ':'))}"]
    lines += [f"{name}\t{json.dumps(line, separators=(',', ':'))}" for name, line in table.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    source = files("kubernetes_validate") / f"kubernetes-json-schema/v{VERSION}.0-local/_definitions.json"
    text = compile_table(json.loads(source.read_text())["$defs"])
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{OUT.name}: {text.count(chr(10)) - 1} definitions, {len(text)} bytes, {OUT.stat().st_size} compressed")


if __name__ == "__main__":
    main()

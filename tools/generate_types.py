#!/usr/bin/env python3
"""Write `src/wherry/api/types/*.py`: msgspec structs for the kinds that components read.

Source: the published OpenAPI definitions of Kubernetes 1.37, as PyPI's
`kubernetes-validate` carries them (`$defs`).  Facts are taken, prose is not.

    python tools/generate_types.py            # writes the modules anew

The published document does not say which Go fields are pointers.  So: strings and
lists and maps default to empty, integers and booleans default to None when they are
optional, structs default to None when optional, but `metadata`, `spec`, `status`
and a few others in NESTED are always there.
"""

import json
import keyword
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

GROUPS = (
    "core.v1", "apps.v1", "batch.v1", "discovery.v1", "coordination.v1", "events.v1", "rbac.v1",
    "policy.v1", "autoscaling.v1", "autoscaling.v2", "networking.v1", "storage.v1", "scheduling.v1",
    "certificates.v1", "authentication.v1", "authorization.v1", "admissionregistration.v1", "node.v1",
    "resource.v1",
)
OUT = Path(__file__).parent.parent / "src/wherry/api/types"
SCALARS = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "str",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "str | None",  # RFC 3339; servers write null for a zero time
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "str | None",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int | str",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "dict[str, Any]",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "dict[str, Any]",
}
# What structs forget: no component reads it, and to decode it costs as much as the rest of the object.
FORGOTTEN = {"ObjectMeta.managedFields"}
# Structs that Go holds by value: an absent one reads as an empty one.
NESTED = {"metadata", "spec", "status", "resources", "template", "strategy", "jobTemplate", "involvedObject",
          "source", "rollingUpdate.never", "nodeInfo", "loadBalancer", "state", "lastState", "roleRef", "daemonEndpoints",
          "kubeletEndpoint", "conditionsBase", "updateStrategy", "scaleTargetRef", "regarding", "ResourceClaimSpec.devices",
          "AllocationResult.devices"}
# ... but these are pointers all the same: sent empty, they would ask for something.
NOT_NESTED = {"PodSpec.resources", "PodStatus.resources", "ContainerStatus.resources"}
# String pointers: nil and "" differ.
POINTERS = {"storageClassName", "ipFamilyPolicy", "internalTrafficPolicy", "runtimeClassName", "ingressClassName",
            "preemptionPolicy", "timeZone", "completionMode", "podReplacementPolicy", "managedBy", "holderIdentity",
            "deprecatedFirstTimestamp", "volumeAttributesClassName", "deletionTimestamp", "creationTimestamp", "hostnameOverride",
            "reclaimPolicy", "volumeBindingMode", "appProtocol", "nodeName.endpoint", "setHostnameAsFQDN", "DeviceAttribute.string",
            "DeviceAttribute.version"}
BUILTINS = ("bool", "dict", "float", "int", "list", "str")  # as fields they would hide the types of their neighbours


def module_of(name: str) -> str:
    """`io.k8s.api.core.v1.Pod` -> `core_v1`."""
    parts = name.split(".")
    return f"{parts[-3]}_{parts[-2]}"


def snake(name: str) -> str:
    """`clusterIPs` -> `cluster_ips`, `podCIDRs` -> `pod_cidrs`, `hostIPC` -> `host_ipc`."""
    name = name.lstrip("$").replace("-", "_")
    name = re.sub(r"(IP|CIDR|URL|ID|FQDN|UID|TTL)s(?=$|[A-Z])", lambda m: m[1].capitalize() + "s", name)
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
    return name + "_" if keyword.iskeyword(name) or name in BUILTINS else name


class Module:
    """One generated module: its structs in name order, and what it imports of others."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.uses: set[str] = set()
        self.structs: dict[str, dict[str, Any]] = {}

    def annotate(self, schema: dict[str, Any]) -> str:
        if ref := schema.get("$ref"):
            name = ref.rsplit("/", 1)[1]
            if name in SCALARS:
                return SCALARS[name]
            other = module_of(name)
            short: str = name.rsplit(".", 1)[1]
            if other == self.name:
                return short
            self.uses.add(other)
            return f"{other}.{short}"
        kind = schema.get("type")
        kind = next((k for k in kind if k != "null"), None) if isinstance(kind, list) else kind
        match kind:
            case "string":
                return "str"
            case "integer":
                return "int"
            case "boolean":
                return "bool"
            case "number":
                return "float"
            case "array":
                return f"list[{self.annotate(schema['items'])}]"
            case "object":
                extra = schema.get("additionalProperties")
                return f"dict[str, {self.annotate(extra)}]" if isinstance(extra, dict) else "dict[str, Any]"
        return "Any"

    def field(self, owner: str, name: str, schema: dict[str, Any], required: bool) -> str:
        attr, kind = snake(name), self.annotate(schema)
        rename = f'name="{name}"' if attr != name else ""

        def default(value: str, plain: bool = True) -> str:
            if not rename:
                return value if plain else f"msgspec.field({value})"
            return f"msgspec.field({'default=' if plain else ''}{value}, {rename})"

        is_struct = "$ref" in schema and schema["$ref"].rsplit("/", 1)[1] not in SCALARS
        if kind.startswith("list["):
            return f"{attr}: {kind} = {default('default_factory=list', False)}"
        if kind.startswith("dict["):
            return f"{attr}: {kind} = {default('default_factory=dict', False)}"
        if is_struct and (name in NESTED or f"{owner}.{name}" in NESTED or required) and f"{owner}.{name}" not in NOT_NESTED:
            return f"{attr}: {kind} = {default(f'default_factory=lambda: {kind}()', False)}"
        if kind == "str" and name not in POINTERS and f"{owner}.{name}" not in POINTERS:
            return f'{attr}: str = {default(chr(34) * 2)}'
        if kind == "str | None":
            return f"{attr}: {kind} = {default('None')}"
        if required and kind in ("int", "bool", "float"):
            return f"{attr}: {kind} = {default({'int': '0', 'bool': 'False', 'float': '0.0'}[kind])}"
        if required and kind == "int | str":
            return f"{attr}: {kind} = {default('0')}"
        return f"{attr}: {kind} | None = {default('None')}" if kind != "Any" else f"{attr}: Any = {default('None')}"

    def text(self) -> str:
        body = []
        for short, schema in sorted(self.structs.items()):
            gvk = next(iter(schema.get("x-kubernetes-group-version-kind", [])), None)
            body.append(f"\n\n\nclass {short}(Struct):")
            required = set(schema.get("required", []))
            lines = []
            for name, prop in schema.get("properties", {}).items():
                if f"{short}.{name}" in FORGOTTEN:
                    continue
                if name in ("apiVersion", "kind") and gvk and "metadata" in schema["properties"]:
                    value = {"apiVersion": f"{gvk['group']}/{gvk['version']}".lstrip("/"), "kind": gvk["kind"]}[name]
                    attr = snake(name)
                    lines.append(f'{attr}: str = ' + (f'msgspec.field(default="{value}", name="{name}")' if attr != name else f'"{value}"'))
                else:
                    lines.append(self.field(short, name, prop, name in required))
            body += [f"\n    {line}" for line in lines] or ["\n    pass"]
        text = "".join(body)
        imports = "".join(f"from wherry.api.types import {u}\n" for u in sorted(self.uses))
        typing = "from typing import Any\n\n" if "Any" in text else ""
        text = text.removeprefix("\n")
        return (f'"""Typed objects of {self.name.replace("_", "/")}.  Written by tools/generate_types.py: change that instead."""\n\n'
                "from __future__ import annotations\n\n"
                f"{typing}import msgspec\n\n{imports}from wherry.api.types.base import Struct\n{text}\n")


def main() -> None:
    source = files("kubernetes_validate") / "kubernetes-json-schema/v1.37.0-local/_definitions.json"
    defs = json.loads(source.read_text())["$defs"]
    modules: dict[str, Module] = {}
    for name, schema in defs.items():
        group = ".".join(name.split(".")[-3:-1])
        wanted = (name.startswith("io.k8s.api.") and group in GROUPS) or ".meta.v1." in name
        if wanted and name not in SCALARS and not name.endswith(("WatchEvent", ".Patch")):
            modules.setdefault(module_of(name), Module(module_of(name))).structs[name.rsplit(".", 1)[1]] = schema
    for module in list(modules.values()):
        module.text()
        for other in sorted(module.uses - modules.keys()):  # what a wanted module refers to is wanted too
            modules[other] = Module(other)
            modules[other].structs = {
                name.rsplit(".", 1)[1]: schema for name, schema in defs.items() if module_of(name) == other and "io.k8s.api." in name
            }
    for module in modules.values():
        (OUT / f"{module.name}.py").write_text(module.text())


if __name__ == "__main__":
    main()

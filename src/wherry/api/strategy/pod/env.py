"""Validation of `env`, `envFrom` and the selectors of fields and resources that volumes use too."""

from __future__ import annotations

import re
from typing import Any

from wherry.api.strategy.rules import Causes, by_rule, config_map_key_faults, dns_subdomain, env_name_faults, qualified_name
from wherry.apimachinery.fielderrors import invalid, not_supported, required
from wherry.apimachinery.quantity import canonical

Dict = dict[str, Any]

ENV_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)
VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
RESOURCES = (
    "limits.cpu", "limits.ephemeral-storage", "limits.memory",
    "requests.cpu", "requests.ephemeral-storage", "requests.memory",
)
_HUGE_PAGES = ("limits.hugepages-", "requests.hugepages-")
# What the API knows as a field of a Pod at all; everything else is a label that cannot be converted.
_KNOWN = frozenset((
    *ENV_FIELDS, *VOLUME_FIELDS, "spec.restartPolicy", "spec.schedulerName", "status.phase", "spec.host",
))
_SUBSCRIPT = re.compile(r"(.*)\['(.*)'\]", re.DOTALL)
_UNITS = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_DIVISORS: dict[str, tuple[tuple[str, ...], str]] = {"cpu": (("1m", "1"), "1m and 1 are supported with the cpu resource")}
for _name, _shown in (("memory", "memory"), ("ephemeral-storage", "local ephemeral storage"), ("hugepages", "hugepages")):
    _DIVISORS[_name] = (_UNITS, f"{', '.join(_UNITS)} are supported with the {_shown} resource")


def validate_field_ref(ref: Dict, supported: tuple[str, ...], path: str, errs: Causes) -> None:
    """An ObjectFieldSelector: `metadata.name`, `metadata.labels['key']` ..."""
    if not ref.get("apiVersion"):
        errs.append(required(f"{path}.apiVersion"))
        return
    field = ref.get("fieldPath")
    if not field:
        errs.append(required(f"{path}.fieldPath"))
        return
    subscript = _SUBSCRIPT.fullmatch(field)
    name = subscript[1] if subscript else field
    if ref["apiVersion"] != "v1":
        fault = f"unsupported pod version: {ref['apiVersion']}"
        errs.append(invalid(f"{path}.fieldPath", field, f"error converting fieldPath: {fault}"))
    elif subscript and name in ("metadata.labels", "metadata.annotations"):
        qualified_name(subscript[2].lower() if name == "metadata.annotations" else subscript[2], path, errs)
    elif subscript:
        fault = f'field label does not support subscript: {field}'
        errs.append(invalid(f"{path}.fieldPath", field, f"error converting fieldPath: {fault}"))
    elif name not in _KNOWN:
        errs.append(invalid(f"{path}.fieldPath", field, f"error converting fieldPath: field label not supported: {field}"))
    elif name not in supported:
        errs.append(not_supported(f"{path}.fieldPath", name, supported))


def validate_resource_ref(ref: Dict, path: str, volume: bool, errs: Causes) -> None:
    """A ResourceFieldSelector: `limits.cpu` with a divisor."""
    resource = ref.get("resource") or ""
    if volume and not ref.get("containerName"):
        errs.append(required(f"{path}.containerName"))
    elif not resource:
        errs.append(required(f"{path}.resource"))
    elif resource not in RESOURCES and not resource.startswith(_HUGE_PAGES):
        errs.append(not_supported(f"{path}.resource", resource, RESOURCES))
    divisor = canonical(ref.get("divisor") or "0")
    if divisor == "0":
        return
    kind = resource.partition(".")[2]
    allowed = _DIVISORS.get("hugepages" if kind.startswith("hugepages-") else kind)
    if allowed and divisor not in allowed[0]:
        errs.append(invalid(f"{path}.divisor", resource, f"only divisor's values {allowed[1]}"))


def _key_selector(ref: Dict, path: str, errs: Causes) -> None:
    dns_subdomain(ref.get("name") or "", f"{path}.name", errs)
    key = ref.get("key")
    if not key:
        errs.append(required(f"{path}.key"))
    else:
        by_rule(key, config_map_key_faults, f"{path}.key", errs)


def _file_key(ref: Dict, path: str, errs: Causes) -> None:
    for name in ("volumeName", "path", "key"):
        if not ref.get(name):
            errs.append(required(f"{path}.{name}"))


def _value_from(variable: Dict, source: Dict, path: str, errs: Causes) -> None:
    count = 0
    if (ref := source.get("fieldRef")) is not None:
        count += 1
        validate_field_ref(ref, ENV_FIELDS, f"{path}.fieldRef", errs)
    if (ref := source.get("resourceFieldRef")) is not None:
        count += 1
        validate_resource_ref(ref, f"{path}.resourceFieldRef", False, errs)
    for name in ("configMapKeyRef", "secretKeyRef"):
        if (ref := source.get(name)) is not None:
            count += 1
            _key_selector(ref, f"{path}.{name}", errs)
    if (ref := source.get("fileKeyRef")) is not None:
        count += 1
        _file_key(ref, f"{path}.fileKeyRef", errs)
    if count == 0:
        words = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        errs.append(invalid(path, "", words))
    elif variable.get("value"):
        errs.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif count > 1:
        errs.append(invalid(path, "", "may not have more than one field specified at a time"))


def validate_env(variables: list[Dict], path: str, errs: Causes) -> None:
    for i, variable in enumerate(variables):
        name = variable.get("name")
        if not name:
            errs.append(required(f"{path}[{i}].name"))
        elif not (name.isascii() and name.isidentifier()):
            by_rule(name, env_name_faults, f"{path}[{i}].name", errs)
        source = variable.get("valueFrom")
        if source is not None:
            _value_from(variable, source, f"{path}[{i}].valueFrom", errs)


def validate_env_from(sources: list[Dict], path: str, errs: Causes) -> None:
    for i, source in enumerate(sources):
        where = f"{path}[{i}]"
        if source.get("prefix"):
            by_rule(source["prefix"], env_name_faults, f"{where}.prefix", errs)
        count = 0
        for kind in ("configMapRef", "secretRef"):
            ref = source.get(kind)
            if ref is None:
                continue
            count += 1
            if not ref.get("name"):
                errs.append(required(f"{where}.{kind}.name"))
            else:
                dns_subdomain(ref["name"], f"{where}.{kind}.name", errs)
        if count == 0:
            errs.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif count > 1:
            errs.append(invalid(path, "", "may not have more than one field specified at a time"))

"""Ingresses and IngressClasses."""

from __future__ import annotations

import re
from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.rules import (
    Causes,
    by_rule,
    dns_label,
    dns_subdomain,
    immutable,
    ip_address,
    one_of,
    port_name_faults,
    port_number,
)
from wherry.api.strategy.workload import fill, spec_of
from wherry.apimachinery import names
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import forbidden, invalid, not_supported, required

Dict = dict[str, Any]
PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_BAD_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_BAD_SUFFIXES = ("/..", "/.")
_WILDCARD = re.compile(r"\*(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+")
_WILDCARD_WORDS = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, "
    "which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character "
    r"(e.g. '*.example.com', regex used for validation is '\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def default(obj: Dict) -> None:
    spec_of(obj)
    fill(obj, status={})
    fill(obj["status"], loadBalancer={})


def prepare_for_create(obj: Dict) -> None:
    obj["status"] = {"loadBalancer": {}}


def _host(host: str, path: str, errs: Causes) -> None:
    if ip_address(host) is not None:
        errs.append(invalid(path, host, "must be a DNS name, not an IP address"))
    elif "*" in host:
        if _WILDCARD.fullmatch(host) is None:
            errs.append(invalid(path, host, _WILDCARD_WORDS))
    else:
        dns_subdomain(host, path, errs)


def _backend(backend: Dict | None, path: str, errs: Causes) -> None:
    service, resource = (backend or {}).get("service"), (backend or {}).get("resource")
    if service is not None and resource is not None:
        errs.append(invalid(path, "", "cannot set both resource and service backends"))
    elif resource is not None:
        for name in ("kind", "name"):
            if not resource.get(name):
                errs.append(required(f"{path}.resource.{name}"))
    elif service is None:
        errs.append(invalid(path, "", "cannot have both resource and service backends nil"))
    else:
        where, port = f"{path}.service", service.get("port") or {}
        if not service.get("name"):
            errs.append(required(f"{where}.name"))
        else:
            by_rule(service["name"], names.is_dns1035_label, f"{where}.name", errs)
        port_name, number = port.get("name"), port.get("number")
        if port_name and number:
            errs.append(invalid(path, "", "cannot set both port name & port number"))
        elif port_name:
            by_rule(port_name, port_name_faults, f"{where}.port.name", errs)
        elif number:
            port_number(number, f"{where}.port.number", errs)
        else:
            errs.append(required(path, "port name or number is required"))


def _path(one: Dict, path: str, errs: Causes) -> None:
    text, kind = one.get("path") or "", one.get("pathType")
    if kind is None:
        errs.append(required(f"{path}.pathType", "pathType must be specified"))
    elif kind not in PATH_TYPES:
        errs.append(not_supported(f"{path}.pathType", kind, PATH_TYPES))
    elif kind == "ImplementationSpecific":
        if text and not text.startswith("/"):
            errs.append(invalid(f"{path}.path", text, "must be an absolute path"))
    elif not text.startswith("/"):
        errs.append(invalid(f"{path}.path", text, "must be an absolute path"))
    else:
        errs.extend(invalid(f"{path}.path", text, f"must not contain '{bad}'") for bad in _BAD_SEQUENCES if bad in text)
        errs.extend(invalid(f"{path}.path", text, f"cannot end with '{bad}'") for bad in _BAD_SUFFIXES if text.endswith(bad))
    _backend(one.get("backend"), f"{path}.backend", errs)


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    rules, backend = spec.get("rules") or [], spec.get("defaultBackend")
    if not rules and backend is None:
        errs.append(invalid("spec", rules, "either `defaultBackend` or `rules` must be specified"))
    if backend is not None:
        _backend(backend, "spec.defaultBackend", errs)
    for i, rule in enumerate(rules):
        where = f"spec.rules[{i}]"
        if rule.get("host"):
            _host(rule["host"], f"{where}.host", errs)
        http = rule.get("http")
        if http is not None:
            if not http.get("paths"):
                errs.append(required(f"{where}.http.paths"))
            for j, one in enumerate(http.get("paths") or ()):
                _path(one, f"{where}.http.paths[{j}]", errs)
    for i, tls in enumerate(spec.get("tls") or ()):
        for j, host in enumerate(tls.get("hosts") or ()):
            _host(host, f"spec.tls[{i}].hosts[{j}]", errs)
        if tls.get("secretName"):
            dns_subdomain(tls["secretName"], f"spec.tls[{i}].secretName", errs)
    if spec.get("ingressClassName") is not None:
        dns_subdomain(spec["ingressClassName"], "spec.ingressClassName", errs)
    return errs


def validate_create(obj: Dict) -> list[Cause]:
    note = ((obj.get("metadata") or {}).get("annotations") or {}).get(CLASS_ANNOTATION)
    if note is not None and (obj.get("spec") or {}).get("ingressClassName") is not None:
        words = "can not be set when the class field is also set"
        return [invalid(f"annotations[{CLASS_ANNOTATION}]", note, words)]
    return []


def warnings(obj: Dict) -> list[str]:
    if CLASS_ANNOTATION in ((obj.get("metadata") or {}).get("annotations") or {}):
        return [f"annotation \"{CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"]
    return []


INGRESS = Strategy(
    default=default, prepare_for_create=prepare_for_create, validate=validate, validate_create=validate_create, warnings=warnings,
)


# --- IngressClass ------------------------------------------------------------------------------


def default_class(obj: Dict) -> None:
    parameters = spec_of(obj).get("parameters")
    if parameters is not None:
        fill(parameters, scope="Cluster")


def validate_class(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    controller = spec.get("controller") or ""
    if len(controller) > 250:
        errs.append(Cause("FieldValueTooLong", "Too long: may not be more than 250 bytes", "spec.controller"))
    qualified = controller.partition("/")
    if not qualified[1] or not qualified[0] or not qualified[2]:
        errs.append(invalid("spec.controller", controller, 'must be a domain-prefixed path (such as "acme.io/foo")'))
    else:
        dns_subdomain(qualified[0], "spec.controller", errs)
    parameters = spec.get("parameters")
    if parameters is None:
        return errs
    path = "spec.parameters"
    for name in ("kind", "name"):
        if not parameters.get(name):
            errs.append(required(f"{path}.{name}", f"{name} is required"))
    if parameters.get("apiGroup"):
        dns_subdomain(parameters["apiGroup"], f"{path}.apiGroup", errs)
    one_of(parameters.get("scope"), ("Cluster", "Namespace"), f"{path}.scope", errs)
    if parameters.get("scope") == "Namespace":
        if not parameters.get("namespace"):
            errs.append(required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'"))
        else:
            dns_label(parameters["namespace"], f"{path}.namespace", errs)
    elif parameters.get("namespace") is not None:
        errs.append(forbidden(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'"))
    return errs


def validate_class_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    immutable(obj["spec"].get("controller"), old["spec"].get("controller"), "spec.controller", errs)
    return errs


INGRESS_CLASS = Strategy(default=default_class, validate=validate_class, validate_update=validate_class_update)

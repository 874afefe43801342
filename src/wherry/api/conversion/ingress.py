"""Ingress between its hub (networking.k8s.io/v1) and v1beta1 (of networking.k8s.io and of extensions).

v1beta1 names a backend by serviceName and servicePort, a number or a name; v1 has an object for each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wherry.api.resource import Object

Convert = Callable[[Object], Object]


def from_hub(ingress: Object) -> Object:
    """v1 -> v1beta1."""
    spec = dict(ingress.get("spec") or {})
    if "defaultBackend" in spec:
        spec["backend"] = _backend_to_v1beta1(spec.pop("defaultBackend"))
    return _with_rules(ingress, spec, _path_to_v1beta1)


def to_hub(ingress: Object) -> Object:
    """v1beta1 -> v1."""
    spec = dict(ingress.get("spec") or {})
    if "backend" in spec:
        spec["defaultBackend"] = _backend_to_v1(spec.pop("backend"))
    return {**_with_rules(ingress, spec, _path_to_v1), "apiVersion": "networking.k8s.io/v1"}


def _with_rules(ingress: Object, spec: Object, path: Convert) -> Object:
    if spec.get("rules"):
        spec["rules"] = [_rule(each, path) for each in spec["rules"]]
    return {**ingress, "spec": spec} if "spec" in ingress else dict(ingress)


def _rule(rule: Object, path: Convert) -> Object:
    http = rule.get("http")
    if not http or not http.get("paths"):
        return rule
    return {**rule, "http": {**http, "paths": [path(each) for each in http["paths"]]}}


def _path_to_v1(path: Object) -> Object:
    new = {"pathType": "ImplementationSpecific", **path}  # v1 has no default for it, v1beta1 has
    if "backend" in path:
        new["backend"] = _backend_to_v1(path["backend"])
    return new


def _path_to_v1beta1(path: Object) -> Object:
    return {**path, "backend": _backend_to_v1beta1(path["backend"])} if "backend" in path else path


def _backend_to_v1(backend: Object) -> Object:
    new = {name: value for name, value in backend.items() if name not in ("serviceName", "servicePort")}
    service: dict[str, Any] = {}
    if backend.get("serviceName"):
        service["name"] = backend["serviceName"]
    port = backend.get("servicePort")
    if port not in (None, 0, ""):
        service["port"] = {"name" if isinstance(port, str) else "number": port}
    return {**new, "service": service} if service else new


def _backend_to_v1beta1(backend: Object) -> Object:
    new = {name: value for name, value in backend.items() if name != "service"}
    service = backend.get("service") or {}
    if service.get("name"):
        new["serviceName"] = service["name"]
    port = service.get("port") or {}
    if port.get("name") or port.get("number"):
        new["servicePort"] = port.get("name") or port["number"]
    return new

"""LimitRanger: a namespace's LimitRanges give containers their defaults and bound what they ask for.

https://kubernetes.io/docs/concepts/policy/limit-range/
"""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Object
from wherry.apimachinery import errors, quantity
from wherry.apiserver.admission.interface import Attributes, Reader
from wherry.apiserver.codec import decode_json

ANNOTATION = "kubernetes.io/limit-ranger"


class LimitRanger:
    """Acts on new Pods and PersistentVolumeClaims."""

    name = "LimitRanger"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def handles(self, attributes: Attributes) -> bool:
        wanted = attributes.is_for("", "pods") or attributes.is_for("", "persistentvolumeclaims")
        return attributes.operation == "CREATE" and wanted

    def _ranges(self, attributes: Attributes) -> list[Object]:
        return [decode_json(c.value) for c in self._reader.cached_list("", "limitranges", attributes.namespace)]

    async def admit(self, attributes: Attributes) -> None:
        if attributes.resource.plural != "pods":
            return
        assert attributes.obj is not None
        for limit_range in self._ranges(attributes):
            notes: list[str] = []
            for item in limit_range["spec"].get("limits", []):
                if item.get("type") == "Container":
                    notes += _default_containers(attributes.obj["spec"], item)
            if notes:
                annotations = attributes.obj["metadata"].setdefault("annotations", {})
                annotations[ANNOTATION] = "LimitRanger plugin set: " + "; ".join(notes)

    async def validate(self, attributes: Attributes) -> None:
        assert attributes.obj is not None
        problems: list[str] = []
        for limit_range in self._ranges(attributes):
            for item in limit_range["spec"].get("limits", []):
                problems += _violations(attributes, item)
        if problems:
            why = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
            raise errors.forbidden("", attributes.resource.plural, attributes.name, why)


def _default_containers(spec: Object, item: Object) -> list[str]:
    notes = []
    for field, what in (("containers", "container"), ("initContainers", "init container")):
        for container in spec.get(field, []):
            resources = container.setdefault("resources", {})
            added = {"requests": _fill(resources, "requests", item.get("defaultRequest") or {}, resources.get("limits") or {})}
            added["limits"] = _fill(resources, "limits", item.get("default") or {}, {})
            for kind in ("requests", "limits"):
                if added[kind]:
                    told = ", ".join(sorted(added[kind]))
                    notes.append(f"{told} {kind[:-1]} for {what} {container['name']}")
    return notes


def _fill(resources: Object, kind: str, defaults: dict[str, str], instead: dict[str, str]) -> list[str]:
    """Set what is missing; `instead` has precedence (a limit is the default of a request)."""
    missing = {k: instead.get(k, v) for k, v in defaults.items() if k not in (resources.get(kind) or {})}
    if missing:
        resources[kind] = {**(resources.get(kind) or {}), **missing}
    return [k for k in missing if k not in instead]


def _violations(attributes: Attributes, item: Object) -> list[str]:
    kind, obj = item.get("type"), attributes.obj
    assert obj is not None
    if kind == "PersistentVolumeClaim" and attributes.resource.plural == "persistentvolumeclaims":
        request = (obj["spec"].get("resources") or {}).get("requests") or {}
        return _check(kind, item, request, {}, storage_only=True)
    if attributes.resource.plural != "pods":
        return []
    if kind == "Container":
        found = []
        for container in [*obj["spec"].get("initContainers", []), *obj["spec"].get("containers", [])]:
            resources = container.get("resources") or {}
            found += _check(kind, item, resources.get("requests") or {}, resources.get("limits") or {})
        return found
    if kind == "Pod":
        return _check(kind, item, _total(obj, "requests"), _total(obj, "limits"))
    return []


def _total(pod: Object, kind: str) -> dict[str, str]:
    """The Pod's sum: containers together, or the largest init container."""
    total: dict[str, int] = {}
    for container in pod["spec"].get("containers", []):
        for name, value in ((container.get("resources") or {}).get(kind) or {}).items():
            total[name] = total.get(name, 0) + quantity.milli(value)
    for container in pod["spec"].get("initContainers", []):
        for name, value in ((container.get("resources") or {}).get(kind) or {}).items():
            total[name] = max(total.get(name, 0), quantity.milli(value))
    return {name: quantity.canonical(f"{value}m") for name, value in total.items()}


def _check(kind: str, item: Object, requests: dict[str, Any], limits: dict[str, Any], *, storage_only: bool = False) -> list[str]:
    found = []
    for name, low in (item.get("min") or {}).items():
        request, limit = requests.get(name), limits.get(name)
        if request is None:
            found.append(f"minimum {name} usage per {kind} is {low}.  No request is specified")
        elif quantity.milli(request) < quantity.milli(low):
            found.append(f"minimum {name} usage per {kind} is {low}, but request is {request}")
        if limit is not None and quantity.milli(limit) < quantity.milli(low):
            found.append(f"minimum {name} usage per {kind} is {low}, but limit is {limit}")
    for name, high in (item.get("max") or {}).items():
        request, limit = requests.get(name), limits.get(name)
        if limit is None and not storage_only:
            found.append(f"maximum {name} usage per {kind} is {high}.  No limit is specified")
        elif limit is not None and quantity.milli(limit) > quantity.milli(high):
            found.append(f"maximum {name} usage per {kind} is {high}, but limit is {limit}")
        if request is not None and quantity.milli(request) > quantity.milli(high):
            found.append(f"maximum {name} usage per {kind} is {high}, but request is {request}")
    for name, ratio in (item.get("maxLimitRequestRatio") or {}).items():
        request, limit = requests.get(name), limits.get(name)
        if not request or not limit:
            found.append(f"{name} max limit to request ratio per {kind} is {ratio}, but no request or limit is specified")
        elif quantity.milli(limit) * 1000 > quantity.milli(request) * quantity.milli(ratio):
            real = quantity.milli(limit) / max(1, quantity.milli(request))
            found.append(f"{name} max limit to request ratio per {kind} is {ratio}, but provided ratio is {real:f}")
    return found

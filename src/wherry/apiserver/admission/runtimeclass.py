"""RuntimeClass: a Pod that names a class of container runtimes gets its overhead and where it may run; one without such a class is refused.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#runtimeclass
"""

from __future__ import annotations

from typing import Any

from wherry.apimachinery import errors
from wherry.apiserver.admission.interface import Attributes, Reader


class RuntimeClass:
    name = "RuntimeClass"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def handles(self, attributes: Attributes) -> bool:
        return attributes.operation == "CREATE" and attributes.is_for("", "pods") and not attributes.subresource

    async def admit(self, attributes: Attributes) -> None:
        found = self._class(attributes)
        if found is None or attributes.obj is None:
            return
        spec = attributes.obj["spec"]
        overhead = (found.get("overhead") or {}).get("podFixed")
        if overhead:
            if spec.get("overhead") not in (None, {}, overhead):
                raise _refused(attributes, "Pod's Overhead doesn't match RuntimeClass's defined Overhead")
            spec["overhead"] = dict(overhead)
        self._place(attributes, spec, found.get("scheduling") or {})

    def _place(self, attributes: Attributes, spec: dict[str, Any], scheduling: dict[str, Any]) -> None:
        selector = dict(spec.get("nodeSelector") or {})
        for key, value in (scheduling.get("nodeSelector") or {}).items():
            if selector.get(key, value) != value:
                why = f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {selector[key]}"
                raise _refused(attributes, why)
            selector[key] = value
        if selector:
            spec["nodeSelector"] = selector
        tolerations = list(spec.get("tolerations") or [])
        tolerations += [each for each in scheduling.get("tolerations") or [] if each not in tolerations]
        if tolerations:
            spec["tolerations"] = tolerations

    async def validate(self, attributes: Attributes) -> None:
        found = self._class(attributes)
        given = attributes.obj["spec"].get("overhead") if attributes.obj is not None else None
        if not given:
            return
        defined = ((found or {}).get("overhead") or {}).get("podFixed")
        if not defined:
            raise _refused(attributes, "Pod Overhead set without corresponding RuntimeClass defined Overhead")
        if defined != given:
            raise _refused(attributes, "Pod's Overhead doesn't match RuntimeClass's defined Overhead")

    def _class(self, attributes: Attributes) -> dict[str, Any] | None:
        """The class that the Pod names; None when it names none.  Raises StatusError when there is no such class."""
        assert attributes.obj is not None
        name = attributes.obj["spec"].get("runtimeClassName")
        if not name:
            return None
        found = self._reader.read("node.k8s.io", "runtimeclasses", "", name)
        if found is None:
            raise _refused(attributes, f'RuntimeClass "{name}" not found')
        return found


def _refused(attributes: Attributes, why: str) -> errors.StatusError:
    return errors.forbidden("", "pods", attributes.name, f"pod rejected: {why}")

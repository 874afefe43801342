"""Small plugins for Pods: default tolerations and priority."""

from __future__ import annotations

from wherry.api.resource import Object
from wherry.api.strategy.scheduling import SYSTEM
from wherry.apimachinery import errors
from wherry.apiserver.admission.interface import Attributes, Reader
from wherry.apiserver.codec import decoded

_TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
SECONDS = 300


class DefaultTolerationSeconds:
    """A Pod stays five minutes on a node that is not ready or not reachable, unless it says otherwise.
    https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#defaulttolerationseconds"""

    name = "DefaultTolerationSeconds"

    def handles(self, attributes: Attributes) -> bool:
        return attributes.operation in ("CREATE", "UPDATE") and attributes.is_for("", "pods")

    async def admit(self, attributes: Attributes) -> None:
        assert attributes.obj is not None
        if attributes.operation == "UPDATE" and attributes.obj["spec"].get("nodeName"):
            return
        present = attributes.obj["spec"].get("tolerations") or []
        added = []
        for key in _TOLERATED:
            if not any(t.get("key") in (key, None, "") and t.get("effect") in ("NoExecute", None, "") for t in present):
                added.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS})
        if added:
            attributes.obj["spec"]["tolerations"] = [*present, *added]


class Priority:
    """Resolves priorityClassName to a number.
    https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#priority"""

    name = "Priority"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def handles(self, attributes: Attributes) -> bool:
        if attributes.is_for("scheduling.k8s.io", "priorityclasses"):
            return True
        return attributes.operation == "CREATE" and attributes.is_for("", "pods")

    async def admit(self, attributes: Attributes) -> None:
        if not attributes.is_for("", "pods"):
            return
        assert attributes.obj is not None
        spec = attributes.obj["spec"]
        name = spec.get("priorityClassName", "")
        found = None
        if name:
            found = self._reader.read("scheduling.k8s.io", "priorityclasses", "", name)
            if found is None:
                raise errors.forbidden("", "pods", attributes.name, f"no PriorityClass with name {name} was found")
        else:
            found = self._default()
            if found is not None:
                spec["priorityClassName"] = found["metadata"]["name"]
        value = found["value"] if found else 0
        policy = (found or {}).get("preemptionPolicy", "PreemptLowerPriority")
        given = spec.get("priority")
        if given is not None and given != value:
            why = f"the integer value of priority ({given}) must not be provided in pod spec;"
            why += f" priority admission controller computed {value} from the given PriorityClass name"
            raise errors.forbidden("", "pods", attributes.name, why)
        spec["priority"] = value
        if spec.get("preemptionPolicy") not in (None, policy):
            why = (
                f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec;"
                f" priority admission controller computed {policy} from the given PriorityClass name"
            )
            raise errors.forbidden("", "pods", attributes.name, why)
        spec["preemptionPolicy"] = policy

    def _default(self) -> Object | None:
        classes = [decoded(c) for c in self._reader.cached_list("scheduling.k8s.io", "priorityclasses")]
        return min((c for c in classes if c.get("globalDefault")), key=lambda c: int(c["value"]), default=None)

    async def validate(self, attributes: Attributes) -> None:
        """One class is the default at most, and the system's own stay."""
        name = attributes.name
        if not attributes.is_for("scheduling.k8s.io", "priorityclasses"):
            return
        if attributes.operation == "DELETE" and name in SYSTEM:
            why = "this is a system priority class and cannot be deleted"
            raise errors.forbidden("scheduling.k8s.io", "priorityclasses", name, why)
        present = self._default() if attributes.obj is not None and attributes.obj.get("globalDefault") else None
        if present is not None and (attributes.operation == "CREATE" or present["metadata"]["name"] != name):
            why = f"PriorityClass {present['metadata']['name']} is already marked as default. Only one default can exist"
            raise errors.forbidden("scheduling.k8s.io", "priorityclasses", name, why)

"""What dynamic resource allocation needs beside its strategies: other objects, the time, and who asks.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
Admin access is for namespaces that are marked for it.  Who writes a claim's status needs, beside the right to `/status`, one for
the part of it that changes: `resourceclaims/binding` for who has which devices, `resourceclaims/driver` for what a driver tells of
its own (https://kubernetes.io/docs/reference/access-authn-authz/authorization/, granular authorization of DRA).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wherry.api.resource import Object
from wherry.api.strategy.resource.claims import drop_deallocated, results_of
from wherry.apimachinery import errors
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import forbidden
from wherry.apiserver.admission.interface import Reader
from wherry.apiserver.authorization.interface import Authorizer
from wherry.apiserver.call import Call
from wherry.apiserver.registry.store import Finish
from wherry.apiserver.requestinfo import RequestInfo
from wherry.util.clock import rfc3339

GROUP = "resource.k8s.io"
ADMIN_LABEL = "resource.kubernetes.io/admin-access"
NODE_OF_TOKEN = "authentication.kubernetes.io/node-name"


def _refuse(call: Call, obj: Object, causes: list[Cause]) -> None:
    if causes:
        raise errors.invalid(GROUP, call.resource.kind, obj["metadata"].get("name", ""), causes)


class ClaimRules:
    """A Hook of ResourceClaims and of their templates."""

    def __init__(self, reader: Reader, authorizers: Sequence[Authorizer]) -> None:
        self._reader, self._authorizers = reader, authorizers

    async def begin_create(self, call: Call, obj: Object) -> Finish | None:
        """Raises StatusError 422 for admin access elsewhere than where it is allowed."""
        spec, path = obj.get("spec") or {}, "spec"
        if call.resource.kind == "ResourceClaimTemplate":
            spec, path = spec.get("spec") or {}, "spec.spec"
        for i, request in enumerate((spec.get("devices") or {}).get("requests") or ()):
            if (request.get("exactly") or {}).get("adminAccess"):
                _refuse(call, obj, self._admin(obj, f"{path}.devices.requests[{i}].exactly.adminAccess"))
                break
        return None

    async def begin_update(self, call: Call, obj: Object, old: Object) -> Finish | None:
        """Raises StatusError 422 for a change of the status that the user may not make."""
        if call.subresource != "status":
            return None
        drop_deallocated(obj, old)
        causes = self._may_change(call, obj, old)
        if not any(each.get("adminAccess") for each in results_of(old)):
            for i, result in enumerate(results_of(obj)):
                if result.get("adminAccess"):
                    causes += self._admin(obj, f"status.allocation.devices.results[{i}].adminAccess")
                    break
        _refuse(call, obj, causes)
        return None

    def after_delete(self, obj: Object) -> None:
        return None

    def _admin(self, obj: Object, path: str) -> list[Cause]:
        namespace = self._reader.read("", "namespaces", "", obj["metadata"].get("namespace", "")) or {}
        if ((namespace.get("metadata") or {}).get("labels") or {}).get(ADMIN_LABEL) == "true":
            return []
        words = f"admin access to devices requires the `{ADMIN_LABEL}: true` label on the containing namespace"
        return [forbidden(path, words)]

    def _may_change(self, call: Call, obj: Object, old: Object) -> list[Cause]:
        status, before, verb, causes = obj.get("status") or {}, old.get("status") or {}, call.info.verb, list[Cause]()
        for key in ("allocation", "reservedFor"):
            if status.get(key) != before.get(key) and not self._allowed(call, (verb,), "binding", obj["metadata"]["name"]):
                causes.append(forbidden(f"status.{key}", f'changing it needs "{verb}" on resourceclaims/binding in API group "{GROUP}"'))
        for driver in sorted(_changed_drivers(status.get("devices") or [], before.get("devices") or [])):
            local = call.user.extra.get(NODE_OF_TOKEN, ()) == (_node_of(status) or _node_of(before),)
            verbs = (f"associated-node:{verb}", f"arbitrary-node:{verb}")[0 if local else 1:]
            if not self._allowed(call, verbs, "driver", driver):
                told = " or ".join(f'"{each}"' for each in verbs)
                causes.append(forbidden("status.devices", f'changing devices of {driver} needs {told} on resourceclaims/driver'))
        return causes

    def _allowed(self, call: Call, verbs: Iterable[str], subresource: str, name: str) -> bool:
        asked = [RequestInfo(verb, "", GROUP, "v1", "resourceclaims", subresource, call.info.namespace, name) for verb in verbs]
        return any(each.authorize(call.user, info).allowed for info in asked for each in self._authorizers)


def _changed_drivers(new: list[Object], old: list[Object]) -> set[str]:
    return {each.get("driver") or "" for each in (*new, *old) if (each in new) != (each in old)}


def _node_of(status: Object) -> str:
    """The one node that a claim's devices are on; "" if there may be others."""
    terms = (((status.get("allocation") or {}).get("nodeSelector") or {}).get("nodeSelectorTerms")) or [{}]
    fields = terms[0].get("matchFields") or []
    return fields[0]["values"][0] if len(terms) == len(fields) == 1 and len(fields[0].get("values") or ()) == 1 else ""


class TaintTimes:
    """A Hook of ResourceSlices and DeviceTaintRules: a taint that is written without a time is of now."""

    async def begin_create(self, call: Call, obj: Object) -> Finish | None:
        spec = obj.get("spec") or {}
        taints = [each for device in spec.get("devices") or () for each in device.get("taints") or ()]
        for taint in (*taints, *([spec["taint"]] if spec.get("taint") else [])):
            if not taint.get("timeAdded"):
                taint["timeAdded"] = rfc3339(call.now)
        return None

    async def begin_update(self, call: Call, obj: Object, old: Object) -> Finish | None:
        return await self.begin_create(call, obj)

    def after_delete(self, obj: Object) -> None:
        return None

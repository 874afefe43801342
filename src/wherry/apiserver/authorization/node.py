"""The Node authorizer: a kubelet reads only what Pods on its own node refer to, and writes only its own node.

https://kubernetes.io/docs/reference/access-authn-authz/node/
Upstream keeps a graph; here the Pods of the node are looked at, through the cache's index of spec.nodeName.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wherry.api.resource import Object
from wherry.apimachinery.fields import FieldSelector
from wherry.apimachinery.http import UserInfo
from wherry.apiserver.authorization.interface import Decision
from wherry.apiserver.authorization.policy import ROLES, rules
from wherry.apiserver.authorization.rbac import Rule
from wherry.apiserver.codec import decode_json
from wherry.apiserver.requestinfo import RequestInfo
from wherry.storage.cacher import Cacher

GROUP, PREFIX = "system:nodes", "system:node:"
_REFERRED = ("secrets", "configmaps", "persistentvolumeclaims", "serviceaccounts")
LEASES = "kube-node-lease"


class NodeAuthorizer:
    """An Authorizer for users `system:node:NAME` of the group `system:nodes`."""

    def __init__(self, pods: Cacher, volumes: Cacher) -> None:
        self._pods, self._volumes = pods, volumes
        self._rules = [Rule.parse(rule) for rule in rules(ROLES["system:node"])]

    def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        if GROUP not in user.groups or not user.name.startswith(PREFIX):
            return Decision(False)
        node = user.name.removeprefix(PREFIX)
        if not info.is_resource or not any(rule.allows(info) for rule in self._rules):
            return Decision(False)
        if info.resource in _REFERRED and not info.group:
            if not info.name or not self._refers(node, info.resource, info.namespace, info.name):
                why = f"no relationship found between node '{node}' and this object"
                return Decision(False, why)
        elif info.resource == "persistentvolumes" and not self._reaches(node, info.name):
            return Decision(False, f"no relationship found between node '{node}' and this object")
        elif info.resource == "nodes" and info.verb in ("update", "patch", "delete") and info.name != node:
            return Decision(False, f"node '{node}' is not allowed to modify node '{info.name}'")
        elif info.resource == "leases" and (info.namespace != LEASES or (info.name and info.name != node)):
            return Decision(False, f"can only access node lease with the same name as the requesting node: '{node}'")
        return Decision(True)

    def _reaches(self, node: str, name: str) -> bool:
        """A volume is reached by the claim that it is bound to."""
        cached = self._volumes.get("", name)
        claim = (decode_json(cached.value)["spec"].get("claimRef") or {}) if cached is not None else {}
        return self._refers(node, "persistentvolumeclaims", claim.get("namespace", ""), claim.get("name", ""))

    def _refers(self, node: str, resource: str, namespace: str, name: str) -> bool:
        selector = FieldSelector.parse(f"spec.nodeName={node}")
        for cached in self._pods.list(namespace, None, selector):
            if cached.fields.get("spec.nodeName") != node:
                continue
            memo: dict[str, Any] = cached.memo
            found = memo.get("references")
            if found is None:
                found = memo["references"] = frozenset(references(decode_json(cached.value)))
            if (resource, name) in found:
                return True
        return False


def references(pod: Object) -> Iterator[tuple[str, str]]:
    """(plural, name) of what a Pod needs from its namespace."""
    spec = pod["spec"]
    yield "serviceaccounts", spec.get("serviceAccountName", "default")
    for secret in spec.get("imagePullSecrets") or ():
        yield "secrets", secret.get("name", "")
    for container in [*spec.get("initContainers", []), *spec.get("containers", []), *spec.get("ephemeralContainers", [])]:
        for env in container.get("env") or ():
            source = env.get("valueFrom") or {}
            if "secretKeyRef" in source:
                yield "secrets", source["secretKeyRef"].get("name", "")
            if "configMapKeyRef" in source:
                yield "configmaps", source["configMapKeyRef"].get("name", "")
        for source in container.get("envFrom") or ():
            if "secretRef" in source:
                yield "secrets", source["secretRef"].get("name", "")
            if "configMapRef" in source:
                yield "configmaps", source["configMapRef"].get("name", "")
    for volume in spec.get("volumes") or ():
        yield from _volume(volume)
        if "ephemeral" in volume:
            yield "persistentvolumeclaims", f"{pod['metadata']['name']}-{volume['name']}"
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield from _volume(source, name="name")


def _volume(volume: Object, name: str = "secretName") -> Iterator[tuple[str, str]]:
    if "secret" in volume:
        yield "secrets", volume["secret"].get(name, "")
    if "configMap" in volume:
        yield "configmaps", volume["configMap"].get("name", "")
    if "persistentVolumeClaim" in volume:
        yield "persistentvolumeclaims", volume["persistentVolumeClaim"].get("claimName", "")

"""Plugins for nodes: what a kubelet may write, and that nothing runs on a node before it is ready."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Object
from wherry.apimachinery import errors
from wherry.apimachinery.errors import StatusError
from wherry.apiserver.admission.interface import Attributes, Reader

GROUP, PREFIX = "system:nodes", "system:node:"
NOT_READY = "node.kubernetes.io/not-ready"
MIRROR = "kubernetes.io/config.mirror"
RESTRICTED = "node-restriction.kubernetes.io/"
# Labels of Kubernetes' own names that a kubelet may set on its node; the others are not a node's to choose.
_OWN_LABELS = frozenset({
    "kubernetes.io/hostname", "kubernetes.io/arch", "kubernetes.io/os", "beta.kubernetes.io/arch", "beta.kubernetes.io/os",
    "beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type", "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/region", "topology.kubernetes.io/zone",
})
_TOPOLOGY = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")
_OWN_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")


class TaintNodesByCondition:
    """A new node is not ready until the node lifecycle controller has seen that it is.
    https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#taintnodesbycondition"""

    name = "TaintNodesByCondition"

    def handles(self, attributes: Attributes) -> bool:
        return attributes.operation == "CREATE" and attributes.is_for("", "nodes")

    async def admit(self, attributes: Attributes) -> None:
        assert attributes.obj is not None
        spec = attributes.obj.setdefault("spec", {})
        taints = spec.get("taints") or []
        if not any(taint.get("key") == NOT_READY and taint.get("effect") == "NoSchedule" for taint in taints):
            spec["taints"] = [*taints, {"key": NOT_READY, "effect": "NoSchedule"}]


def topology_labels(reader: Reader, node: str) -> dict[str, str]:
    """The zone and the region of a node, as far as it tells them."""
    found = reader.cached("", "nodes", "", node)
    labels = {} if found is None else found.labels
    return {key: labels[key] for key in _TOPOLOGY if key in labels}


class PodTopologyLabels:
    """A Pod bears its node's zone and region, for the downward API; one that is bound later gets them then.
    https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#podtopologylabels"""

    name = "PodTopologyLabels"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def handles(self, attributes: Attributes) -> bool:
        return attributes.operation == "CREATE" and attributes.is_for("", "pods")

    async def admit(self, attributes: Attributes) -> None:
        pod = attributes.obj
        assert pod is not None
        node = (pod.get("spec") or {}).get("nodeName")
        if node and (where := topology_labels(self._reader, node)):
            pod["metadata"]["labels"] = {**(pod["metadata"].get("labels") or {}), **where}


class NodeRestriction:
    """A kubelet writes its own Node and the Pods bound to it, and nothing that would give it more.
    https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction"""

    name = "NodeRestriction"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def handles(self, attributes: Attributes) -> bool:
        if GROUP not in attributes.user.groups or not attributes.user.name.startswith(PREFIX):
            return False
        return not attributes.resource.group and attributes.resource.plural in ("pods", "nodes", "serviceaccounts")

    async def admit(self, attributes: Attributes) -> None:
        node = attributes.user.name.removeprefix(PREFIX)
        if attributes.resource.plural == "nodes":
            self._node(attributes, node)
        elif attributes.resource.plural == "pods":
            self._pod(attributes, node)

    def _pod(self, attributes: Attributes, node: str) -> None:
        if attributes.operation == "CREATE" and not attributes.subresource:
            self._mirror(attributes, node)
            return
        pod: Object | None = attributes.old or self._reader.read("", "pods", attributes.namespace, attributes.name)
        if pod is not None and pod["spec"].get("nodeName") != node:
            verb = {"DELETE": "delete", "UPDATE": "update status for", "CREATE": "evict"}[attributes.operation]
            raise _refused(attributes, f"node {node!r} can only {verb} pods with spec.nodeName set to itself")
        if attributes.operation == "UPDATE" and attributes.subresource == "status" and pod is not None:
            assert attributes.obj is not None
            if (attributes.obj["metadata"].get("labels") or {}) != (pod["metadata"].get("labels") or {}):
                raise _refused(attributes, f"node {node!r} cannot update labels through pod status")

    @staticmethod
    def _mirror(attributes: Attributes, node: str) -> None:
        pod = attributes.obj
        assert pod is not None
        if MIRROR not in (pod["metadata"].get("annotations") or {}):
            why = f"pod does not have {MIRROR!r} annotation, node {node!r} can only create mirror pods"
        elif pod["spec"].get("nodeName") != node:
            why = f"node {node!r} can only create pods with spec.nodeName set to itself"
        elif pod["spec"].get("serviceAccountName"):
            why = f"node {node!r} can not create pods that reference a service account"
        elif any(kind in volume for volume in pod["spec"].get("volumes") or () for kind in ("secret", "configMap", "projected")):
            why = f"node {node!r} can not create pods that reference secrets, configmaps or projected volumes"
        else:
            return
        raise _refused(attributes, why)

    @staticmethod
    def _node(attributes: Attributes, node: str) -> None:
        if attributes.name != node:
            raise _refused(attributes, f"node {node!r} is not allowed to modify node {attributes.name!r}")
        if attributes.operation == "DELETE" or attributes.obj is None:
            return
        before = attributes.old or {"metadata": {}, "spec": {}}
        if attributes.old is not None and _taints(attributes.obj) != _taints(before):
            raise _refused(attributes, f"node {node!r} is not allowed to modify taints")
        now, then = attributes.obj["metadata"].get("labels") or {}, before["metadata"].get("labels") or {}
        touched = sorted(name for name in {*now, *then} if now.get(name) != then.get(name) and not _may_set(name))
        if touched:
            raise _refused(attributes, f"is not allowed to modify labels: {', '.join(touched)}")


def _taints(node: Object) -> list[Object]:
    return (node.get("spec") or {}).get("taints") or []


def _may_set(label: str) -> bool:
    domain = label.partition("/")[0] if "/" in label else ""
    if label.startswith(RESTRICTED):
        return False
    if domain not in ("kubernetes.io", "k8s.io") and not domain.endswith((".kubernetes.io", ".k8s.io")):
        return True
    return label in _OWN_LABELS or any(domain == own or domain.endswith(f".{own}") for own in _OWN_DOMAINS)


def _refused(attributes: Attributes, why: Any) -> StatusError:
    words = str(why).replace("'", '"')
    return errors.forbidden("", attributes.resource.plural, attributes.name, words)

"""NamespaceLifecycle: nothing is made in a namespace that is not there or is going; three are never deleted."""

from __future__ import annotations

from wherry.apimachinery import errors
from wherry.apimachinery.errors import Cause
from wherry.apiserver.admission.interface import Attributes, Reader

IMMORTAL = ("default", "kube-system", "kube-public", "kube-node-lease")
# Asking is no making: these are created in namespaces that may not exist.
_ACCESS_REVIEWS = ("localsubjectaccessreviews",)


class NamespaceLifecycle:
    """https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#namespacelifecycle"""

    name = "NamespaceLifecycle"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def handles(self, attributes: Attributes) -> bool:
        if attributes.resource.plural == "namespaces":
            return attributes.operation == "DELETE"
        return attributes.operation == "CREATE" and attributes.resource.namespaced and attributes.resource.plural not in _ACCESS_REVIEWS

    async def admit(self, attributes: Attributes) -> None:
        if attributes.operation == "DELETE":
            if attributes.name in IMMORTAL:
                raise errors.forbidden("", "namespaces", attributes.name, "this namespace may not be deleted")
            return
        namespace = self._reader.cached("", "namespaces", "", attributes.namespace)
        if namespace is None:
            raise errors.not_found("", "namespaces", attributes.namespace)
        if namespace.fields["status.phase"] == "Terminating":
            why = f"unable to create new content in namespace {attributes.namespace} because it is being terminated"
            error = errors.forbidden(attributes.resource.group, attributes.resource.plural, attributes.name, why)
            cause = Cause("NamespaceTerminating", f"namespace {attributes.namespace} is being terminated", "metadata.namespace")
            error.details = {**(error.details or {}), "causes": [cause.to_json()]}
            raise error

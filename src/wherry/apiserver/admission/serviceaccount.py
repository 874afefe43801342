"""ServiceAccount: every Pod runs as one, and finds its token, the cluster's CA and its namespace in a volume."""

from __future__ import annotations

from wherry.api.resource import Object
from wherry.apimachinery import errors
from wherry.apiserver.admission.interface import Attributes, Reader
from wherry.apiserver.codec import decoded
from wherry.apiserver.registry.names import random_suffix

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 3607  # an hour and a bit: marks tokens that upstream's admission asked for
MIRROR = "kubernetes.io/config.mirror"


class ServiceAccount:
    """https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#serviceaccount"""

    name = "ServiceAccount"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def handles(self, attributes: Attributes) -> bool:
        return attributes.operation == "CREATE" and attributes.is_for("", "pods")

    async def admit(self, attributes: Attributes) -> None:
        pod = attributes.obj
        assert pod is not None
        spec = pod["spec"]
        if MIRROR in (pod["metadata"].get("annotations") or {}):
            return
        name = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        cached = self._reader.cached("", "serviceaccounts", attributes.namespace, name)
        if cached is None:
            why = f'error looking up service account {attributes.namespace}/{name}: serviceaccount "{name}" not found'
            raise errors.forbidden("", "pods", attributes.name, why)
        account = decoded(cached)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(each) for each in account["imagePullSecrets"]]
        mount = spec.get("automountServiceAccountToken")
        if mount is None:
            mount = account.get("automountServiceAccountToken", True)
        if mount:
            _mount_token(spec)


def _mount_token(spec: Object) -> None:
    """Mount the token volume in each container that has nothing there."""
    containers = [*spec.get("initContainers", []), *spec.get("containers", [])]
    wanting = [c for c in containers if all(m.get("mountPath") != TOKEN_PATH for m in c.get("volumeMounts") or [])]
    if not wanting:
        return
    name = f"kube-api-access-{random_suffix()}"
    for container in wanting:
        mounts = container.setdefault("volumeMounts", [])
        mounts.append({"name": name, "readOnly": True, "mountPath": TOKEN_PATH})
    sources = [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]
    spec.setdefault("volumes", []).append({"name": name, "projected": {"sources": sources, "defaultMode": 420}})

"""Publishes `kube-root-ca.crt`, the ConfigMap that Pods mount to trust the API server, in every namespace.

There is nothing to plan: its one key says what the cluster's CA is, or is made to.
"""

from __future__ import annotations

from typing import ClassVar

from wherry.api.types import core_v1, meta_v1
from wherry.apimachinery.errors import StatusError, is_already_exists
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.podcontrol import is_namespace_terminating

NAME, KEY = "kube-root-ca.crt", "ca.crt"
DESCRIPTION = "kubernetes.io/description"
TEXT = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal "
    "service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
)


class RootCAPublisher(Controller):
    name: ClassVar[str] = "root-ca-cert-publisher"
    workers: ClassVar[int] = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.namespaces = self.informer(core_v1.Namespace)
        self.published = self.followed(
            self.informers.informer(core_v1.ConfigMap, field_selector=f"metadata.name={NAME}"),
        )
        self.enqueue_all(self.namespaces)
        self.enqueue_all(self.published, lambda each: (each.metadata.namespace,))

    async def reconcile(self, key: str) -> RequeueAfter | None:
        namespace = self.namespaces.store.get_by_key(key)
        if namespace is None or namespace.metadata.deletion_timestamp is not None:
            return None
        found, data = self.published.store.get(NAME, key), {KEY: self.options.root_ca}
        if found is None:
            await self._create(key, data)
        elif found.data != data or found.metadata.annotations.get(DESCRIPTION) != TEXT:
            wanted = {each: data.get(each) for each in {*found.data, *data}}
            body = {"metadata": {"uid": found.metadata.uid, "annotations": {DESCRIPTION: TEXT}}, "data": wanted}
            await self.client.patch(core_v1.ConfigMap, NAME, body, key)
        return None

    async def _create(self, namespace: str, data: dict[str, str]) -> None:
        meta = meta_v1.ObjectMeta(name=NAME, namespace=namespace, annotations={DESCRIPTION: TEXT})
        try:
            await self.client.create(core_v1.ConfigMap(metadata=meta, data=data))
        except StatusError as error:
            if not is_already_exists(error) and not is_namespace_terminating(error):
                raise

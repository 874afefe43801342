"""Makes the `default` ServiceAccount of every namespace, and makes it again when it is deleted.

There is nothing to plan: it is there, or it is not.
"""

from __future__ import annotations

from typing import ClassVar

from wherry.api.types import core_v1, meta_v1
from wherry.apimachinery.errors import StatusError, is_already_exists
from wherry.client.informer import Handler
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.podcontrol import is_namespace_terminating

NAME = "default"


class ServiceAccountController(Controller):
    name: ClassVar[str] = "service-account-controller"
    workers: ClassVar[int] = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.namespaces = self.informer(core_v1.Namespace)
        self.accounts = self.informer(core_v1.ServiceAccount)
        self.enqueue_all(self.namespaces)
        self.accounts.add_handler(Handler(on_delete=lambda account: self.queue.add(account.metadata.namespace)))

    async def reconcile(self, key: str) -> RequeueAfter | None:
        namespace = self.namespaces.store.get_by_key(key)
        if namespace is None or namespace.metadata.deletion_timestamp is not None or self.accounts.store.get(NAME, key):
            return None
        try:
            await self.client.create(core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name=NAME, namespace=key)))
        except StatusError as error:
            if not is_already_exists(error) and not is_namespace_terminating(error):
                raise
        return None

"""Carries out the plan.  Speaks as the manager itself, as upstream's does: no controller's account may read all Secrets."""

from __future__ import annotations

import base64
from typing import Any, ClassVar

from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError, is_conflict, is_not_found
from wherry.client.informer import Handler
from wherry.client.store import split_key
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.serviceaccounttoken.plan import TYPE, Steps, account_of, claims, steps, without_reference


class ServiceAccountTokenController(Controller):
    name: ClassVar[str] = "kube-controller-manager"
    component: ClassVar[str] = "serviceaccount-token-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.accounts = self.informer(core_v1.ServiceAccount)
        self.secrets = self.followed(self.informers.informer(core_v1.Secret, field_selector=f"type={TYPE}"))
        self.enqueue_all(self.secrets)
        self.accounts.add_handler(Handler(self._account_changed, lambda old, new: self._account_changed(new), self._account_changed))
        self._references: dict[str, str] = {}  # Secret -> the account that it was of, until its reference is gone
        self.secrets.add_handler(Handler(on_delete=self._secret_deleted))

    def _account_changed(self, account: core_v1.ServiceAccount) -> None:
        for secret in self.secrets.store.list(account.metadata.namespace):
            if account_of(secret)[0] == account.metadata.name:
                self.enqueue(secret)

    def _secret_deleted(self, secret: core_v1.Secret) -> None:
        meta = secret.metadata
        self._references[f"{meta.namespace}/{meta.name}"] = account_of(secret)[0]

    async def reconcile(self, key: str) -> RequeueAfter | None:
        namespace, name = split_key(key)
        secret = self.secrets.store.get_by_key(key)
        if secret is None:
            await self._remove_reference(key, namespace, name)
            return None
        account = await self._account(namespace, *account_of(secret))
        found = steps(secret, account, self.options.root_ca)
        try:
            if found.delete:
                await self.client.delete(core_v1.Secret, name, namespace, uid=secret.metadata.uid)
            elif account is not None and found.fills:
                await self._fill(secret, account, found)
        except StatusError as error:
            if not is_not_found(error) and not is_conflict(error):
                raise  # who has changed it has told us, too
        return None

    async def _account(self, namespace: str, name: str, uid: str) -> core_v1.ServiceAccount | None:
        """A cache may be old: nobody's token goes before the server has been asked."""
        found = self.accounts.store.get(name, namespace)
        if not name or (found is not None and uid in ("", found.metadata.uid)):
            return found
        try:
            return await self.client.get(core_v1.ServiceAccount, name, namespace)
        except StatusError as error:
            if is_not_found(error):
                return None
            raise

    async def _fill(self, secret: core_v1.Secret, account: core_v1.ServiceAccount, found: Steps) -> None:
        data: dict[str, Any] = dict(found.data)
        if found.token and self.options.sign_token is not None:
            data["token"] = base64.b64encode(self.options.sign_token(claims(secret, account)).encode()).decode()
        meta = {"uid": secret.metadata.uid, "resourceVersion": secret.metadata.resource_version, "annotations": found.annotations}
        if data:
            await self.client.patch(core_v1.Secret, secret.metadata.name, {"metadata": meta, "data": data}, secret.metadata.namespace)

    async def _remove_reference(self, key: str, namespace: str, name: str) -> None:
        account = self.accounts.store.get(self._references.get(key, ""), namespace)
        kept = without_reference(account, name) if account is not None else None
        if account is not None and kept is not None:
            meta = {"uid": account.metadata.uid, "resourceVersion": account.metadata.resource_version}
            body = {"metadata": meta, "secrets": kept}
            await self.client.patch(core_v1.ServiceAccount, account.metadata.name, body, namespace)
        self._references.pop(key, None)

"""Carries out the plan, once a day for each Secret.  Speaks as the manager itself: no controller's account may read all Secrets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError, is_conflict, is_not_found
from wherry.client.store import split_key
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.serviceaccounttoken.plan import TYPE, account_of
from wherry.controller.serviceaccounttokencleaner.plan import (
    DELETE,
    INVALID_SINCE,
    LEAVE,
    day,
    mounted_secrets,
    step,
    tracked_long_enough,
)

DAILY = RequeueAfter(86400.0)
TRACKING = "kube-apiserver-legacy-service-account-token-tracking"


class LegacyServiceAccountTokenCleaner(Controller):
    name: ClassVar[str] = "kube-controller-manager"
    component: ClassVar[str] = "legacy-serviceaccount-token-cleaner-controller"
    workers: ClassVar[int] = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.accounts, self.pods = self.informer(core_v1.ServiceAccount), self.informer(core_v1.Pod)
        self.secrets = self.followed(self.informers.informer(core_v1.Secret, field_selector=f"type={TYPE}"))
        self.enqueue_all(self.secrets)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        namespace, name = split_key(key)
        secret = self.secrets.store.get_by_key(key)
        if secret is None:
            return None
        now = datetime.fromtimestamp(self.clock.time(), UTC)
        account = self.accounts.store.get(account_of(secret)[0], namespace)
        what = step(secret, account, mounted_secrets(self.pods.store.list(namespace)), now)
        if what == LEAVE or not tracked_long_enough(await self._since(), now):
            return DAILY
        meta = secret.metadata
        try:
            if what == DELETE:
                await self.client.delete(core_v1.Secret, name, namespace, uid=meta.uid, resource_version=meta.resource_version)
            else:
                seen = {"uid": meta.uid, "resourceVersion": meta.resource_version}
                await self.client.patch(core_v1.Secret, name, {"metadata": {**seen, "labels": {INVALID_SINCE: day(now)}}}, namespace)
        except StatusError as error:
            if not is_not_found(error) and not is_conflict(error):
                raise  # who has changed it has told us, too
        return DAILY

    async def _since(self) -> str:
        """The day since which uses are noted; "" while nobody says so."""
        try:
            found = await self.client.get(core_v1.ConfigMap, TRACKING, "kube-system")
        except StatusError as error:
            if is_not_found(error):
                return ""
            raise
        return found.data.get("since", "")

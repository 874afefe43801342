"""Carries out the plan by server-side apply: who else owns fields of the role keeps them."""

from __future__ import annotations

from typing import ClassVar

from wherry.api.types import rbac_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client.informer import Handler
from wherry.controller.clusterroleaggregation.plan import aggregated
from wherry.controller.controller import Context, Controller, RequeueAfter


class ClusterRoleAggregationController(Controller):
    name: ClassVar[str] = "clusterrole-aggregation-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.roles = self.informer(rbac_v1.ClusterRole)
        self.roles.add_handler(Handler(self._changed, lambda old, new: self._changed(new), self._changed))

    def _changed(self, role: rbac_v1.ClusterRole) -> None:
        """Any role may be part of any that aggregates."""
        for each in self.roles.store:
            if each.aggregation_rule is not None:
                self.enqueue(each)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        role = self.roles.store.get_by_key(key)
        rules = aggregated(role, self.roles.store) if role is not None else None
        if role is None or rules is None or rules == role.rules:
            return None
        body = {
            "apiVersion": role.api_version, "kind": role.kind, "metadata": {"name": key, "uid": role.metadata.uid}, "rules": rules,
        }
        try:
            await self.client.patch(
                rbac_v1.ClusterRole, key, body, patch_type="apply", field_manager=self.name, force=True,
            )
        except StatusError as error:
            if not is_not_found(error):
                raise
        return None

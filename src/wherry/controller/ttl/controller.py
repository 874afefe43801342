"""Keeps the annotation on every node."""

from __future__ import annotations

from typing import ClassVar

from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client.informer import Handler
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.ttl.plan import ANNOTATION, seconds, step_for


class TTLController(Controller):
    name: ClassVar[str] = "ttl-controller"
    workers: ClassVar[int] = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.nodes = self.informer(core_v1.Node)
        self._step = 0
        self.nodes.add_handler(Handler(self._added, lambda old, new: self.enqueue(new), self._counted))

    def _counted(self, node: core_v1.Node) -> None:
        """A node has come or gone.  The others hear of a new step at their next heartbeat, not all at this moment."""
        self._step = step_for(len(self.nodes.store), self._step)

    def _added(self, node: core_v1.Node) -> None:
        self._counted(node)
        self.enqueue(node)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        node, wanted = self.nodes.store.get_by_key(key), str(seconds(self._step))
        if node is None or node.metadata.annotations.get(ANNOTATION) == wanted:
            return None
        try:
            body = {"metadata": {"uid": node.metadata.uid, "annotations": {ANNOTATION: wanted}}}
            await self.client.patch(core_v1.Node, key, body)
        except StatusError as error:
            if not is_not_found(error):
                raise
        return None

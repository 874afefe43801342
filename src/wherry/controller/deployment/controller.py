"""Carries out `plan`: claims ReplicaSets, creates, scales and deletes them, writes the status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from wherry.api.types import apps_v1, core_v1
from wherry.apimachinery.errors import StatusError, is_already_exists, is_not_found
from wherry.apimachinery.labels import from_label_selector
from wherry.client.informer import Handler
from wherry.client.store import by_controller_uid, key_of
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.deployment import status as st
from wherry.controller.deployment.actions import Action, Create, Delete, Update, WriteStatus
from wherry.controller.deployment.model import has_deadline, is_rolling, same_template
from wherry.controller.deployment.plan import plan, scaled_event
from wherry.controller.deployment.written import Written
from wherry.controller.ownership import carry_out, claim, controlled_by, controller_of
from wherry.controller.podcontrol import is_namespace_terminating, status_patch


class DeploymentController(Controller):
    name: ClassVar[str] = "deployment-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.deployments = self.informer(apps_v1.Deployment)
        self.replica_sets = self.informer(apps_v1.ReplicaSet)
        self.pods = self.informer(core_v1.Pod)
        self.replica_sets.store.add_indexer("controller", by_controller_uid)
        self.pods.store.add_indexer("controller", by_controller_uid)
        self.written = Written(self.clock, self.replica_sets.store)
        self.replica_sets.add_handler(Handler(on_delete=self._replica_set_deleted))
        self.enqueue_all(self.deployments)
        self.enqueue_all(self.replica_sets, self._owners_of)
        self.pods.add_handler(Handler(on_delete=self._pod_deleted))

    def _owners_of(self, rs: apps_v1.ReplicaSet) -> Iterable[str]:
        ref = controller_of(rs)
        if ref is not None:
            return (f"{rs.metadata.namespace}/{ref.name}",) if ref.kind == "Deployment" else ()
        return [key_of(d) for d in self.deployments.store.list(rs.metadata.namespace)
                if from_label_selector(d.spec.selector).matches(rs.metadata.labels)]

    def _replica_set_deleted(self, rs: apps_v1.ReplicaSet) -> None:
        for owner in self._owners_of(rs):
            self.written.forget(owner, key_of(rs))

    def _pod_deleted(self, pod: core_v1.Pod) -> None:
        """A Recreate waits for the last Pod of the old revisions."""
        ref = controller_of(pod)
        rs = self.replica_sets.store.get(ref.name, pod.metadata.namespace) if ref is not None else None
        owner = controller_of(rs) if rs is not None else None
        if owner is not None and owner.kind == "Deployment":
            d = self.deployments.store.get(owner.name, pod.metadata.namespace)
            if d is not None and not is_rolling(d):
                self.enqueue(d)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        d = self.deployments.store.get_by_key(key)
        if d is None:
            self.written.forget(key)
            return None
        if not self.written.shown(key):
            return None
        selector = from_label_selector(d.spec.selector)
        if selector.everything:
            message = "This deployment is selecting all pods. A non-empty selector is required."
            self.recorder.warning(d, "SelectingAll", message)
            return None
        replica_sets = await self._claim(d)
        pods = {rs.metadata.uid: self.pods.store.by_index("controller", rs.metadata.uid) for rs in replica_sets}
        steps = plan(d, replica_sets, pods, self.clock.time())
        latest = _Latest(d)
        for action in steps.actions:
            await self._carry_out(latest, action)
        return RequeueAfter(steps.requeue_after) if steps.requeue_after is not None else None

    async def _claim(self, d: apps_v1.Deployment) -> list[apps_v1.ReplicaSet]:
        store, namespace = self.replica_sets.store, d.metadata.namespace
        orphans = [rs for rs in store.by_index("controller", "") if rs.metadata.namespace == namespace]
        candidates = store.by_index("controller", d.metadata.uid) + orphans
        return await carry_out(self.client, d, claim(d, from_label_selector(d.spec.selector), candidates))

    async def _carry_out(self, latest: _Latest, action: Action) -> None:
        match action:
            case Create(rs):
                await self._create(latest, rs)
            case Update():
                await self._update(latest, action)
            case Delete(rs):
                await self._delete(rs)
            case WriteStatus(status, annotations):
                await self._write_status(latest, status, annotations)

    async def _update(self, latest: _Latest, action: Update) -> None:
        """Raises a conflict when the ReplicaSet has changed since it was seen: the next reconcile sees more."""
        meta = action.rs.metadata
        seen: dict[str, Any] = {"uid": meta.uid, "resourceVersion": latest.version_of(action.rs)}
        if action.annotations:
            seen["annotations"] = action.annotations
        body = {"metadata": seen, **({"spec": action.spec} if action.spec else {})}
        made = await self.client.patch(apps_v1.ReplicaSet, meta.name, body, meta.namespace)
        latest.versions[meta.uid] = made.metadata.resource_version
        self.written.note(key_of(latest.deployment), key_of(made), made.metadata.resource_version)
        if action.event:
            self.recorder.normal(latest.deployment, "ScalingReplicaSet", action.event)

    async def _delete(self, rs: apps_v1.ReplicaSet) -> None:
        try:
            await self.client.delete(apps_v1.ReplicaSet, rs.metadata.name, rs.metadata.namespace, uid=rs.metadata.uid)
        except StatusError as error:
            if not is_not_found(error):
                raise

    async def _create(self, latest: _Latest, rs: apps_v1.ReplicaSet) -> None:
        try:
            made = await self.client.create(rs)
        except StatusError as error:
            if is_already_exists(error):
                await self._collided(latest, rs)
                return
            if not is_namespace_terminating(error):
                await self._failed(latest, rs, error)
            raise
        self.written.note(key_of(latest.deployment), key_of(made), made.metadata.resource_version)
        if rs.spec.replicas:
            self.recorder.normal(latest.deployment, "ScalingReplicaSet", scaled_event(rs.metadata.name, 0, rs.spec.replicas))

    async def _collided(self, latest: _Latest, rs: apps_v1.ReplicaSet) -> None:
        """The name is taken: by our own one that the cache has not shown yet, or by another with the same hash."""
        d = latest.deployment
        found = await self.client.get(apps_v1.ReplicaSet, rs.metadata.name, rs.metadata.namespace)
        if controlled_by(found, d) and same_template(found.spec.template, d.spec.template):
            return
        status = st.current(d)
        status["collisionCount"] = (status["collisionCount"] or 0) + 1
        await self._write_status(latest, status, {})
        raise StatusError(409, "AlreadyExists", f"the name of {rs.metadata.name} is taken by another object; hashing anew")

    async def _failed(self, latest: _Latest, rs: apps_v1.ReplicaSet, error: StatusError) -> None:
        message = f'Failed to create new replica set "{rs.metadata.name}": {error.message}'
        d = latest.deployment
        if has_deadline(d):
            status = st.current(d)
            st.set_condition(status, st.PROGRESSING, "False", st.RS_CREATE_ERROR, message, self.clock.time())
            await self._write_status(latest, status, {})
        self.recorder.warning(d, st.RS_CREATE_ERROR, message)

    async def _write_status(self, latest: _Latest, status: st.Status, annotations: dict[str, str]) -> None:
        d = latest.deployment
        patch = status_patch(d.metadata.uid, status, d.status, st.KEEP)
        if annotations:
            patch = patch or {"metadata": {"uid": d.metadata.uid}}
            patch["metadata"]["annotations"] = annotations
        if patch is None:
            return
        try:
            latest.deployment = await self.client.patch(
                apps_v1.Deployment, d.metadata.name, patch, d.metadata.namespace, subresource="status",
            )
        except StatusError as error:
            if not is_not_found(error):
                raise


@dataclass(slots=True)
class _Latest:
    """What the actions of one reconcile have written so far: the next of them build on it."""

    deployment: apps_v1.Deployment
    versions: dict[str, str] = field(default_factory=dict)  # of ReplicaSets, by uid

    def version_of(self, rs: apps_v1.ReplicaSet) -> str:
        return self.versions.get(rs.metadata.uid, rs.metadata.resource_version)

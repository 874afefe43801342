"""Carries out the plans, of Pods and of claims: keys are `pod:namespace/name` and `claim:namespace/name`."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from wherry.api.resourceclaims import FINALIZER, Claim, Reference, by_resource_claim, owner_pod
from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client.informer import Handler
from wherry.client.store import by_controller_uid, key_of
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.resourceclaim.plan import ClaimPlan, Template, is_done, plan_claim, plan_pod, status_of

POD, CLAIM = "pod:", "claim:"
MAX_GONE = 500  # Pods that are remembered to be gone


def _by_template(pod: core_v1.Pod) -> list[str]:
    """An index of Pods: the keys of the templates that they name."""
    names = (entry.resource_claim_template_name for entry in pod.spec.resource_claims)
    return [f"{pod.metadata.namespace}/{name}" for name in names if name]


class ResourceClaimController(Controller):
    name: ClassVar[str] = "resource-claim-controller"
    component: ClassVar[str] = "resource_claim"
    workers: ClassVar[int] = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.pods = self.informer(core_v1.Pod)
        self.claims = self.informer(Claim)
        self.templates = self.informer(Template)
        self.pods.store.add_indexer("resource claims", by_resource_claim)
        self.pods.store.add_indexer("claim templates", _by_template)
        self.claims.store.add_indexer("controller", by_controller_uid)
        self._made: dict[str, dict[str, Claim]] = {}  # by the Pod's uid and entry: made, and not seen yet
        self._gone: dict[str, None] = {}  # uids of Pods that were seen to go
        self.pods.add_handler(Handler(self._pod_changed, lambda old, new: self._pod_changed(new), self._pod_gone))
        self.claims.add_handler(Handler(self._claim_changed, lambda old, new: self._claim_changed(new), self._claim_gone))
        self.templates.add_handler(Handler(on_add=self._template_added))

    # -- what is observed ----------------------------------------------------------------------------

    def _pod_changed(self, pod: core_v1.Pod) -> None:
        if pod.spec.resource_claims:
            self.queue.add(POD + key_of(pod))
        if is_done(pod):
            self._look_at_claims(pod)

    def _pod_gone(self, pod: core_v1.Pod) -> None:
        self._made.pop(pod.metadata.uid, None)
        if pod.spec.resource_claims or pod.status.extended_resource_claim_status is not None:
            self._gone[pod.metadata.uid] = None
            if len(self._gone) > MAX_GONE:
                del self._gone[next(iter(self._gone))]
            self._look_at_claims(pod)

    def _look_at_claims(self, pod: core_v1.Pod) -> None:
        """At those that its status names, and at its own: the status may have lost a name."""
        for key in {*by_resource_claim(pod), *map(key_of, self.claims.store.by_index("controller", pod.metadata.uid))}:
            self.queue.add(CLAIM + key)

    def _claim_changed(self, claim: Claim) -> None:
        self.queue.add(CLAIM + key_of(claim))
        for pod in self.pods.store.by_index("resource claims", key_of(claim)):
            self.queue.add(POD + key_of(pod))

    def _claim_gone(self, claim: Claim) -> None:
        for pod in self.pods.store.by_index("resource claims", key_of(claim)):
            self.queue.add(POD + key_of(pod))

    def _template_added(self, template: Template) -> None:
        for pod in self.pods.store.by_index("claim templates", key_of(template)):
            self.queue.add(POD + key_of(pod))

    async def reconcile(self, key: str) -> RequeueAfter | None:
        if key.startswith(POD):
            await self._reconcile_pod(key.removeprefix(POD))
        else:
            await self._reconcile_claim(key.removeprefix(CLAIM))
        return None

    # -- Pods ----------------------------------------------------------------------------------------

    async def _reconcile_pod(self, key: str) -> None:
        pod = self.pods.store.get_by_key(key)
        if pod is None:
            return
        meta = pod.metadata
        unseen = self._unseen(meta.uid)

        def known(name: str) -> Claim | None:
            return self.claims.store.get(name, meta.namespace) or next((c for c in unseen if c.metadata.name == name), None)

        made = [*self.claims.store.by_index("controller", meta.uid), *unseen]
        plan = plan_pod(pod, known, made, lambda name: self.templates.store.get(name, meta.namespace))
        told = dict(plan.found)
        try:
            for entry, claim in plan.create.items():
                told[entry] = await self._create(pod, entry, claim)
        finally:
            await self._tell(pod, told)
        for claim in plan.reserve:
            await self._reserve(pod, claim)
        for entry, why in plan.refused.items():
            self.recorder.warning(pod, "FailedResourceClaimCreation", f"PodResourceClaim {entry}: {why}")
        if plan.refused:
            raise OSError(f"pod {key}: {'; '.join(plan.refused.values())}")  # again later: the template may come

    def _unseen(self, uid: str) -> list[Claim]:
        """Claims that were made for a Pod and that the list does not show yet."""
        made = self._made.get(uid, {})
        for entry, claim in list(made.items()):
            if self.claims.store.get(claim.metadata.name, claim.metadata.namespace) is not None:
                del made[entry]
        if not made:
            self._made.pop(uid, None)
        return list(made.values())

    async def _create(self, pod: core_v1.Pod, entry: str, claim: Claim) -> str:
        try:
            made = await self.client.create(claim)
        except StatusError as error:
            told = f"PodResourceClaim {entry}: create ResourceClaim {claim.metadata.generate_name}: {error.message}"
            self.recorder.warning(pod, "FailedResourceClaimCreation", told)
            raise
        self._made.setdefault(pod.metadata.uid, {})[entry] = made
        return made.metadata.name

    async def _tell(self, pod: core_v1.Pod, told: dict[str, str]) -> None:
        if not told:
            return
        statuses = [{"name": entry, "resourceClaimName": name} for entry, name in told.items()]
        body = {"metadata": {"uid": pod.metadata.uid}, "status": {"resourceClaimStatuses": statuses}}
        await self.client.patch(
            core_v1.Pod, pod.metadata.name, body, pod.metadata.namespace, subresource="status", patch_type="strategic"
        )

    async def _reserve(self, pod: core_v1.Pod, claim: Claim) -> None:
        meta = claim.metadata
        users = [*claim.status.reserved_for, Reference(resource="pods", name=pod.metadata.name, uid=pod.metadata.uid)]
        seen = {"uid": meta.uid, "resourceVersion": meta.resource_version}
        body = {"metadata": seen, "status": {"reservedFor": msgspec.to_builtins(users)}}
        await self.client.patch(Claim, meta.name, body, meta.namespace, subresource="status")

    # -- claims --------------------------------------------------------------------------------------

    async def _reconcile_claim(self, key: str) -> None:
        claim = self.claims.store.get_by_key(key)
        if claim is None:
            return
        namespace = claim.metadata.namespace
        gone = {each.uid for each in claim.status.reserved_for if await self._is_gone(each, namespace)}
        name, _ = owner_pod(claim)
        owner = self.pods.store.get(name, namespace) if name else None
        plan = plan_claim(claim, lambda user: user.uid in gone, owner)
        try:
            await self._carry_out(claim, plan)
        except StatusError as error:
            if not is_not_found(error):
                raise

    async def _is_gone(self, user: Reference, namespace: str) -> bool:
        """A Pod that the list does not show may be one that it does not show yet: then the API server is asked."""
        if user.uid in self._gone:
            return True
        pod = self.pods.store.get(user.name, namespace)
        if pod is None:
            try:
                pod = await self.client.get(core_v1.Pod, user.name, namespace)
            except StatusError as error:
                if is_not_found(error):
                    return True
                raise
            return pod.metadata.uid != user.uid
        return pod.metadata.uid != user.uid or is_done(pod)

    async def _carry_out(self, claim: Claim, plan: ClaimPlan) -> None:
        """Each step is for the version that was looked at: who was faster wins, and the plan is made anew."""
        meta = claim.metadata
        if status := status_of(claim, plan):
            body = {"metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version}, "status": status}
            claim = await self.client.patch(Claim, meta.name, body, meta.namespace, subresource="status")
        if plan.let_go and FINALIZER in claim.metadata.finalizers:
            wanted = [each for each in claim.metadata.finalizers if each != FINALIZER]
            seen = {"uid": meta.uid, "resourceVersion": claim.metadata.resource_version}
            await self.client.patch(Claim, meta.name, {"metadata": {**seen, "finalizers": wanted or None}}, meta.namespace)
        if plan.delete:
            await self.client.delete(Claim, meta.name, meta.namespace, uid=meta.uid)

"""Carries out the plans: three controllers over CertificateSigningRequests, all speaking as `certificate-controller`."""

from __future__ import annotations

import base64
import logging
from typing import Any, ClassVar

from wherry.api.types import authorization_v1, certificates_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.controller.certificates import plan
from wherry.controller.certificates.authority import Authority, asked_of, not_after, read_request
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.util.clock import rfc3339

USER = "certificate-controller"
GROUP = "certificates.k8s.io"
log = logging.getLogger(__name__)
Request = certificates_v1.CertificateSigningRequest


class _Requests(Controller):
    """A controller whose keys are the names of requests."""

    name: ClassVar[str] = USER
    workers: ClassVar[int] = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.requests = self.informer(Request)
        self.enqueue_all(self.requests)

    async def write(self, csr: Request, subresource: str, status: dict[str, Any]) -> None:
        """Patch a request's status, unless it has changed since it was read."""
        body = {"metadata": {"uid": csr.metadata.uid, "resourceVersion": csr.metadata.resource_version}, "status": status}
        await self.client.patch(Request, csr.metadata.name, body, subresource=subresource)

    def with_condition(self, csr: Request, kind: str, reason: str, message: str) -> list[dict[str, Any]]:
        """The request's conditions and a new one."""
        found = [
            {"type": each.type, "status": each.status or "True", "reason": each.reason, "message": each.message,
             "lastUpdateTime": each.last_update_time, "lastTransitionTime": each.last_transition_time}
            for each in csr.status.conditions
        ]
        now = rfc3339(self.clock.time())
        return [*found, {"type": kind, "status": "True", "reason": reason, "message": message, "lastUpdateTime": now}]


class CSRSigningController(_Requests):
    """Issues what was approved.  Without a CA's key, requests stay approved and unissued."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._authority: Authority | None = None  # read when first needed
        if not self.options.ca_key:
            log.info("no CA key: certificates are approved and not issued")

    async def reconcile(self, key: str) -> RequeueAfter | None:
        csr = self.requests.store.get_by_key(key)
        if csr is None or not plan.to_sign(csr) or not self.options.ca_key:
            return None
        request = read_request(base64.b64decode(csr.spec.request))
        if why := plan.refusal(csr.spec.signer_name, asked_of(request), csr.spec.usages):
            await self.write(csr, "status", {"conditions": self.with_condition(csr, "Failed", "SignerValidationFailure", why)})
            return None
        if self._authority is None:
            self._authority = Authority(self.options.root_ca, self.options.ca_key)
        seconds = plan.lifetime(csr.spec.expiration_seconds)
        certificate = self._authority.issue(request, csr.spec.usages, seconds, self.clock.time())
        await self.write(csr, "status", {"certificate": base64.b64encode(certificate).decode()})
        return None


class CSRApprovingController(_Requests):
    """Approves the client certificates of kubelets whose user may have them."""

    async def reconcile(self, key: str) -> RequeueAfter | None:
        csr = self.requests.store.get_by_key(key)
        if csr is None or csr.status.certificate or plan.has(csr, "Approved", "Denied"):
            return None
        if csr.spec.signer_name != plan.KUBELET_CLIENT:
            return None
        asked = asked_of(read_request(base64.b64decode(csr.spec.request)))
        for each in plan.recognized(csr, asked):
            if await self._may(csr, each.subresource):
                await self.write(csr, "approval", {"conditions": self.with_condition(csr, "Approved", "AutoApproved", each.message)})
                break
        return None

    async def _may(self, csr: Request, subresource: str) -> bool:
        spec = csr.spec
        wanted = authorization_v1.ResourceAttributes(
            group=GROUP, resource="certificatesigningrequests", verb="create", subresource=subresource,
        )
        review = authorization_v1.SubjectAccessReview(spec=authorization_v1.SubjectAccessReviewSpec(
            user=spec.username, uid=spec.uid, groups=spec.groups, extra=spec.extra, resource_attributes=wanted,
        ))
        return (await self.client.create(review)).status.allowed


class CSRCleanerController(_Requests):
    """Deletes requests that have served their time; looks once an hour."""

    async def reconcile(self, key: str) -> RequeueAfter | None:
        csr = self.requests.store.get_by_key(key)
        if csr is None:
            return None
        if plan.served_its_time(csr, self.clock.time(), _expiry(csr)):
            await self._delete(csr)
            return None
        return RequeueAfter(plan.CLEANING_PERIOD)

    async def _delete(self, csr: Request) -> None:
        try:
            await self.client.delete(Request, csr.metadata.name, uid=csr.metadata.uid)
        except StatusError as error:
            if not is_not_found(error):
                raise


def _expiry(csr: Request) -> float | None:
    """When a request's certificate expires; None while it has none.  Raises ValueError when it is none."""
    return not_after(base64.b64decode(csr.status.certificate)) if csr.status.certificate else None

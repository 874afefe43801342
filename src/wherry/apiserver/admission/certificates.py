"""Who may approve and who may sign certificates for a signer, and what no request may ask for.

CertificateApproval, CertificateSigning and CertificateSubjectRestriction:
https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
The rights are virtual ones, `approve` and `sign` on `signers`, named for a signer or for its whole domain (`example.com/*`).
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence

from wherry.api.resource import Object
from wherry.apimachinery import errors
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import UserInfo
from wherry.apiserver.admission.interface import Attributes, Plugin
from wherry.apiserver.authorization.interface import Authorizer
from wherry.apiserver.requestinfo import RequestInfo

GROUP, PLURAL = "certificates.k8s.io", "certificatesigningrequests"
CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"
MASTERS = "system:masters"


class _ForSigner:
    """A right that its user must have on the signer that a request names."""

    name, subresource, verb = "", "", ""

    def __init__(self, authorizers: Sequence[Authorizer]) -> None:
        self._authorizers = authorizers

    def handles(self, attributes: Attributes) -> bool:
        return attributes.operation == "UPDATE" and attributes.is_for(GROUP, PLURAL, self.subresource)

    async def validate(self, attributes: Attributes) -> None:
        """Raises StatusError 403."""
        assert attributes.obj is not None
        assert attributes.old is not None
        if not self.concerns(attributes.obj, attributes.old):
            return
        signer = (attributes.old.get("spec") or {}).get("signerName") or ""
        if not self._may(attributes.user, signer):
            raise _refused(attributes, f'user not permitted to {self.verb} requests with signerName "{signer}"')

    def concerns(self, obj: Object, old: Object) -> bool:
        return True

    def _may(self, user: UserInfo, signer: str) -> bool:
        domain = signer.partition("/")[0]
        asked = [RequestInfo(self.verb, "", GROUP, "*", "signers", "", "", name) for name in (signer, f"{domain}/*")]
        return any(each.authorize(user, info).allowed for info in asked for each in self._authorizers)


class CertificateApproval(_ForSigner):
    name, subresource, verb = "CertificateApproval", "approval", "approve"


class CertificateSigning(_ForSigner):
    name, subresource, verb = "CertificateSigning", "status", "sign"

    def concerns(self, obj: Object, old: Object) -> bool:
        new, was = obj.get("status") or {}, old.get("status") or {}
        return any(new.get(key) != was.get(key) for key in ("certificate", "conditions"))


class CertificateSubjectRestriction:
    """Nobody becomes a member of system:masters, whom no authorizer can refuse, by a request."""

    name = "CertificateSubjectRestriction"

    def handles(self, attributes: Attributes) -> bool:
        return attributes.operation == "CREATE" and attributes.is_for(GROUP, PLURAL)

    async def validate(self, attributes: Attributes) -> None:
        """Raises StatusError 403."""
        from cryptography import x509
        from cryptography.x509.oid import NameOID

        assert attributes.obj is not None
        spec = attributes.obj["spec"]
        if spec.get("signerName") != CLIENT_SIGNER:
            return
        subject = x509.load_pem_x509_csr(base64.b64decode(spec["request"])).subject  # validation has read it
        if MASTERS in (each.value for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)):
            raise _refused(attributes, f"use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed")


def certificate_plugins(authorizers: Sequence[Authorizer], disabled: Collection[str]) -> list[Plugin]:
    """All three, without those `disabled` by name."""
    plugins: list[Plugin] = [
        CertificateApproval(authorizers), CertificateSigning(authorizers), CertificateSubjectRestriction(),
    ]
    return [plugin for plugin in plugins if plugin.name not in disabled]


def _refused(attributes: Attributes, why: str) -> StatusError:
    return errors.forbidden(GROUP, PLURAL, attributes.name, why)

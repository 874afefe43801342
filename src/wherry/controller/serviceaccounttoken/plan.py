"""A Secret that asks for a token, and its ServiceAccount → what the Secret lacks, or that it has to go.  Pure.

https://kubernetes.io/docs/concepts/security/service-accounts/#manually-create-an-api-token-for-a-serviceaccount
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from wherry.api.types import core_v1

TYPE = "kubernetes.io/service-account-token"
NAME, UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"
ISSUER = "kubernetes/serviceaccount"
_CLAIM = f"{ISSUER}/"


@dataclass(frozen=True, slots=True)
class Steps:
    delete: bool = False
    data: dict[str, str] = field(default_factory=dict)  # base64, without the token
    token: bool = False
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def fills(self) -> bool:
        return self.token or bool(self.data)


def account_of(secret: core_v1.Secret) -> tuple[str, str]:
    """The name and, once known, the uid of the account whose token a Secret holds; ("", "") for other Secrets."""
    notes = secret.metadata.annotations
    return (notes.get(NAME, ""), notes.get(UID, "")) if secret.type == TYPE else ("", "")


def steps(secret: core_v1.Secret, account: core_v1.ServiceAccount | None, root_ca: str) -> Steps:
    """`account` is the one that the Secret names, of which the server too says that it is there, or not."""
    name, uid = account_of(secret)
    if not name or secret.metadata.deletion_timestamp is not None:
        return Steps()
    if account is None or (uid and uid != account.metadata.uid):
        return Steps(delete=True)
    wanted = {}
    authority = base64.b64encode(root_ca.encode()).decode()
    if root_ca and secret.data.get("ca.crt") != authority:
        wanted["ca.crt"] = authority
    if not secret.data.get("namespace"):
        wanted["namespace"] = base64.b64encode(secret.metadata.namespace.encode()).decode()
    return Steps(
        data=wanted, token=not secret.data.get("token"),
        annotations={NAME: account.metadata.name, UID: account.metadata.uid},
    )


def claims(secret: core_v1.Secret, account: core_v1.ServiceAccount) -> dict[str, Any]:
    """What the token says.  It does not expire: it holds while the Secret and the account are there."""
    meta = account.metadata
    return {
        "iss": ISSUER, "sub": f"system:serviceaccount:{meta.namespace}:{meta.name}", f"{_CLAIM}namespace": meta.namespace,
        f"{_CLAIM}secret.name": secret.metadata.name, f"{_CLAIM}service-account.name": meta.name,
        f"{_CLAIM}service-account.uid": meta.uid,
    }


def without_reference(account: core_v1.ServiceAccount, secret: str) -> list[core_v1.ObjectReference] | None:
    """The account's Secrets but for one that is gone; None when it does not name it."""
    kept = [each for each in account.secrets if each.name != secret]
    return None if len(kept) == len(account.secrets) else kept

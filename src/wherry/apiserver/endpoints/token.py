"""serviceaccounts/token: the TokenRequest API (authentication.k8s.io/v1)."""

from __future__ import annotations

import uuid
from typing import Any

from wherry.api.resource import Object
from wherry.api.schemas import definition
from wherry.apimachinery import errors
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import invalid
from wherry.apimachinery.http import Response
from wherry.apimachinery.managedfields import update_managed
from wherry.apiserver.admission.interface import Reader
from wherry.apiserver.authentication.authenticators import AUDIENCES, ISSUER
from wherry.apiserver.authentication.jwt import Signer
from wherry.apiserver.call import Call
from wherry.apiserver.codec import decode_json, encode
from wherry.apiserver.endpoints.options import set_write_options
from wherry.apiserver.endpoints.subresources import decode_other
from wherry.apiserver.registry.store import Store
from wherry.util.clock import rfc3339

API_VERSION, SCHEMA = "authentication.k8s.io/v1", "io.k8s.api.authentication.v1.TokenRequest"
MIN_SECONDS, MAX_SECONDS, DEFAULT_SECONDS = 600, 1 << 32, 3600
POD_TOKEN_SECONDS, EXTENDED_SECONDS = 3607, 365 * 24 * 3600
_BOUND = {"Pod": ("v1", "pods", "pod"), "Secret": ("v1", "secrets", "secret"), "Node": ("v1", "nodes", "node")}


class TokenRequest:
    """Issues a signed token for a service account, perhaps bound to a Pod, Secret or Node."""

    def __init__(self, signer: Signer, reader: Reader) -> None:
        self._signer = signer
        self._reader = reader

    async def __call__(self, call: Call, store: Store) -> Response:
        if call.info.verb != "create":
            raise errors.method_not_allowed()
        set_write_options(call)
        account = decode_json(store.require(call.info.namespace, call.info.name).value)
        body = decode_other(call, "TokenRequest", API_VERSION, SCHEMA)
        asked = {"spec": {"expirationSeconds": DEFAULT_SECONDS, **(body.get("spec") or {})}}
        spec = body.setdefault("spec", {})
        seconds = spec.get("expirationSeconds") or DEFAULT_SECONDS
        self._check(call, seconds)
        audiences = spec.get("audiences") or list(AUDIENCES[:2][1:])
        bound = self._bound(call, account, spec.get("boundObjectRef"))
        now = int(call.now)
        claims: dict[str, Any] = {
            "aud": audiences, "exp": now + seconds, "iat": now, "nbf": now, "iss": ISSUER, "jti": str(uuid.uuid4()),
            "kubernetes.io": bound, "sub": f"system:serviceaccount:{call.info.namespace}:{call.info.name}",
        }
        meta = account["metadata"]
        shown = {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"], "creationTimestamp": rfc3339(call.now)}
        if owned := self._owned(call, asked):
            shown["managedFields"] = owned
        answer = {
            "kind": "TokenRequest", "apiVersion": API_VERSION, "metadata": shown,
            "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": spec.get("boundObjectRef")},
            "status": {"token": self._signer.sign(claims), "expirationTimestamp": rfc3339(now + seconds)},
        }
        return Response(201, encode(answer))

    @staticmethod
    def _owned(call: Call, asked: Object) -> list[dict[str, Any]]:
        return update_managed(
            None, asked, schema=definition(SCHEMA), manager=call.field_manager, api_version=API_VERSION, now=rfc3339(call.now),
            subresource="token",
        )

    @staticmethod
    def _check(call: Call, seconds: int) -> None:
        causes: list[Cause] = []
        if seconds < MIN_SECONDS:
            causes.append(invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"))
        if seconds > MAX_SECONDS:
            causes.append(invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"))
        if causes:
            raise errors.invalid("authentication.k8s.io", "TokenRequest", call.info.name, causes)

    def _bound(self, call: Call, account: Object, ref: Object | None) -> dict[str, Any]:
        """The `kubernetes.io` claim.  Raises StatusError when what it is bound to is not there."""
        meta = account["metadata"]
        claim: dict[str, Any] = {"namespace": meta["namespace"], "serviceaccount": {"name": meta["name"], "uid": meta["uid"]}}
        if not ref:
            return claim
        kind, name = ref.get("kind", ""), ref.get("name", "")
        if kind not in _BOUND or ref.get("apiVersion") != _BOUND[kind][0]:
            raise errors.bad_request(f"cannot bind token for serviceaccount to object of type {ref.get('apiVersion')}, Kind={kind}")
        _, plural, short = _BOUND[kind]
        obj = self._reader.read("", plural, "" if kind == "Node" else meta["namespace"], name)
        if obj is None:
            raise errors.not_found("", plural, name)
        uid = obj["metadata"]["uid"]
        if ref.get("uid") and ref["uid"] != uid:
            why = f"the UID in the bound object reference ({ref['uid']}) does not match the UID in record."
            why += " The object might have been deleted and then recreated"
            raise errors.conflict("", plural, name, why)
        if kind == "Pod" and obj["spec"].get("serviceAccountName") != meta["name"]:
            why = f"cannot bind token for serviceaccount {meta['name']!r} to pod running with different serviceaccount name."
            raise errors.bad_request(why.replace("'", '"'))
        claim[short] = {"name": name, "uid": uid}
        node = obj["spec"].get("nodeName") if kind == "Pod" else ""
        if node and (found := self._reader.read("", "nodes", "", node)) is not None:
            claim["node"] = {"name": node, "uid": found["metadata"]["uid"]}
        return claim

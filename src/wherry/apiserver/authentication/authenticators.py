"""Authenticators: client certificates, the administrator's token, and service account tokens."""

from __future__ import annotations

import base64
import hmac
from typing import Any

from wherry.apimachinery import errors
from wherry.apimachinery.http import Request, UserInfo
from wherry.apimachinery.streaming import websocket
from wherry.apiserver.admission.interface import Reader
from wherry.apiserver.authentication.interface import AUTHENTICATED
from wherry.apiserver.authentication.jwt import BadToken, Signer
from wherry.apiserver.authentication.legacytokens import LegacyTokenTracker
from wherry.util.clock import Clock

ISSUER = "https://kubernetes.default.svc.cluster.local"
AUDIENCES = (ISSUER, "https://kubernetes.default.svc", "wherry")
REMEMBERED = 4096
LEGACY_ISSUER = "kubernetes/serviceaccount"
_LEGACY_CLAIMS = ("namespace", "secret.name", "service-account.name", "service-account.uid")
INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"


def bearer(request: Request) -> str:
    """The token of an Authorization header, or of a WebSocket's subprotocol; "" when there is none."""
    header = request.headers.get("authorization", "")
    if not header and "sec-websocket-protocol" in request.headers:
        return websocket.token(request)
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class ClientCertificate:
    """CN is the user, O are the groups; TLS has verified it against the cluster's CA."""

    def authenticate(self, request: Request) -> UserInfo | None:
        if request.certificate is None:
            return None
        name, groups = request.certificate
        return UserInfo(name, (*groups, AUTHENTICATED)) if name else None


class StaticTokens:
    """Tokens known from a file: the administrator's, for curl and load generators."""

    def __init__(self, tokens: dict[str, UserInfo]) -> None:
        self._tokens = {token.encode(): user for token, user in tokens.items()}

    def authenticate(self, request: Request) -> UserInfo | None:
        return self.user_of(bearer(request))

    def user_of(self, text: str) -> UserInfo | None:
        """Whose token it is; None when nobody's."""
        token = text.encode()
        if not token:
            return None
        for known, user in self._tokens.items():
            if hmac.compare_digest(known, token):
                return user
        return None


class ServiceAccountTokens:
    """Checks tokens that the TokenRequest API issued: signature, times, audience, and that what they are
    bound to (the account, perhaps a Pod or Secret) still exists.  So it does tokens that Secrets hold."""

    def __init__(self, signer: Signer, reader: Reader, clock: Clock, tracker: LegacyTokenTracker | None = None) -> None:
        self._signer, self._tracker = signer, tracker
        self._reader = reader
        self._clock = clock
        self._verified: dict[str, dict[str, Any]] = {}  # signatures cost 80 us; claims are checked each time

    def authenticate(self, request: Request) -> UserInfo | None:
        token = bearer(request)
        if token.count(".") != 2:
            if token:
                raise errors.unauthorized()
            return None
        try:
            return self.review(token, AUDIENCES)
        except BadToken:
            raise errors.unauthorized() from None

    def review(self, token: str, audiences: tuple[str, ...]) -> UserInfo:
        """The token's user.  Raises BadToken."""
        claims = self._verified.get(token)
        if claims is None:
            claims = self._signer.verify(token)
            if len(self._verified) >= REMEMBERED:
                self._verified.clear()
            self._verified[token] = claims
        return self._user(token, claims, audiences)

    def audiences(self, token: str, wanted: tuple[str, ...]) -> list[str]:
        """Those of `wanted` for which a reviewed token is meant; all, of a token that a Secret holds."""
        meant = self._verified.get(token, {}).get("aud")
        return [each for each in wanted if meant is None or each in meant]

    def _user(self, token: str, claims: dict[str, Any], audiences: tuple[str, ...]) -> UserInfo:
        if claims.get("iss") == LEGACY_ISSUER:
            return self._legacy_user(token, claims, audiences)
        now = self._clock.time()
        if claims.get("iss") != ISSUER or not set(claims.get("aud", ())) & set(audiences):
            raise BadToken("token audiences are not accepted")
        if not claims.get("nbf", 0) - 60 <= now < claims.get("exp", 0):
            raise BadToken("token has expired")
        bound = claims["kubernetes.io"]
        namespace, account = bound["namespace"], bound["serviceaccount"]
        self._check(namespace, "serviceaccounts", account)
        extra: dict[str, tuple[str, ...]] = {"authentication.kubernetes.io/credential-id": (f"JTI={claims.get('jti', '')}",)}
        for kind, plural in (("pod", "pods"), ("secret", "secrets")):
            if kind in bound:
                self._check(namespace, plural, bound[kind])
        if "pod" in bound:
            extra["authentication.kubernetes.io/pod-name"] = (bound["pod"]["name"],)
            extra["authentication.kubernetes.io/pod-uid"] = (bound["pod"]["uid"],)
        if "node" in bound:
            extra["authentication.kubernetes.io/node-name"] = (bound["node"]["name"],)
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
        return UserInfo(f"system:serviceaccount:{namespace}:{account['name']}", groups, account["uid"], extra)

    def _legacy_user(self, token: str, claims: dict[str, Any], audiences: tuple[str, ...]) -> UserInfo:
        """Of a token that a Secret holds: it has no time and no audience, but the Secret must hold it still."""
        namespace, secret, account, uid = (str(claims.get(f"{LEGACY_ISSUER}/{each}", "")) for each in _LEGACY_CLAIMS)
        name = f"system:serviceaccount:{namespace}:{account}"
        if not set(audiences) & set(AUDIENCES):
            raise BadToken("token audiences are not accepted")
        if not all((namespace, secret, account, uid)) or claims.get("sub") != name:
            raise BadToken("claims are incomplete")
        found = self._reader.read("", "secrets", namespace, secret)
        if found is None or found["metadata"].get("deletionTimestamp"):
            raise BadToken("Token has been invalidated")
        if (found.get("data") or {}).get("token") != base64.b64encode(token.encode()).decode():
            raise BadToken("Token does not match server's copy")
        labels = found["metadata"].get("labels") or {}
        if self._tracker is not None:
            self._tracker.used(namespace, secret, labels)
        if INVALID_SINCE in labels:
            raise BadToken(
                f"the token in secret {namespace}/{secret} for service account {namespace}/{account} has been marked invalid."
                " Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the"
                f" '{INVALID_SINCE}' label from the secret to temporarily allow use of this token",
            )
        self._check(namespace, "serviceaccounts", {"name": account, "uid": uid})
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
        return UserInfo(name, groups, uid)

    def _check(self, namespace: str, plural: str, ref: dict[str, str]) -> None:
        found = self._reader.cached("", plural, namespace, ref["name"])
        if found is None or b'"uid":"%s"' % ref["uid"].encode() not in found.value:
            raise BadToken(f"{plural} {namespace}/{ref['name']} is gone")

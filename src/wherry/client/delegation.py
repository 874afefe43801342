"""Asking the API server whose a credential is and what its owner may do, as every component but the API server does.

https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/
Answers are kept for a while (upstream's times), so that a scrape costs the API server nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from wherry.apimachinery.errors import StatusError, unauthorized
from wherry.apimachinery.http import Request, Response, UserInfo
from wherry.client.client import Client
from wherry.util.clock import Clock

log = logging.getLogger(__name__)
TEXT = "text/plain; charset=utf-8"
AUTHENTICATED = "system:authenticated"
MASTERS = "system:masters"
TOKEN_SECONDS, ALLOWED_SECONDS, DENIED_SECONDS = 120.0, 300.0, 30.0
KEPT = 1024
K = TypeVar("K")
V = TypeVar("V")
_TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


@dataclass(frozen=True, slots=True)
class Attributes:
    """What someone wants to do: with a resource, or with a path when `path` is given."""

    verb: str
    resource: str = ""
    subresource: str = ""
    name: str = ""
    path: str = ""

    def spec(self) -> dict[str, Any]:
        if self.path:
            return {"nonResourceAttributes": {"verb": self.verb, "path": self.path}}
        attributes = {"verb": self.verb, "version": "v1", "resource": self.resource, "subresource": self.subresource, "name": self.name}
        return {"resourceAttributes": {key: value for key, value in attributes.items() if value}}


class Delegate:
    """Authenticates by client certificate or bearer token, and authorizes."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._users: dict[str, tuple[float, UserInfo]] = {}
        self._decisions: dict[tuple[str, tuple[str, ...], Attributes], tuple[float, bool]] = {}

    async def authenticate(self, request: Request) -> UserInfo:
        """Raises StatusError 401, OSError.  A certificate has been verified by TLS."""
        if request.certificate is not None and request.certificate[0]:
            name, groups = request.certificate
            return UserInfo(name, (*groups, AUTHENTICATED))
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise unauthorized()
        known = self._users.get(token)
        if known is not None and self._clock.monotonic() < known[0]:
            return known[1]
        user = await self._review(token)
        _keep(self._users, token, (self._clock.monotonic() + TOKEN_SECONDS, user))
        return user

    async def _review(self, token: str) -> UserInfo:
        answer = await self._ask(_TOKEN_REVIEWS, "authentication.k8s.io/v1", "TokenReview", {"token": token})
        status = answer.get("status") or {}
        if not status.get("authenticated"):
            raise unauthorized()
        user = status["user"]
        return UserInfo(user.get("username", ""), tuple(user.get("groups") or ()), user.get("uid", ""))

    async def authorize(self, user: UserInfo, wanted: Sequence[Attributes]) -> bool:
        """Whether the user may do any of these.  Raises StatusError, OSError."""
        if MASTERS in user.groups:
            return True
        for attributes in wanted:
            if await self._decide(user, attributes):
                return True
        return False

    async def _decide(self, user: UserInfo, attributes: Attributes) -> bool:
        key = (user.name, user.groups, attributes)
        known = self._decisions.get(key)
        now = self._clock.monotonic()
        if known is not None and now < known[0]:
            return known[1]
        spec = {"user": user.name, "groups": list(user.groups), "uid": user.uid, **attributes.spec()}
        answer = await self._ask(_ACCESS_REVIEWS, "authorization.k8s.io/v1", "SubjectAccessReview", spec)
        allowed = bool((answer.get("status") or {}).get("allowed"))
        _keep(self._decisions, key, (now + (ALLOWED_SECONDS if allowed else DENIED_SECONDS), allowed))
        return allowed

    async def _ask(self, path: str, api_version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
        body = msgspec.json.encode({"apiVersion": api_version, "kind": kind, "spec": spec})
        response = await self._client.raw("POST", path, body=body)
        return msgspec.json.decode(response.body)  # type: ignore[no-any-return]


def _keep(kept: dict[K, V], key: K, value: V) -> None:
    if len(kept) >= KEPT:
        kept.clear()
    kept[key] = value


async def answered(answer: Awaitable[Response]) -> Response:
    """What is answered to a request about which the API server is asked: a refusal, too, when it does not say who may."""
    try:
        return await answer
    except StatusError as error:
        if error.code == 401:
            return Response(401, b"Unauthorized", TEXT)
        log.warning("asking the API server about a request: %s", error.message)
    except OSError as error:
        log.warning("asking the API server about a request: %s", error)
    return Response(500, b"Internal Error: the API server does not tell who may do this", TEXT)

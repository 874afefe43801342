"""What every request passes before it reaches a handler: authentication, impersonation, authorization.

Audit and flow control have their places in the chain (see `APIServer.handle`) and nothing in them yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from wherry.apimachinery import errors
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request, UserInfo
from wherry.apiserver.authentication.interface import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED
from wherry.apiserver.requestinfo import RequestInfo

if TYPE_CHECKING:
    from wherry.apiserver.server import APIServer

AUTHENTICATION = "authentication.k8s.io"
_EXTRA = "impersonate-extra-"  # and a key, percent-encoded
# What anonymous users may see: health and version (upstream's system:public-info-viewer).
PUBLIC = {"/healthz", "/livez", "/readyz", "/version", "/version/"}


class Filters:
    """The chain's first half, over the server's authenticators and authorizers."""

    def __init__(self, server: APIServer) -> None:
        self._server = server

    def authenticate(self, request: Request) -> UserInfo:
        """Raises StatusError 401.  A user that the in-process transport has set stands."""
        if request.user is not None:
            return request.user
        for authenticator in self._server.authenticators:
            user = authenticator.authenticate(request)
            if user is not None:
                return user
        if request.path in PUBLIC or request.path.startswith(("/livez/", "/readyz/", "/healthz/")):
            return ANONYMOUS
        raise errors.unauthorized()

    def impersonate(self, request: Request, user: UserInfo) -> UserInfo:
        """`kubectl --as`: act as another user, where the first may `impersonate` each part of it."""
        headers = request.headers
        if "impersonate-" not in " ".join(headers):  # as nearly all
            return user
        name, uid = headers.get("impersonate-user", ""), headers.get("impersonate-uid", "")
        groups = tuple(g for g in headers.get("impersonate-group", "").split("\n") if g)
        extra = {
            unquote(key.removeprefix(_EXTRA)): tuple(value.split("\n")) for key, value in headers.items() if key.startswith(_EXTRA)
        }
        if not name:
            if groups or uid or extra:
                raise errors.bad_request("requested groups, uid or extra without impersonating a user")
            return user
        kind, namespace, short = "users", "", name
        if name.startswith("system:serviceaccount:") and name.count(":") == 3:
            _, _, namespace, short = name.split(":")
            kind = "serviceaccounts"
        self.authorize(user, RequestInfo("impersonate", request.path, "", "v1", kind, "", namespace, short))
        for group in groups:
            self.authorize(user, RequestInfo("impersonate", request.path, "", "v1", "groups", "", "", group))
        for key, value in ((key, value) for key, values in extra.items() for value in values):
            self.authorize(user, RequestInfo("impersonate", request.path, AUTHENTICATION, "v1", "userextras", key, "", value))
        if uid:
            self.authorize(user, RequestInfo("impersonate", request.path, AUTHENTICATION, "v1", "uids", "", "", uid))
        if not groups and kind == "serviceaccounts":
            groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
        known = UNAUTHENTICATED if name == ANONYMOUS.name else AUTHENTICATED
        if not {AUTHENTICATED, UNAUTHENTICATED} & set(groups):
            groups = (*groups, known)
        return UserInfo(name, groups, uid, extra)

    def authorize(self, user: UserInfo, info: RequestInfo) -> None:
        """Raises StatusError 403 in upstream's words when no authorizer allows it."""
        reasons = []
        for authorizer in self._server.authorizers:
            decision = authorizer.authorize(user, info)
            if decision.allowed:
                return
            if decision.reason:
                reasons.append(decision.reason)
        raise forbidden(user, info, ", ".join(reasons))


def forbidden(user: UserInfo, info: RequestInfo, reason: str) -> StatusError:
    """`pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "y"`."""
    if not info.is_resource:
        why = f'User "{user.name}" cannot {info.verb} path "{info.path}"'
        return StatusError(403, "Forbidden", f"forbidden: {why}" + (f": {reason}" if reason else ""), {})
    what = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    where = f'in the namespace "{info.namespace}"' if info.namespace else "at the cluster scope"
    why = f'User "{user.name}" cannot {info.verb} resource "{what}" in API group "{info.group}" {where}'
    return errors.forbidden(info.group, info.resource, info.name, why + (f": {reason}" if reason else ""))

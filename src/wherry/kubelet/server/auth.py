"""Who may call the kubelet's HTTPS port: whoever the API server lets at the node's subresources.

https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/#kubelet-authorization
"""

from __future__ import annotations

from wherry.apimachinery.http import Handler, Request, Response
from wherry.client.delegation import TEXT, Attributes, Delegate, answered

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_UPGRADED = ("exec", "attach", "portForward")
# Upstream asks for the narrower one first; what is not named here is `proxy`.
_SUBRESOURCES = {
    "stats": ("stats",), "metrics": ("metrics",), "healthz": ("healthz", "proxy"), "pods": ("pods", "proxy"), "logs": ("log",),
}


def attributes(request: Request, node: str) -> list[Attributes]:
    """What a request wants to do with the node; one of these is enough."""
    first = request.path.strip("/").partition("/")[0]
    # A WebSocket can only GET, but what it starts changes things all the same.
    verb = "create" if first in _UPGRADED else _VERBS.get(request.method, "")
    return [Attributes(verb, "nodes", each, node) for each in _SUBRESOURCES.get(first, ("proxy",))]


def guarded(handler: Handler, delegate: Delegate, node: str) -> Handler:
    """`handler`, for those who may."""

    async def allowed(request: Request) -> Response:
        user = await delegate.authenticate(request)
        wanted = attributes(request, node)
        if await delegate.authorize(user, wanted):
            request.user = user
            return await handler(request)
        what = f"verb={wanted[0].verb}, resource=nodes, subresource(s)=[{' '.join(each.subresource for each in wanted)}]"
        return Response(403, f"Forbidden (user={user.name}, {what})\n".encode(), TEXT)

    async def handle(request: Request) -> Response:
        return await answered(allowed(request))

    return handle

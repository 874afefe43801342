"""The port that a component has to itself when it is a process of its own: its figures, and whether it works.

As upstream's: the scheduler and the controllers speak HTTPS and ask the API server who may see `/metrics`; health is
for everybody.  The others, who may not ask for such reviews, speak plain HTTP; everything listens on loopback alone.
The port is upstream's, or any when that is taken (another cluster's has it): `wherry status` tells.
"""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wherry.apimachinery.http import Handler, Request, Response
from wherry.client.delegation import TEXT, Attributes, Delegate, answered
from wherry.util.metrics import ComponentSLIs, Metrics

if TYPE_CHECKING:
    from wherry.serving.edge import Edge

PORTS = {"scheduler": 10259, "controller-manager": 10257, "proxy": 10249, "dns": 9153}
SETTLED = "/settled"  # the controllers': whether none of them has anything to do
PUBLIC = ("/healthz", "/livez", "/readyz")
_NOSNIFF = [("X-Content-Type-Options", "nosniff")]
Check = Callable[[], bool]


@dataclass(slots=True)
class Endpoints:
    """What a component answers.  `checks` are paths of their own besides: 200 when they hold, else 500."""

    metrics: Metrics
    checks: Mapping[str, Check] = field(default_factory=dict)
    ready: bool = False
    slis: ComponentSLIs = field(default_factory=ComponentSLIs)

    async def handle(self, request: Request) -> Response:
        """Answer anything."""
        path = request.path.rstrip("/")
        if request.method not in ("GET", "HEAD"):
            return Response(405, b"405: Method Not Allowed\n", TEXT)
        if path in ("/healthz", "/livez"):
            self.slis.observe("ping", path[1:], True)
            return Response(200, b"ok", TEXT, [*_NOSNIFF])
        if path == "/readyz":
            self.slis.observe("informer-sync", "readyz", self.ready)
            return self._verdict(self.ready, "[-]informer-sync failed: not yet\nreadyz check failed\n")
        if path in self.checks:
            return self._verdict(self.checks[path](), "not yet\n")
        if path in ("/metrics", "/metrics/slis"):
            shown = self.metrics if path == "/metrics" else self.slis.metrics
            return Response(200, *shown.expose(request.headers.get("accept", "")))
        return Response(404, b"404 page not found\n", TEXT)

    @staticmethod
    def _verdict(holds: bool, otherwise: str) -> Response:
        return Response(200 if holds else 500, b"ok" if holds else otherwise.encode(), TEXT, [*_NOSNIFF])


def guarded(handler: Handler, delegate: Delegate) -> Handler:
    """`handler`, for those who may get the path; health for everybody."""

    async def allowed(request: Request) -> Response:
        user = await delegate.authenticate(request)
        if await delegate.authorize(user, [Attributes("get", path=request.path)]):
            return await handler(request)
        return Response(403, f"Forbidden: \"{user.name}\" cannot get path \"{request.path}\"\n".encode(), TEXT)

    async def handle(request: Request) -> Response:
        return await (handler(request) if request.path.rstrip("/") in PUBLIC else answered(allowed(request)))

    return handle


@asynccontextmanager
async def listening(edge: Edge, address: str, wanted: int) -> AsyncIterator[int]:
    """The port that it listens on: the one that is wanted, or any when that is taken.  Raises OSError."""
    try:
        try:
            port = await edge.listen(address, wanted)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            port = await edge.listen(address, 0)
        yield port
    finally:
        await edge.close()

"""The API server's `/metrics`: its requests, what it holds and who watches, the loop's lag, the process.

Components of the same process are shown with it (`metrics.include`): they share memory, core and loop anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wherry.api.registry import full_name
from wherry.apimachinery.http import Request, Response
from wherry.apiserver.endpoints.plain import git_version
from wherry.apiserver.metrics.requests import Requests
from wherry.apiserver.requestinfo import RequestInfo
from wherry.util.looplag import LoopLag
from wherry.util.metrics import Labels, Metrics, build_info

if TYPE_CHECKING:
    from wherry.apiserver.server import APIServer


class ServerMetrics:
    """`requests` is told of every request by `APIServer.handle`; the rest is read at a scrape."""

    def __init__(self, server: APIServer) -> None:
        self._server = server
        self.metrics = Metrics(process=True)
        build_info(self.metrics, git_version())
        self.requests = Requests(self.metrics, self._served)
        self.metrics.gauge_of("apiserver_storage_objects", "Stored objects by resource.", self._objects, ("resource",))
        self.metrics.gauge_of(
            "apiserver_registered_watchers", "Who watches a resource, informers of this process included.", self._watchers,
            ("group", "version", "resource"),
        )

    def watch_loop(self, lag: LoopLag) -> None:
        """Show the event loop's lag."""
        metrics = self.metrics
        metrics.counter_of("wherry_loop_lag_seconds_total", "How long the event loop was held up, in all.", lambda: lag.total)
        metrics.counter_of("wherry_loop_late_total", "How often the event loop was held up for more than 50 ms.", lambda: lag.late)
        metrics.gauge_of("wherry_loop_lag_worst_seconds", "The longest that the event loop was held up.", lambda: lag.worst)

    async def __call__(self, request: Request) -> Response:
        """/metrics."""
        body, content_type = self.metrics.expose(request.headers.get("accept", ""))
        return Response(200, body, content_type)

    def _served(self, info: RequestInfo) -> bool:
        codec = self._server.codecs.get((info.group, info.version, info.resource))
        if codec is None:
            return False
        return not info.subresource or any(each.name == info.subresource for each in codec.resource.subresources)

    def _objects(self) -> dict[Labels, float]:
        return {(full_name(store.resource),): float(store.cacher.count) for store in self._server.stores.values()}

    def _watchers(self) -> dict[Labels, float]:
        return {
            (store.resource.group, store.resource.hub.name, store.resource.plural): float(store.cacher.watchers)
            for store in self._server.stores.values() if store.cacher.watchers
        }

"""The kubelet's HTTP API as a handler: the API server calls it in-process, or over HTTPS through an edge.

Who may call it is decided before it (the edge authenticates and authorizes; in-process there is only the
API server).  `/exec`, `/attach` and `/portForward` upgrade the connection: `upgrades` holds their handlers,
which the streaming protocols bring and which call `streaming`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request, Response
from wherry.kubelet.podutil import find_container
from wherry.kubelet.server.cadvisor import cadvisor_metrics
from wherry.kubelet.server.logs import LogError, container_of_logs, parse_options, read_log
from wherry.kubelet.server.nodelogs import node_log
from wherry.kubelet.server.stats import kubelet_metrics, resource_metrics
from wherry.kubelet.server.streaming import Streaming
from wherry.kubelet.stats.provider import StatsProvider
from wherry.kubelet.status.conditions import Json
from wherry.runtime.interface import ContainerState, NotFound, RuntimeFault
from wherry.util.metrics import ComponentSLIs

if TYPE_CHECKING:
    from wherry.kubelet.kubelet import Kubelet

_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_TEXT = "text/plain; charset=utf-8"
_METRICS = "text/plain; version=0.0.4; charset=utf-8"

Upgrade = Callable[[Request, Streaming], Awaitable[Response]]


class Server:
    """Answers for one kubelet."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet
        self.streaming = Streaming(kubelet.runtime, kubelet.pod, kubelet.cache.get)
        self.stats = StatsProvider(
            kubelet.config.node_name, kubelet.config.root_dir, kubelet.machine.memory, kubelet.runtime, kubelet.clock,
            kubelet.config.offload, pods=kubelet.pods, state=kubelet.cache.get, node_usage=kubelet.node_usage,
        )
        self.metrics = kubelet_metrics(kubelet)
        self.slis = ComponentSLIs()
        self.upgrades: dict[str, Upgrade] = {}  # "exec" | "attach" | "portForward"

    async def handle(self, request: Request) -> Response:
        """Answer anything."""
        parts = [part for part in request.path.split("/") if part]
        first = parts[0] if parts else ""
        try:
            if first in self.upgrades:
                return await self.upgrades[first](request, self.streaming)
            if request.method not in ("GET", "HEAD"):
                return Response(405, b"405: Method Not Allowed", _TEXT)
            if first == "containerLogs" and len(parts) == 4:
                return await self._logs(request, parts[1], parts[2], parts[3])
            if request.path == "/healthz":
                for name in ("ping", "log", "syncloop"):
                    self.slis.observe(name, "healthz", True)
            if request.path in ("/healthz", "/healthz/ping", "/healthz/log", "/healthz/syncloop"):
                return Response(200, b"ok", _TEXT)
            if request.path.rstrip("/") == "/pods":
                return Response(200, self._pod_list())
            if request.path == "/stats/summary":
                return Response(200, msgspec.json.encode(await self.stats.summary()))
            if request.path == "/metrics/resource":
                return Response(200, resource_metrics(await self.stats.summary(), faulty=self.stats.faulty).encode(), _METRICS)
            if request.path == "/metrics/cadvisor":
                machine, cache = self._kubelet.machine, self._kubelet.cache
                told = cadvisor_metrics(
                    await self.stats.summary(), cache.get, cpus=machine.cpus, memory=machine.memory, version=self._kubelet.config.version,
                )
                return Response(200, told.encode(), _METRICS)
            if first == "logs" and not self._kubelet.config.simulated:
                answer: Response = await self._kubelet.config.offload(node_log, request.path.partition("/logs")[2])
                return answer
            if request.path in ("/metrics", "/metrics/slis"):
                shown = self.metrics if request.path == "/metrics" else self.slis.metrics
                return Response(200, *shown.expose(request.headers.get("accept", "")))
        except LogError as error:
            return Response(error.code, error.message.encode(), _TEXT)
        except StatusError as error:
            return Response(error.code, error.message.encode(), _TEXT)
        except RuntimeFault as fault:
            return Response(500, str(fault).encode(), _TEXT)
        return Response(404, b"404 page not found\n", _TEXT)

    def _pod_list(self) -> bytes:
        items = []
        for pod in self._kubelet.pods():
            item: Json = msgspec.to_builtins(pod)
            status = self._kubelet.statuses.peek(pod.metadata.uid)
            items.append({**item, "status": status} if status else item)
        return msgspec.json.encode({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})

    # Logs --------------------------------------------------------------------------------------

    async def _logs(self, request: Request, namespace: str, name: str, container: str) -> Response:
        kubelet = self._kubelet
        options = parse_options(request, kubelet.clock.time())
        pod = kubelet.pod(namespace, name)
        if pod is None:
            raise LogError(404, "pod does not exist")
        status = kubelet.statuses.get(pod)
        known = [each for key in _STATUSES for each in status.get(key, [])]
        if find_container(pod, container) is None:
            raise LogError(404, f'container "{container}" not found in pod "{name}"')
        found = next((each for each in known if each["name"] == container), None)
        container_id = container_of_logs(name, container, found, options.previous).partition("://")[2]
        path = await self._log_path(container_id, container, name)
        uid = pod.metadata.uid

        def running() -> bool:
            run = next((c for c in kubelet.cache.get(uid).containers if c.id == container_id), None)
            return run is not None and run.state == ContainerState.RUNNING

        stream = read_log(path, options, kubelet.clock, running=running, changed=kubelet.change_of(uid))
        return Response(200, content_type=_TEXT, stream=stream)

    async def _log_path(self, container_id: str, container: str, pod: str) -> Path:
        try:
            return Path((await self._kubelet.runtime.container_status(container_id)).log_path)
        except NotFound:
            message = f'unable to retrieve container logs for "{container}" in pod "{pod}": the container is gone'
            raise LogError(400, message) from None


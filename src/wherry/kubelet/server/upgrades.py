"""/exec, /attach and /portForward: the kubelet's answers that turn a connection into streams.

The only place where a streaming protocol meets what the streams mean (`streaming`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from wherry.apimachinery.errors import StatusError, page_not_found
from wherry.apimachinery.http import Request, Response
from wherry.apimachinery.streaming import portforward, remotecommand
from wherry.kubelet.server.streaming import Streaming
from wherry.runtime.interface import ByteStream, Streams
from wherry.util.clock import Clock

Upgrade = Callable[[Request, Streaming], Awaitable[Response]]


def upgrades(clock: Clock) -> dict[str, Upgrade]:
    """The handlers by the first element of their path."""

    async def run(request: Request, streaming: Streaming) -> Response:
        namespace, pod, container = _names(request, 3)
        options = _options(request)
        command = request.params("command")
        streaming.check(namespace, pod, container)

        async def start() -> Streams:
            return await streaming.exec(namespace, pod, container, command, stdin=options.stdin, tty=options.tty)

        return remotecommand.upgrade(request, options, "exec", start, clock)

    async def attach(request: Request, streaming: Streaming) -> Response:
        namespace, pod, container = _names(request, 3)
        options = _options(request)
        streaming.check(namespace, pod, container, attaching=True)

        async def start() -> Streams:
            return await streaming.attach(namespace, pod, container, stdin=options.stdin, tty=options.tty)

        return remotecommand.upgrade(request, options, "attach", start, clock)

    async def port_forward(request: Request, streaming: Streaming) -> Response:
        namespace, pod = _names(request, 2)
        streaming.check(namespace, pod)

        async def dial(port: int) -> ByteStream:
            return await streaming.port_forward(namespace, pod, port)

        return portforward.upgrade(request, pod, "", dial, clock)

    return {"exec": run, "attach": attach, "portForward": port_forward}


def _names(request: Request, count: int) -> list[str]:
    """What follows the first element of the path.  Raises StatusError 404."""
    parts = [part for part in request.path.split("/") if part][1:]
    if len(parts) != count:
        raise page_not_found()
    if request.method not in ("GET", "POST"):
        raise StatusError(405, "MethodNotAllowed", "405: Method Not Allowed")
    return parts


def _options(request: Request) -> remotecommand.Options:
    """The kubelet's own names for the streams.  A terminal has no stderr of its own, so none is offered, as upstream."""
    stdin, stdout, stderr, tty = (request.param(name) == "1" for name in ("input", "output", "error", "tty"))
    return remotecommand.Options(stdin, stdout, stderr and not tty, tty)

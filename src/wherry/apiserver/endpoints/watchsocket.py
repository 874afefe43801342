"""Watches over WebSocket, as browsers ask for them: each event is a text message."""

from __future__ import annotations

from collections.abc import AsyncIterator

from wherry.apimachinery import errors
from wherry.apimachinery.http import Duplex, Request, Response
from wherry.apimachinery.streaming.pipe import first
from wherry.apimachinery.streaming.websocket import WebSocket, handshake, offered


def headers_of(request: Request) -> list[tuple[str, str]]:
    """Of the 101, with the one subprotocol that the client may name, whatever it is.  Raises StatusError 400."""
    names = offered(request)
    if len(names) > 1:
        raise errors.bad_request("a watch over WebSocket takes one subprotocol at most")
    return handshake(request, names or ("",))[1]


def over_websocket(headers: list[tuple[str, str]], events: AsyncIterator[bytes]) -> Response:
    """The answer that sends `events` (lines, several in a piece) until they end or the client goes."""

    async def send(socket: WebSocket) -> None:
        async for piece in events:
            for line in piece.splitlines():
                await socket.send(line, text=True)

    async def listen(socket: WebSocket) -> None:
        while await socket.receive() is not None:
            pass

    async def run(duplex: Duplex) -> None:
        socket = WebSocket(duplex)
        try:
            await first(send(socket), listen(socket))
        except ConnectionError:
            pass
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()
        await socket.close()

    return Response(101, headers=headers, upgrade=run)

"""Channels (`*.channel.k8s.io`): several streams in the messages of one WebSocket.

The first byte of a message names its channel: as a number, or, where the rest is base64, as a digit.
"""

from __future__ import annotations

import base64

from wherry.apimachinery.streaming.websocket import PROTOCOL_ERROR, WebSocket


class Channels:
    """`protocol` is the one that was agreed on."""

    def __init__(self, socket: WebSocket, protocol: str) -> None:
        self._socket = socket
        self._base64 = "base64" in protocol

    async def receive(self) -> tuple[int, bytes] | None:
        """(channel, data) of the next message, or None once the client has closed, gone or broken the protocol."""
        while (message := await self._socket.receive()) is not None:
            if not message:
                continue
            if not self._base64:
                return message[0], message[1:]
            try:
                return int(message[:1]), base64.b64decode(message[1:], validate=True)
            except ValueError:
                await self._socket.close(PROTOCOL_ERROR, "a channel's digit and base64 were expected")
                break
        return None

    async def send(self, channel: int, data: bytes) -> None:
        """Raises ConnectionError when the client is gone."""
        if self._base64:
            await self._socket.send(b"%d" % channel + base64.b64encode(data), text=True)
        else:
            await self._socket.send(bytes([channel]) + data)

    async def close(self) -> None:
        await self._socket.close()

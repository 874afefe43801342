"""The DNS server: UDP and TCP listeners, and the way to the host's own resolvers."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Sequence
from pathlib import Path

from wherry.dns.responder import Responder

log = logging.getLogger(__name__)
FORWARD_SECONDS = 2.0
IDLE_SECONDS = 30.0
MAX_IN_FLIGHT = 1024


def host_resolvers(path: Path = Path("/etc/resolv.conf")) -> list[str]:
    """The nameservers that the host uses."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return []
    fields = [line.split() for line in lines]
    return [f[1] for f in fields if len(f) >= 2 and f[0] == "nameserver"]


class Forwarder:
    """Passes a query on to the first resolver that answers."""

    def __init__(self, resolvers: Sequence[str]) -> None:
        self._resolvers = resolvers

    async def __call__(self, wire: bytes, tcp: bool) -> bytes:
        """Raises OSError when there is no resolver or none answers."""
        for address in self._resolvers:
            try:
                async with asyncio.timeout(FORWARD_SECONDS):
                    return await (self._tcp(address, wire) if tcp else self._udp(address, wire))
            except (OSError, TimeoutError):
                continue
        raise OSError("no resolver answered")

    @staticmethod
    async def _udp(address: str, wire: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as link:
            link.connect((address, 53))
            await loop.sock_sendall(link, wire)
            while True:
                answer = await loop.sock_recv(link, 65535)
                if answer[:2] == wire[:2]:
                    return answer

    @staticmethod
    async def _tcp(address: str, wire: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(address, 53)
        try:
            writer.write(struct.pack("!H", len(wire)) + wire)
            await writer.drain()
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            return await reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            raise OSError("connection closed") from error
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DNSServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        self._server.datagram(self._transport, data, addr)


class DNSServer:
    """Listens on the cluster's DNS addresses and answers by a Responder."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._transports: list[asyncio.DatagramTransport] = []
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int = 53) -> None:
        """Raises OSError when the address is taken."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=(host, port))
        self._transports.append(transport)
        self._servers.append(await asyncio.start_server(self._connection, host, port))

    def datagram(self, transport: asyncio.DatagramTransport, data: bytes, addr: tuple[str, int]) -> None:
        if len(self._tasks) >= MAX_IN_FLIGHT:
            return  # as a full socket buffer would: the client asks again
        task = asyncio.get_running_loop().create_task(self._respond(transport, data, addr), name="dns query")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _respond(self, transport: asyncio.DatagramTransport, data: bytes, addr: tuple[str, int]) -> None:
        answer = await self._responder.answer(data, tcp=False)
        if answer is not None and not transport.is_closing():
            transport.sendto(answer, addr)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    (size,) = struct.unpack("!H", await reader.readexactly(2))
                    wire = await reader.readexactly(size)
                answer = await self._responder.answer(wire, tcp=True)
                if answer is None:
                    return
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for transport in self._transports:
            transport.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

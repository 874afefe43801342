"""grpc: the standard health service, asked over HTTP/2 without TLS.

One unary call needs little of HTTP/2: a preface, SETTINGS, HEADERS with literal fields, DATA, and reading
frames until the answer's DATA has come.  https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from __future__ import annotations

import asyncio
import struct

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_STATUSES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_MAX_FRAME = 1 << 20


class GRPCFailure(Exception):
    """No health status came."""


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _text(value: bytes) -> bytes:
    """An HPACK string, not Huffman coded (RFC 7541, 5.2)."""
    if len(value) < 127:
        return bytes((len(value),)) + value
    rest, extra = len(value) - 127, bytearray()
    while rest >= 128:
        extra.append(rest % 128 + 128)
        rest //= 128
    return bytes((127,)) + bytes((*extra, rest)) + value


def _headers(authority: str) -> bytes:
    """Literal fields without indexing (RFC 7541, 6.2.2)."""
    fields = (
        (":method", "POST"), (":scheme", "http"), (":path", "/grpc.health.v1.Health/Check"), (":authority", authority),
        ("content-type", "application/grpc"), ("user-agent", "kube-probe/1.37"), ("te", "trailers"),
    )
    return b"".join(b"\0" + _text(name.encode()) + _text(value.encode()) for name, value in fields)


def encode_request(service: str) -> bytes:
    """HealthCheckRequest, with gRPC's length prefix."""
    name = service.encode()
    message = b""
    if name:
        message = b"\x0a" + _varint(len(name)) + name
    return b"\0" + struct.pack(">I", len(message)) + message


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 128:
        out.append(number % 128 + 128)
        number //= 128
    return bytes((*out, number))


def decode_response(data: bytes) -> str:
    """The ServingStatus of a length-prefixed HealthCheckResponse.  Raises GRPCFailure."""
    if len(data) < 5 or data[0] != 0:
        raise GRPCFailure("malformed answer")
    message = data[5:5 + struct.unpack(">I", data[1:5])[0]]
    status = 0  # a zero field is left out
    if message[:1] == b"\x08" and len(message) > 1:
        status = message[1]
    return _STATUSES.get(status, str(status))


async def check(host: str, port: int, service: str, seconds: float) -> str:
    """The service's ServingStatus.  Raises GRPCFailure, in upstream's words where it has some."""
    address = f"{host}:{port}"
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        why = "context deadline exceeded"
        raise GRPCFailure(f'timeout: failed to connect service "{address}" within {seconds:g}s: {why}') from error
    try:
        async with asyncio.timeout(seconds):
            return await _call(reader, writer, address, service)
    except TimeoutError:
        raise GRPCFailure(f"timeout: health rpc did not complete within {seconds:g}s") from None
    except (OSError, asyncio.IncompleteReadError) as error:
        raise GRPCFailure("error: health rpc failed: the connection was closed") from error
    finally:
        writer.close()


async def _call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, service: str) -> str:
    writer.write(
        _PREFACE + _frame(_SETTINGS, 0, 0)
        + _frame(_HEADERS, _END_HEADERS, 1, _headers(address))
        + _frame(_DATA, _END_STREAM, 1, encode_request(service))
    )
    await writer.drain()
    data = b""
    while True:
        head = await reader.readexactly(9)
        length, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
        if length > _MAX_FRAME:
            raise GRPCFailure("error: health rpc failed: a frame is too large")
        payload = await reader.readexactly(length)
        if kind == _SETTINGS and not flags & _ACK:
            writer.write(_frame(_SETTINGS, _ACK, 0))
        elif kind == _PING and not flags & _ACK:
            writer.write(_frame(_PING, _ACK, 0, payload))
        elif kind == _GOAWAY or (kind == _RST and stream == 1):
            raise GRPCFailure("error: health rpc failed: the server refused it")
        elif kind == _DATA and stream == 1:
            padding = payload[0] if flags & 8 and payload else 0
            data += payload[1:len(payload) - padding] if flags & 8 else payload
        if stream == 1 and data[5:] and len(data) >= 5 + struct.unpack(">I", data[1:5])[0]:
            return decode_response(data)
        if stream == 1 and kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            if len(data) >= 5:
                return decode_response(data)
            raise GRPCFailure("error: this server does not implement the grpc health protocol (grpc.health.v1.Health)")

"""A probe's (or hook's) HTTP request: one GET over a connection of its own, certificates not checked.

Redirects are followed to the same host and count as success when they lead elsewhere.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

_MAX_HEAD, _MAX_BODY, _MAX_REDIRECTS = 64 * 1024, 10 * 1024, 10


class HTTPFailure(Exception):
    """No answer, in the words of Go's client."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: str
    redirected_away: bool = False


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def dial_error(error: OSError, host: str, port: int) -> str:
    """How Go tells that a connection failed: `dial tcp 10.88.0.2:81: connect: connection refused`."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    words = (error.strerror or str(error)).lower()
    if isinstance(error, ConnectionRefusedError):
        words = "connection refused"
    return f"dial tcp {address}: connect: {words}"


async def get(url: str, headers: Mapping[str, str], seconds: float) -> Answer:
    """GET `url` within `seconds`.  Raises HTTPFailure."""
    try:
        async with asyncio.timeout(seconds):
            return await _follow(url, headers)
    except TimeoutError:
        raise HTTPFailure(f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)') from None


async def _follow(url: str, headers: Mapping[str, str]) -> Answer:
    first_host = urlsplit(url).hostname
    for _ in range(_MAX_REDIRECTS):
        status, fields, body = await _once(url, headers)
        location = fields.get("location")
        if status not in (301, 302, 303, 307, 308) or not location:
            return Answer(status, body)
        url = urljoin(url, location)
        if urlsplit(url).hostname != first_host:
            return Answer(status, body, redirected_away=True)
    raise HTTPFailure(f'Get "{url}": stopped after {_MAX_REDIRECTS} redirects')


async def _once(url: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        reader, writer = await asyncio.open_connection(
            host, port, ssl=_context() if parts.scheme == "https" else None, limit=_MAX_HEAD,
        )
    except ssl.SSLError as error:
        raise HTTPFailure(f'Get "{url}": tls: {error.reason}') from error
    except OSError as error:
        raise HTTPFailure(f'Get "{url}": {dial_error(error, host, port)}') from error
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        own_host = parts.netloc.rpartition("@")[2]
        default = {"host": own_host, "user-agent": "kube-probe/1.37", "accept": "*/*", "connection": "close"}
        given = {name.lower(): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**default, **given}.items() if value)
        writer.write(f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1", "replace"))
        await writer.drain()
        return await _read(reader)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError) as error:
        raise HTTPFailure(f'Get "{url}": EOF') from error
    except OSError as error:
        raise HTTPFailure(f'Get "{url}": read: {(error.strerror or str(error)).lower()}') from error
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], str]:
    """(status, header fields, the body's beginning)."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(head[0].split(" ", 2)[1])
    fields = {}
    for line in head[1:]:
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    length = int(fields["content-length"]) if fields.get("content-length", "").isdigit() else _MAX_BODY
    body = b""
    while len(body) < min(length, _MAX_BODY):
        chunk = await reader.read(_MAX_BODY - len(body))
        if not chunk:
            break
        body += chunk
    return status, fields, body.decode("utf-8", "replace")

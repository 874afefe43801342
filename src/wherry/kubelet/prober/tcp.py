"""tcpSocket: whether a connection opens."""

from __future__ import annotations

import asyncio

from wherry.kubelet.prober.http import dial_error


async def connect(host: str, port: int, seconds: float) -> str:
    """Empty when the port took the connection; what failed otherwise."""
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"dial tcp {host}:{port}: i/o timeout"
    except OSError as error:
        return dial_error(error, host, port)
    writer.close()
    return ""

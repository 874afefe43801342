"""A client that loads a cluster's API server: `URL FOLDER busy SECONDS`, or `URL FOLDER watch COUNT`.  Run by test_load."""

from __future__ import annotations

import asyncio
import json
import resource
import ssl
import sys
import time
from pathlib import Path

import aiohttp

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


async def busy(session: aiohttp.ClientSession, seconds: float) -> None:
    """Create, read, list and delete in 32 loops; prints how many requests there were."""
    until, requests = time.monotonic() + seconds, 0

    async def loop(number: int) -> None:
        nonlocal requests
        turn = 0
        while time.monotonic() < until:
            turn += 1
            name = f"busy-{number}-{turn}"
            made = {"metadata": {"name": name, "labels": {"load": "yes"}}, "data": {"text": "x" * 500}}
            for method, path, body in (
                ("POST", CONFIG_MAPS, made), ("GET", f"{CONFIG_MAPS}/{name}", None), ("GET", f"{CONFIG_MAPS}?limit=100", None),
                ("DELETE", f"{CONFIG_MAPS}/{name}", None),
            ):
                async with session.request(method, path, json=body) as answer:
                    await answer.read()
                    assert answer.status < 300, await answer.text()
                requests += 1

    await asyncio.gather(*(loop(number) for number in range(32)))
    print(json.dumps({"requests": requests}))


async def watch(session: aiohttp.ClientSession, count: int) -> None:
    """Watch kube-public `count` times over; prints how many saw the ConfigMap `seen-by-all`; ends with a line of input."""
    begun = asyncio.Semaphore(0)

    async def one() -> None:
        path = "/api/v1/namespaces/kube-public/configmaps?watch=1&resourceVersion=0"
        async with session.get(path, timeout=aiohttp.ClientTimeout(total=None)) as answer:
            begun.release()
            async for line in answer.content:
                if b'"seen-by-all"' in line:
                    return

    async with asyncio.TaskGroup() as group:
        tasks = []
        for number in range(count):
            tasks.append(group.create_task(one()))
            if number % 50 == 49:
                for _ in range(50):
                    await begun.acquire()
        print("watching", flush=True)
        await asyncio.wait(tasks, timeout=120)
        print(sum(task.done() for task in tasks), flush=True)
        for task in tasks:
            task.cancel()
    await asyncio.to_thread(sys.stdin.readline)


async def main(url: str, folder: Path, what: str, amount: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    trust = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    trust.load_cert_chain(folder / "client.crt", folder / "client.key")
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0, ssl=trust)) as session:
        await (busy if what == "busy" else watch)(session, amount)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))

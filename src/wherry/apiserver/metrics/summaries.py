"""What the kubelets tell of their nodes, asked for when someone wants to know and kept for a moment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request, UserInfo
from wherry.apiserver.endpoints.streams import NodeConnector
from wherry.apiserver.metrics.measure import Summary
from wherry.util.clock import Clock, wait_until

log = logging.getLogger(__name__)
KEPT_SECONDS = 2.0
TIMEOUT_SECONDS = 10.0
# Whom a kubelet sees asking, as upstream's API server shows itself to kubelets.
ASKS = UserInfo("kube-apiserver-kubelet-client", ("system:masters", "system:authenticated"))
_decode = msgspec.json.Decoder(Summary).decode


@dataclass(slots=True)
class _Asked:
    at: float
    task: asyncio.Task[Summary | None]


class Summaries:
    """Each kubelet is asked once for all who want to know at the same time.  `close` ends what is under way."""

    def __init__(self, connect: NodeConnector, clock: Clock) -> None:
        self._connect, self._clock = connect, clock
        self._asked: dict[str, _Asked] = {}

    async def of(self, nodes: Iterable[str]) -> dict[str, Summary]:
        """By node; those that cannot be reached, or know nothing, are left out."""
        wanted = {node: self._ask(node) for node in nodes}
        # Shielded: a client that hangs up must not take the answer from the others.
        found = await asyncio.gather(*(asyncio.shield(task) for task in wanted.values()))
        return {node: summary for node, summary in zip(wanted, found, strict=True) if summary is not None}

    def _ask(self, node: str) -> asyncio.Task[Summary | None]:
        now = self._clock.monotonic()
        asked = self._asked.get(node)
        if asked is None or (asked.task.done() and now - asked.at >= KEPT_SECONDS):
            self._forget(now)
            task = asyncio.get_running_loop().create_task(self._fetch(node), name=f"stats of {node}")
            asked = self._asked[node] = _Asked(now, task)
        return asked.task

    def _forget(self, now: float) -> None:
        """Nodes go; what they said last must not stay."""
        for node in [node for node, asked in self._asked.items() if asked.task.done() and now - asked.at >= KEPT_SECONDS]:
            del self._asked[node]

    async def _fetch(self, node: str) -> Summary | None:
        request = Request("GET", "/stats/summary", headers={"accept": "application/json"}, user=ASKS)
        try:
            deadline = self._clock.monotonic() + TIMEOUT_SECONDS
            response = await wait_until(self._clock, deadline, self._connect(node)(request))
            if response.status != 200:
                log.warning("stats of node %s: status %d: %s", node, response.status, response.body[:200].decode("utf-8", "replace"))
                return None
            body = response.body
            if response.stream is not None:
                body += b"".join([chunk async for chunk in response.stream])
            return _decode(body)
        except (OSError, StatusError) as error:  # a time-out is an OSError
            log.debug("stats of node %s: %s", node, error)
        except msgspec.DecodeError as error:
            log.warning("stats of node %s: %s", node, error)
        return None

    async def close(self) -> None:
        tasks = [asked.task for asked in self._asked.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._asked.clear()

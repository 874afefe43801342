"""The proxy's executor: watches Services and EndpointSlices and keeps the kernel's table in step.

Changes are gathered for a moment and applied as one transaction.  A node port is claimed by a bound
socket, so that two clusters on one host, or a server of the host's own, cannot both have it.
"""

from __future__ import annotations

import asyncio
import logging
import socket

from wherry.api.types import core_v1, discovery_v1
from wherry.client import Client
from wherry.client.informer import Handler, SharedInformerFactory
from wherry.client.recorder import EventRecorder
from wherry.proxy import conntrack, nft
from wherry.proxy.plan import Ruleset, ServicePort, claims, ruleset, service_ports
from wherry.util.clock import Clock

log = logging.getLogger(__name__)
GATHER_SECONDS = 0.01
RETRY_SECONDS = 5.0
Claim = tuple[str, int]


class NodePortClaims:
    """Holds a socket for each node port in use."""

    def __init__(self) -> None:
        self._held: dict[Claim, socket.socket] = {}

    def set(self, wanted: set[Claim]) -> dict[Claim, str]:
        """Claim exactly `wanted`; returns those that cannot be had, with the reason."""
        for claim in self._held.keys() - wanted:
            self._held.pop(claim).close()
        refused = {}
        for claim in sorted(wanted - self._held.keys()):
            try:
                self._held[claim] = self._take(*claim)
            except OSError as error:
                refused[claim] = error.strerror or str(error)
        return refused

    @staticmethod
    def _take(protocol: str, port: int) -> socket.socket:
        held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM)
        try:
            held.bind(("0.0.0.0", port))
            if protocol == "tcp":
                held.listen(1)  # a bound socket alone would let another bind with SO_REUSEADDR
        except OSError:
            held.close()
            raise
        return held

    def close(self) -> None:
        self.set(set())


async def run_nft(script: str) -> None:
    """Apply a transaction.  Raises OSError with nft's words."""
    process = await asyncio.create_subprocess_exec(
        "nft", "-f", "-", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate(script.encode())
    if process.returncode:
        raise OSError(told.decode(errors="replace").strip())


class Proxier:
    """Run with `await proxier.run()`; the table stays when it ends (Services work on while wherry restarts)."""

    def __init__(self, client: Client, clock: Clock, *, cluster: str, bridge: str, pod_range: str, node: str) -> None:
        self._clock = clock
        self._cluster, self._bridge, self._pod_range, self._node = cluster, bridge, pod_range, node
        self.informers = SharedInformerFactory(client, clock)
        self.recorder = EventRecorder(client, clock, "kube-proxy", node)
        self._services = self.informers.informer(core_v1.Service)
        self._slices = self.informers.informer(discovery_v1.EndpointSlice)
        changed: Handler[object] = Handler(lambda _: self._dirty.set(), lambda _old, _new: self._dirty.set(), lambda _: self._dirty.set())
        self._dirty = asyncio.Event()
        self._services.add_handler(changed)  # type: ignore[arg-type]
        self._slices.add_handler(changed)  # type: ignore[arg-type]
        self._claims = NodePortClaims()
        self._applied: Ruleset | None = None
        self._told: set[Claim] = set()
        self._answering = conntrack.wanted(())
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.informers.run(), name="proxy informers")
                group.create_task(self.recorder.run(), name="proxy events")
                await self.informers.wait_for_sync()
                while True:
                    self._dirty.clear()
                    if not await self._sync():
                        group.create_task(self._later(), name="proxy retry")
                    await self._dirty.wait()
                    await self._clock.sleep(GATHER_SECONDS)
        finally:
            self._claims.close()

    async def _later(self) -> None:
        await self._clock.sleep(RETRY_SECONDS)
        self._dirty.set()

    async def _sync(self) -> bool:
        """Whether everything is as it should be; else it is tried again."""
        ports = service_ports(self._services.store, self._slices.store, self._node)
        refused = self._claims.set(set(claims(ports)))
        self._tell(ports, refused)
        wanted = ruleset(ports, bridge=self._bridge, pod_range=self._pod_range, refused=refused)
        script = nft.transaction(self._cluster, self._applied, wanted)
        try:
            if script:
                await run_nft(script)
        except OSError as error:
            log.error("nft: %s", error)
            self._applied = None  # the kernel's table is not what we thought: make it anew
            return False
        self._applied = wanted
        self.synced.set()
        await self._clean_flows(ports)
        return not refused

    async def _clean_flows(self, ports: list[ServicePort]) -> None:
        """After the rules: what a client sends from now on finds the new way."""
        now = conntrack.wanted(ports)
        if now == self._answering:
            return
        try:
            count = await asyncio.to_thread(conntrack.clean, self._answering, now)
        except OSError as error:
            log.warning("flows of datagrams to endpoints that are gone may stay: %s", error)
        else:
            log.debug("deleted %d flows to endpoints that are gone", count)
        self._answering = now

    def _tell(self, ports: list[ServicePort], refused: dict[Claim, str]) -> None:
        """An event on each Service whose node port cannot be had."""
        for port in ports:
            claim = (port.protocol, port.node_port)
            if claim in refused and claim not in self._told:
                service = self._services.store.get(port.service, port.namespace)
                why = f"can't open port \"nodePort for {port.label}\" ({port.node_port}/{port.protocol}): {refused[claim]}"
                if service is not None:
                    self.recorder.warning(service, "PortInUse", why)
        self._told = set(refused)

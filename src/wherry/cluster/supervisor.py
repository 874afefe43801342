"""`wherry up --processes`: every component as a process of its own, watched and started again when it dies.

What the cluster's process runs instead of the components themselves.  They speak HTTPS to one another and to
nobody else, so any of them may end, by accident or `kill -9`, and come back while the others work on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec

from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError
from wherry.client import Client, HTTPSTransport, TLSConfig
from wherry.client.backoff import Backoff
from wherry.cluster import identities, processes
from wherry.cluster.component import title
from wherry.cluster.components import components_of
from wherry.cluster.config import ClusterConfig
from wherry.cluster.node import node_ready
from wherry.cluster.ownport import SETTLED
from wherry.cluster.pki import PKI
from wherry.cluster.processes import Record
from wherry.util.clock import Clock, RealClock

if TYPE_CHECKING:
    from wherry.cluster.process import Notify

log = logging.getLogger("wherry")
STOP_SECONDS = 5.0  # then SIGKILL; twice, for the API server ends last
START_SECONDS = 60.0
CATCH_UP_SECONDS = 2.0  # at most, until the controllers know what became of the Pods of an earlier run
LOOK_SECONDS, QUIET_LOOKS = 0.02, 4


class ComponentFailed(Exception):
    """A component ended before it was ready; the text says what it said."""


class Child:
    """One component's process, and its successors."""

    def __init__(self, config: ClusterConfig, component: str, node: str, clock: Clock, changed: asyncio.Event) -> None:
        self.name = title(component, node)
        self.restarts = -1
        self.ready = asyncio.Event()
        self._config, self._clock, self._changed = config, clock, changed
        self._process: asyncio.subprocess.Process | None = None
        self._command = [sys.executable, "-X", "frozen_modules=on", "-m", "wherry.cluster.component", config.name, component]
        self._command += ["--supervised", "--data-dir", str(config.data)] + (["--node", node] if node else [])
        self.said = ""  # why the last one ended, in its own words
        self.port = 0  # its own, as it told it

    @property
    def record(self) -> Record | None:
        """What `wherry status` is told; None while there is no process."""
        process = self._process
        if process is None or process.returncode is not None:
            return None
        return Record(self.name, process.pid, processes.start_time(process.pid), self.restarts, self.port)

    async def keep(self) -> None:
        """Run it, again and again, until cancelled.  Raises ComponentFailed when the very first is never ready."""
        backoff = Backoff(self._clock, base=0.1, cap=10.0, jitter=0.1, reset_after=60.0)
        while True:
            code = await self._once()
            if not self.ready.is_set():
                raise ComponentFailed(f"{self.name}: {self.said or f'exit code {code}'}")
            log.warning("%s ended with exit code %s; it is started again", self.name, code)
            await backoff.wait()

    async def _once(self) -> int:
        with (self._config.run / f"{self.name}.log").open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, start_new_session=True, cwd="/",
            )
        self._process, self.said, self.port = process, "", 0
        self.restarts += 1
        self._changed.set()
        try:
            await self._listen(process)
            return await process.wait()
        finally:
            if process.returncode is None:
                await asyncio.shield(self._end(process))
            self._changed.set()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Until its standard output ends, as it does with the process."""
        assert process.stdout is not None
        while line := await process.stdout.readline():
            with contextlib.suppress(msgspec.DecodeError):
                told = msgspec.json.decode(line)
                if told.get("ready"):
                    self.ready.set()
                if "port" in told:
                    self.port = int(told["port"])
                    self._changed.set()
                self.said = str(told.get("error", self.said))

    @staticmethod
    async def _end(process: asyncio.subprocess.Process) -> None:
        """SIGTERM, and SIGKILL if that does not do."""
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
                    return
            process.kill()
        await process.wait()


class Supervisor:
    """The components of one cluster, started in order and ended in reverse."""

    def __init__(self, config: ClusterConfig, notify: Notify) -> None:
        self.config, self._notify = config, notify
        self.ready = False
        self.clock = RealClock()
        self._changed = asyncio.Event()
        self._children: list[Child] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set.  Raises what keeps the cluster from starting."""
        processes.end_left(self.config)  # of a supervisor that was killed
        write_identities(self.config)
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._record(), name="processes.json")
            self._notify(step="api", text="API server")
            first, *rest = components_of(self.config)
            api = await self._start(group, [first])
            others: list[asyncio.Task[None]] = []
            try:
                self._notify(step="components", text="components")
                others = await self._start(group, rest)
                await self._nodes_ready()
                await self._settled()
                self.ready = True
                self._notify(ready=True)
                await stop.wait()
            finally:
                await _cancel(others)
                await _cancel(api)
                await _cancel([telling])

    async def _start(self, group: asyncio.TaskGroup, components: list[str]) -> list[asyncio.Task[None]]:
        """Start them together and wait until each is ready; a failure is their tasks'."""
        nodes = self.config.node_names
        made = [
            Child(self.config, component, node, self.clock, self._changed)
            for component in components for node in (nodes if component == "kubelet" else [""])
        ]
        self._children += made
        tasks = [group.create_task(child.keep(), name=child.name) for child in made]
        async with asyncio.timeout(START_SECONDS):
            for child in made:
                await child.ready.wait()
        return tasks

    async def _nodes_ready(self) -> None:
        admin = identities.ADMIN.client(self.config, "wherry")
        try:
            async with asyncio.timeout(START_SECONDS):
                for name in self.config.node_names:
                    await node_ready(admin, name, self.clock)
        finally:
            await admin.close()

    async def _settled(self) -> None:
        """Until the controllers have nothing to do, where there are Pods of an earlier run: what is told of those may be
        long over.  They say so themselves; whoever does not answer is not waited for."""
        manager = next(child for child in self._children if child.name == "controller-manager")
        admin = identities.ADMIN.client(self.config, "wherry")
        figures = _own(self.config, manager.port)
        try:
            if self.config.fidelity == "api" or not (await admin.list(core_v1.Pod, limit=1)).items:
                return
            quiet = 0
            async with asyncio.timeout(CATCH_UP_SECONDS):
                while quiet < QUIET_LOOKS:
                    await self.clock.sleep(LOOK_SECONDS)
                    quiet = quiet + 1 if await _holds(figures) else 0
        except TimeoutError:
            log.info("the controllers are busy still with what became of the Pods: going on")
        except OSError as error:
            log.warning("the controllers do not tell whether they have settled: %s", error)
        finally:
            await admin.close()
            await figures.close()

    async def _record(self) -> None:
        """Which processes there are, for `wherry status`, and for whoever cleans up after us."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            processes.write(self.config, [record for child in self._children if (record := child.record) is not None])


def write_identities(config: ClusterConfig) -> None:
    """Certificates and kubeconfigs of all components, as far as they are missing.  Raises OSError."""
    pki = PKI(config, RealClock())
    pki.ensure()
    control = [identities.ADMIN, identities.CONTROLLER_MANAGER, identities.SCHEDULER]
    named = [*control, identities.PROXY, identities.DNS, identities.PROVISIONER]
    for identity in [*named, *map(identities.node, config.node_names)]:
        identity.write(config, pki)


def _own(config: ClusterConfig, port: int) -> Client:
    """A component's own port, as the administrator asks it."""
    pki = PKI(config, RealClock())
    return Client(HTTPSTransport(f"https://127.0.0.1:{port}", TLSConfig(
        ca_file=pki.ca.certificate, cert_file=pki.admin.certificate, key_file=pki.admin.key,
    )))


async def _holds(figures: Client) -> bool:
    """Raises OSError."""
    try:
        return (await figures.raw("GET", SETTLED)).status == 200
    except StatusError as error:
        if error.code == 500:
            return False
        raise OSError(error.message) from None


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

"""The embedded runtime: the CRI's verbs over this host's kernel, conmon and runc.

This file keeps what is known (records, locks, who waits for what) on the event loop and hands all
that blocks to worker threads: `sandbox.py` and `container.py` do the work there.  What it knows is on
disk too, and containers live under conmon, so a later process takes over where this one ended.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from wherry.runtime.embedded import adopt, cgroups, conmon, exits, linux, netns, stats, status, streams
from wherry.runtime.embedded.config import RuntimeConfig, new_id
from wherry.runtime.embedded.container import Containers, signal_number
from wherry.runtime.embedded.events import Events
from wherry.runtime.embedded.hostport import HostPorts
from wherry.runtime.embedded.imageverbs import ImageVerbs
from wherry.runtime.embedded.network import Network
from wherry.runtime.embedded.records import ContainerRecord, SandboxRecord, boot_id
from wherry.runtime.embedded.sandbox import Sandboxes, cgroup_of
from wherry.runtime.images import registry
from wherry.runtime.images.store import ImageStore
from wherry.runtime.interface import (
    ByteStream,
    ContainerConfig,
    ContainerEvent,
    ContainerState,
    ContainerStatus,
    ExecResult,
    NotFound,
    Resources,
    RuntimeFault,
    SandboxConfig,
    SandboxState,
    SandboxStatus,
    Streams,
    Usage,
)
from wherry.util.clock import Clock, wait_until

T = TypeVar("T")
P = ParamSpec("P")
log = logging.getLogger(__name__)

EXEC_OUTPUT_LIMIT = 16 << 20
"""Bytes of output that exec_sync keeps (the CRI's)."""


Verb = Callable[Concatenate["EmbeddedRuntime", P], Coroutine[Any, Any, T]]


def whole(verb: Verb[P, T]) -> Verb[P, T]:
    """Let a verb finish what it began though its caller is cancelled: its worker thread does, and that must be known."""

    @wraps(verb)
    async def run(self: "EmbeddedRuntime", /, *args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.create_task(verb(self, *args, **kwargs), name=verb.__name__)
        self._verbs.add(task)
        task.add_done_callback(self._verbs.discard)
        return await asyncio.shield(task)

    return run


class EmbeddedRuntime(ImageVerbs):
    """Implements `wherry.runtime.interface.Runtime`.  `start` first; one process a cluster at a time."""

    reachable = True

    def __init__(self, config: RuntimeConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._cgroups = cgroups.host()
        self._network = Network(config)
        self._sandbox_work = Sandboxes(config, self._network, self._cgroups)
        self._store = ImageStore(config.images)
        self._container_work = Containers(config, self._cgroups, self._sandbox_work, self._store.layers)
        self._host_ports = HostPorts(config)
        self._skopeo = registry.Skopeo()
        self._sandboxes: dict[str, SandboxRecord] = {}
        self._containers: dict[str, ContainerRecord] = {}
        self._finished: dict[str, asyncio.Event] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._verbs: set[asyncio.Task[Any]] = set()
        self._making: dict[str, set[str]] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._events = Events()
        # Making is bounded; what waits for the kernel or for a registry must not hold it up.
        self._makers = ThreadPoolExecutor(config.workers, "make")
        self._helpers = ThreadPoolExecutor(8, "help")
        self._pullers = ThreadPoolExecutor(2, "pull")

    # The runtime itself

    async def version(self) -> tuple[str, str]:
        from wherry import __version__

        return "wherry", __version__

    async def start(self) -> None:
        linux.adopt_orphans()
        found = await self._make(lambda: adopt.adopt(self._config, self._store, self._network, self._sandbox_work, self._container_work))
        self._sandboxes = {record.id: record for record in found.sandboxes}
        for record in found.containers:
            self._containers[record.id] = record
            self._finished[record.id] = asyncio.Event()
            if record.finished_at:
                self._finished[record.id].set()
            elif record.started_at:
                self._watch(record)
        for sandbox in found.sandboxes:
            if sandbox.pause.pid and sandbox.state is SandboxState.READY:
                self._watch_pause(sandbox)
        await self._publish_ports()

    async def close(self) -> None:
        self._skopeo.close()
        await asyncio.gather(*self._verbs, return_exceptions=True)
        watchers = list(self._watchers.values())
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        self._events.close()
        for pool in (self._makers, self._helpers, self._pullers):
            await asyncio.to_thread(pool.shutdown)

    async def destroy(self) -> list[str]:
        """Stop and remove everything of this cluster from the host, but not its images; what was found."""
        from wherry.runtime.embedded.cleanup import cleanup

        await self.close()
        return await asyncio.to_thread(cleanup, self._config.cluster, self._config.state)

    def events(self) -> AsyncIterator[ContainerEvent]:
        return self._events.listen()

    # Sandboxes

    @whole
    async def run_pod_sandbox(self, config: SandboxConfig) -> str:
        record = SandboxRecord(
            id=new_id(), config=config, created_at=self._clock.time(), cgroup=cgroup_of(self._config.cgroup, config), boot=boot_id()
        )
        self._host_ports.check(record, self._sandboxes.values())
        made = await self._make(lambda: self._sandbox_work.make(record))
        self._sandboxes[made.id] = made
        if config.port_mappings:
            try:
                await self._publish_ports()
            except RuntimeFault:
                await self.remove_pod_sandbox(made.id)
                raise
        if made.pause.pid:
            self._watch_pause(made)
        self._events.tell("created", made.id, made.id)
        return made.id

    @whole
    async def stop_pod_sandbox(self, sandbox_id: str) -> None:
        record = self._sandboxes.get(sandbox_id)
        if record is None:
            return
        async with self._lock(sandbox_id):
            inside = [each.id for each in self._containers.values() if each.sandbox_id == sandbox_id]
            await asyncio.gather(*(self.stop_container(each, 0.0) for each in inside))
            was = record.state
            self._unwatch(sandbox_id)
            stopped = await self._help(lambda: self._sandbox_work.stop(record))
            self._sandboxes[sandbox_id] = stopped
            if record.config.port_mappings:
                await self._publish_ports()
            if was is SandboxState.READY:
                self._events.tell("stopped", sandbox_id, sandbox_id)

    @whole
    async def remove_pod_sandbox(self, sandbox_id: str) -> None:
        if sandbox_id not in self._sandboxes:
            return
        await self.stop_pod_sandbox(sandbox_id)
        for each in [each.id for each in self._containers.values() if each.sandbox_id == sandbox_id]:
            await self.remove_container(each)
        async with self._lock(sandbox_id):
            record = self._sandboxes.get(sandbox_id)
            if record is not None:
                await self._help(lambda: self._sandbox_work.remove(record))
                self._sandboxes.pop(sandbox_id, None)
                self._events.tell("deleted", sandbox_id, sandbox_id)
        self._locks.pop(sandbox_id, None)

    async def pod_sandbox_status(self, sandbox_id: str) -> SandboxStatus:
        return status.of_sandbox(self._sandbox(sandbox_id))

    async def list_pod_sandboxes(self) -> Sequence[SandboxStatus]:
        return [status.of_sandbox(record) for record in self._sandboxes.values()]

    @whole
    async def update_pod_sandbox_resources(self, sandbox_id: str, resources: Resources) -> None:
        async with self._lock(sandbox_id):
            record = self._sandbox(sandbox_id)
            self._sandboxes[sandbox_id] = await self._help(lambda: self._sandbox_work.update(record, resources))

    # Containers

    @whole
    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str:
        sandbox = self._sandbox(sandbox_id)
        if sandbox.state is not SandboxState.READY:
            raise RuntimeFault(f"sandbox {sandbox_id} is not ready", "CreateContainerError")
        image = self._store.find(config.image)
        if image is None:
            raise NotFound(f'image "{config.image}" not found', "CreateContainerError")
        container_id = new_id()
        record = ContainerRecord(
            id=container_id,
            sandbox_id=sandbox_id,
            config=config,
            image_id=image.id,
            image_ref=image.repo_digests[0] if image.repo_digests else image.id,
            image_name=next(iter((*image.repo_tags, *image.repo_digests)), image.id),
            created_at=self._clock.time(),
            log_path=str(Path(sandbox.config.log_directory) / config.log_path) if config.log_path else "",
            cgroup=f"{sandbox.cgroup}/{container_id}",
            stop_signal=signal_number(config.stop_signal or image.stop_signal),
        )
        self._making[container_id] = record.images()
        try:
            made = await self._make(lambda: self._container_work.create(record, sandbox, image))
            self._containers[container_id] = made
        finally:
            del self._making[container_id]
        self._finished[container_id] = asyncio.Event()
        self._events.tell("created", container_id, sandbox_id)
        return container_id

    @whole
    async def start_container(self, container_id: str) -> None:
        async with self._lock(container_id):
            record = self._container(container_id)
            if status.state(record) is not ContainerState.CREATED:
                raise RuntimeFault(f"container {container_id} is {status.state(record)}", "RunContainerError")
            sandbox, now = self._sandbox(record.sandbox_id), self._clock.time()
            try:
                started = await self._make(lambda: self._container_work.start(record, sandbox, now))
            except (OSError, RuntimeFault) as error:
                message, now = str(error), self._clock.time()
                self._containers[container_id] = await self._help(lambda: self._container_work.fail(record, message, now))
                self._finished[container_id].set()
                self._events.tell("stopped", container_id, record.sandbox_id)
                raise RuntimeFault(message, "RunContainerError") from error
            self._containers[container_id] = started
            self._watch(started)
            self._events.tell("started", container_id, record.sandbox_id)

    async def stop_container(self, container_id: str, timeout: float) -> None:
        record = self._containers.get(container_id)
        if record is None or status.state(record) is not ContainerState.RUNNING:
            return
        finished = self._finished[container_id]
        if timeout > 0:
            await self._help(lambda: self._container_work.send(record, record.stop_signal))
            try:
                await wait_until(self._clock, self._clock.monotonic() + timeout, finished.wait())
                return
            except TimeoutError:
                log.info("container %s did not stop in %g s: killing it", record.config.name, timeout)
        await self._help(lambda: self._container_work.send(record, signal.SIGKILL))
        await finished.wait()

    @whole
    async def remove_container(self, container_id: str) -> None:
        if container_id not in self._containers:
            return
        await self.stop_container(container_id, 0.0)
        async with self._lock(container_id):
            record = self._containers.get(container_id)
            if record is None:
                return
            await self._help(lambda: self._container_work.remove(record))
            self._containers.pop(container_id, None)
            self._finished.pop(container_id).set()
            self._events.tell("deleted", container_id, record.sandbox_id)
        self._locks.pop(container_id, None)

    async def container_status(self, container_id: str) -> ContainerStatus:
        return status.of_container(self._container(container_id))

    async def list_containers(self) -> Sequence[ContainerStatus]:
        return [status.of_container(record) for record in self._containers.values()]

    @whole
    async def update_container_resources(self, container_id: str, resources: Resources) -> None:
        async with self._lock(container_id):
            record = self._running(container_id)
            updated = await self._help(lambda: self._container_work.update(record, resources))
            self._containers[container_id] = replace(self._container(container_id), config=updated.config)

    async def reopen_container_log(self, container_id: str) -> None:
        self._running(container_id)
        bundle = self._container_work.directory(container_id)
        await self._help(lambda: conmon.reopen_log(bundle))

    # Streams

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        process = await self._exec(container_id, command, stdin=False, tty=False)
        output: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}

        async def collect() -> None:
            while (item := await process.read()) is not None:
                kept = output[item[0]]
                kept += item[1][: EXEC_OUTPUT_LIMIT - len(kept)]

        collector = asyncio.create_task(collect(), name="exec_sync output")
        try:
            if timeout > 0:
                code = await wait_until(self._clock, self._clock.monotonic() + timeout, process.wait())
            else:
                code = await process.wait()
            await collector
            return ExecResult(bytes(output[1]), bytes(output[2]), code)
        finally:
            collector.cancel()
            await asyncio.gather(collector, return_exceptions=True)
            await process.close()

    async def exec(self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> Streams:
        return await self._exec(container_id, command, stdin=stdin, tty=tty)

    async def _exec(self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> streams.ExecStreams:
        self._running(container_id)
        if not command:
            raise RuntimeFault("exec needs a command")
        job = streams.Exec(
            runtime=self._config.runtime,
            oci_state=self._config.oci_state,
            bundle=self._container_work.directory(container_id),
            sockets=self._config.sockets,
            command=tuple(command),
            stdin=stdin,
            terminal=tty,
        )
        return streams.ExecStreams(await self._help(lambda: streams.spawn(job)), self._clock)

    async def attach(self, container_id: str, *, stdin: bool, tty: bool) -> Streams:
        record = self._running(container_id)
        path = conmon.attach_socket(self._config.sockets, container_id)
        finished = self._finished[container_id]

        async def exited() -> int:
            await finished.wait()
            known = self._containers.get(container_id)
            return known.exit_code if known is not None else 0

        bundle = self._container_work.directory(container_id)
        return streams.AttachStreams(path, bundle, stdin=stdin and record.config.stdin, exited=exited)

    async def port_forward(self, sandbox_id: str, port: int) -> ByteStream:
        record = self._sandbox(sandbox_id)
        if record.state is not SandboxState.READY:
            raise RuntimeFault(f"sandbox {sandbox_id} is not running")
        if record.config.host_network:
            return await streams.connect(_here, port)
        namespace = self._sandbox_work.directory(sandbox_id) / "net"
        return await streams.connect(lambda family: self._help(lambda: netns.inside(namespace, lambda: streams.new_socket(family))), port)

    # Statistics

    async def container_stats(self, container_id: str) -> Usage:
        record, now = self._container(container_id), self._clock.time()
        writable = self._container_work.writable(container_id)
        return await self._help(lambda: stats.container(self._cgroups, record.cgroup, writable, now))

    async def sandbox_stats(self, sandbox_id: str) -> Usage:
        record, now = self._sandbox(sandbox_id), self._clock.time()
        return await self._help(lambda: stats.sandbox(self._cgroups, record.cgroup, self._network.counters(sandbox_id), now))

    # What keeps it together

    def _sandbox(self, sandbox_id: str) -> SandboxRecord:
        record = self._sandboxes.get(sandbox_id)
        if record is None:
            raise NotFound(f"no such sandbox: {sandbox_id}")
        return record

    def _container(self, container_id: str) -> ContainerRecord:
        record = self._containers.get(container_id)
        if record is None:
            raise NotFound(f"no such container: {container_id}")
        return record

    def _running(self, container_id: str) -> ContainerRecord:
        record = self._container(container_id)
        if status.state(record) is not ContainerState.RUNNING:
            raise RuntimeFault(f"container {container_id} is not running")
        return record

    def _lock(self, key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())

    async def _make(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._makers, work)

    async def _help(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._helpers, work)

    async def _publish_ports(self) -> None:
        await self._help(lambda: self._host_ports.apply(list(self._sandboxes.values())))

    def _watch(self, record: ContainerRecord) -> None:
        self._own(record.id, self._until_exit(record))

    def _watch_pause(self, record: SandboxRecord) -> None:
        self._own(record.id, self._until_pause_ends(record))

    def _own(self, key: str, work: Awaitable[None]) -> None:
        async def run() -> None:
            try:
                await work
            except Exception:  # a watcher's end must not go unseen
                log.exception("lost sight of %s", key)
            finally:
                if self._watchers.get(key) is asyncio.current_task():
                    del self._watchers[key]

        self._watchers[key] = asyncio.create_task(run(), name=f"watch {key[:12]}")

    def _unwatch(self, key: str) -> None:
        watcher = self._watchers.pop(key, None)
        if watcher is not None:
            watcher.cancel()

    async def _until_exit(self, record: ContainerRecord) -> None:
        await exits.ended(record.conmon)
        if self._container_work.exit_of(record) is None:  # conmon was killed: the container may live on
            await exits.ended(record.init)
            exits.reap(record.init)
        exits.reap(record.conmon)
        now, known = self._clock.time(), self._containers[record.id]
        finished = await self._help(lambda: self._container_work.finish(known, now))
        self._containers[record.id] = finished
        self._finished[record.id].set()
        self._events.tell("stopped", record.id, record.sandbox_id)

    async def _until_pause_ends(self, record: SandboxRecord) -> None:
        await exits.ended(record.pause)
        exits.reap(record.pause)
        known = self._sandboxes.get(record.id)
        if known is not None and known.state is SandboxState.READY:
            lost = replace(known, state=SandboxState.NOTREADY)
            self._sandboxes[record.id] = lost
            await self._help(lambda: self._sandbox_work.save(lost))
            self._events.tell("stopped", record.id, record.id)


async def _here(family: socket.AddressFamily) -> socket.socket:
    return streams.new_socket(family)

"""`FakeRuntime`: the runtime's verbs on objects in memory, with time from the injected clock.

A container that ends by itself has one task, which sleeps; one that runs for ever has none, so that
thousands of Pods cost no more than their records.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from wherry.runtime.fake.images import FakeImages, PullRule, pull_anything
from wherry.runtime.fake.script import Rule, Script, script_of_annotations
from wherry.runtime.fake.streams import FakeStreams
from wherry.runtime.interface import (
    ByteStream,
    ContainerConfig,
    ContainerEvent,
    ContainerState,
    ContainerStatus,
    ContainerUser,
    ExecResult,
    Image,
    NotFound,
    RegistryAuth,
    Resources,
    RuntimeFault,
    SandboxConfig,
    SandboxState,
    SandboxStatus,
    Security,
    Streams,
    Usage,
)
from wherry.util.clock import Clock, rfc3339_micro, wait_until

_QUEUE_LIMIT = 65_536
_NO_PROCESS = b"wherry: a simulated container runs no process\n"


def _user(security: Security) -> ContainerUser:
    """Whom the Pod asks for: a simulated image says nothing."""
    group = security.run_as_group or 0
    return ContainerUser(security.run_as_user or 0, group, tuple(dict.fromkeys((group, *security.supplemental_groups))))


@dataclass(slots=True)
class _Container:
    status: ContainerStatus
    script: Script
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    life: asyncio.Task[None] | None = None
    attached: list[FakeStreams] = field(default_factory=list)


class FakeRuntime:
    """No containers.  `rule` gives each container its script; `pull` says how a pull goes."""

    def __init__(
        self, clock: Clock, rule: Rule = script_of_annotations, *, pull: PullRule = pull_anything,
        pod_cidr: str = "10.88.0.0/16", name: str = "fake", reachable: bool = True,
    ) -> None:
        self.reachable = reachable
        self._clock, self._rule, self._pull, self._name = clock, rule, pull, name
        network = ip_network(pod_cidr)
        self._addresses = (str(network.network_address + offset) for offset in itertools.count(2))
        self._size = network.num_addresses - 3
        self._free: list[str] = []
        self._taken = 0
        self._sandboxes: dict[str, SandboxStatus] = {}
        self._containers: dict[str, _Container] = {}
        self._members: dict[str, set[str]] = {}  # sandbox id -> container ids
        self._ids = itertools.count(1)
        self._listeners: list[asyncio.Queue[ContainerEvent | None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.images = FakeImages()

    async def version(self) -> tuple[str, str]:
        return self._name, "1.0"

    async def start(self) -> None:
        """Nothing to find: what this object holds is all there is."""

    async def close(self) -> None:
        """Stop the clockwork; records stay, as containers outlive a kubelet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        for queue in self._listeners:
            queue.put_nowait(None)
        self._listeners.clear()

    # Sandboxes ---------------------------------------------------------------------------------

    async def run_pod_sandbox(self, config: SandboxConfig) -> str:
        address = () if config.host_network else (self._take_address(),)
        sandbox_id = self._new_id()
        self._sandboxes[sandbox_id] = SandboxStatus(sandbox_id, config, SandboxState.READY, self._clock.time(), address)
        self._tell("started", "", sandbox_id)
        return sandbox_id

    def _take_address(self) -> str:
        if self._free:
            return self._free.pop(0)
        if self._taken >= self._size:
            raise RuntimeFault("no pod address is left in the node's range")
        self._taken += 1
        return next(self._addresses)

    async def stop_pod_sandbox(self, sandbox_id: str) -> None:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            return
        await asyncio.gather(*(self.stop_container(c.status.id, 0) for c in self._of_sandbox(sandbox_id)))
        if sandbox.state == SandboxState.READY:
            self._sandboxes[sandbox_id] = replace(sandbox, state=SandboxState.NOTREADY)
            self._tell("stopped", "", sandbox_id)

    async def remove_pod_sandbox(self, sandbox_id: str) -> None:
        if sandbox_id not in self._sandboxes:
            return
        await self.stop_pod_sandbox(sandbox_id)
        for container in self._of_sandbox(sandbox_id):
            await self.remove_container(container.status.id)
        self._members.pop(sandbox_id, None)
        self._free.extend(self._sandboxes.pop(sandbox_id).ips)
        self._tell("deleted", "", sandbox_id)

    async def pod_sandbox_status(self, sandbox_id: str) -> SandboxStatus:
        if sandbox_id not in self._sandboxes:
            raise NotFound(f"sandbox {sandbox_id} not found")
        return self._sandboxes[sandbox_id]

    async def list_pod_sandboxes(self) -> Sequence[SandboxStatus]:
        return list(self._sandboxes.values())

    def _of_sandbox(self, sandbox_id: str) -> list[_Container]:
        return [self._containers[each] for each in sorted(self._members.get(sandbox_id, ()))]

    # Containers --------------------------------------------------------------------------------

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str:
        sandbox = await self.pod_sandbox_status(sandbox_id)
        if sandbox.state != SandboxState.READY:
            raise RuntimeFault(f"sandbox {sandbox_id} is not ready")
        image = self.images.find(config.image)
        if image is None:
            raise NotFound(f'image "{config.image}" not found')
        container_id = self._new_id()
        log = str(Path(sandbox.config.log_directory) / config.log_path) if config.log_path else ""
        name = next(iter((*image.repo_tags, *image.repo_digests)), image.id)
        status = ContainerStatus(
            container_id, sandbox_id, config, ContainerState.CREATED, self._clock.time(),
            image=name, image_ref=next(iter(image.repo_digests), image.id), image_id=image.id, log_path=log,
            user=_user(config.security),
        )
        self._containers[container_id] = _Container(status, self._rule(sandbox.config, config))
        self._members.setdefault(sandbox_id, set()).add(container_id)
        self._tell("created", container_id, sandbox_id)
        return container_id

    async def start_container(self, container_id: str) -> None:
        container = self._get(container_id)
        if container.status.state != ContainerState.CREATED:
            raise RuntimeFault(f"container {container_id} is {container.status.state}, not created")
        script = container.script
        if script.start_delay:
            await self._clock.sleep(script.start_delay)
        now = self._clock.time()
        if script.start_error:
            container.status = replace(container.status, started_at=0.0)
            self._end(container, 128, "StartError", script.start_error)
            raise RuntimeFault(script.start_error)
        container.status = replace(container.status, state=ContainerState.RUNNING, started_at=now, pid=next(self._ids) + 1000)
        self._write_log(container, script.log)
        self._tell("started", container_id, container.status.sandbox_id)
        if script.run_for is not None:
            container.life = self._spawn(self._live(container, script.run_for))

    async def _live(self, container: _Container, seconds: float) -> None:
        await self._clock.sleep(seconds)
        if container.status.state == ContainerState.RUNNING:
            self._leave_message(container)
            self._end(container, container.script.exit_code, container.script.reason)

    def _end(self, container: _Container, exit_code: int, reason: str = "", message: str = "") -> None:
        container.status = replace(
            container.status, state=ContainerState.EXITED, finished_at=self._clock.time(), exit_code=exit_code, pid=0,
            reason=reason or ("Completed" if exit_code == 0 else "Error"), message=message,
        )
        container.ended.set()
        if container.life is not None and container.life is not asyncio.current_task():
            container.life.cancel()
        for streams in container.attached:
            streams.end(exit_code)
        self._tell("stopped", container.status.id, container.status.sandbox_id)

    async def stop_container(self, container_id: str, timeout: float) -> None:
        container = self._containers.get(container_id)
        if container is None or container.status.state == ContainerState.EXITED:
            return
        if container.status.state == ContainerState.CREATED:
            self._end(container, 137)
            return
        delay = container.script.term_after
        willing = delay is not None and delay <= timeout
        wait = delay if willing and delay is not None else timeout
        if wait > 0:
            with contextlib.suppress(TimeoutError):
                await wait_until(self._clock, self._clock.monotonic() + wait, container.ended.wait())
        if container.status.state == ContainerState.RUNNING:
            self._end(container, container.script.term_exit_code if willing else 137)

    async def kill(self, container_id: str, exit_code: int = 137, reason: str = "") -> None:
        """End a container from outside, as an administrator's `kill -9` would."""
        self._end(self._get(container_id), exit_code, reason)

    async def remove_container(self, container_id: str) -> None:
        container = self._containers.get(container_id)
        if container is None:
            return
        await self.stop_container(container_id, 0)
        self._containers.pop(container_id, None)
        self._members.get(container.status.sandbox_id, set()).discard(container_id)
        self._tell("deleted", container_id, container.status.sandbox_id)

    async def container_status(self, container_id: str) -> ContainerStatus:
        return self._get(container_id).status

    async def list_containers(self) -> Sequence[ContainerStatus]:
        return [container.status for container in self._containers.values()]

    async def update_pod_sandbox_resources(self, sandbox_id: str, resources: Resources) -> None:
        status = await self.pod_sandbox_status(sandbox_id)
        was = status.config
        config = replace(
            was, cpu_quota=resources.cpu_quota or was.cpu_quota, cpu_shares=resources.cpu_shares or was.cpu_shares,
            memory_limit=resources.memory_limit or was.memory_limit,
        )
        self._sandboxes[sandbox_id] = replace(status, config=config)

    async def update_container_resources(self, container_id: str, resources: Resources) -> None:
        container = self._get(container_id)
        container.status = replace(container.status, config=replace(container.status.config, resources=resources))

    async def reopen_container_log(self, container_id: str) -> None:
        self._get(container_id)  # a log is opened for each write

    # Processes in them -------------------------------------------------------------------------

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        container = self._running(container_id)
        delay = container.script.exec_delay(command) if container.script.exec_delay else 0.0
        if timeout and delay > timeout:
            await self._clock.sleep(timeout)
            raise TimeoutError
        if delay:
            await self._clock.sleep(delay)
        return self._answer(container, command)

    async def exec(self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> Streams:
        result = self._answer(self._running(container_id), command)
        streams = FakeStreams(tty)
        streams.feed(1, result.stdout)
        streams.feed(2, result.stderr)
        streams.end(result.exit_code)
        return streams

    async def attach(self, container_id: str, *, stdin: bool, tty: bool) -> Streams:
        container = self._running(container_id)
        streams = FakeStreams(tty)
        container.attached.append(streams)
        return streams

    async def port_forward(self, sandbox_id: str, port: int) -> ByteStream:
        await self.pod_sandbox_status(sandbox_id)
        raise ConnectionRefusedError(f"dial tcp 127.0.0.1:{port}: connect: connection refused (nothing is simulated there)")

    def _answer(self, container: _Container, command: Sequence[str]) -> ExecResult:
        if container.script.exec is None:
            return ExecResult(b"", _NO_PROCESS, 0)
        return container.script.exec(command, self._clock.time() - container.status.started_at)

    # Events and figures ------------------------------------------------------------------------

    def events(self) -> AsyncIterator[ContainerEvent]:
        queue: asyncio.Queue[ContainerEvent | None] = asyncio.Queue(_QUEUE_LIMIT)
        self._listeners.append(queue)
        return self._listen(queue)

    async def _listen(self, queue: asyncio.Queue[ContainerEvent | None]) -> AsyncIterator[ContainerEvent]:
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            if queue in self._listeners:
                self._listeners.remove(queue)

    def _tell(self, kind: str, container_id: str, sandbox_id: str) -> None:
        event = ContainerEvent(kind, container_id, sandbox_id)
        for queue in list(self._listeners):
            if queue.qsize() >= _QUEUE_LIMIT - 1:  # the listener sleeps: end its stream, so that it lists anew
                self._listeners.remove(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)

    async def container_stats(self, container_id: str) -> Usage:
        container = self._get(container_id)
        now = self._clock.time()
        if container.status.state != ContainerState.RUNNING:
            return Usage(now)
        elapsed = now - container.status.started_at
        memory = container.script.memory
        return Usage(
            now, cpu_ns=int(elapsed * container.script.cpu_milli * 1_000_000), memory_usage=memory,
            memory_working_set=memory, memory_rss=memory,
        )

    async def sandbox_stats(self, sandbox_id: str) -> Usage:
        await self.pod_sandbox_status(sandbox_id)
        each = [await self.container_stats(c.status.id) for c in self._of_sandbox(sandbox_id)]
        return Usage(
            self._clock.time(), cpu_ns=sum(u.cpu_ns for u in each), memory_usage=sum(u.memory_usage for u in each),
            memory_working_set=sum(u.memory_working_set for u in each), memory_rss=sum(u.memory_rss for u in each),
        )

    # Images ------------------------------------------------------------------------------------

    async def list_images(self) -> Sequence[Image]:
        return self.images.all()

    async def image_status(self, reference: str) -> Image | None:
        return self.images.find(reference)

    async def pull_image(self, reference: str, auth: RegistryAuth | None = None) -> str:
        pull = self._pull(reference)
        if pull.delay:
            await self._clock.sleep(pull.delay)
        return self.images.pulled(reference, pull).id

    async def remove_image(self, reference: str) -> None:
        self.images.remove(reference)

    async def image_fs_usage(self) -> tuple[int, int, int]:
        used, capacity = sum(image.size for image in self.images.all()), 100 << 30
        return used, capacity - used, capacity

    # Helpers -----------------------------------------------------------------------------------

    def _new_id(self) -> str:
        return f"{next(self._ids):064x}"

    def _get(self, container_id: str) -> _Container:
        if container_id not in self._containers:
            raise NotFound(f"container {container_id} not found")
        return self._containers[container_id]

    def _running(self, container_id: str) -> _Container:
        container = self._get(container_id)
        if container.status.state != ContainerState.RUNNING:
            raise RuntimeFault(f"container {container_id} is not running")
        return container

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _write_log(self, container: _Container, text: str) -> None:
        """Logs are files in the CRI's format, made only when there is something to say."""
        if not text or not container.status.log_path:
            return
        path = Path(container.status.log_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        stamp = rfc3339_micro(self._clock.time())
        with path.open("a") as file:
            file.writelines(f"{stamp} stdout F {line}\n" for line in text.splitlines())
        for streams in container.attached:
            streams.feed(1, text.encode())

    def _leave_message(self, container: _Container) -> None:
        if not container.script.termination_message:
            return
        wanted = container.status.config.annotations.get("io.kubernetes.container.terminationMessagePath")
        for mount in container.status.config.mounts:
            if mount.container_path == wanted:
                Path(mount.host_path).write_text(container.script.termination_message)

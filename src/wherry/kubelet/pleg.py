"""The Pod lifecycle event generator: what the runtime knows, by Pod, kept up to date by its events.

Nothing polls.  A full listing happens at the start, when the event stream ends, and now and then for safety.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from wherry.kubelet.container.state import POD_NAME, POD_NAMESPACE, POD_UID, PodState
from wherry.runtime.interface import ContainerEvent, ContainerStatus, NotFound, Runtime, RuntimeFault, SandboxStatus
from wherry.util.clock import Clock

log = logging.getLogger(__name__)

RELIST_SECONDS = 300.0


class PodCache:
    """`on_change(uid)` is called when something about a Pod's containers changed; it must be quick."""

    def __init__(self, runtime: Runtime, clock: Clock, on_change: Callable[[str], None]) -> None:
        self._runtime, self._clock, self._on_change = runtime, clock, on_change
        self._sandboxes: dict[str, SandboxStatus] = {}
        self._containers: dict[str, ContainerStatus] = {}
        self._of_pod: dict[str, set[str]] = {}  # uid -> sandbox ids
        self._of_sandbox: dict[str, set[str]] = {}  # sandbox id -> container ids
        self.last_listed = 0.0

    def get(self, uid: str) -> PodState:
        """What is known of a Pod: empty when nothing is."""
        sandboxes = [self._sandboxes[each] for each in self._of_pod.get(uid, ())]
        sandboxes.sort(key=_age, reverse=True)
        ids = [each for sandbox in sandboxes for each in self._of_sandbox.get(sandbox.id, ())]
        containers = sorted((self._containers[each] for each in ids), key=_age, reverse=True)
        if not sandboxes:
            return PodState(uid)
        config = sandboxes[0].config
        return PodState(uid, config.name, config.namespace, tuple(sandboxes), tuple(containers))

    def uids(self) -> set[str]:
        return set(self._of_pod)

    async def refresh(self, uid: str) -> PodState:
        """Ask the runtime anew about everything known of a Pod."""
        for sandbox_id in list(self._of_pod.get(uid, ())):
            await self.observe_sandbox(sandbox_id)
            for container_id in list(self._of_sandbox.get(sandbox_id, ())):
                await self.observe_container(container_id)
        return self.get(uid)

    async def observe_sandbox(self, sandbox_id: str) -> None:
        """Take in a sandbox's present state (or that it is gone)."""
        try:
            self._put_sandbox(await self._runtime.pod_sandbox_status(sandbox_id))
        except NotFound:
            self._drop_sandbox(sandbox_id)

    async def observe_container(self, container_id: str) -> None:
        try:
            status = await self._runtime.container_status(container_id)
        except NotFound:
            self._drop_container(container_id)
            return
        if status.sandbox_id not in self._sandboxes:
            await self.observe_sandbox(status.sandbox_id)
        self._put_container(status)

    async def relist(self) -> None:
        """Take in everything; Pods about which something changed are told."""
        before = {uid: self.get(uid) for uid in self._of_pod}
        sandboxes, containers = await self._runtime.list_pod_sandboxes(), await self._runtime.list_containers()
        for sandbox_id in set(self._sandboxes) - {s.id for s in sandboxes}:
            self._drop_sandbox(sandbox_id)
        for container_id in set(self._containers) - {c.id for c in containers}:
            self._drop_container(container_id)
        for sandbox in sandboxes:
            self._put_sandbox(sandbox)
        for container in containers:
            self._put_container(container)
        self.last_listed = self._clock.monotonic()
        for uid in {*before, *self._of_pod}:
            if self.get(uid) != before.get(uid):
                self._on_change(uid)

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Follow the runtime for ever.  `started` is called once the first listing is in."""
        while True:
            events = self._runtime.events()  # before the listing, so that nothing falls between
            try:
                await self.relist()
                started()
                async for event in events:
                    await self._handle(event)
                    if self._clock.monotonic() - self.last_listed > RELIST_SECONDS:
                        await self.relist()
            except (RuntimeFault, OSError):
                log.exception("the runtime cannot be listened to; trying again")
            finally:
                close = getattr(events, "aclose", None)
                if close is not None:
                    await close()
            await self._clock.sleep(1.0)

    async def _handle(self, event: ContainerEvent) -> None:
        uid = self._uid_of(event.sandbox_id)
        try:
            if event.container_id:
                await self.observe_container(event.container_id)
            else:
                await self.observe_sandbox(event.sandbox_id)
        except RuntimeFault as fault:
            log.warning("cannot look at %s: %s", event.container_id or event.sandbox_id, fault)
        uid = uid or self._uid_of(event.sandbox_id)
        if uid and event.type in ("started", "stopped", "deleted"):
            self._on_change(uid)

    def _uid_of(self, sandbox_id: str) -> str:
        sandbox = self._sandboxes.get(sandbox_id)
        return uid_of(sandbox) if sandbox else ""

    def _put_sandbox(self, sandbox: SandboxStatus) -> None:
        if uid_of(sandbox):
            self._sandboxes[sandbox.id] = sandbox
            self._of_pod.setdefault(uid_of(sandbox), set()).add(sandbox.id)

    def _put_container(self, container: ContainerStatus) -> None:
        if container.sandbox_id in self._sandboxes:
            self._containers[container.id] = container
            self._of_sandbox.setdefault(container.sandbox_id, set()).add(container.id)

    def _drop_sandbox(self, sandbox_id: str) -> None:
        sandbox = self._sandboxes.pop(sandbox_id, None)
        for container_id in self._of_sandbox.pop(sandbox_id, ()):
            self._containers.pop(container_id, None)
        if sandbox is not None:
            members = self._of_pod.get(uid_of(sandbox), set())
            members.discard(sandbox_id)
            if not members:
                self._of_pod.pop(uid_of(sandbox), None)

    def _drop_container(self, container_id: str) -> None:
        container = self._containers.pop(container_id, None)
        if container is not None:
            self._of_sandbox.get(container.sandbox_id, set()).discard(container_id)


def _age(thing: SandboxStatus | ContainerStatus) -> tuple[int, float]:
    """Attempts only ever rise; the clock may have been set back."""
    return thing.config.attempt, thing.created_at


def uid_of(sandbox: SandboxStatus) -> str:
    return sandbox.config.labels.get(POD_UID) or sandbox.config.uid


def names_of(sandboxes: Iterable[SandboxStatus]) -> tuple[str, str]:
    """(namespace, name) of the Pod that these sandboxes were made for."""
    for sandbox in sandboxes:
        labels = sandbox.config.labels
        return labels.get(POD_NAMESPACE, sandbox.config.namespace), labels.get(POD_NAME, sandbox.config.name)
    return "", ""

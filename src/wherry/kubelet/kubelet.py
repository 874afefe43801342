"""`Kubelet`: puts the node agent's parts together and owns their tasks.

Cancel `run` to stop; containers run on, and the next kubelet takes them over as they are.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from wherry.api.types import core_v1, node_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.apimachinery.http import Request, Response
from wherry.client import Client
from wherry.client.informer import Handler, SharedInformerFactory
from wherry.client.recorder import EventRecorder
from wherry.kubelet.admission import AFFINITY, Rejection, admit
from wherry.kubelet.allocation import RETRY_SECONDS, AllocationManager
from wherry.kubelet.backoff import Backoff
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.container.kill import Killer
from wherry.kubelet.container.kuberuntime import KubeRuntime
from wherry.kubelet.events import Events
from wherry.kubelet.eviction.manager import EvictionManager, read_node
from wherry.kubelet.image_manager import ImageManager
from wherry.kubelet.log_rotation import LogRotator
from wherry.kubelet.machine import Machine, read_machine
from wherry.kubelet.node_status import NodeReporter
from wherry.kubelet.object_manager import ObjectManager, config_map_references, secret_references
from wherry.kubelet.pleg import PodCache, names_of
from wherry.kubelet.pod_sync import PodSync, change_waiter, remove_logs
from wherry.kubelet.pod_workers import PodWorkers
from wherry.kubelet.podutil import is_terminal
from wherry.kubelet.prober.manager import ProbeManager
from wherry.kubelet.prober.probe import Prober
from wherry.kubelet.prober.results import Result
from wherry.kubelet.prober.worker import PodView
from wherry.kubelet.server.server import Server
from wherry.kubelet.server.usage import read_usage
from wherry.kubelet.stats.provider import NodeUsage
from wherry.kubelet.status.manager import StatusManager
from wherry.kubelet.token_manager import TokenManager
from wherry.kubelet.volumes.manager import VolumeManager, Waiter
from wherry.kubelet.volumes.plugin import Mounter, NoMounter, RealMounter, VolumeContext, VolumeError
from wherry.runtime.interface import Runtime, RuntimeFault
from wherry.util.clock import Clock, wait_until

log = logging.getLogger(__name__)
T = TypeVar("T")


CATCH_UP_SECONDS = 10.0  # at most, until the Pods of an earlier run are told of


class Kubelet:
    """One node.

    `shared` may give informers of Services that several kubelets in a process use together.  `machine` tells
    what a simulated node is, and its use is the sum of its Pods', unless `node_usage` tells it; without it
    the node is this machine.
    """

    def __init__(
        self, config: KubeletConfig, client: Client, runtime: Runtime, clock: Clock, *, machine: Machine | None = None,
        mounter: Mounter | None = None, shared: SharedInformerFactory | None = None, recorder: EventRecorder | None = None,
        node_usage: NodeUsage | None = None,
    ) -> None:
        self.config, self.client, self.runtime, self.clock = config, client, runtime, clock
        self.machine = machine or read_machine(config.root_dir)
        self.recorder = recorder or EventRecorder(client, clock, "kubelet", config.node_name)
        self.events = Events(self.recorder, config.node_name)
        self._informers = SharedInformerFactory(client, clock)
        self._services = (shared or self._informers).informer(core_v1.Service)
        self._pods = self._informers.informer(core_v1.Pod, field_selector=f"spec.nodeName={config.node_name}")
        self._nodes = self._informers.informer(core_v1.Node, field_selector=f"metadata.name={config.node_name}")
        self._by_uid: dict[str, core_v1.Pod] = {}
        self._rejected: set[str] = set()
        self._changed: dict[str, asyncio.Event] = {}
        self._listed = asyncio.Event()  # the runtime's containers are known
        self._doubtful: asyncio.Queue[core_v1.Pod] = asyncio.Queue()  # the node's labels as they are known refuse them
        self._remains: asyncio.Queue[tuple[core_v1.Pod | None, str]] = asyncio.Queue()
        self._last_objects: dict[str, core_v1.Pod] = {}
        self.cache = PodCache(runtime, clock, self._kick)
        self.statuses = StatusManager(client, clock, self._by_uid.get)
        self.probes = ProbeManager(Prober(runtime, self.events), clock, self._view, self._probe_changed)
        self.config_maps = ObjectManager(self._informers, core_v1.ConfigMap, config_map_references, self._kick)
        self.secrets = ObjectManager(self._informers, core_v1.Secret, secret_references, self._kick)
        self.node = NodeReporter(config, client, runtime, clock, self.machine, self.events, pressures=lambda: self.eviction.pressures)
        self.allocation = AllocationManager(self._capacity, self._accepted, self.events, self._reallocated)
        self.tokens = TokenManager(client, clock)
        self.volumes = VolumeManager(self._volume_context(mounter or _mounter()), self.events, clock)
        self.kuberuntime = self._make_kuberuntime()
        self.eviction = self._make_eviction()
        if node_usage is None and machine is None and sys.platform == "linux":
            node_usage = read_usage
        self.node_usage = node_usage
        self.server = Server(self)
        self._sync: PodSync | None = None
        self.workers: PodWorkers | None = None
        self.synced = asyncio.Event()  # the server has what became of the Pods that were here before this kubelet

    def _volume_context(self, mounter: Mounter) -> VolumeContext:
        return VolumeContext(
            pods_dir=self.config.root_dir / "pods", get_config_map=self.config_maps.get, get_secret=self.secrets.get,
            get_token=self.tokens.get, pod_ips=lambda uid: self.cache.get(uid).ips, host_ip=self.config.node_ip,
            allocatable=self.node.capacity, mounter=mounter, offload=self.config.offload, now=self.clock.time,
            get_claim=lambda namespace, name: self._read(core_v1.PersistentVolumeClaim, name, namespace),
            get_volume=lambda name: self._read(core_v1.PersistentVolume, name), users_of=lambda path: self.volumes.users_of(path),
            warn=lambda pod, reason, message: self.events.pod(pod, "Warning", reason, message),
            simulated=self.config.simulated,
        )

    async def _runtime_class(self, name: str) -> node_v1.RuntimeClass | None:
        try:
            return await self.client.get(node_v1.RuntimeClass, name)
        except StatusError as error:
            if is_not_found(error):
                return None
            raise OSError(str(error)) from error

    async def _read(self, kind: type[T], name: str, namespace: str = "") -> T | None:
        """As it is now: a kubelet may not watch claims and volumes.  Raises VolumeError when the server does not tell."""
        try:
            return await self.client.get(kind, name, namespace)
        except (StatusError, OSError) as error:
            if isinstance(error, StatusError) and is_not_found(error):
                return None
            raise VolumeError(str(error)) from error

    def _make_kuberuntime(self) -> KubeRuntime:
        config = self.config
        image_backoff = Backoff(self.clock, config.image_backoff_initial, config.image_backoff_max)
        return KubeRuntime(
            runtime=self.runtime, cache=self.cache, killer=Killer(self.runtime, self.events, self.clock), events=self.events,
            images=ImageManager(
                self.runtime, self.events, self.clock, self.secrets.get, image_backoff, config.max_parallel_image_pulls,
            ),
            clock=self.clock, config=config, backoff=Backoff(self.clock, 10.0, config.max_container_restart_period),
            get_config_map=self.config_maps.get, get_secret=self.secrets.get, get_runtime_class=self._runtime_class,
            services=self._all_services,
            allocatable=self.node.capacity, memory_capacity=self.machine.memory,
            liveness=self.probes.results["Liveness"], startup=self.probes.results["Startup"], on_sandbox=self.statuses.sandbox_ready,
        )

    def _make_eviction(self) -> EvictionManager:
        return EvictionManager(
            clock=self.clock, runtime=self.runtime, events=self.events, offload=self.config.offload,
            observe=lambda: read_node(self.config.root_dir), pods=self.pods, state=self.cache.get,
            volumes=self.volumes.paths, end=self._evict, told=self.node.hurry,
        )

    def _all_services(self) -> Iterable[core_v1.Service]:
        return self._services.store

    # Running -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Register the node and look after its Pods until cancelled."""
        runtime_name, _ = await self.runtime.version()
        self._sync = PodSync(
            config=self.config, clock=self.clock, cache=self.cache, kuberuntime=self.kuberuntime, statuses=self.statuses,
            volumes=self.volumes, probes=self.probes, config_maps=self.config_maps, secrets=self.secrets, tokens=self.tokens,
            events=self.events, allocation=self.allocation, runtime_name=runtime_name, wait_for_change=self._waiter,
        )
        self.workers = PodWorkers(
            self._sync, self.clock, retry=self.config.retry_period, resync=self.config.sync_frequency, on_finished=self._finished,
        )
        try:
            async with asyncio.TaskGroup() as group:
                self._spawn(group, self.recorder.run(), "events")
                self._spawn(group, self._informers.run(), "informers")
                self._spawn(group, self.cache.run(self._listed.set), "pleg")
                self._spawn(group, self._remove_remains(), "remains")
                self._spawn(group, self._look_again(), "doubtful pods")
                self._spawn(group, self._retry_resizes(), "resizes")
                self._spawn(group, LogRotator(self.runtime, self.clock, self.config).run(), "log rotation")
                self.events.node("Normal", "Starting", "Starting kubelet.")
                await self.node.register()
                self._spawn(group, self.node.run_status(), "node status")
                self._spawn(group, self.node.run_lease(), "node lease")
                await self._listed.wait()
                await self._services.wait_for_sync()
                await self._nodes.wait_for_sync()
                self._pods.add_handler(Handler(on_add=self._pod_added, on_update=self._pod_updated, on_delete=self._pod_deleted))
                await self._pods.wait_for_sync()
                await self._remove_orphans()
                self._spawn(group, self._catch_up(), "catching up")
                if self.node_usage is not None:  # a simulated node is measured when someone asks
                    self._spawn(group, self.server.stats.run(), "stats")
                    self._spawn(group, self.eviction.run(), "eviction")
        finally:
            await self.workers.close()
            await self.probes.close()
            await self.statuses.close()

    @staticmethod
    def _spawn(group: asyncio.TaskGroup, work: Coroutine[Any, Any, None], name: str) -> None:
        group.create_task(work, name=f"kubelet {name}")

    async def handle(self, request: Request) -> Response:
        """The kubelet's own HTTP API."""
        return await self.server.handle(request)

    # Pods come, change and go ------------------------------------------------------------------

    def _accepted(self) -> list[core_v1.Pod]:
        return [each for uid, each in self._by_uid.items() if uid not in self._rejected]

    def _capacity(self) -> dict[str, str]:
        """What Pods can have of the node, extended resources included."""
        node = self._nodes.store.get(self.config.node_name)
        return {**(node.status.allocatable if node is not None else {}), **self.node.capacity()}

    def _pod_added(self, pod: core_v1.Pod) -> None:
        self._by_uid[pod.metadata.uid] = pod
        refused = self._refusal(pod, self._nodes.store.get(self.config.node_name))
        if refused is None:
            self._accept(pod)
            return
        self._rejected.add(pod.metadata.uid)  # until it is known better
        if refused.reason == AFFINITY:
            self._doubtful.put_nowait(pod)
        else:
            self._reject(pod, refused)

    def _refusal(self, pod: core_v1.Pod, node: core_v1.Node | None) -> Rejection | None:
        """What runs, has ended or goes is looked after in any case; a new Pod must fit."""
        uid = pod.metadata.uid
        if is_terminal(pod.status.phase) or pod.metadata.deletion_timestamp or self.cache.get(uid).sandboxes:
            return None
        others = [self.allocation.of(each) for each in self._accepted() if each.metadata.uid != uid]
        config = self.config
        return admit(pod, others, self._capacity(), self.machine, config.allowed_unsafe_sysctls, node, simulated=config.simulated)

    def _accept(self, pod: core_v1.Pod) -> None:
        if self.workers is not None:
            self.workers.update(self.allocation.add(pod))

    def _reject(self, pod: core_v1.Pod, refused: Rejection) -> None:
        self.statuses.reject(pod, refused.reason, refused.message)
        self.events.pod(pod, "Warning", refused.reason, refused.message)

    async def _look_again(self) -> None:
        """The scheduler may know of labels that have not come here yet: ask before a Pod is refused for lack of them."""
        while True:
            pod = await self._doubtful.get()
            node = self._nodes.store.get(self.config.node_name)
            try:
                node = await self.client.get(core_v1.Node, self.config.node_name)
            except (StatusError, OSError) as error:
                log.debug("node %s cannot be read: %s", self.config.node_name, error)
            pod = self._by_uid.get(pod.metadata.uid, pod)
            if pod.metadata.uid not in self._by_uid:
                continue
            refused = self._refusal(pod, node)
            if refused is not None:
                self._reject(pod, refused)
            else:
                self._rejected.discard(pod.metadata.uid)
                self._accept(pod)

    def _pod_updated(self, old: core_v1.Pod, pod: core_v1.Pod) -> None:
        self._by_uid[pod.metadata.uid] = pod
        self.statuses.reconcile(pod)
        if pod.metadata.uid in self._rejected and not pod.metadata.deletion_timestamp:
            return
        if old.spec != pod.spec:
            self.allocation.update(pod)
        if self.workers is not None and _concerns_us(old, pod):
            self.workers.update(self.allocation.of(pod))
        if old.spec != pod.spec or (is_terminal(pod.status.phase) and not is_terminal(old.status.phase)):
            self.allocation.retry()

    def _reallocated(self, uid: str) -> None:
        """What a Pod was promised has changed, or what is said of its wish."""
        pod = self._by_uid.get(uid)
        if pod is not None and self.workers is not None:
            self.workers.update(self.allocation.of(pod))

    async def _retry_resizes(self) -> None:
        while True:
            await self.clock.sleep(RETRY_SECONDS)
            self.allocation.retry()

    def _pod_deleted(self, pod: core_v1.Pod) -> None:
        uid = pod.metadata.uid
        self._by_uid.pop(uid, None)
        self._rejected.discard(uid)
        if self.workers is None or uid not in self.workers.known():  # it never ran here
            self.statuses.forget(uid)
            if self.workers is not None:
                self.workers.remove(pod)
        else:
            self._last_objects[uid] = pod
            self.workers.remove(self.allocation.of(pod))
        self.allocation.forget(uid)
        self.allocation.retry()

    async def _catch_up(self) -> None:
        """What the server tells of Pods that ran here earlier may be long over."""
        deadline = self.clock.monotonic() + CATCH_UP_SECONDS
        try:
            for pod in self.pods():
                await wait_until(self.clock, deadline, self.statuses.told(pod))
        except TimeoutError:
            log.warning("what became of the Pods that were here is not known after %d s: going on", CATCH_UP_SECONDS)
        self.synced.set()

    async def _remove_orphans(self) -> None:
        """What an earlier kubelet left of Pods that are gone by now."""
        assert self.workers is not None
        for uid in self.cache.uids() - self._by_uid.keys():
            namespace, name = names_of(self.cache.get(uid).sandboxes)
            log.info("pod %s/%s (%s) is not in the API any more: stopping what runs of it", namespace, name, uid)
            self.workers.remove_orphan(uid, f"{namespace}/{name}")
        for uid in self.volumes.on_disk() - self._by_uid.keys() - self.cache.uids():
            await self.volumes.unmount(uid)
        await self.config.offload(remove_logs, self.config.pod_logs_dir, self._by_uid.keys() | self.cache.uids())

    def _finished(self, uid: str) -> None:
        self._changed.pop(uid, None)
        self._remains.put_nowait((self._last_objects.pop(uid, None), uid))

    async def _remove_remains(self) -> None:
        """Take away what is left of Pods that are gone, one after the other and out of everyone's way."""
        while True:
            pod, uid = await self._remains.get()
            assert self._sync is not None
            try:
                await self._sync.remove_remains(pod, uid)
            except (RuntimeFault, OSError):
                log.exception("cannot remove what is left of pod %s", uid)

    # Something happened on the node ------------------------------------------------------------

    def _kick(self, uid: str) -> None:
        if (waiting := self._changed.get(uid)) is not None:
            waiting.set()
        if self.workers is not None:
            self.workers.kick(uid)

    def _waiter(self, uid: str) -> Waiter:
        """Waits for a while, or until something that the Pod uses changed."""
        return change_waiter(self.clock, self.change_of(uid))

    def _evict(self, uid: str, reason: str, message: str) -> None:
        if self._sync is not None and self.workers is not None:
            self._sync.end(uid, reason, message)
            self.workers.kill(uid, grace=0.0)

    def _view(self, uid: str) -> PodView | None:
        pod, status = self._by_uid.get(uid), self.statuses.peek(uid)
        return PodView(pod, status) if pod is not None and status is not None else None

    def _probe_changed(self, kind: str, container_id: str, uid: str, result: Result) -> None:
        if kind == "Readiness":
            self.statuses.set_readiness(uid, container_id, result == Result.SUCCESS)
        elif kind == "Startup":
            self.statuses.set_started(uid, container_id, result == Result.SUCCESS)
        if kind != "Liveness" or result == Result.FAILURE:
            self._kick(uid)

    def change_of(self, uid: str) -> Callable[[], Awaitable[None]]:
        """Returns once something about the Pod's containers has changed."""

        async def changed() -> None:
            event = self._changed.setdefault(uid, asyncio.Event())
            event.clear()
            await event.wait()

        return changed

    def pod(self, namespace: str, name: str) -> core_v1.Pod | None:
        """The Pod of that name on this node."""
        return self._pods.store.get(name, namespace)

    def pods(self) -> list[core_v1.Pod]:
        return list(self._by_uid.values())


def _concerns_us(old: core_v1.Pod, new: core_v1.Pod) -> bool:
    """Whether an update is more than our own status come back."""
    before, after = old.metadata, new.metadata
    return (
        old.spec != new.spec or before.deletion_timestamp != after.deletion_timestamp or before.labels != after.labels
        or before.deletion_grace_period_seconds != after.deletion_grace_period_seconds
        or before.annotations != after.annotations or before.generation != after.generation
        or _gates(old) != _gates(new)
    )


def _gates(pod: core_v1.Pod) -> list[tuple[str, str]]:
    wanted = {gate.condition_type for gate in pod.spec.readiness_gates}
    return [(each.type, each.status) for each in pod.status.conditions if each.type in wanted]


def _mounter() -> Mounter:
    return RealMounter() if os.geteuid() == 0 else NoMounter()

"""The node's object: made when the kubelet starts, told when something changed, and its Lease renewed.

`make_status` is pure; `NodeReporter` sends.  https://kubernetes.io/docs/reference/node/node-status/
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec

from wherry.api.types import coordination_v1, core_v1, meta_v1
from wherry.apimachinery import quantity
from wherry.apimachinery.errors import StatusError, is_already_exists, is_not_found
from wherry.client import Client
from wherry.kubelet.config import RUNTIME_HANDLERS, KubeletConfig
from wherry.kubelet.events import Events
from wherry.kubelet.machine import Machine
from wherry.kubelet.status.conditions import Json
from wherry.runtime.interface import Image, Runtime, RuntimeFault
from wherry.util.clock import Clock, rfc3339, rfc3339_micro, wait_until

log = logging.getLogger(__name__)

_MAX_IMAGES = 50
_LEASE_NAMESPACE = "kube-node-lease"
# type -> (reason, message, event) while all is well, and the same under pressure.  Upstream has no threshold for PIDs.
_PRESSURES = {
    "MemoryPressure": (
        ("KubeletHasSufficientMemory", "kubelet has sufficient memory available", "NodeHasSufficientMemory"),
        ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available", "NodeHasInsufficientMemory"),
    ),
    "DiskPressure": (
        ("KubeletHasNoDiskPressure", "kubelet has no disk pressure", "NodeHasNoDiskPressure"),
        ("KubeletHasDiskPressure", "kubelet has disk pressure", "NodeHasDiskPressure"),
    ),
    "PIDPressure": (
        ("KubeletHasSufficientPID", "kubelet has sufficient PID available", "NodeHasSufficientPID"),
        ("KubeletHasInsufficientPID", "kubelet has insufficient PID available", "NodeHasInsufficientPID"),
    ),
}
Pressures = Callable[[], Collection[str]]  # the types of the pressures there are


def node_labels(config: KubeletConfig, machine: Machine) -> dict[str, str]:
    return {
        "beta.kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/os": machine.operating_system,
        "kubernetes.io/arch": machine.architecture,
        "kubernetes.io/hostname": config.node_name,
        "kubernetes.io/os": machine.operating_system,
        **config.node_labels,
    }


def capacity(config: KubeletConfig, machine: Machine) -> dict[str, str]:
    figures = {
        "cpu": str(machine.cpus),
        "ephemeral-storage": f"{machine.disk // 1024}Ki",
        "memory": f"{machine.memory // 1024}Ki",
        "pods": str(config.max_pods),
    }
    for size, total in machine.hugepages.items():
        figures[f"hugepages-{size}"] = str(quantity.from_bytes(total))
    return dict(sorted(figures.items()))


def make_conditions(old: Sequence[core_v1.NodeCondition], now: str, fault: str, pressures: Collection[str] = ()) -> list[Json]:
    """The node's conditions.  `fault` says why the runtime does not answer; empty when it does."""
    before = {each.type: each for each in old}
    found = [(kind, str(kind in pressures), *words[kind in pressures][:2]) for kind, words in _PRESSURES.items()]
    ready = ("False", "KubeletNotReady", fault) if fault else ("True", "KubeletReady", "kubelet is posting ready status")
    made = []
    for kind, status, reason, message in [*found, ("Ready", *ready)]:
        was = before.get(kind)
        same = was is not None and was.status == status and was.last_transition_time
        made.append({
            "type": kind, "status": status, "lastHeartbeatTime": now,
            "lastTransitionTime": was.last_transition_time if same and was is not None else now,
            "reason": reason, "message": message,
        })
    return made


def image_list(images: Sequence[Image]) -> list[Json]:
    """The largest images with their names."""
    largest = sorted(images, key=lambda image: (-image.size, image.id))[:_MAX_IMAGES]
    return [{"names": [*image.repo_digests, *image.repo_tags], "sizeBytes": image.size} for image in largest]


def make_status(
    config: KubeletConfig, machine: Machine, old: core_v1.NodeStatus, now: str, *, runtime: tuple[str, str], images: Sequence[Image],
    fault: str = "", pressures: Collection[str] = (),
) -> Json:
    """The whole status of the node.

    What others advertise (https://kubernetes.io/docs/tasks/administer-cluster/extended-resource-node/) may be asked for too.
    """
    figures = capacity(config, machine)
    extended = {name: amount for name, amount in old.capacity.items() if "/" in name}
    gone = {name: None for name in old.allocatable if "/" in name and name not in extended}
    return {
        "addresses": [{"type": "InternalIP", "address": config.node_ip}, {"type": "Hostname", "address": config.node_name}],
        "capacity": figures,
        "allocatable": {**figures, **extended, **gone},
        "conditions": make_conditions(old.conditions, now, fault, pressures),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": config.port}},
        "nodeInfo": {
            "machineID": machine.machine_id, "systemUUID": machine.system_uuid, "bootID": machine.boot_id,
            "kernelVersion": machine.kernel, "osImage": machine.os_image,
            "containerRuntimeVersion": f"{runtime[0]}://{runtime[1]}", "kubeletVersion": config.version, "kubeProxyVersion": "",
            "operatingSystem": machine.operating_system, "architecture": machine.architecture,
        },
        "images": image_list(images),
        "features": {"supplementalGroupsPolicy": True},
        "runtimeHandlers": [
            {"name": name, "features": {"recursiveReadOnlyMounts": True, "userNamespaces": False}} for name in RUNTIME_HANDLERS
        ],
    }


def without_heartbeats(status: Json) -> Json:
    """What of a status counts as a change."""
    conditions = [{k: v for k, v in each.items() if k != "lastHeartbeatTime"} for each in status["conditions"]]
    return {**status, "conditions": conditions}


class NodeReporter:
    """Registers the node, then `run_status` and `run_lease` are tasks of the kubelet."""

    def __init__(
        self, config: KubeletConfig, client: Client, runtime: Runtime, clock: Clock, machine: Machine, events: Events,
        fault: Callable[[], str] = lambda: "", pressures: Pressures = tuple,
    ) -> None:
        self._config, self._client, self._runtime, self._clock = config, client, runtime, clock
        self._pressures, self._hurry = pressures, asyncio.Event()
        self._machine, self._events, self._fault = machine, events, fault
        self._sent: Json | None = None
        self._sent_at = 0.0
        self._uid = ""
        self._version: tuple[str, str] = ("unknown", "0")

    def capacity(self) -> dict[str, str]:
        return capacity(self._config, self._machine)

    async def register(self) -> None:
        """Make the node's object, or take over the one that is there; tell its status at once."""
        delay = 0.2
        while True:
            try:
                node = await self._create_or_adopt()
                self._uid = node.metadata.uid
                await self._report(node, force=True)
                return
            except (StatusError, OSError) as error:
                log.warning("cannot register the node yet: %s", error)
                await self._clock.sleep(delay)
                delay = min(delay * 2, 7.0)

    async def _create_or_adopt(self) -> core_v1.Node:
        config = self._config
        labels = node_labels(config, self._machine)
        taints = [msgspec.convert(taint, core_v1.Taint) for taint in config.node_taints]
        status = msgspec.convert(await self._make(core_v1.NodeStatus()), core_v1.NodeStatus)
        annotations = {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
        ranges = [config.pod_cidr] if config.pod_cidr else []
        wanted = core_v1.Node(
            metadata=meta_v1.ObjectMeta(name=config.node_name, labels=labels, annotations=annotations),
            spec=core_v1.NodeSpec(taints=taints, pod_cidr=config.pod_cidr, pod_cidrs=ranges), status=status,
        )
        try:
            return await self._client.create(wanted)
        except StatusError as error:
            if not is_already_exists(error):
                raise
        node = await self._client.get(core_v1.Node, config.node_name)
        unknown = bool(ranges) and not node.spec.pod_cidrs  # of a node that an older version made
        if unknown or any(node.metadata.labels.get(key) != value for key, value in labels.items()):
            body: Json = {"metadata": {"labels": labels, "annotations": annotations}}
            if unknown:
                body["spec"] = {"podCIDR": config.pod_cidr, "podCIDRs": ranges}
            node = await self._client.patch(core_v1.Node, config.node_name, body, patch_type="merge")
        return node

    async def _make(self, old: core_v1.NodeStatus) -> Json:
        fault = self._fault()
        images: Sequence[Image] = ()
        try:
            self._version = await self._runtime.version()
            images = await self._runtime.list_images()
        except RuntimeFault as error:
            fault = fault or f"container runtime is down: {error}"
        return make_status(
            self._config, self._machine, old, rfc3339(self._clock.time()), runtime=self._version, images=images, fault=fault,
            pressures=self._pressures(),
        )

    async def _report(self, node: core_v1.Node, *, force: bool = False) -> None:
        status = await self._make(node.status)
        now = self._clock.monotonic()
        changed = self._sent is None or without_heartbeats(status) != without_heartbeats(self._sent)
        if not (force or changed or now - self._sent_at >= self._config.node_status_report_frequency):
            return
        ready, was = _is(status, "Ready"), self._sent is not None and _is(self._sent, "Ready")
        before = self._sent
        answer = await self._client.patch(
            core_v1.Node, self._config.node_name, {"status": status}, subresource="status", patch_type="strategic",
        )
        self._sent, self._sent_at, self._uid = status, now, answer.metadata.uid
        for kind, words in _PRESSURES.items():
            if before is None or _is(before, kind) != _is(status, kind):
                reason = words[_is(status, kind)][2]
                self._events.node("Normal", reason, f"Node {self._config.node_name} status is now: {reason}")
        if ready != was:
            reason = "NodeReady" if ready else "NodeNotReady"
            self._events.node("Normal", reason, f"Node {self._config.node_name} status is now: {reason}")

    def hurry(self) -> None:
        """Something about the node changed: tell it at once."""
        self._hurry.set()

    async def run_status(self) -> None:
        """Look every ten seconds; tell what changed, and everything every five minutes."""
        while True:
            with contextlib.suppress(TimeoutError):
                due = self._clock.monotonic() + self._config.node_status_update_frequency
                await wait_until(self._clock, due, self._hurry.wait())
            self._hurry.clear()
            try:
                await self._report(await self._client.get(core_v1.Node, self._config.node_name))
            except StatusError as error:
                if is_not_found(error):
                    self._sent = None
                    await self.register()
                else:
                    log.warning("node status not sent: %s", error)
            except OSError as error:
                log.warning("node status not sent: %s", error)

    async def run_lease(self) -> None:
        """Renew the Lease four times in its duration: so the control plane knows that the node lives."""
        interval = self._config.lease_duration / 4
        while True:
            try:
                await self._renew()
                wait = interval
            except (StatusError, OSError) as error:
                log.warning("lease not renewed: %s", error)
                wait = min(interval, 1.0)
            await self._clock.sleep(wait)

    async def _renew(self) -> None:
        name = self._config.node_name
        spec: dict[str, Any] = {
            "holderIdentity": name, "leaseDurationSeconds": self._config.lease_duration, "renewTime": rfc3339_micro(self._clock.time()),
        }
        try:
            await self._client.patch(coordination_v1.Lease, name, {"spec": spec}, _LEASE_NAMESPACE)
            return
        except StatusError as error:
            if not is_not_found(error):
                raise
        owner = meta_v1.OwnerReference(api_version="v1", kind="Node", name=name, uid=self._uid)
        meta = meta_v1.ObjectMeta(name=name, namespace=_LEASE_NAMESPACE, owner_references=[owner] if self._uid else [])
        lease_spec = msgspec.convert(spec, coordination_v1.LeaseSpec)
        await self._client.create(coordination_v1.Lease(metadata=meta, spec=lease_spec))


def _is(status: Json, kind: str) -> bool:
    return any(each.get("type") == kind and each.get("status") == "True" for each in status.get("conditions", []))

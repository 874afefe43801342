"""Deletes Pods when the time of their tainted devices is over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from wherry.api.devicetaints import DeviceID, taints_of
from wherry.api.resourceclaims import Claim, by_resource_claim
from wherry.api.types import core_v1, resource_v1
from wherry.client.informer import Handler
from wherry.client.store import key_of
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.devicetainteviction.plan import evict_at
from wherry.controller.podcontrol import disrupt
from wherry.controller.podutil import is_terminal


def _by_pool(each: resource_v1.ResourceSlice) -> Iterable[str]:
    return (f"{each.spec.driver}/{each.spec.pool.name}",)


def _pools_of(claim: Claim) -> set[str]:
    """An index of claims: the pools that they have devices of."""
    allocation = claim.status.allocation
    return {f"{each.driver}/{each.pool}" for each in allocation.devices.results} if allocation is not None else set()


class DeviceTaintEvictionController(Controller):
    name: ClassVar[str] = "device-taint-eviction-controller"
    component: ClassVar[str] = "device-taint-eviction"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.pods = self.informer(core_v1.Pod)
        self.claims = self.informer(Claim)
        self.slices = self.informer(resource_v1.ResourceSlice)
        self.rules = self.informer(resource_v1.DeviceTaintRule)
        self.pods.store.add_indexer("resource claims", by_resource_claim)
        self.claims.store.add_indexer("pools", _pools_of)
        self.slices.store.add_indexer("pool", _by_pool)
        self._due: dict[str, float] = {}  # Pods that will have to go, and when, in monotonic seconds
        self.pods.add_handler(Handler(self._pod_changed, lambda old, new: self._pod_changed(new), self._pod_gone))
        self.enqueue_all(self.claims, self._users)
        self.enqueue_all(self.slices, self._users_of_pool)
        self.enqueue_all(self.rules, lambda rule: [key for claim in self.claims.store for key in self._users(claim)])

    def _pod_changed(self, pod: core_v1.Pod) -> None:
        if pod.spec.node_name and by_resource_claim(pod):
            self.enqueue(pod)

    def _pod_gone(self, pod: core_v1.Pod) -> None:
        self._due.pop(key_of(pod), None)

    def _users(self, claim: Claim) -> list[str]:
        if claim.status.allocation is None and not self._due:
            return []
        return [key_of(pod) for pod in self.pods.store.by_index("resource claims", key_of(claim))]

    def _users_of_pool(self, each: resource_v1.ResourceSlice) -> list[str]:
        [pool] = _by_pool(each)
        return [key for claim in self.claims.store.by_index("pools", pool) for key in self._users(claim)]

    async def reconcile(self, key: str) -> RequeueAfter | None:
        pod = self.pods.store.get_by_key(key)
        if pod is None or not pod.spec.node_name or pod.metadata.deletion_timestamp is not None or is_terminal(pod):
            return None
        claims = [claim for each in by_resource_claim(pod) if (claim := self.claims.store.get_by_key(each)) is not None]
        used = [claim for claim in claims if any(user.uid == pod.metadata.uid for user in claim.status.reserved_for)]
        now, elapsed = self.clock.time(), self.clock.monotonic()
        due = evict_at(used, self._taints, now)
        if due is None:
            if self._due.pop(key, None) is not None:
                self.recorder.normal(pod, "DeviceTaintManagerEviction", "Cancelling deletion")
            return None
        if (left := due - now) > 0:
            self._due[key] = elapsed + left
            return RequeueAfter(left)
        self.recorder.normal(pod, "DeviceTaintManagerEviction", "Marking for deletion")
        await disrupt(self.client, pod, "DeletionByDeviceTaintManager", "Device Taint manager: deleting due to NoExecute taint", now)
        return None

    def _taints(self, device: DeviceID) -> list[resource_v1.DeviceTaint]:
        """Of the newest generation of its pool: a device that is gone has no taints."""
        driver, pool, name = device
        slices = self.slices.store.by_index("pool", f"{driver}/{pool}")
        newest = max((each.spec.pool.generation for each in slices), default=0)
        rules = self.rules.store.list()
        for each in slices:
            for found in each.spec.devices if each.spec.pool.generation == newest else ():
                if found.name == name:
                    return taints_of(device, found, rules)
        return []

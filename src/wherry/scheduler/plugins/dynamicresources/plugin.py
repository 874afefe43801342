"""DynamicResources: a Pod goes where the devices are that it claims.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
PreFilter looks at the Pod's claims, Filter looks for devices on each node (allocator.py), Reserve keeps what the chosen node
offers (taken.py), PreBind writes it into the claims (binding.py).  Claims that were allocated before say themselves where
they can be used; when that is nowhere, and nobody else uses one, it is given free again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wherry.api.nodeaffinity import matches_term
from wherry.api.resourceclaims import Claim, NotCreatedYet, can_be_reserved, claim_name, is_reserved_for, not_for
from wherry.api.types import core_v1, resource_v1
from wherry.apimachinery.errors import StatusError
from wherry.client.store import key_of
from wherry.scheduler.framework import (
    ASSIGNED_POD,
    NODE,
    UNSCHEDULED_POD,
    Action,
    CycleState,
    EventHint,
    Handle,
    Refusal,
    Snapshot,
    spread_scores,
)
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.plugins.base import Filter, Score
from wherry.scheduler.plugins.dynamicresources.allocator import Allocation, Allocator, TooLong
from wherry.scheduler.plugins.dynamicresources.binding import (
    BindingFailed,
    bind_claim,
    deallocate,
    discard,
    has_binding_conditions,
    readiness,
    until_ready,
)
from wherry.scheduler.plugins.dynamicresources.candidates import AllocationError, Inventory
from wherry.scheduler.plugins.dynamicresources.extended import (
    Asked,
    Resolver,
    asked_by,
    by_pod,
    claim_for,
    is_in_memory,
    to_be_made,
    told,
)
from wherry.scheduler.plugins.dynamicresources.taken import Decisions, Taken

CANNOT = Refusal("cannot allocate all claims")
ELSEWHERE = Refusal("resourceclaim not available on the node")
AGAIN = Refusal("cannot schedule extended resource claim")
TIMED_OUT = Refusal("timed out trying to allocate devices")
MAX_ALTERNATIVES = 8


@dataclass(slots=True)
class PodClaims:
    """What PreFilter found, what Filter offers a node, and which claims kept the Pod from nodes."""

    claims: list[Claim] = field(default_factory=list)
    waiting: list[Claim] = field(default_factory=list)  # those that have no devices yet
    offers: dict[str, list[Allocation]] = field(default_factory=dict)  # by node
    unavailable: dict[str, Claim] = field(default_factory=dict)  # by key
    extended: list[Asked] = field(default_factory=list)  # extended resources that devices stand for
    earlier: list[Claim] = field(default_factory=list)  # claims that an earlier try made for them
    made: Claim | None = None  # the claim that this one made

    @property
    def empty(self) -> bool:
        return not self.claims and not self.extended and not self.earlier


class DynamicResources(Filter, Score):
    name = "DynamicResources"

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._claims = handle.lister(Claim)
        self._classes = handle.lister(resource_v1.DeviceClass)
        self._rules = handle.lister(resource_v1.DeviceTaintRule)
        self._inventory = Inventory(handle.lister(resource_v1.ResourceSlice))
        self._taken = Taken(self._claims, handle.shared(Decisions))
        self._resolver = Resolver(self._classes)
        self._claims.add_indexer("made for extended resources", by_pod)

    def events(self) -> Sequence[EventHint]:
        changed = Action.ADD | Action.UPDATE
        return (
            EventHint(NODE, Action.ADD | Action.UPDATE_NODE_LABEL),
            EventHint(Claim, changed | Action.DELETE, self._claim_helps),
            EventHint(UNSCHEDULED_POD, Action.UPDATE_POD_GENERATED_RESOURCE_CLAIM),
            EventHint(resource_v1.DeviceClass, changed),
            EventHint(resource_v1.ResourceSlice, changed | Action.DELETE),  # what is left of a pool may be whole
            EventHint(resource_v1.DeviceTaintRule, Action.UPDATE | Action.DELETE),
            # One that could not be bound gives back what was kept for it, though no claim shows that.
            EventHint(ASSIGNED_POD, Action.DELETE, lambda pod, old, new: bool(old.spec.resource_claims or asked_by(old, self._resolver))),
        )

    def _claim_helps(self, pod: core_v1.Pod, old: Claim | None, new: Claim | None) -> bool:
        """A claim of the Pod's that came or whose status changed; any that lost its devices.

        The answer is kept for equal Pods: nothing of this Pod alone may be looked at.
        """
        if old is not None and old.status.allocation is not None and (new is None or new.status.allocation is None):
            return True
        if new is None and old is not None and by_pod(old):  # what an earlier try made is out of the way
            return True
        if new is None or new.metadata.namespace != pod.metadata.namespace:
            return False
        mine = any(_name(pod, entry) == new.metadata.name for entry in pod.spec.resource_claims)
        return mine and (old is None or old.status != new.status)

    # -- which node ----------------------------------------------------------------------------------

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> Refusal | None:
        found = state.data[self.name] = PodClaims()
        found.extended = asked_by(pod, self._resolver)
        if not pod.spec.resource_claims and not found.extended:
            return None
        self._taken.settle()
        for entry in pod.spec.resource_claims:
            claim, why = self._claim_of(pod, entry)
            if why:
                return Refusal(why)
            if claim is not None and claim not in found.claims:
                found.claims.append(claim)
        for claim in found.claims:
            if why := self._unusable(pod, claim):
                return Refusal(why)
        found.waiting = [claim for claim in found.claims if claim.status.allocation is None]
        found.earlier = self._claims.by_index("made for extended resources", pod.metadata.uid)
        return AGAIN if found.earlier else None

    def pre_enqueue(self, pod: core_v1.Pod) -> str:
        """Which claim is not there yet: until all are, the Pod is not worth a try."""
        return next((why for entry in pod.spec.resource_claims if (why := self._claim_of(pod, entry)[1])), "")

    def _claim_of(self, pod: core_v1.Pod, entry: core_v1.PodResourceClaim) -> tuple[Claim | None, str]:
        """The claim that stands for an entry (None: none is needed), or why the Pod has to wait for it."""
        try:
            name = claim_name(pod, entry)
        except NotCreatedYet as error:
            return None, str(error)
        if not name:
            return None, ""
        claim = self._claims.get(name, pod.metadata.namespace)
        if claim is None:
            return None, f'resourceclaim "{name}" not found'
        if claim.metadata.deletion_timestamp is not None:
            return None, f'resourceclaim "{name}" is being deleted'
        return claim, not_for(pod, claim) if entry.resource_claim_template_name else ""

    def _unusable(self, pod: core_v1.Pod, claim: Claim) -> str:
        """Why a claim cannot be the Pod's on any node; "" when it can."""
        if claim.status.allocation is not None:
            return "" if can_be_reserved(claim) or is_reserved_for(pod, claim) else "resourceclaim in use"
        if self._taken.is_pending(claim):
            return f"resource claim {key_of(claim)} is in the process of being allocated"
        for request in claim.spec.devices.requests:
            asked = [(request.name, request.exactly)] if request.exactly is not None else [
                (f"{request.name}/{each.name}", each) for each in request.first_available
            ]
            for name, each in asked:
                if self._classes.get(each.device_class_name) is None:
                    return f"request {name}: device class {each.device_class_name} does not exist"
        return ""

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        return not state.data[self.name].empty

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        found: PodClaims = state.data[self.name]
        if node.node is None:
            return CANNOT
        away = [claim for claim in found.claims if not _reaches(claim, node.node) or _failed(claim)]
        if away:
            found.unavailable |= {key_of(claim): claim for claim in away}
            return ELSEWHERE
        special = claim_for(pod, found.extended, node.allocatable) if found.extended else None
        waiting = [*found.waiting, special] if special is not None else found.waiting
        if not waiting:
            return None
        allocator = Allocator(
            node.node, waiting, self._inventory.pools(node.node), self._taken, self._classes.get, self._rules.list()
        )
        try:
            offer = allocator.allocate()
        except TooLong:
            return TIMED_OUT
        except AllocationError as error:
            return Refusal(str(error))
        if offer is None:
            return Refusal(CANNOT.reason, detail=allocator.lacking())
        found.offers[node.name] = offer
        return None

    # -- which is best -------------------------------------------------------------------------------

    def scores(self, pod: core_v1.Pod, snapshot: Snapshot) -> bool:
        claims = [self._claim_of(pod, entry)[0] for entry in pod.spec.resource_claims]
        return any(
            request.first_available for claim in claims if claim is not None and claim.status.allocation is None
            for request in claim.spec.devices.requests
        )

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float:
        """Earlier alternatives are better."""
        found: PodClaims = state.data[self.name]
        total = 0
        for offer in found.offers.get(node.name, ()):
            for request in offer.claim.spec.devices.requests:
                names = [f"{request.name}/{each.name}" for each in request.first_available]
                met = {each.wanted.name for each in offer.chosen}
                total += next((MAX_ALTERNATIVES - i for i, name in enumerate(names) if name in met), 0)
        return float(total)

    def normalize(self, scores: list[float]) -> list[float]:
        return spread_scores(scores)

    # -- from the decision to the binding ------------------------------------------------------------

    def reserve(self, state: CycleState, pod: core_v1.Pod, node: str) -> Refusal | None:
        found: PodClaims | None = state.data.get(self.name)
        for offer in found.offers.get(node, ()) if found is not None else ():
            self._taken.decide(offer.claim, pod.metadata.uid, offer.results)
        return None

    def unreserve(self, state: CycleState, pod: core_v1.Pod, node: str) -> None:
        """What was written stays: the next try finds it, and may give it free."""
        found: PodClaims | None = state.data.get(self.name)
        if found is None:
            return
        special = [offer.claim for offer in found.offers.get(node, ()) if is_in_memory(offer.claim)]
        for claim in (*found.waiting, *special, *([found.made] if found.made is not None else [])):
            self._taken.give_up(claim, pod.metadata.uid)

    def pre_bind_pre_flight(self, state: CycleState, pod: core_v1.Pod, node: str) -> bool:
        found: PodClaims | None = state.data.get(self.name)
        return found is not None and bool(found.claims or found.offers.get(node))

    async def pre_bind(self, state: CycleState, pod: core_v1.Pod, node: str) -> Refusal | None:
        found: PodClaims = state.data[self.name]
        offers = {key_of(offer.claim): offer for offer in found.offers.get(node, ())}
        clock = self._handle.clock
        bound: list[Claim] = []
        try:
            for claim in found.claims:
                offer = offers.get(key_of(claim))
                written = await bind_claim(self._handle.client, claim, pod, _written(offer) if offer is not None else None, clock.time())
                if offer is not None:
                    self._taken.written(claim, written.metadata.resource_version)
                bound.append(written)
            for offer in offers.values():
                if is_in_memory(offer.claim):
                    bound.append(await self._bind_extended(found, pod, offer))
        except BindingFailed as error:
            return Refusal(str(error))
        except StatusError as error:
            if error.code == 422:  # it has as many users as it may, or is on its way out
                return Refusal(error.message)
            raise
        if not any(map(has_binding_conditions, bound)):
            return None
        why = await until_ready(lambda: self._newest(bound), clock, clock.monotonic())
        return Refusal(why) if why else None

    async def _bind_extended(self, found: PodClaims, pod: core_v1.Pod, offer: Allocation) -> Claim:
        """Make the claim for extended resources, bind it as others, and tell the Pod of it."""
        client, uid = self._handle.client, pod.metadata.uid
        made = found.made = await client.create(to_be_made(pod, offer.claim))
        self._taken.decide(made, uid, offer.results)
        self._taken.give_up(offer.claim, uid)
        written = await bind_claim(client, made, pod, _written(offer), self._handle.clock.time())
        self._taken.written(made, written.metadata.resource_version)
        body = {"metadata": {"uid": uid}, "status": {"extendedResourceClaimStatus": told(written, found.extended)}}
        await client.patch(core_v1.Pod, pod.metadata.name, body, pod.metadata.namespace, subresource="status")
        return written

    def _newest(self, claims: Sequence[Claim]) -> list[Claim | None]:
        """As the list shows them by now; it may be behind what was written."""
        found: list[Claim | None] = []
        for claim in claims:
            known = self._claims.get(claim.metadata.name, claim.metadata.namespace)
            if known is not None and known.metadata.uid != claim.metadata.uid:
                known = None
            behind = known is not None and int(known.metadata.resource_version or 0) < int(claim.metadata.resource_version or 0)
            found.append(claim if behind else known)
        return found

    async def post_filter(self, state: CycleState, pod: core_v1.Pod) -> str:
        """Give a claim free that is in the way and that nobody else uses; what became of it."""
        found: PodClaims | None = state.data.get(self.name)
        if found is None or found.empty:
            return "no new claims to deallocate"
        for claim in found.unavailable.values():
            users = [each for each in claim.status.reserved_for if each.uid != pod.metadata.uid]
            if not users:
                await deallocate(self._handle.client, claim)
                return "deallocation of ResourceClaim completed"
        for claim in found.earlier:
            if claim.metadata.deletion_timestamp is None:
                await discard(self._handle.client, claim)
            return "deletion of ResourceClaim completed"
        return "still not schedulable"


def _name(pod: core_v1.Pod, entry: core_v1.PodResourceClaim) -> str:
    try:
        return claim_name(pod, entry)
    except NotCreatedYet:
        return ""


def _reaches(claim: Claim, node: core_v1.Node) -> bool:
    """Whether a claim that has its devices can be used on a node."""
    allocation = claim.status.allocation
    if allocation is None or allocation.node_selector is None:
        return True
    return any(matches_term(term, node) for term in allocation.node_selector.node_selector_terms)


def _failed(claim: Claim) -> bool:
    """Its devices will never be ready."""
    return has_binding_conditions(claim) and bool(readiness(claim)[1])


def _written(offer: Allocation) -> dict[str, Any]:
    """`status.allocation`."""
    devices: dict[str, Any] = {"results": offer.results}
    if offer.config:
        devices["config"] = offer.config
    allocation: dict[str, Any] = {"devices": devices}
    if offer.node_selector is not None:
        allocation["nodeSelector"] = msgspec.to_builtins(offer.node_selector)
    return allocation

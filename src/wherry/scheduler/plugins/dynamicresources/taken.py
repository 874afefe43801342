"""Which devices are taken: by claims that show it, and by those that are about to.

What was decided counts from that moment, so that no two Pods get one device; it is forgotten when the claims show it, or when
nothing came of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from wherry.api.devices import qualified
from wherry.api.devicetaints import DeviceID
from wherry.api.resourceclaims import Claim
from wherry.api.types import resource_v1
from wherry.apimachinery.quantity import Quantity, parse
from wherry.client.store import Store, key_of
from wherry.scheduler.plugins.dynamicresources.candidates import Name

Result = resource_v1.DeviceRequestAllocationResult


@dataclass(slots=True)
class Pending:
    """A decision for a claim: of which Pod, and from which version of the claim on it is to be seen (0: not written yet)."""

    key: str
    pod: str
    results: Sequence[Result]
    written: int = 0


def results_of(claim: Claim) -> Sequence[Result]:
    allocation = claim.status.allocation
    return allocation.devices.results if allocation is not None else ()


def _id(result: Result) -> DeviceID:
    return result.driver, result.pool, result.device


def by_device(claim: Claim) -> Iterable[str]:
    """An index: the devices that a claim has.  Who only looks at one as an administrator does not have it."""
    return {"/".join(_id(each)) for each in results_of(claim) if not each.admin_access}


@dataclass(slots=True)
class Decisions:
    """Those that are on their way: by the claim's uid; and by device, the uids of the claims that are to have it or a part of it."""

    by_claim: dict[str, Pending] = field(default_factory=dict)
    by_device: dict[DeviceID, dict[str, None]] = field(default_factory=dict)


class Taken:
    """Answers an allocator's questions (`Allocated`)."""

    def __init__(self, claims: Store[Claim], decisions: Decisions) -> None:
        self._claims = claims
        claims.add_indexer("devices", by_device)
        self._pending, self._pending_of = decisions.by_claim, decisions.by_device

    # -- decisions that are on their way -------------------------------------------------------------

    def is_pending(self, claim: Claim) -> bool:
        return claim.metadata.uid in self._pending

    def decide(self, claim: Claim, pod: str, results: Sequence[Mapping[str, object]]) -> None:
        decided = msgspec.convert(list(results), list[Result])
        self._forget(claim.metadata.uid)
        self._pending[claim.metadata.uid] = Pending(key_of(claim), pod, decided)
        for each in decided:
            if not each.admin_access:
                self._pending_of.setdefault(_id(each), {})[claim.metadata.uid] = None

    def written(self, claim: Claim, version: str) -> None:
        """The decision stands in this version of the claim."""
        pending = self._pending.get(claim.metadata.uid)
        if pending is not None:
            pending.written = int(version)

    def give_up(self, claim: Claim, pod: str) -> None:
        """Nothing came of a Pod's decision; what was written stays."""
        pending = self._pending.get(claim.metadata.uid)
        if pending is not None and pending.pod == pod and not pending.written:
            self._forget(claim.metadata.uid)

    def _forget(self, uid: str) -> None:
        pending = self._pending.pop(uid, None)
        for each in pending.results if pending is not None else ():
            uids = self._pending_of.get(_id(each), {})
            uids.pop(uid, None)
            if not uids:
                self._pending_of.pop(_id(each), None)

    def settle(self) -> None:
        """Forget what the list of claims tells by now: to be called before a decision."""
        for uid, pending in list(self._pending.items()):
            claim = self._claims.get_by_key(pending.key)
            same = claim is not None and claim.metadata.uid == uid
            if pending.written and (not same or claim is None or int(claim.metadata.resource_version or 0) >= pending.written):
                self._forget(uid)

    # -- what is taken -------------------------------------------------------------------------------

    def _of(self, device: DeviceID) -> Iterable[Result]:
        for claim in self._claims.by_index("devices", "/".join(device)):
            if claim.metadata.uid not in self._pending:
                yield from (each for each in results_of(claim) if _id(each) == device and not each.admin_access)
        for uid in self._pending_of.get(device, ()):
            yield from (each for each in self._pending[uid].results if _id(each) == device and not each.admin_access)

    def in_use(self, device: DeviceID) -> bool:
        return any(not each.share_id for each in self._of(device))

    def taken(self, device: DeviceID) -> Mapping[Name, Quantity] | None:
        parts = [each for each in self._of(device) if each.share_id]
        if not parts:
            return None
        total: dict[Name, Quantity] = {}
        for part in parts:
            for name, text in part.consumed_capacity.items():
                key = qualified(name, device[0])
                total[key] = total[key] + parse(text) if key in total else parse(text)
        return total

"""What the expand controller says of a claim.  Pure.

None of upstream's own volume plugins is left that it could expand with: whoever made the volume makes it
larger (for the default class `kubelet/provisioner`), and until then an event tells whom the claim waits for.
"""

from __future__ import annotations

from wherry.api.volumes import Claim, Volume, capacity, requested
from wherry.apimachinery.quantity import parse

EXTERNAL = "waiting for an external controller to expand this PVC"


def wants_more(claim: Claim) -> bool:
    """Bound, and asking for more than it has been given."""
    return claim.status.phase == "Bound" and requested(claim) > parse(claim.status.capacity.get("storage", "0"))


def waits(claim: Claim, volume: Volume | None) -> bool:
    """Whether to tell that somebody else has to act."""
    return volume is not None and claim.metadata.deletion_timestamp is None and wants_more(claim) and requested(claim) > capacity(volume)

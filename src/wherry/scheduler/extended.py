"""A decision that extenders have a word in: they are asked after the filters.  Nothing else is decided meanwhile, as upstream."""

from __future__ import annotations

import random
from collections.abc import Sequence

from wherry.api.types import core_v1
from wherry.scheduler.extender import NAME, Extender, filtered, prioritized
from wherry.scheduler.nominator import Nominator
from wherry.scheduler.plan import NO_NODES, Cycle, Decision, explain
from wherry.scheduler.profile import Profile
from wherry.scheduler.snapshot import Snapshot


async def schedule(
    pod: core_v1.Pod, snapshot: Snapshot, profile: Profile, rng: random.Random, nominator: Nominator, extenders: Sequence[Extender],
) -> Decision:
    """As `plan.schedule`.  Raises ExtenderError."""
    snapshot.arrange()
    if not snapshot.order:
        return Decision(message=NO_NODES)
    cycle = Cycle(pod, snapshot, profile, rng, nominator)
    places = cycle.feasible(several=True)
    if isinstance(places, Decision):
        return places
    nodes = {name: info.node for *_, name in places if (info := snapshot.nodes[name]).node is not None}
    left, refused = await filtered(extenders, pod, nodes)
    scores = await prioritized(extenders, pod, left) if len(left) > 1 else {}
    places = [place for place in places if place[2] in left and place[2] in snapshot.nodes]  # one may be gone meanwhile
    if places:
        return cycle.best(places, scores)
    diagnosis = {**cycle.refused, **{name: (NAME, refusal) for name, refusal in refused.items()}}
    return Decision("", diagnosis, explain(diagnosis, cycle.total), cycle.total, cycle.state, frozenset((NAME,)))

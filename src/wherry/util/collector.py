"""Python's cyclic collector, told how a cluster's process uses memory.

A request decodes thousands of small containers that are gone when it is answered, without a cycle among them;
a look at them every 700, as is the default, finds nothing and is a tenth of a busy server's time.  And what lives
long is never garbage either: a look at all of it, some 500 containers a Pod, would hold up the loop for longer the more
there is.  So every look is at what is new, once: what is found alive is put aside (frozen).  The few cycles that die
later (less than one object a Pod was seen) wait until twice as much is aside as the last full look left.
"""

import gc
from typing import Any

from wherry.util.clock import Clock

YOUNG = 2_500  # containers made and not gone again before a look, and so the most that one look is at: a few milliseconds
PERIOD = 3600.0  # seconds between two questions whether a full look is due


def relax() -> None:
    """At the start of a process: look more rarely."""
    gc.set_threshold(YOUNG)


def settle() -> None:
    """When everything stands: what is alive now is put aside, and from now on what is found alive."""
    gc.collect()
    gc.freeze()
    if _put_aside not in gc.callbacks:
        gc.callbacks.append(_put_aside)


def _put_aside(phase: str, info: dict[str, Any]) -> None:
    if phase == "stop":  # elder generations would only be looked at again, three times as much at a time
        gc.freeze()


async def run(clock: Clock) -> None:
    """Until cancelled: a full look now and then, once enough is aside to make it worth its time."""
    left = gc.get_freeze_count()
    while True:
        await clock.sleep(PERIOD)
        if gc.get_freeze_count() > 2 * left:
            gc.unfreeze()
            settle()
            left = gc.get_freeze_count()

"""Python's cyclic collector, told how a cluster's process uses memory.

A request decodes thousands of small containers that are gone when it is answered, without a cycle among them;
a look at them every 700, as is the default, finds nothing and is a tenth of a busy server's time.
"""

import gc

YOUNG = 20_000  # containers made and not gone again before the collector looks at the young ones


def relax() -> None:
    """At the start of a process: look more rarely."""
    gc.set_threshold(YOUNG, 10, 10)


def settle() -> None:
    """When everything stands: what is alive now stays, the collector need not look at it again."""
    gc.collect()
    gc.freeze()

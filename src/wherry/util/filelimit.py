"""How many files this process may have open: a connection is one, and a login's usual limit of 1,024 is soon reached.

Past it nobody can connect, no program can be started and no file be opened.  Containers keep the limit that this process
was started with, which old programs count on.
"""

from __future__ import annotations

import contextlib
import resource

ENOUGH = 65536
GIVEN = resource.getrlimit(resource.RLIMIT_NOFILE)  # (soft, hard)


def lift() -> None:
    """As far as the hard limit lets us."""
    soft, hard = GIVEN
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS has a limit of its own below the hard one
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def for_children() -> tuple[int, int] | None:
    """(soft, hard) as this process found them; None when there is no end to them."""
    return None if resource.RLIM_INFINITY in GIVEN else GIVEN

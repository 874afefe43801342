"""The first filter of the chain: each request has an audit ID, which its answer shows (k8s.io/apiserver, `WithAuditInit`).

Clients and proxies match what they saw with it.  There is no audit log yet to look it up in.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping

HEADER = "Audit-Id"


def maker() -> Callable[[], str]:
    """Makes IDs that have a UUID's form (version 8): random once a server, and then counted, as they are many."""
    seed = os.urandom(8).hex()
    head, counter = f"{seed[:8]}-{seed[8:12]}-8{seed[12:15]}-9{seed[13:16]}-", itertools.count(1)
    return lambda: f"{head}{next(counter):012x}"


def audit_id(headers: Mapping[str, str], make: Callable[[], str]) -> str:
    """The one that the request came with, as it is, or a new one.  One that no header may hold counts as none."""
    given = headers.get("audit-id", "")
    return given if given and given.isascii() and given.isprintable() else make()

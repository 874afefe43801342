"""Names on this host that belong to one run of the tests: what a run left that was killed is told from what one uses now.

A lock goes with the process that holds it, however that ends; the clusters, mounts and links that it made stay.
"""

from __future__ import annotations

import fcntl
import tempfile
from pathlib import Path
from typing import IO

FOLDER = Path(tempfile.gettempdir()) / "wherry-tests"
_held: dict[str, IO[str]] = {}


def claim(name: str) -> bool:
    """Take a name until this process ends; False when another run has it.  Again is no error."""
    if name in _held:
        return True
    FOLDER.mkdir(exist_ok=True)
    file = (FOLDER / f"{name}.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    _held[name] = file
    return True


def claimed() -> set[str]:
    """What this process has taken."""
    return set(_held)

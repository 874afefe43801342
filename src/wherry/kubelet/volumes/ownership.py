"""Giving files to the user or group that a Pod asks for.

A node that is not root gives nothing away: it is a simulated one, whose containers read no file.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def give(path: Path | str, *, uid: int | None = None, gid: int | None = None) -> None:
    """None leaves it as it is.  Raises OSError."""
    if uid is None and gid is None:
        return
    with contextlib.suppress(*([] if os.geteuid() == 0 else [PermissionError])):
        os.chown(path, -1 if uid is None else uid, -1 if gid is None else gid)

"""Dropping history in steps of a few milliseconds.  Run in the writer's thread, between commits.

A row that follows another (`previous_revision`) makes that one history, and a deletion's row says
nothing once its revision is forgotten.  So walking the log once, from where the last compaction ended,
finds all that can go, at a cost that follows the number of writes and not the size of the store.
"""

from __future__ import annotations

import sqlite3

STEP = 200  # revisions

BEGIN = "UPDATE progress SET compacted = max(compacted, ?)"

SWEEP = """
DELETE FROM log WHERE revision IN (
    SELECT previous_revision FROM log WHERE revision > :after AND revision <= :upto AND previous_revision > 0
    UNION ALL
    SELECT revision FROM log WHERE revision > :after AND revision <= :upto AND create_revision = 0
)
"""


def begin(connection: sqlite3.Connection, revision: int) -> None:
    """Refuse what is older than `revision` from now on, also after a restart in the middle of the sweep."""
    connection.execute(BEGIN, (revision,))


def step(connection: sqlite3.Connection, revision: int) -> bool:
    """Sweep one step towards `revision`; true when it is reached."""
    after = connection.execute("SELECT swept FROM progress").fetchone()[0]
    upto = min(after + STEP, revision)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(SWEEP, {"after": after, "upto": upto})
    connection.execute("UPDATE progress SET swept = max(swept, ?)", (upto,))
    connection.execute("COMMIT")
    return bool(upto >= revision)

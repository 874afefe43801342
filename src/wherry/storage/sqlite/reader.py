"""Questions to the log, all as of a revision.  Run in the reader's thread."""

from __future__ import annotations

import sqlite3

from wherry.storage.interface import Entry, Event

LAST = "\U0010ffff"  # sorts after whatever follows a prefix in a key

FETCH = "SELECT key, value, revision, create_revision FROM log WHERE revision = ? AND value IS NOT NULL"

# `create_revision` comes from the row of the maximum (SQLite: bare columns in an aggregate query)
NEWEST = """
WITH newest AS (
    SELECT key, max(revision) AS revision, create_revision FROM log
    WHERE key > :after AND key >= :first AND key < :last AND revision <= :revision
    GROUP BY key
)
"""

PAGE = f"""{NEWEST}
SELECT log.key, log.value, log.revision, log.create_revision
FROM newest CROSS JOIN log ON log.revision = newest.revision
WHERE newest.create_revision > 0 ORDER BY newest.key LIMIT :limit
"""

COUNT = f"{NEWEST} SELECT count(*) FROM newest WHERE create_revision > 0"

# +key: walk the log by revision, not the index by key
SINCE = """
SELECT log.key, log.revision, log.value, log.create_revision, previous.value, previous.revision, previous.create_revision
FROM log LEFT JOIN log AS previous ON previous.revision = log.previous_revision
WHERE log.revision > :after AND log.revision <= :upto AND +log.key >= :first AND +log.key < :last
ORDER BY log.revision LIMIT :limit
"""


def fetch(connection: sqlite3.Connection, revision: int) -> Entry | None:
    row = connection.execute(FETCH, (revision,)).fetchone()
    return None if row is None else Entry(*row)


def page(connection: sqlite3.Connection, prefix: str, revision: int, start_after: str, limit: int) -> tuple[list[Entry], int]:
    span = {"first": prefix, "last": prefix + LAST, "after": start_after, "revision": revision, "limit": limit or -1}
    entries = [Entry(*row) for row in connection.execute(PAGE, span)]
    if not limit or len(entries) < limit:
        return entries, 0
    span["after"] = entries[-1].key
    return entries, connection.execute(COUNT, span).fetchone()[0]


def since(connection: sqlite3.Connection, prefix: str, after: int, upto: int, limit: int) -> list[Event]:
    span = {"first": prefix, "last": prefix + LAST, "after": after, "upto": upto, "limit": limit}
    return [_event(*row) for row in connection.execute(SINCE, span)]


def _event(
    key: str, revision: int, value: bytes | None, created: int,
    last: bytes | None, previous_revision: int | None, previous_created: int | None,
) -> Event:  # fmt: skip
    previous = None
    if last is not None and previous_revision and previous_created:
        previous = Entry(key, last, previous_revision, previous_created)
    if value is None:
        return Event("DELETE", Entry(key, last or b"", revision, previous_created or 0), previous)
    return Event("PUT", Entry(key, value, revision, created), previous)

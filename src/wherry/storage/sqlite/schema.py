"""The file's tables, and what is read when it is opened.

`log` has a row a write.  The newest row of a key is its present; older ones are history until they are
compacted.  A deletion's row has no value and `create_revision` 0.  There is no second table of the
present: each value is written once, and one index finds a key's version at any revision.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from wherry.storage.engine import FIRST_REVISION, Expiring, Head, Loaded
from wherry.storage.interface import StorageError

APPLICATION_ID = 0x77687279  # "whry"
VERSION = 1
WAL_BYTES = 16 << 20  # what is left of a log that grew while a long read kept it from starting anew

TABLES = f"""
CREATE TABLE log (
    revision INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    value BLOB,
    create_revision INTEGER NOT NULL,
    previous_revision INTEGER NOT NULL,
    expires REAL
);
CREATE INDEX versions ON log (key, revision, create_revision);
CREATE INDEX expiring ON log (expires) WHERE expires IS NOT NULL;
-- compacted: the oldest revision that can be asked for; swept: how far rows have really been dropped
CREATE TABLE progress (compacted INTEGER NOT NULL, swept INTEGER NOT NULL);
INSERT INTO progress VALUES ({FIRST_REVISION}, {FIRST_REVISION});
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""

HEADS = """
SELECT key, max(revision), create_revision FROM log GROUP BY key
"""

EXPIRING = """
SELECT expires, key, revision FROM log WHERE expires IS NOT NULL
"""


def connect(path: Path) -> sqlite3.Connection:
    """The connection that writes; the file is made, private, if it is not there.  Raises StorageError."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _check(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # WAL: a commit returns when its frames are synced
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # the writer's thread does it after answering
        if not connection.execute("PRAGMA user_version").fetchone()[0]:
            connection.executescript(f"BEGIN;{TABLES}COMMIT;")
    except sqlite3.Error as error:
        connection.close()
        raise StorageError(f"{path} cannot be opened: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)


def load(connection: sqlite3.Connection) -> Loaded:
    """What the log holds.  The revision is also kept by `compacted`, should the newest row be a swept deletion."""
    compacted = connection.execute("SELECT compacted FROM progress").fetchone()[0]
    newest = connection.execute("SELECT max(revision) FROM log").fetchone()[0] or FIRST_REVISION
    heads = {key: Head(revision, created) for key, revision, created in connection.execute(HEADS) if created}
    expiring = [
        Expiring(when, key, revision)
        for when, key, revision in connection.execute(EXPIRING)
        if key in heads and heads[key].revision == revision
    ]
    return Loaded(max(newest, compacted), compacted, heads, expiring)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if (version, application) == (0, 0) and not tables:
        return
    if application != APPLICATION_ID:
        raise StorageError(f"{path} is another program's SQLite file")
    if version != VERSION:
        raise StorageError(f"{path} has schema version {version}; this wherry knows {VERSION}")

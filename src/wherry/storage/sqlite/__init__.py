"""Storage in one SQLite file: what a cluster of one server keeps its objects in."""

from wherry.storage.sqlite.store import SQLiteStorage

__all__ = ["SQLiteStorage"]

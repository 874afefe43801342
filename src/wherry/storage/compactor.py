"""Forgets history that nobody should need any more, every five minutes, as upstream's API server does with etcd's."""

from __future__ import annotations

import logging

from wherry.storage.interface import Compacted, Storage, StorageClosed, StorageError
from wherry.util.clock import Clock

log = logging.getLogger(__name__)

INTERVAL = 300.0  # seconds: what is older than one to two of them is forgotten


async def compact_periodically(storage: Storage, clock: Clock, interval: float = INTERVAL) -> None:
    """Runs until cancelled or the store is closed.  Pages and watches of the last interval go on undisturbed."""
    while True:
        revision = storage.revision
        await clock.sleep(interval)
        try:
            await storage.compact(revision)
        except StorageClosed:
            return
        except Compacted:
            continue  # someone compacted further than we would
        except StorageError as error:
            log.warning("history before revision %d cannot be dropped now: %s", revision, error)

"""A cluster whose data was removed by hand: what is left of it on the host, how it is told, and how it is taken away.

Its process may run, its containers and links may be there, a pointer may say where its data was.  (Or the disk with
its data is not mounted: what is told leaves the choice.)
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from wherry.cluster.config import ClusterConfig, ConfigError, folders, load, pointed, spelt, stand_in, strange_in


def of(name: str) -> str:
    """What is left of a cluster without settings, in words with what to do; "" when there is nothing."""
    _, run = folders(name)
    where = pointed(name)
    if where is None and not run.is_dir():
        return ""
    gone = f"its data in {where or folders(name)[0]} is gone"
    return f"of cluster {name!r} only traces are left, {gone}: {spelt('reset', name)} takes them away"


def lost(name: str, data_dir: str = "") -> bool:
    """Whether there are traces, and no settings."""
    try:
        return bool(of(name)) and load(name, data_dir) is None
    except ConfigError:  # they are broken, or another cluster's
        return False


def known(name: str, data_dir: str = "") -> ClusterConfig:
    """The settings of a cluster that there must be.  Raises ConfigError."""
    config = load(name, data_dir)
    if config is None:
        raise ConfigError(of(name) or f"there is no cluster {name!r}: {spelt('up', name)} makes one")
    return config


def stands_in(name: str) -> ClusterConfig | None:
    """Enough to take the traces away; None when there are none."""
    return stand_in(name, str(pointed(name) or "")) if of(name) else None


def deletable(data: Path) -> bool:
    """Whether a folder without settings holds nothing but what a cluster made."""
    return data.is_dir() and not strange_in(data)


def moved(config: ClusterConfig) -> str:
    """What to say when a cluster's folder was moved while it was down; "" when there is nothing to say.  Its
    PersistentVolumes tell where their directories were, and that cannot be changed in them."""
    try:
        before = Path(msgspec.json.decode((config.data / "config.json").read_bytes())["data"])
    except (OSError, KeyError, TypeError, msgspec.MsgspecError):
        return ""
    if before == config.data or before.exists() or not any(config.data.glob("volumes/*/*")):
        return ""
    return f"the data was in {before}, where its PersistentVolumes are looked for still: `ln -s {config.data} {before}` lets them be found"

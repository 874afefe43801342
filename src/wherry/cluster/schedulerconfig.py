"""`wherry up --scheduler-config FILE`: a KubeSchedulerConfiguration, read once and kept with the cluster's settings.

Its text is kept, not the file's name: what the next `up` starts does not depend on a file that may be gone by then.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wherry.cluster.config import ClusterConfig, ConfigError

if TYPE_CHECKING:  # the command that starts a cluster without such a file need not load the scheduler
    from wherry.scheduler.config import SchedulerConfig


def read(file: str) -> str:
    """The text of a file that can be used; "" of no file: the default scheduler.  Raises ConfigError."""
    if not file:
        return ""
    from wherry.scheduler.config import SchedulerConfigError, parse

    try:
        text = Path(file).read_text()
        parse(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--scheduler-config {file}: {getattr(error, 'strerror', '') or error}") from None
    except SchedulerConfigError as error:
        raise ConfigError(f"--scheduler-config {file}: {error}") from None
    return text


def of(config: ClusterConfig) -> SchedulerConfig:
    """What the cluster's scheduler is to do.  Raises ConfigError when an older wherry kept what this one refuses."""
    from wherry.scheduler.config import SchedulerConfig, SchedulerConfigError, parse

    if not config.scheduler:
        return SchedulerConfig()
    try:
        return parse(config.scheduler)
    except SchedulerConfigError as error:
        raise ConfigError(
            f"the scheduler's configuration of cluster {config.name!r}: {error}; give another with `wherry up --scheduler-config`"
        ) from None

"""Keeps containers' logs from filling the disk: a log that has grown large is set aside, and old ones go."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

from wherry.kubelet.config import KubeletConfig
from wherry.runtime.interface import ContainerState, Runtime, RuntimeFault
from wherry.util.clock import Clock

log = logging.getLogger(__name__)

PERIOD = 10.0  # seconds, upstream's containerLogMonitorInterval


class LogRotator:
    """`run` is a task of the kubelet."""

    def __init__(self, runtime: Runtime, clock: Clock, config: KubeletConfig) -> None:
        self._runtime, self._clock, self._config = runtime, clock, config

    async def run(self) -> None:
        while True:
            await self._clock.sleep(PERIOD)
            try:
                await self.rotate_all()
            except (RuntimeFault, OSError):
                log.exception("logs could not be rotated")

    async def rotate_all(self) -> None:
        """Look at each running container's log once."""
        for status in await self._runtime.list_containers():
            if status.state != ContainerState.RUNNING or not status.log_path:
                continue
            path = Path(status.log_path)
            if await self._config.offload(self._set_aside, path):
                await self._runtime.reopen_container_log(status.id)

    def _set_aside(self, path: Path) -> bool:
        """Rename a log that is too large and remove the oldest of those set aside.  True when one was renamed."""
        try:
            if path.stat().st_size < self._config.container_log_max_size:
                return False
        except FileNotFoundError:
            return False
        aside = sorted(path.parent.glob(path.name + ".*"))
        for old in aside[:max(0, len(aside) - (self._config.container_log_max_files - 2))]:
            old.unlink(missing_ok=True)
        stamp = datetime.fromtimestamp(self._clock.time(), UTC).strftime("%Y%m%d-%H%M%S")
        path.rename(path.with_name(f"{path.name}.{stamp}"))
        return True

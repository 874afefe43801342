"""A node for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kubelet_harness import Node, cluster


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    """A kubelet that runs, with the image busybox:1.36 on it."""
    async with cluster(tmp_path) as node:
        node.runtime.images.add("busybox:1.36")
        node.start()
        yield node

"""Which containers may be made in a mount namespace without the other Pods' mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.runtime.embedded import mountview
from wherry.runtime.interface import Mount

STATE = Path("/run/wherry/x/runtime")


@pytest.mark.parametrize(
    ("mounts", "possible"),
    [
        pytest.param([], True, id="none"),
        pytest.param([Mount("/c", "/var/lib/kubelet/pods/u/volumes/v")], True, id="a volume"),
        pytest.param([Mount("/c", "/run/wherry/x/runtime-of-another")], True, id="beside the tree"),
        pytest.param([Mount("/c", "/mnt", propagation="rslave")], True, id="follows the host"),
        pytest.param([Mount("/c", "/mnt", propagation="rshared")], False, id="gives mounts to the host"),
        pytest.param([Mount("/c", "/")], False, id="the whole host"),
        pytest.param([Mount("/c", "/run/")], False, id="a parent of the tree"),
        pytest.param([Mount("/c", "/run/wherry/../wherry/x/runtime/sandboxes")], False, id="inside the tree"),
    ],
)
def test_possible(mounts: list[Mount], possible: bool) -> None:
    assert mountview.possible(STATE, mounts) is possible

"""What all tests share: the recordings of a real cluster, where this machine has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# Examples are the same in every run, so that a red run is about the change; a long hunt is asked for by name:
# --hypothesis-profile=hunt
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("hunt", derandomize=False, deadline=None, max_examples=2000)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the recordings, beside the checkout; tests that want it skip where it is absent."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("the recordings of upstream (../shared) are not on this machine")
    return folder

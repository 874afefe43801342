"""A simulated cluster for the tests here that need no real container: one for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster_harness import Cluster, running
from raw_api import RawAPI


@pytest.fixture(scope="package")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running("e2e-conf-sim", tmp_path_factory.mktemp("simulated"), "--fidelity", "sim", "--nodes", "2") as made:
        yield made


@pytest.fixture(scope="package")
def api(simulated: Cluster) -> RawAPI:
    return RawAPI(simulated)

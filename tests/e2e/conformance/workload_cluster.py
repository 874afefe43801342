"""One cluster for all conformance tests of workloads: a test module names this one in `pytest_plugins`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_harness import Cluster, eventually, running
from workloads import Room


@pytest.fixture(scope="session")
def workload_cluster(tmp_path_factory: pytest.TempPathFactory, busybox_archive: Path) -> Iterator[Cluster]:
    with running("conf-apps", tmp_path_factory.mktemp("conf-apps"), image=busybox_archive) as made:
        yield made


@pytest.fixture
def room(workload_cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Room]:
    """A namespace of its own, which is gone (but not waited for) behind the test."""
    made = Room(workload_cluster, re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:60].strip("-"))
    eventually(lambda: made.get("serviceaccount", "default"), "the namespace has its service account")
    yield made
    workload_cluster.kubectl("delete", "namespace", made.name, "--wait=false")

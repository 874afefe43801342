"""examples/devices with kubectl on simulated nodes: every command of its README is typed, and what it tells is seen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_harness import Cluster
from readme_console import Console, steps

EXAMPLE = Path(__file__).parents[3] / "examples/devices"


@pytest.fixture
def console(simulated: Cluster, tmp_path: Path) -> Iterator[Console]:
    config = shutil.copy(simulated.environment["KUBECONFIG"], tmp_path / "kubeconfig")
    environment = {**simulated.environment, "KUBECONFIG": str(config), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    simulated.kubectl("create", "namespace", "devices")
    subprocess.run(["kubectl", "config", "set-context", "--current", "--namespace=devices"], env=environment, check=True, capture_output=True)
    yield Console(EXAMPLE, environment, 45.0)
    simulated.kubectl("delete", "namespace", "devices", "--wait=false")
    simulated.kubectl("delete", "deviceclass,resourceslice,devicetaintrule", "--all")


def test_what_the_readme_tells_is_seen(console: Console) -> None:
    for step in steps(EXAMPLE / "README.md"):
        console.type(step)

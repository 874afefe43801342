"""The CKAD examples: every command of their READMEs is typed, and what they tell is seen.

`WHERRY_FIDELITY=sim` runs those that need no container, and no root, on a simulated node.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_harness import Cluster, running
from readme_console import Console, missing, steps

EXAMPLES = Path(__file__).parents[2] / "examples/ckad"
FOLDERS = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))
FIDELITY = os.environ.get("WHERRY_FIDELITY", "real")
IN_SIM = {"06-labels-selectors-annotations", "13-old-manifests"}
PATIENCE = {"03-cronjobs": 90.0, "07-monitoring": 20.0}  # seconds: a CronJob waits for the next full minute, figures for 15 s
NOT_YET: dict[str, str] = {}  # folder -> why it cannot pass; one that passes after all fails the test

needs_containers = pytest.mark.skipif(FIDELITY == "real" and os.geteuid() != 0, reason="real containers need root")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, busybox_archive: Path) -> Iterator[Cluster]:
    image = busybox_archive if FIDELITY == "real" else None
    with running("examples", tmp_path_factory.mktemp("examples"), "--fidelity", FIDELITY, image=image) as made:
        yield made


@pytest.fixture
def console(cluster: Cluster, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Console]:
    """A shell in the example's folder, whose kubectl works in a namespace of the example's own."""
    folder = request.getfixturevalue("folder")
    config = shutil.copy(cluster.environment["KUBECONFIG"], tmp_path / "kubeconfig")
    environment = {**cluster.environment, "KUBECONFIG": str(config), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"}
    cluster.kubectl("create", "namespace", folder)
    subprocess.run(["kubectl", "config", "set-context", "--current", f"--namespace={folder}"], env=environment, check=True, capture_output=True)
    yield Console(EXAMPLES / folder, environment, PATIENCE.get(folder, 45.0))
    cluster.kubectl("delete", "namespace", folder, "--wait=false")


def _case(folder: str) -> object:
    marks = [pytest.mark.root] if FIDELITY == "real" else []
    if FIDELITY != "real" and folder not in IN_SIM:
        marks.append(pytest.mark.skip(reason="needs real containers"))
    elif folder in NOT_YET:
        marks.append(pytest.mark.xfail(strict=True, reason=NOT_YET[folder]))
    return pytest.param(folder, id=folder, marks=marks)


@needs_containers
@pytest.mark.parametrize("folder", [_case(folder) for folder in FOLDERS])
def test_what_the_readme_tells_is_seen(console: Console, folder: str) -> None:
    for step in steps(EXAMPLES / folder / "README.md"):
        console.type(step)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_manifest_is_used(folder: str) -> None:
    commands = " ".join(step.command for step in steps(EXAMPLES / folder / "README.md"))
    unused = [path.name for path in (EXAMPLES / folder).glob("*.yaml") if path.name not in commands]
    assert not unused or "-f ." in commands


@pytest.mark.parametrize(
    ("expected", "output", "told"),
    [
        pytest.param(["web   1/1   …"], "NAME READY AGE\nweb  1/1  5s", "", id="spaces-and-ages-differ"),
        pytest.param(["web   1/1   …"], "web 0/1 5s", "web   1/1   …", id="a-value-differs"),
        pytest.param(["a", "b"], "b\na", "b", id="the-order-counts"),
        pytest.param(["a", "a"], "a", "a", id="one-line-is-not-two"),
        pytest.param(["3"], "13", "3", id="the-whole-line-counts"),
        pytest.param([], "anything", "", id="nothing-told"),
    ],
)
def test_the_reading_of_output(expected: list[str], output: str, told: str) -> None:
    assert missing(expected, output) == told

"""The recorded scenario, lived on a real cluster: every object, every event and kubectl's output, held against upstream's.

Takes two minutes, since back-off and deadlines go by the clock.  `life_comparer` says what is let pass and why,
`life_differences` what differs all the same.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from cluster_harness import running
from life_comparer import Difference, Recording, compare
from life_differences import stale, unlisted
from life_kubectl import compare_printed
from life_player import play, read

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]


@dataclass(frozen=True)
class Lived:
    upstream: Recording
    ours: Recording
    differences: list[Difference]


@pytest.fixture(scope="module")
def lived(shared: Path, tmp_path_factory: pytest.TempPathFactory, busybox_archive: Path) -> Lived:
    recorded = shared / "upstream/life"
    scenario, upstream = json.loads((recorded / "scenario.json").read_text()), read(recorded)
    with running("life", tmp_path_factory.mktemp("life"), image=busybox_archive) as cluster:
        ours = play(cluster, scenario, list(upstream["kubectl"]))
    return Lived(upstream, ours, [*compare(upstream, ours), *compare_printed(upstream, ours)])


def test_everything_goes_as_upstreams_or_is_listed(lived: Lived) -> None:
    found = unlisted(lived.differences)
    assert not found, "\n".join(map(str, found))


def test_what_is_listed_still_differs(lived: Lived) -> None:
    assert stale(lived.differences, lived.upstream, lived.ours) == []

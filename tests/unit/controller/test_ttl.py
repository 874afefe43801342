"""The annotation by which a cluster's size tells kubelets how long they may keep what they have read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from wherry.api.types import core_v1, meta_v1
from wherry.controller.ttl.controller import TTLController
from wherry.controller.ttl.plan import ANNOTATION, seconds, step_for


@pytest.mark.parametrize(
    ("nodes", "before", "wanted"),
    [
        (1, 0, 0), (100, 0, 0), (101, 0, 15), (95, 1, 15), (89, 1, 0), (500, 1, 15), (501, 1, 30), (5000, 0, 300), (0, 4, 0),
    ],
    ids=["one", "at-the-edge", "over-it", "not-back-at-once", "back", "second-edge", "third", "far", "all-gone"],
)
def test_seconds(nodes: int, before: int, wanted: int) -> None:
    assert seconds(step_for(nodes, before)) == wanted


async def test_every_node_is_told_and_of_a_new_step_when_it_is_heard_of_next(world: Callable[[], Any]) -> None:
    async with world() as w:
        w.start(TTLController)
        await w.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name="n0")))
        await w.settle()
        assert (await w.client.get(core_v1.Node, "n0")).metadata.annotations[ANNOTATION] == "0"
        for number in range(1, 101):
            await w.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name=f"n{number}")))
            await w.settle()
        assert await told(w) == {"0": 100, "15": 1}  # a hundred writes at the moment of the step would serve nobody
        for number in range(100):
            await w.client.patch(core_v1.Node, f"n{number}", {"metadata": {"labels": {"beat": "1"}}})
        await w.settle()
        assert await told(w) == {"15": 101}


async def told(w: Any) -> Counter[str | None]:
    return Counter(each.metadata.annotations.get(ANNOTATION) for each in (await w.client.list(core_v1.Node)).items)

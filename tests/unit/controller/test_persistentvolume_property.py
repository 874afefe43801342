"""The binder ended at any moment, and beside itself: no claim shares a volume, and all that fit find each other."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from volume_objects import claim, volume
from workload_helpers import kill_controllers

from wherry.api.volumes import Claim, Volume, is_fully_bound
from wherry.controller.persistentvolume.controller import PersistentVolumeController
from wherry.controller.pvcprotection.controller import PVCProtectionController
from wherry.controller.pvprotection.controller import PVProtectionController

BINDERS = (PersistentVolumeController, PVCProtectionController, PVProtectionController)
SIZES = ("1Gi", "2Gi", "3Gi")


async def check(w: Any, *, settled: bool) -> None:
    claims = {each.metadata.uid: each for each in (await w.client.list(Claim)).items}
    volumes = {each.metadata.name: each for each in (await w.client.list(Volume)).items}
    named = Counter(each.spec.volume_name for each in claims.values() if each.spec.volume_name)
    assert not [name for name, count in named.items() if count > 1], "two claims name one volume"
    for each in claims.values():
        if is_fully_bound(each):
            found = volumes[each.spec.volume_name]
            assert found.spec.claim_ref is not None
            assert found.spec.claim_ref.uid == each.metadata.uid
    if settled:
        assert all(each.status.phase == "Bound" for each in claims.values())
        owners = [each.spec.claim_ref.uid for each in volumes.values() if each.spec.claim_ref is not None]
        assert len(set(owners)) == len(owners), "a claim holds two volumes"
        assert sorted(owners) == sorted(claims)


@pytest.mark.parametrize("turns", range(1, 120, 6))
async def test_killed_at_any_moment(world, turns: int):
    async with world() as w:
        await w.namespace()
        for number, size in enumerate(SIZES):
            await w.client.create(volume(f"v{number}", size))
            await w.client.create(claim(f"c{number}", size))
        for _ in range(4):
            w.start(*BINDERS)
            for _ in range(turns):
                await asyncio.sleep(0)
            await kill_controllers(w)
            await check(w, settled=False)
        w.start(*BINDERS)
        await w.advance(20)
        await check(w, settled=True)


@pytest.mark.parametrize("seed", range(6))
async def test_two_binders_and_changes_in_any_order(world, seed: int):
    """Each has stale views of what the other does; who loses a write looks again."""
    rng = random.Random(seed)
    async with world() as w:
        await w.namespace()
        w.start(*BINDERS)
        w.start(*BINDERS)
        steps = [("v", number) for number in range(8)] + [("c", number) for number in range(6)]
        rng.shuffle(steps)
        for kind, number in steps:
            await w.client.create(volume(f"v{number}") if kind == "v" else claim(f"c{number}"))
            for _ in range(rng.randrange(40)):
                await asyncio.sleep(0)
        await w.advance(20)
        await check(w, settled=True)
        await w.client.delete(Claim, "c0", "default")
        await w.advance(2)
        phases = Counter(each.status.phase for each in (await w.client.list(Volume)).items)
        assert phases == {"Bound": 5, "Available": 2, "Released": 1}

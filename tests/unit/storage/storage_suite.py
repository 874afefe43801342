"""What every `Storage` must do: each implementation's test module runs this class over its own fixture `storage`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from wherry.storage.interface import (
    Change,
    Compacted,
    Entry,
    Event,
    FutureRevision,
    KeyExists,
    KeyMissing,
    RevisionMismatch,
    Storage,
    StorageClosed,
)
from wherry.util.clock import FakeClock

PODS = "/registry/pods/"
A, B, C = PODS + "default/a", PODS + "default/b", PODS + "default/c"


async def take(watch: AsyncIterator[list[Event]], count: int) -> list[Event]:
    """The next `count` events (they must end a batch)."""
    events: list[Event] = []
    async with asyncio.timeout(10):
        while len(events) < count:
            events += await anext(watch)
    assert len(events) == count
    return events


def told(events: Sequence[Event]) -> list[tuple[str, str, bytes]]:
    return [(event.type, event.entry.key, event.entry.value) for event in events]


def values(entries: Sequence[Entry]) -> dict[str, bytes]:
    return {entry.key: entry.value for entry in entries}


class StorageSuite:
    """See the module's docstring."""

    # Writing

    async def test_a_created_entry_is_read_back(self, storage: Storage) -> None:
        before = storage.revision
        entry = await storage.create(A, b"1")
        assert entry == Entry(A, b"1", before + 1, before + 1)
        assert await storage.get(A) == entry
        assert storage.revision == entry.revision

    async def test_an_empty_store_is_at_revision_1(self, storage: Storage) -> None:
        assert (storage.revision, storage.compacted) == (1, 1)
        page = await storage.list(PODS)
        assert (page.entries, page.revision, page.more, page.remaining) == ([], 1, False, 0)
        assert await storage.get(A) is None

    async def test_one_revision_counts_every_write_of_every_key(self, storage: Storage) -> None:
        a = await storage.create(A, b"1")
        b = await storage.create("/registry/nodes/n", b"1")
        a2 = await storage.update(A, b"2", a.revision)
        gone = await storage.delete("/registry/nodes/n", b.revision)
        assert [x.revision for x in (a, b, a2, gone)] == [2, 3, 4, 5]
        assert a2.create_revision == a.revision

    async def test_create_refuses_a_taken_key(self, storage: Storage) -> None:
        entry = await storage.create(A, b"1")
        with pytest.raises(KeyExists):
            await storage.create(A, b"2")
        assert await storage.get(A) == entry

    async def test_update_of_an_old_revision_tells_the_current_entry(self, storage: Storage) -> None:
        first = await storage.create(A, b"1")
        second = await storage.update(A, b"2", first.revision)
        with pytest.raises(RevisionMismatch) as refused:
            await storage.update(A, b"3", first.revision)
        assert refused.value.current == second
        with pytest.raises(RevisionMismatch):
            await storage.delete(A, first.revision)
        assert await storage.get(A) == second

    async def test_what_is_missing_is_neither_updated_nor_deleted(self, storage: Storage) -> None:
        with pytest.raises(KeyMissing):
            await storage.update(A, b"1", 1)
        with pytest.raises(KeyMissing):
            await storage.delete(A, 1)

    async def test_delete_returns_the_last_value_at_the_deletions_revision(self, storage: Storage) -> None:
        entry = await storage.create(A, b"1")
        assert await storage.delete(A, entry.revision) == Entry(A, b"1", entry.revision + 1, entry.create_revision)
        assert await storage.get(A) is None
        again = await storage.create(A, b"2")
        assert again.create_revision == again.revision == entry.revision + 2

    async def test_values_are_bytes_of_any_kind_and_size(self, storage: Storage) -> None:
        for key, value in ((A, b""), (B, bytes(range(256))), (C, b"x" * 3_000_000)):
            await storage.create(key, value)
            entry = await storage.get(key)
            assert entry is not None
            assert entry.value == value

    # Writers side by side

    async def test_of_writers_that_know_one_revision_one_wins(self, storage: Storage) -> None:
        entry = await storage.create(A, b"0")
        writers = [storage.update(A, str(n).encode(), entry.revision) for n in range(10)]
        results = await asyncio.gather(*writers, return_exceptions=True)
        winners = [r for r in results if isinstance(r, Entry)]
        losers = [r for r in results if isinstance(r, RevisionMismatch)]
        assert (len(winners), len(losers)) == (1, 9)
        assert {loser.current for loser in losers} == set(winners)

    async def test_of_creators_of_one_key_one_wins(self, storage: Storage) -> None:
        results = await asyncio.gather(*(storage.create(A, b"%d" % n) for n in range(10)), return_exceptions=True)
        assert sum(isinstance(r, Entry) for r in results) == 1
        assert sum(isinstance(r, KeyExists) for r in results) == 9

    async def test_writers_may_base_on_what_is_only_pending(self, storage: Storage) -> None:
        entry = await storage.create(A, b"0")

        async def increment() -> Entry:
            newest = storage.pending(A) or entry
            return await storage.update(A, b"%d" % (int(newest.value) + 1), newest.revision)

        results = await asyncio.gather(*(increment() for _ in range(50)))
        assert [r.value for r in results] == [b"%d" % n for n in range(1, 51)]
        assert [r.revision for r in results] == list(range(entry.revision + 1, entry.revision + 51))
        assert storage.pending(A) is None

    async def test_a_key_goes_through_life_within_one_commit(self, storage: Storage) -> None:
        watch = storage.watch(PODS, storage.revision)
        steps = [storage.create(A, b"1"), storage.update(A, b"2", 2), storage.delete(A, 3), storage.create(A, b"3")]
        tasks = [asyncio.ensure_future(step) for step in steps]
        created, updated, deleted, again = await asyncio.gather(*tasks)
        assert deleted == Entry(A, b"2", 4, 2)
        assert again == Entry(A, b"3", 5, 5)
        events = await take(watch, 4)
        assert [(e.type, e.entry, e.previous) for e in events] == [
            ("PUT", created, None),
            ("PUT", updated, created),
            ("DELETE", deleted, updated),
            ("PUT", again, None),
        ]

    async def test_pending_is_not_read(self, storage: Storage) -> None:
        entry = await storage.create(A, b"1")
        write = asyncio.ensure_future(storage.update(A, b"2", entry.revision))
        await asyncio.sleep(0)
        assert storage.pending(A) == Entry(A, b"2", entry.revision + 1, entry.create_revision)
        assert storage.revision == entry.revision
        await storage.settle(A)
        assert storage.revision == entry.revision + 1
        assert storage.pending(A) is None
        assert await storage.get(A) == await write

    async def test_a_pending_deletion_is_no_pending_entry(self, storage: Storage) -> None:
        entry = await storage.create(A, b"1")
        deletion = asyncio.ensure_future(storage.delete(A, entry.revision))
        await asyncio.sleep(0)
        assert storage.pending(A) is None
        with pytest.raises(KeyMissing):
            await storage.update(A, b"2", entry.revision)
        assert storage.revision == (await deletion).revision  # the refusal waited until the deletion was durable

    async def test_a_cancelled_caller_leaves_its_write(self, storage: Storage) -> None:
        write = asyncio.ensure_future(storage.create(A, b"1"))
        await asyncio.sleep(0)
        write.cancel()
        with pytest.raises(asyncio.CancelledError):
            await write
        await storage.settle(A)
        entry = await storage.get(A)
        assert entry is not None
        assert entry.value == b"1"

    # Lists

    async def test_a_list_is_in_key_order_and_within_its_prefix(self, storage: Storage) -> None:
        names = ["b/x", "a-b/x", "a/z", "a/a", "a.b/x"]
        for name in names:
            await storage.create(PODS + name, b"")
        await storage.create("/registry/podtemplates/a/a", b"")
        page = await storage.list(PODS)
        assert [entry.key for entry in page.entries] == sorted(PODS + name for name in names)
        page = await storage.list(PODS + "a/")
        assert [entry.key for entry in page.entries] == [PODS + "a/a", PODS + "a/z"]

    async def test_old_revisions_show_what_was(self, storage: Storage) -> None:
        a = await storage.create(A, b"1")
        b = await storage.create(B, b"1")
        a2 = await storage.update(A, b"2", a.revision)
        gone = await storage.delete(B, b.revision)
        shown = {r: values((await storage.list(PODS, revision=r)).entries) for r in range(1, gone.revision + 1)}
        assert shown == {
            1: {},
            a.revision: {A: b"1"},
            b.revision: {A: b"1", B: b"1"},
            a2.revision: {A: b"2", B: b"1"},
            gone.revision: {A: b"2"},
        }
        assert (await storage.list(PODS, revision=a.revision)).entries == [a]

    async def test_pages_show_one_revision_under_writes(self, storage: Storage) -> None:
        entries = [await storage.create(f"{PODS}default/{n:02}", b"old") for n in range(10)]
        first = await storage.list(PODS, limit=4)
        assert (len(first.entries), first.more, first.remaining) == (4, True, 6)
        await storage.update(entries[5].key, b"new", entries[5].revision)
        await storage.delete(entries[6].key, entries[6].revision)
        await storage.create(f"{PODS}default/055", b"new")
        second = await storage.list(PODS, revision=first.revision, start_after=first.entries[-1].key, limit=4)
        assert (len(second.entries), second.more, second.remaining) == (4, True, 2)
        third = await storage.list(PODS, revision=first.revision, start_after=second.entries[-1].key, limit=4)
        assert (len(third.entries), third.more, third.remaining) == (2, False, 0)
        assert first.entries + second.entries + third.entries == entries

    async def test_a_page_that_ends_the_list_says_so(self, storage: Storage) -> None:
        for key in (A, B):
            await storage.create(key, b"")
        page = await storage.list(PODS, limit=2)
        assert (len(page.entries), page.more, page.remaining) == (2, False, 0)

    async def test_the_future_is_refused(self, storage: Storage) -> None:
        with pytest.raises(FutureRevision) as refused:
            await storage.list(PODS, revision=storage.revision + 1)
        assert refused.value.current == storage.revision
        with pytest.raises(FutureRevision):
            storage.watch(PODS, storage.revision + 1)
        with pytest.raises(FutureRevision):
            await storage.compact(storage.revision + 1)

    # Watches

    async def test_a_watch_tells_every_change_once_in_order(self, storage: Storage) -> None:
        watch = storage.watch(PODS, storage.revision)
        a = await storage.create(A, b"1")
        await storage.create("/registry/nodes/n", b"1")
        a2 = await storage.update(A, b"2", a.revision)
        gone = await storage.delete(A, a2.revision)
        events = await take(watch, 3)
        assert events == [Event("PUT", a, None), Event("PUT", a2, a), Event("DELETE", gone, a2)]
        later = asyncio.ensure_future(take(watch, 1))
        await asyncio.sleep(0)
        b = await storage.create(B, b"1")
        assert await later == [Event("PUT", b, None)]

    async def test_a_watch_begins_after_its_revision(self, storage: Storage) -> None:
        entries = [await storage.create(f"{PODS}default/{n}", b"") for n in range(6)]
        events = await take(storage.watch(PODS, entries[2].revision), 3)
        assert [event.entry for event in events] == entries[3:]

    async def test_a_watch_that_is_far_behind_gets_all_that_history_has(self, storage: Storage) -> None:
        watch = storage.watch(PODS, storage.revision)
        entries = await asyncio.gather(*(storage.create(f"{PODS}default/{n:04}", b"") for n in range(1200)))
        assert [event.entry for event in await take(watch, 1200)] == entries

    async def test_a_watch_that_is_behind_compaction_is_dropped(self, storage: Storage) -> None:
        slow, idle = storage.watch(PODS, storage.revision), storage.watch("/registry/nodes/", storage.revision)
        waiting = asyncio.ensure_future(anext(idle))
        a = await storage.create(A, b"1")
        await storage.update(A, b"2", a.revision)
        for _ in range(5):
            await storage.get(A)
            await asyncio.sleep(0)  # meanwhile the idle one reads up
        await storage.compact(storage.revision)
        with pytest.raises(Compacted):
            await anext(slow)
        assert not waiting.done()  # it had seen everything that there was
        waiting.cancel()

    async def test_subscribers_hear_before_the_writer(self, storage: Storage) -> None:
        order: list[object] = []

        def hear(changes: Sequence[Change]) -> None:
            order.append([(change.key, change.revision, change.deleted) for change in changes])
            assert storage.revision == changes[-1].revision

        cancel = storage.subscribe(PODS, hear)
        entry = await storage.create(A, b"1")
        order.append("created")
        await storage.create("/registry/nodes/n", b"")
        gone = await storage.delete(A, entry.revision)
        order.append("deleted")
        cancel()
        await storage.create(B, b"")
        assert order == [[(A, entry.revision, False)], "created", [(A, gone.revision, True)], "deleted"]

    async def test_a_subscriber_that_fails_harms_nobody(self, storage: Storage, caplog: pytest.LogCaptureFixture) -> None:
        heard: list[Change] = []

        def fail(changes: Sequence[Change]) -> None:
            raise RuntimeError("a bug")

        storage.subscribe(PODS, fail)
        storage.subscribe(PODS, heard.extend)
        entry = await storage.create(A, b"1")
        assert [change.entry for change in heard] == [entry]
        assert "a subscriber to /registry/pods/ failed" in caplog.text

    async def test_wait_for_returns_once_the_revision_is_there(self, storage: Storage) -> None:
        await storage.wait_for(storage.revision)
        waiting = asyncio.ensure_future(storage.wait_for(storage.revision + 2))
        await storage.create(A, b"")
        await asyncio.sleep(0)
        assert not waiting.done()
        await storage.create(B, b"")
        await asyncio.wait_for(waiting, 10)

    # Upkeep

    async def test_compaction_forgets_the_past_and_keeps_the_present(self, storage: Storage) -> None:
        a = await storage.create(A, b"1")
        b = await storage.create(B, b"1")
        a2 = await storage.update(A, b"2", a.revision)
        await storage.delete(B, b.revision)
        await storage.update(A, b"3", a2.revision)
        await storage.compact(a2.revision)
        assert storage.compacted == a2.revision
        for old in (a.revision, b.revision):
            with pytest.raises(Compacted):
                await storage.list(PODS, revision=old)
            with pytest.raises(Compacted):
                storage.watch(PODS, old)
        assert values((await storage.list(PODS, revision=a2.revision)).entries) == {A: b"2", B: b"1"}
        assert values((await storage.list(PODS)).entries) == {A: b"3"}
        events = await take(storage.watch(PODS, a2.revision), 2)
        assert told(events) == [("DELETE", B, b"1"), ("PUT", A, b"3")]
        assert [event.previous for event in events] == [b, a2]
        await storage.compact(storage.revision)
        assert values((await storage.list(PODS)).entries) == {A: b"3"}
        with pytest.raises(Compacted):
            await storage.compact(a2.revision)

    async def test_compaction_goes_on_beside_writers(self, storage: Storage) -> None:
        entry = await storage.create(A, b"0")
        for n in range(600):
            entry = await storage.update(A, b"%d" % n, entry.revision)
        compaction = asyncio.ensure_future(storage.compact(storage.revision - 10))
        written = [await storage.create(f"{PODS}other/{n:03}", b"") for n in range(100)]
        await compaction
        assert (await storage.list(PODS)).entries == [entry, *written]
        at = storage.compacted
        assert len((await storage.list(PODS, revision=at)).entries) == 1

    async def test_an_entry_with_a_ttl_is_deleted_in_its_time(self, storage: Storage, clock: FakeClock) -> None:
        watch = storage.watch(PODS, storage.revision)
        for key, ttl in ((A, 3600.0), (B, 60.0), (C, None)):
            await storage.create(key, b"", ttl=ttl)
        await take(watch, 3)
        await clock.advance(59.5)
        assert await storage.get(B) is not None
        await clock.advance(1)
        assert told(await take(watch, 1)) == [("DELETE", B, b"")]
        await clock.advance(3600)
        assert told(await take(watch, 1)) == [("DELETE", A, b"")]
        await clock.advance(100_000)
        assert values((await storage.list(PODS)).entries) == {C: b""}

    @pytest.mark.parametrize(("ttl", "left"), [(100.0, []), (None, [A])], ids=["with a new ttl", "without"])
    async def test_an_update_replaces_the_ttl(self, storage: Storage, clock: FakeClock, ttl: float | None, left: list[str]) -> None:
        entry = await storage.create(A, b"1", ttl=60)
        await clock.advance(50)
        await storage.update(A, b"2", entry.revision, ttl=ttl)
        await clock.advance(30)
        assert await storage.get(A) is not None
        watch = storage.watch(PODS, storage.revision)
        await clock.advance(1000)
        if not left:
            await take(watch, 1)
        assert [e.key for e in (await storage.list(PODS)).entries] == left

    async def test_a_ttl_notices_wall_time_set_forward(self, storage: Storage, clock: FakeClock) -> None:
        await storage.create(A, b"1", ttl=86_400)
        watch = storage.watch(PODS, storage.revision)
        clock.jump(86_400)
        await clock.advance(61)
        assert told(await take(watch, 1)) == [("DELETE", A, b"1")]

    async def test_a_closed_store_says_so(self, storage: Storage) -> None:
        watching = asyncio.ensure_future(anext(storage.watch(PODS, storage.revision)))
        staged = asyncio.ensure_future(storage.create(A, b"1"))
        await asyncio.sleep(0)
        await storage.close()
        assert (await staged).key == A  # what was staged is finished
        for refused in (storage.create(B, b"1"), storage.get(A), storage.list(PODS), storage.compact(1)):
            with pytest.raises(StorageClosed):
                await refused
        await asyncio.wait({watching})
        assert isinstance(watching.exception(), StorageClosed) or watching.result()[0].entry.key == A
        await storage.close()

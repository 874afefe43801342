"""A store against a plain dict: any sequence of writes, lists at any revision, pages, compactions, restarts, watches."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wherry.storage.interface import Compacted, Entry, Event, KeyExists, KeyMissing, RevisionMismatch, Storage

NAMES = [f"/registry/{resource}/{name}" for resource in ("pods", "pods-x") for name in ("a/a", "a/b", "a-b/a", "b/a")]
PREFIXES = ["/registry/", "/registry/pods/", "/registry/pods/a/"]

names = st.sampled_from(NAMES)
bodies = st.binary(max_size=20)

State = dict[str, Entry]


class StorageMachine(RuleBasedStateMachine):
    """Subclasses give `open`; those that keep something give `reopen`."""

    storage: Storage

    async def open(self) -> Storage:
        raise NotImplementedError

    async def reopen(self) -> Storage:
        return self.storage

    @initialize()
    def start(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.storage = self.run(self.open())
        self.revision = self.storage.revision
        self.first = self.revision
        self.states: dict[int, State] = {self.revision: {}}  # at each revision
        self.events: list[Event] = []

    def run(self, awaitable):  # type: ignore[no-untyped-def]
        return self.loop.run_until_complete(asyncio.wait_for(awaitable, 30))

    @property
    def state(self) -> State:
        return self.states[self.revision]

    def expect(self, event: Event) -> None:
        entry = event.entry
        self.revision = entry.revision
        state = dict(self.states[self.revision - 1])
        if event.type == "DELETE":
            del state[entry.key]
        else:
            state[entry.key] = entry
        self.states[self.revision] = state
        self.events.append(event)

    def decide(self, kind: str, key: str, value: bytes, revision: int) -> type[Exception] | Entry:
        """What the model says of one write; applies it."""
        old, new = self.state.get(key), self.revision + 1
        if kind == "create":
            if old is not None:
                return KeyExists
            entry = Entry(key, value, new, new)
            self.expect(Event("PUT", entry, None))
        elif old is None:
            return KeyMissing
        elif old.revision != revision:
            return RevisionMismatch
        elif kind == "update":
            entry = Entry(key, value, new, old.create_revision)
            self.expect(Event("PUT", entry, old))
        else:
            entry = Entry(key, old.value, new, old.create_revision)
            self.expect(Event("DELETE", entry, old))
        return entry

    def write(self, kind: str, key: str, value: bytes, revision: int):  # type: ignore[no-untyped-def]
        if kind == "create":
            return self.storage.create(key, value)
        if kind == "update":
            return self.storage.update(key, value, revision)
        return self.storage.delete(key, revision)

    @rule(writes=st.lists(st.tuples(st.sampled_from(["create", "update", "delete"]), names, bodies, st.integers(0, 3)), max_size=6))
    def write_together(self, writes: list[tuple[str, str, bytes, int]]) -> None:
        """Writers in one turn of the loop: what each is told is what they would be told one after the other."""
        steps, expected = [], []
        for kind, key, value, staleness in writes:
            known = self.state.get(key)
            revision = max(1, (known.revision if known else self.revision) - staleness)
            expected.append(self.decide(kind, key, value, revision))
            steps.append((kind, key, value, revision))

        async def together():  # type: ignore[no-untyped-def]
            return await asyncio.gather(*(self.write(*step) for step in steps), return_exceptions=True)

        for got, told in zip(self.run(together()), expected, strict=True):
            if isinstance(told, Entry):
                assert got == told
            else:
                assert type(got) is told

    @rule(prefix=st.sampled_from(PREFIXES), data=st.data(), limit=st.integers(1, 4))
    def list_in_pages(self, prefix: str, data: st.DataObject, limit: int) -> None:
        revision = data.draw(st.integers(1, self.revision))
        expected = [entry for key, entry in sorted(self.states[revision].items()) if key.startswith(prefix)]
        got: list[Entry] = []
        while True:
            after = got[-1].key if got else ""
            try:
                page = self.run(self.storage.list(prefix, revision=revision, start_after=after, limit=limit))
            except Compacted:
                assert revision < self.first
                return
            got += page.entries
            assert page.revision == revision
            assert page.remaining == len(expected) - len(got)
            assert page.more == (page.remaining > 0)
            if not page.more:
                break
        assert revision >= self.first
        assert got == expected

    @rule(prefix=st.sampled_from(PREFIXES), data=st.data())
    def watch_from(self, prefix: str, data: st.DataObject) -> None:
        revision = data.draw(st.integers(1, self.revision))
        expected = [e for e in self.events if e.entry.revision > revision and e.entry.key.startswith(prefix)]
        try:
            watch = self.storage.watch(prefix, revision)
        except Compacted:
            assert revision < self.first
            return
        assert revision >= self.first
        got: list[Event] = []
        while len(got) < len(expected):
            got += self.run(anext(watch))
        assert got == expected
        self.run(watch.aclose())  # type: ignore[attr-defined]

    @rule(data=st.data())
    def compact(self, data: st.DataObject) -> None:
        revision = data.draw(st.integers(self.first, self.revision))
        self.run(self.storage.compact(revision))
        self.first = revision

    @precondition(lambda self: type(self).reopen is not StorageMachine.reopen)
    @rule()
    def restart(self) -> None:
        self.storage = self.run(self.reopen())

    @invariant()
    def present(self) -> None:
        assert self.storage.revision == self.revision
        assert self.storage.compacted == self.first
        for name in NAMES:
            assert self.run(self.storage.get(name)) == self.state.get(name)

    def teardown(self) -> None:
        self.run(self.storage.close())
        self.loop.close()


StorageMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

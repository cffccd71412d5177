"""The inbox against a plain model of it, on a real Redis: counts, order, states and publications always agree."""

from dataclasses import dataclass, replace

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import EntryState, InboxEntry
from hub.domain.topics import Namespaces
from hub.domain.topics import inbox as inbox_topic
from hub.store.inbox import Created, Duplicate, Inbox
from hub.store.topics import Topics
from tests.integration.store.machine import StoreMachine, run_machine

SIZE = 4
USER = UserId("ada")
STATES = list(EntryState)
IDS = st.sampled_from([NotificationId(f"n{number}") for number in range(9)])
CATEGORIES = ["orders", "sales"]


@dataclass(frozen=True)
class Held:
    """An entry in the model, with the state it has."""

    entry: InboxEntry
    state: EntryState = EntryState.UNSEEN


class InboxMachine(StoreMachine):
    """Does everything at random to one inbox and to a list."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 1_000
        namespaces = Namespaces()
        self.inbox = Inbox(
            self.server, self.scripts, self.keys, namespaces, size=SIZE, dedupe_window_s=60, clock=lambda: self.now_ms
        )
        self.topics = Topics(self.server, self.scripts, self.keys, namespaces, dedupe_window_s=60)
        self.model: list[Held] = []
        self.known: set[NotificationId] = set()
        self.left: dict[NotificationId, EntryState] = {}
        self.published: list[dict[str, object]] = []

    @rule(
        name=IDS,
        category=st.sampled_from(CATEGORIES),
        collapse_key=st.sampled_from([None, "k", "l"]),
        lives_ms=st.sampled_from([None, 0, 5, 50]),
    )
    def add(self, name: NotificationId, category: str, collapse_key: str | None, lives_ms: int | None) -> None:
        expires_ms = None if lives_ms is None else self.now_ms + lives_ms
        entry = InboxEntry(
            name, "t", category, "T", "B", created_ms=1, expires_ms=expires_ms, collapse_key=collapse_key
        )
        # The second run of a batch whose fate was unknown must change nothing.
        first, second = (self.runner.run(self.inbox.add_many([(USER, entry)])) for _ in range(2))
        assert second == [Duplicate()]
        if name in self.known:
            assert first == [Duplicate()]
            return
        self.known.add(name)
        before = self.model
        self.model = [held for held in self.model if not self.replaced_by(entry, held)]
        self.model = [*self.model, Held(entry)][-SIZE:]
        self.left |= {held.entry.id: held.state for held in before if held not in self.model}
        assert first == [Created(self.unread())]
        notification = msgspec.to_builtins(entry)
        self.published.append({"type": "notification", "unread": self.unread(), "notification": notification})

    def replaced_by(self, entry: InboxEntry, held: Held) -> bool:
        key = entry.collapse_key
        newest = next((other for other in reversed(self.model) if other.entry.collapse_key == key), None)
        return key is not None and held is newest and held.state is EntryState.UNSEEN

    @rule(ids=st.lists(IDS, unique=True, max_size=4), state=st.sampled_from(STATES))
    def mark(self, ids: list[NotificationId], state: EntryState) -> None:
        unread = [self.runner.run(self.inbox.mark(USER, ids, state)) for _ in range(2)]
        self.move(ids, state)
        assert unread == [self.unread()] * 2

    @rule(state=st.sampled_from(STATES))
    def mark_all(self, state: EntryState) -> None:
        unread = self.runner.run(self.inbox.mark(USER, None, state))
        self.move([held.entry.id for held in self.model], state)
        assert unread == self.unread()

    def move(self, ids: list[NotificationId], state: EntryState) -> None:
        def behind(held: Held) -> bool:
            return held.entry.id in ids and STATES.index(held.state) < STATES.index(state)

        for name in self.left.keys() & set(ids):
            self.left[name] = max(self.left[name], state, key=STATES.index)
        there = {held.entry.id: held for held in self.model}
        moved = [name for name in ids if name in there and behind(there[name])]
        self.model = [replace(held, state=state) if behind(held) else held for held in self.model]
        if moved:
            self.published.append({"type": state.value, "ids": moved, "unread": self.unread()})

    @rule(ms=st.sampled_from([1, 5, 20]))
    def time_passes(self, ms: int) -> None:
        self.now_ms += ms

    @precondition(lambda self: self.model)
    @rule(limit=st.integers(1, 3), only_unread=st.booleans(), archived=st.booleans())
    def read_page_by_page(self, limit: int, only_unread: bool, archived: bool) -> None:
        for category in (None, *CATEGORIES):
            found: list[Held] = []
            cursor: str | None = None
            while True:
                page = self.runner.run(
                    self.inbox.page(
                        USER,
                        cursor=cursor,
                        limit=limit,
                        unread_only=only_unread,
                        category=category,
                        archived=archived,
                    )
                )
                found += [Held(item.entry, item.state) for item in page.items]
                cursor = page.cursor
                if cursor is None:
                    break
                assert len(page.items) == limit
            wanted = [
                held
                for held in reversed(self.model)
                if (held.state is EntryState.ARCHIVED) == archived
                and category in {None, held.entry.category}
                and (self.is_unread(held) or not only_unread)
            ]
            assert found == wanted

    def is_unread(self, held: Held) -> bool:
        expired = held.entry.expires_ms is not None and held.entry.expires_ms <= self.now_ms
        return held.state in {EntryState.UNSEEN, EntryState.SEEN} and not expired

    def unread(self) -> int:
        return sum(map(self.is_unread, self.model))

    @invariant()
    def counts_and_states_agree(self) -> None:
        assert self.runner.run(self.inbox.unread(USER)) == self.unread()
        states = self.runner.run(self.inbox.state_of_many([(USER, NotificationId(f"n{n}")) for n in range(9)]))
        gone = {name: state for name, state in self.left.items() if state is not EntryState.UNSEEN}
        model = {**gone, **{held.entry.id: held.state for held in self.model}}
        assert states == [model.get(NotificationId(f"n{n}")) for n in range(9)]

    def teardown(self) -> None:
        page = self.runner.run(self.topics.read_since(inbox_topic(USER), 0, limit=1_000))
        assert [msgspec.json.decode(stored.data) for stored in page.publications] == self.published


@pytest.mark.timeout(60)
def test_an_inbox_always_agrees_with_its_model(redis_url: str) -> None:
    run_machine(InboxMachine, redis_url, examples=25, steps=25)

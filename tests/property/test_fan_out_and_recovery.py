"""Whatever happens to messages, sockets and the stream: in order, without holes or doubles, or told.

And who has left, or has not asked who comes and goes, is given nothing of it.
"""

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hub.domain.topics import TopicKind
from hub.gateway.subscriptions import Subscription
from tests.unit.gateway.stream import Client, Stage


def given(client: Client) -> int:
    """How many pushes a client has got."""
    return len(client.offsets) + len(client.attendance)


class Machine(RuleBasedStateMachine):
    kind = TopicKind.LOG

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clients: list[tuple[Client, Subscription, int]] = []
        self.published = 0
        self.came = 0
        self.gone: list[tuple[Client, int]] = []
        """Who has left, with how much it had been given by then."""
        self.listening: set[int] = set()

    @initialize(crowd=st.sampled_from([0, 1, 150]))
    def begin(self, crowd: int) -> None:
        self.stage = Stage(self.kind, kept=40)
        for _ in range(crowd):
            self.join(0)

    @rule(back=st.integers(0, 30))
    def join(self, back: int) -> None:
        start = max(0, self.stage.topic.head - back)
        client = Client()
        self.clients.append((client, self.stage.join(client, offset=start), start))

    @rule(count=st.integers(1, 12), lost=st.booleans())
    def publish(self, count: int, lost: bool) -> None:
        for _ in range(count):
            self.published += 1
            self.stage.publish(b"%d" % self.published, lost=lost)

    @rule(which=st.integers(0, 200), room=st.integers(0, 5))
    def fill_a_socket(self, which: int, room: int) -> None:
        if self.clients:
            client = self.clients[which % len(self.clients)][0]
            client.pause_after, client.paused = room, room == 0

    @rule(which=st.integers(0, 200), room=st.integers(1, 5))
    def drain_a_socket(self, which: int, room: int) -> None:
        if self.clients:
            client, seat, _ = self.clients[which % len(self.clients)]
            client.pause_after, client.paused = room, False
            self.stage.recovery.request(seat)

    @rule(which=st.integers(0, 200))
    def leave(self, which: int) -> None:
        if self.clients:
            client, seat, _ = self.clients.pop(which % len(self.clients))
            self.stage.topic.remove(seat)
            self.gone.append((client, given(client)))

    @rule(which=st.integers(0, 200))
    def ask_who_comes(self, which: int) -> None:
        if self.clients:
            client, seat, _ = self.clients[which % len(self.clients)]
            if seat.attached:
                self.stage.topic.listen(seat)
                self.listening.add(id(client))

    @rule()
    def somebody_comes(self) -> None:
        self.came += 1
        self.stage.fan_out.receive(self.stage.topic, b'*+{"client":"%d"}' % self.came)

    @rule(slices=st.integers(1, 3))
    def write_slices(self, slices: int) -> None:
        self.stage.run_slices(slices)

    @rule()
    def catch_up(self) -> None:
        self.runner.run(self.stage.catch_up())

    @rule(kept=st.integers(0, 20))
    def trim(self, kept: int) -> None:
        self.stage.stream.trim(kept)

    @rule()
    def redis_starts_a_new_life(self) -> None:
        stream, topic = self.stage.stream, self.stage.topic
        self.runner.run(stream.rotate_epoch(topic.name, stream.epoch))
        stream.offset, stream.entries = 0, []
        self.stage.recovery.restarted(topic, stream.position)
        # The others' offsets begin anew as well.
        self.clients = [entry for entry in self.clients if entry[0].told] if self.kind is TopicKind.LOG else []
        for seat in [*topic.subscribers]:
            topic.remove(seat)

    @invariant()
    def everything_given_was_in_order(self) -> None:
        for client, _, start in self.clients:
            assert self.in_order(client.offsets, start)

    @invariant()
    def who_has_left_was_given_nothing_more(self) -> None:
        assert all(given(client) == before for client, before in self.gone)

    @invariant()
    def only_who_asked_was_told_who_comes_and_each_once(self) -> None:
        for client, _, _ in self.clients:
            told = [int(name) for _, name in client.attendance]
            assert not told or id(client) in self.listening
            assert told == sorted(set(told))

    def in_order(self, offsets: list[int], start: int) -> bool:
        return offsets == list(range(start + 1, start + 1 + len(offsets)))

    def teardown(self) -> None:
        if hasattr(self, "stage"):
            self.settle()
            for client, seat, _ in self.clients:
                assert client.told or seat.offset == self.stage.stream.offset
                if not client.told and client.data and seat.offset == client.offsets[-1]:
                    assert client.data[-1] == self.published
        self.runner.close()

    def settle(self) -> None:
        for client, _, _ in self.clients:
            client.paused, client.pause_after = False, 10**9
        self.stage.run_slices()
        self.stage.topic.heard_of(self.stage.stream.position)
        self.stage.recovery.request_all(self.stage.topic)
        self.runner.run(self.stage.catch_up())


class BroadcastMachine(Machine):
    kind = TopicKind.BROADCAST

    def in_order(self, offsets: list[int], start: int) -> bool:
        return all(a < b for a, b in zip((start, *offsets), offsets, strict=False))


class LatestMachine(BroadcastMachine):
    kind = TopicKind.LATEST


_settings = settings(max_examples=min(60, settings().max_examples), stateful_step_count=40)
TestLog = Machine.TestCase
TestLog.settings = _settings
TestBroadcast = BroadcastMachine.TestCase
TestBroadcast.settings = _settings
TestLatest = LatestMachine.TestCase
TestLatest.settings = _settings

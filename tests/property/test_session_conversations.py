"""Whatever a client sends, and whenever its wishes come true: each command is answered once, no seat is lost."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hub.domain.ids import Topic, UserId
from hub.domain.permission import Identity, Role
from hub.protocol import codes, wire
from hub.protocol.effects import (
    Authenticate,
    Call,
    Close,
    Effect,
    Join,
    Leave,
    Publish,
    ReadHistory,
    ReadPresence,
    RenewSubscription,
    Send,
)
from hub.protocol.session import Limits, Session, State
from hub.protocol.wire import Command, Reply, SubscribeResult

ANN = Identity(UserId("ann"), Role.SHOPPER)
START = SubscribeResult("e", 0)
TOPICS = ("a:1", "a:2", "b", "", "two words")
Work = Call | Publish | ReadHistory | ReadPresence
_channels = st.sampled_from(TOPICS)


class Seat:
    """What the adapter holds for a subscription."""

    def __init__(self, number: int) -> None:
        self.number = number


class Conversation(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        limits = Limits(max_subscriptions=2, max_server_subscriptions=1, max_inflight=3, max_commands_per_second=10**6)
        self.session: Session[Seat] = Session("c1", limits)
        self.sent = 0
        self.answers: Counter[int] = Counter()
        self.joins: list[Join] = []
        self.work: list[Work] = []
        self.connecting: int | None = None
        self.seats: set[int] = set()
        """Given out and not given back."""
        self.given = 0
        self.closed = False

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            assert not self.closed or isinstance(effect, Leave | Close)
            match effect:
                case Send(Reply() as reply):
                    self.answers[reply.id] += 1
                case Leave(seat):
                    assert isinstance(seat, Seat)
                    self.seats.remove(seat.number)
                case Join():
                    self.joins.append(effect)
                case Call() | Publish() | ReadHistory() | ReadPresence():
                    self.work.append(effect)
                case Authenticate():
                    self.connecting = effect.id
                case RenewSubscription():
                    assert isinstance(effect.seat, Seat)
                    assert effect.seat.number in self.seats
                    self.perform(self.session.subscription_renewed(effect.id, 60))
                case Close():
                    self.closed = True

    def seat(self) -> Seat:
        self.given += 1
        self.seats.add(self.given)
        return Seat(self.given)

    def send(self, **command: object) -> None:
        self.sent += 1
        self.perform(self.session.receive(Command(self.sent, **command), 0.0))  # type: ignore[arg-type]

    @initialize(answered=st.booleans())
    def begin(self, *, answered: bool) -> None:
        self.connect()
        if answered:
            self.connected_or_refused(good=True)

    @rule()
    def connect(self) -> None:
        if self.session.state is State.OPEN:
            self.send(connect=wire.ConnectRequest("t"))

    @rule(channel=_channels)
    def subscribe(self, channel: str) -> None:
        self.send(subscribe=wire.SubscribeRequest(channel))

    @rule(channel=_channels)
    def unsubscribe(self, channel: str) -> None:
        self.send(unsubscribe=wire.ChannelRequest(channel))

    @rule(channel=_channels)
    def publish(self, channel: str) -> None:
        self.send(publish=wire.PublishRequest(channel, wire.EMPTY_JSON))

    @rule(channel=_channels, stats=st.booleans())
    def look_who_is_there(self, channel: str, *, stats: bool) -> None:
        name = "presence_stats" if stats else "presence"
        self.send(**{name: wire.ChannelRequest(channel)})

    @rule(channel=_channels)
    def refresh_subscription(self, channel: str) -> None:
        self.send(sub_refresh=wire.SubRefreshRequest(channel, "t"))

    @rule()
    def call(self) -> None:
        self.send(rpc=wire.RpcRequest("m"))

    @rule(good=st.booleans())
    def connected_or_refused(self, *, good: bool) -> None:
        if self.connecting is None or self.closed:
            return
        command_id, self.connecting = self.connecting, None
        if not good:
            self.perform(self.session.refused(command_id, codes.internal()))
            return
        self.session.admitted(ANN)
        self.perform(self.session.connected(command_id, {Topic("inbox:ann"): (self.seat(), START)}, unix_s=0))

    @rule(which=st.integers(0, 9), good=st.booleans())
    def joined_or_not(self, which: int, *, good: bool) -> None:
        if self.joins:
            join = self.joins.pop(which % len(self.joins))
            if good:
                self.perform(self.session.joined(join.id, join.topic, self.seat(), START))
            else:
                self.perform(self.session.not_joined(join.id, join.topic, codes.permission_denied()))

    @rule(which=st.integers(0, 9), good=st.booleans())
    def worked(self, which: int, *, good: bool) -> None:
        if self.work:
            work = self.work.pop(which % len(self.work))
            reply = Reply(work.id, publish=wire.Done()) if good else codes.internal()
            self.perform(self.session.answered(reply, work.id))

    @rule(channel=_channels)
    def the_server_ends_a_subscription(self, channel: str) -> None:
        self.perform(self.session.revoked(Topic(channel), codes.UNSUBSCRIBED_EXPIRED))

    @precondition(lambda self: self.sent > 20)
    @rule()
    def hang_up(self) -> None:
        self.perform(self.session.closed())
        self.closed = True

    @invariant()
    def no_command_is_answered_twice(self) -> None:
        assert all(count == 1 for count in self.answers.values())

    @invariant()
    def every_seat_is_held_or_given_back(self) -> None:
        held = {seat for seat in self.session.subscriptions.values() if isinstance(seat, Seat)}
        assert {seat.number for seat in held} == self.seats

    @invariant()
    def nothing_grows_beyond_its_bound(self) -> None:
        assert len(self.session.subscriptions) <= 3
        assert len(self.work) <= 3

    def teardown(self) -> None:
        if self.session.state is State.CONNECTED:
            while self.joins or self.work:
                self.joined_or_not(0, good=True)
                self.worked(0, good=True)
            assert set(self.answers) == set(range(1, self.sent + 1))


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=min(100, settings().max_examples), stateful_step_count=50)

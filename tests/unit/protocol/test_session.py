import json
from collections.abc import Iterable
from typing import Any

import pytest
from msgspec import Raw

from hub.domain.ids import Epoch, Topic, UserId
from hub.domain.permission import Identity, Role
from hub.domain.topics import Position
from hub.protocol import codes
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
    Renew,
    RenewSubscription,
    Send,
)
from hub.protocol.json_codec import JsonCodec
from hub.protocol.session import Limits, Session, State
from hub.protocol.wire import Done, Publication, Reply, SubscribeResult

ANN = Identity(UserId("ann"), Role.SHOPPER)
JSON = JsonCodec()
START = SubscribeResult("e", 3, recoverable=True)
LOG = Topic("log:1")


def fresh(**limits: Any) -> Session[str]:
    return Session("c1", Limits(version="v", **limits))


def receive(session: Session[str], *commands: Any, now_s: float = 0.0) -> list[Effect]:
    lines = "\n".join(json.dumps(command) for command in commands).encode()
    return [effect for command in JSON.decode(lines) for effect in session.receive(command, now_s)]


def connected(identity: Identity = ANN, **limits: Any) -> Session[str]:
    session = fresh(**limits)
    receive(session, {"id": 1, "connect": {"token": "t"}})
    session.admitted(identity)
    session.connected(1, {Topic("inbox:ann"): ("seat", START)}, unix_s=1_000)
    return session


def sent(effects: Iterable[Effect]) -> list[Any]:
    return [json.loads(JSON.encode([effect.message])) for effect in effects if isinstance(effect, Send)]


def test_a_connect_command_is_to_be_authenticated() -> None:
    subs = {"inbox:ann": {"recover": True, "epoch": "e", "offset": 2}, "old": {"offset": 9}}
    effects = receive(fresh(), {"id": 1, "connect": {"token": "t", "subs": subs}})
    assert effects == [Authenticate(1, "t", {"inbox:ann": Position(Epoch("e"), 2)})]


def test_the_connect_reply_has_the_server_side_subscriptions() -> None:
    session = fresh()
    receive(session, {"id": 1, "connect": {"token": "t"}})
    session.admitted(ANN)
    (reply,) = sent(session.connected(1, {Topic("inbox:ann"): ("seat", START)}, unix_s=0))
    assert reply["connect"]["subs"] == {"inbox:ann": {"epoch": "e", "offset": 3, "recoverable": True}}
    assert session.state is State.CONNECTED


@pytest.mark.parametrize(("expires_s", "ttl"), [(None, None), (4_600, 3_590), (1_020, 15), (1_001, 1), (900, 1)])
def test_a_client_is_told_to_refresh_before_its_token_ends(expires_s: int | None, ttl: int | None) -> None:
    session = fresh()
    receive(session, {"id": 1, "connect": {"token": "t"}})
    session.admitted(Identity(UserId("ann"), Role.SHOPPER, expires_s=expires_s))
    (reply,) = sent(session.connected(1, {}, unix_s=1_000))
    assert reply["connect"].get("ttl") == ttl


@pytest.mark.parametrize(
    "command",
    [{}, {"id": 1}, {"id": 1, "ping": {}}, {"connect": {"token": "t"}}, {"id": -1, "connect": {}}, {"id": 2**32}],
)
def test_anything_before_a_connect_command_closes(command: Any) -> None:
    session = fresh()
    assert receive(session, command) == [Close(codes.BAD_REQUEST)]
    assert session.state is State.CLOSED


def test_a_second_connect_command_closes() -> None:
    assert receive(connected(), {"id": 2, "connect": {"token": "t"}})[-1] == Close(codes.BAD_REQUEST)


def test_commands_sent_along_with_connect_wait_for_it() -> None:
    session = fresh()
    assert len(receive(session, {"id": 1, "connect": {"token": "t"}}, {"id": 2, "subscribe": {"channel": LOG}})) == 1
    session.admitted(ANN)
    effects = session.connected(1, {}, unix_s=0)
    assert effects[1:] == [Join(2, LOG, None, reject_unrecovered=False)]


def test_what_was_sent_after_a_refused_connect_is_refused_with_it() -> None:
    session = fresh()
    early = [{"id": 2, "subscribe": {"channel": "log:1"}}, {}, {"id": 3, "rpc": {"method": "m", "data": {}}}]
    assert receive(session, {"id": 1, "connect": {"token": "t"}}, *early)[1:] == []
    told = sent(session.refused(1, codes.token_expired()))
    assert [(each["id"], each["error"]["code"]) for each in told] == [(1, 109), (2, 109), (3, 109)]


def test_a_refused_connect_may_be_tried_again() -> None:
    session = fresh()
    receive(session, {"id": 1, "connect": {"token": "t"}})
    assert sent(session.refused(1, codes.token_expired()))[0]["error"]["code"] == 109
    assert isinstance(receive(session, {"id": 2, "connect": {"token": "u"}})[0], Authenticate)


def test_a_connection_lost_while_connecting_gives_its_seats_back() -> None:
    session = fresh()
    receive(session, {"id": 1, "connect": {"token": "t"}})
    session.admitted(ANN)
    session.closed()
    assert session.connected(1, {LOG: ("seat", START)}, unix_s=0) == [Leave("seat")]


def test_a_subscription_is_answered_when_it_stands() -> None:
    session = connected()
    receive(session, {"id": 2, "subscribe": {"channel": LOG, "recover": True, "epoch": "e", "offset": 1}})
    assert sent(session.joined(2, LOG, "s", START)) == [
        {"id": 2, "subscribe": {"epoch": "e", "offset": 3, "recoverable": True}}
    ]
    assert session.subscriptions[LOG] == "s"


def test_a_topic_is_subscribed_once_even_while_it_is_under_way() -> None:
    session = connected()
    receive(session, {"id": 2, "subscribe": {"channel": LOG}})
    assert sent(receive(session, {"id": 3, "subscribe": {"channel": LOG}}))[0]["error"]["code"] == 105
    assert sent(receive(session, {"id": 4, "subscribe": {"channel": "inbox:ann"}}))[0]["error"]["code"] == 105


def test_unsubscribing_while_subscribing_gives_the_seat_back() -> None:
    session = connected()
    receive(session, {"id": 2, "subscribe": {"channel": LOG}})
    overtaken, done = sent(receive(session, {"id": 3, "unsubscribe": {"channel": LOG}}))
    assert (overtaken["id"], overtaken["error"]["temporary"]) == (2, True)
    assert done == {"id": 3, "unsubscribe": {}}
    assert session.joined(2, LOG, "s", START) == [Leave("s")]
    assert session.not_joined(2, LOG, codes.internal()) == []


def test_a_seat_of_an_older_wish_is_given_back() -> None:
    session = connected()
    receive(session, {"id": 2, "subscribe": {"channel": LOG}}, {"id": 3, "unsubscribe": {"channel": LOG}})
    receive(session, {"id": 4, "subscribe": {"channel": LOG}})
    assert session.joined(2, LOG, "old", START) == [Leave("old")]
    assert len(session.joined(4, LOG, "new", START)) == 1


def test_a_refused_subscription_may_be_tried_again() -> None:
    session = connected()
    receive(session, {"id": 2, "subscribe": {"channel": LOG}})
    session.not_joined(2, LOG, codes.permission_denied())
    assert isinstance(receive(session, {"id": 3, "subscribe": {"channel": LOG}})[0], Join)


def test_an_ended_subscription_is_told_and_forgotten() -> None:
    session = connected()
    receive(session, {"id": 2, "subscribe": {"channel": LOG}})
    session.joined(2, LOG, "s", START)
    assert sent(session.ended(LOG, codes.UNSUBSCRIBED_INSUFFICIENT))[0]["push"]["unsubscribe"]["code"] == 2500
    assert session.ended(LOG, codes.UNSUBSCRIBED_INSUFFICIENT) == []


def test_closing_gives_every_seat_back_once() -> None:
    session = connected()
    assert session.close(codes.SLOW) == [Leave("seat"), Close(codes.SLOW)]
    assert session.close(codes.SLOW) == []
    assert receive(session, {"id": 9, "ping": {}}) == []


def test_history_is_bounded() -> None:
    session = connected(max_history=50)
    (effect,) = receive(session, {"id": 2, "history": {"channel": "inbox:ann", "limit": -1}})
    assert effect == ReadHistory(2, Topic("inbox:ann"), None, 50, reverse=False, subscribed=True)


def test_a_call_keeps_its_json() -> None:
    (effect,) = receive(connected(), {"id": 2, "rpc": {"method": "orders.get", "data": {"a": 1}}})
    assert effect == Call(2, "orders.get", b'{"a": 1}')


def test_calls_at_once_are_bounded_until_they_are_answered() -> None:
    session = connected(max_inflight=1)
    call = {"id": 2, "rpc": {"method": "m"}}
    receive(session, call)
    assert sent(receive(session, call))[0]["error"]["code"] == 111
    session.answered(Reply(2, ping=Done()), 2)
    assert isinstance(receive(session, call)[0], Call)


def test_a_refresh_keeps_the_person() -> None:
    session = connected()
    assert receive(session, {"id": 2, "refresh": {"token": "t2"}}) == [Renew(2, "t2")]
    newer = Identity(UserId("ann"), Role.SHOPPER, expires_s=4_600)
    assert sent(session.renewed(2, newer, unix_s=1_000))[0]["refresh"]["ttl"] == 3_590
    assert session.identity is newer


def test_a_refresh_by_another_person_closes() -> None:
    session = connected()
    other = Identity(UserId("bob"), Role.SHOPPER)
    assert session.renewed(2, other, unix_s=0)[-1] == Close(codes.INVALID_TOKEN)


def test_commands_have_a_rate_with_room_for_a_reconnecting_app() -> None:
    session = connected(max_commands_per_second=10, max_subscriptions=20)
    ping = {"id": 2, "ping": {}}
    assert all(sent(receive(session, ping)) for _ in range(29))
    assert receive(session, ping)[-1] == Close(codes.TOO_MANY_REQUESTS)


def test_what_is_no_command_counts_as_one() -> None:
    session = connected(max_commands_per_second=10, max_subscriptions=20)
    assert [session.spend(1.0) for _ in range(30)] == [[]] * 30
    assert session.spend(1.0)[-1] == Close(codes.TOO_MANY_REQUESTS)


def test_the_rate_recovers_with_time() -> None:
    session = connected(max_commands_per_second=10, max_subscriptions=0)
    for second in range(1, 20):
        assert len(sent(receive(session, *[{"id": 2, "ping": {}}] * 10, now_s=float(second)))) == 10


# Commands about topics


@pytest.mark.parametrize("name", ["publish", "presence", "presence_stats", "history", "subscribe", "sub_refresh"])
@pytest.mark.parametrize(("channel", "code"), [("", 107), ("two words", 102), ("{x}", 102), ("x" * 256, 102)])
def test_a_command_wants_the_name_of_a_topic(name: str, channel: str, code: int) -> None:
    (reply,) = sent(receive(connected(), {"id": 2, name: {"channel": channel, "data": 1, "token": "t"}}))
    assert (reply["id"], reply["error"]["code"]) == (2, code)


@pytest.mark.parametrize("name", ["publish", "presence", "presence_stats", "history", "subscribe", "sub_refresh"])
@pytest.mark.parametrize("request_", [5, [], {"channel": 5}, {"channel": None}])
def test_a_command_of_the_wrong_form_is_refused(name: str, request_: Any) -> None:
    (reply,) = sent(receive(connected(), {"id": 2, name: request_}))
    assert (reply["id"], reply["error"]["code"]) == (2, 107)


@pytest.mark.parametrize(("channel", "subscribed"), [("inbox:ann", True), (LOG, False)])
def test_a_publication_keeps_its_json_and_says_whether_its_client_is_subscribed(
    channel: str, *, subscribed: bool
) -> None:
    (effect,) = receive(connected(), {"id": 2, "publish": {"channel": channel, "data": {"a": [1]}}})
    assert effect == Publish(2, Topic(channel), b'{"a": [1]}', subscribed=subscribed)


def test_a_publication_without_data_is_refused() -> None:
    (reply,) = sent(receive(connected(), {"id": 2, "publish": {"channel": LOG}}))
    assert reply["error"]["code"] == 107


def test_nothing_is_data_too() -> None:
    (effect,) = receive(connected(), {"id": 2, "publish": {"channel": LOG, "data": None}})
    assert effect == Publish(2, LOG, b"null", subscribed=False)


@pytest.mark.parametrize(("name", "stats"), [("presence", False), ("presence_stats", True)])
def test_the_presence_is_read_or_counted(name: str, *, stats: bool) -> None:
    (effect,) = receive(connected(), {"id": 2, name: {"channel": "inbox:ann"}})
    assert effect == ReadPresence(2, Topic("inbox:ann"), stats=stats, subscribed=True)


def test_a_subscription_that_is_being_made_does_not_count_yet() -> None:
    session = connected()
    receive(session, {"id": 2, "subscribe": {"channel": LOG}})
    (effect,) = receive(session, {"id": 3, "presence": {"channel": LOG}})
    assert effect == ReadPresence(3, LOG, stats=False, subscribed=False)


def test_a_client_says_on_which_terms_it_wants_to_subscribe() -> None:
    wishes = {"token": "t", "recoverable": True, "positioned": True, "join_leave": True, "flag": 3}
    (effect,) = receive(connected(), {"id": 2, "subscribe": {"channel": LOG, **wishes, "delta": "fossil", "type": 1}})
    assert effect == Join(
        2, LOG, token="t", recoverable=True, positioned=True, join_leave=True, reject_unrecovered=True
    )


def test_a_subscription_goes_on_with_a_fresh_token() -> None:
    session = connected()
    (effect,) = receive(session, {"id": 2, "sub_refresh": {"channel": "inbox:ann", "token": "t"}})
    assert effect == RenewSubscription(2, Topic("inbox:ann"), "t", "seat")
    assert sent(session.subscription_renewed(2, 60)) == [{"id": 2, "sub_refresh": {"expires": True, "ttl": 60}}]
    assert sent(session.subscription_renewed(3, 0)) == [{"id": 3, "sub_refresh": {}}]
    session.closed()
    assert session.subscription_renewed(4, 60) == []


@pytest.mark.parametrize(("request_", "code"), [({"channel": "inbox:ann"}, 107), ({"channel": LOG, "token": "t"}, 103)])
def test_a_fresh_token_is_for_what_is_subscribed(request_: Any, code: int) -> None:
    (reply,) = sent(receive(connected(), {"id": 2, "sub_refresh": request_}))
    assert reply["error"]["code"] == code


@pytest.mark.parametrize(
    "command",
    [
        {"rpc": {"method": "m"}},
        {"publish": {"channel": LOG, "data": 1}},
        {"presence": {"channel": LOG}},
        {"presence_stats": {"channel": LOG}},
        {"history": {"channel": LOG}},
    ],
)
def test_whatever_takes_a_while_is_bounded(command: Any) -> None:
    session = connected(max_inflight=1)
    receive(session, {"id": 2, "rpc": {"method": "m"}})
    (reply,) = sent(receive(session, {"id": 3, **command}))
    assert (reply["error"]["code"], reply["error"]["temporary"]) == (111, True)


def test_commands_about_topics_wait_for_connect_as_well() -> None:
    session = fresh()
    receive(session, {"id": 1, "connect": {"token": "t"}}, {"id": 2, "publish": {"channel": "inbox:ann", "data": 1}})
    session.admitted(ANN)
    effects = session.connected(1, {Topic("inbox:ann"): ("seat", START)}, unix_s=0)
    assert effects[1:] == [Publish(2, Topic("inbox:ann"), b"1", subscribed=True)]


def test_pongs_and_messages_without_reply_are_taken_silently() -> None:
    assert receive(connected(), {}, {"send": {"data": 1}}, {"id": 3, "send": {"data": 1}}) == []


def test_a_grant_tells_where_it_starts_and_what_was_missed() -> None:
    session = connected()
    assert session.granting(LOG)
    start = SubscribeResult(
        "e", 5, recoverable=True, publications=(Publication(Raw(b"1"), 4), Publication(Raw(b"2"), 5))
    )
    told, *missed = sent(session.granted(LOG, "seat", start))
    assert told["push"] == {"channel": LOG, "subscribe": {"epoch": "e", "offset": 3, "recoverable": True}}
    assert [each["push"]["pub"]["offset"] for each in missed] == [4, 5]
    assert session.subscriptions[LOG] == "seat"


def test_who_is_subscribed_or_has_enough_is_granted_nothing() -> None:
    session = connected(max_subscriptions=0, max_server_subscriptions=1)
    assert not session.granting(Topic("inbox:ann"))
    assert not session.granting(LOG)
    assert not fresh().granting(LOG)


def test_a_grant_that_was_revoked_on_its_way_is_given_up() -> None:
    session = connected()
    session.granting(LOG)
    assert session.revoked(LOG, codes.UNSUBSCRIBED_BY_SERVER) == []
    assert session.granted(LOG, "seat", START) == [Leave("seat")]


def test_a_grant_that_could_not_be_had_leaves_nothing_behind() -> None:
    session = connected()
    session.granting(LOG)
    session.withheld(LOG)
    session.withheld(Topic("inbox:ann"))
    assert [*session.subscriptions] == ["inbox:ann"]


def test_revoking_ends_a_subscription_and_says_so() -> None:
    session = connected()
    effects = session.revoked(Topic("inbox:ann"), codes.UNSUBSCRIBED_BY_SERVER)
    assert effects[0] == Leave("seat")
    assert sent(effects) == [
        {"push": {"channel": "inbox:ann", "unsubscribe": {"code": 2000, "reason": "server unsubscribe"}}}
    ]
    assert session.revoked(Topic("inbox:ann"), codes.UNSUBSCRIBED_BY_SERVER) == []


def test_revoking_what_is_being_made_refuses_the_command() -> None:
    session = connected()
    receive(session, {"id": 2, "subscribe": {"channel": LOG}})
    (refused,) = sent(session.revoked(LOG, codes.UNSUBSCRIBED_BY_SERVER))
    assert (refused["id"], refused["error"]["code"]) == (2, 103)
    assert session.joined(2, LOG, "seat", START) == [Leave("seat")]


@pytest.mark.parametrize(("expires_s", "told"), [(2_000, {"expires": True, "ttl": 990}), (None, {})])
def test_the_end_of_a_connection_can_be_moved(expires_s: int | None, told: dict[str, Any]) -> None:
    session = connected()
    assert sent(session.expiring(expires_s, unix_s=1_000)) == [{"push": {"refresh": told}}]
    assert session.identity is not None
    assert session.identity.expires_s == expires_s

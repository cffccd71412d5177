"""On which terms a client is subscribed: tokens and their ends, recovery, users, bounds, server-side topics."""

from typing import Any

import pytest

from tests.integration.gateway.dialects import in_both_dialects
from tests.integration.gateway.stage import Running, Start

pytestmark = in_both_dialects


async def test_a_subscription_token_opens_a_topic(worker: Running) -> None:
    async with worker.user("ann") as ann:
        start = await ann.call(subscribe={"channel": "vault:1", "token": "ann/vault:1"})
        assert start["recoverable"] is True
        assert "expires" not in start
        await worker.publish("vault:1", 1)
        assert (await ann.publications(1))[0]["data"] == 1


@pytest.mark.parametrize("token", ["bob/vault:1", "ann/vault:2"])
async def test_a_subscription_token_of_somebody_else_closes(worker: Running, token: str) -> None:
    async with worker.user("ann") as ann:
        await ann.send({"id": 5, "subscribe": {"channel": "vault:1", "token": token}})
        assert await ann.closed() == (3500, "invalid token")


async def test_a_subscription_ends_with_its_token_unless_a_fresh_one_comes(worker: Running) -> None:
    ends_s = worker.hands.in_s(1)
    async with worker.user("ann") as ann:
        for name in ("vault:1", "vault:2"):
            started = await ann.call(subscribe={"channel": name, "token": f"ann/{name}@{ends_s}"})
            assert (started["expires"], started["ttl"]) == (True, 1)
        fresh = f"ann/vault:2@{ends_s + 600}"
        renewed = await ann.call(sub_refresh={"channel": "vault:2", "token": fresh})
        assert (renewed["expires"], renewed["ttl"]) == (True, 591)
        worker.hands.forward(4)
        while not ann.pushes:
            line = await ann.next()
            if line:
                ann.pushes.append(line)
        unsubscribed = {"code": 2501, "reason": "subscription expired"}
        assert ann.pushes == [{"push": {"channel": "vault:1", "unsubscribe": unsubscribed}}]
        await worker.publish("vault:1", "not for me any more")
        await worker.publish("vault:2", "still")
        assert [each["data"] for each in await ann.publications(1)] == ["still"]


async def test_a_token_without_end_makes_a_subscription_that_stays(worker: Running) -> None:
    async with worker.user("ann") as ann:
        await ann.call(subscribe={"channel": "vault:1", "token": f"ann/vault:1@{worker.hands.in_s(600)}"})
        assert await ann.call(sub_refresh={"channel": "vault:1", "token": "ann/vault:1"}) == {}


async def test_a_token_for_what_does_not_end_changes_nothing(worker: Running) -> None:
    async with worker.user("ann") as ann:
        assert await ann.call(sub_refresh={"channel": "inbox:ann", "token": "ann/inbox:ann"}) == {}


@pytest.mark.parametrize("token", ["forged", "bob/vault:1", "ann/vault:2"])
async def test_a_bad_token_to_go_on_with_closes(worker: Running, token: str) -> None:
    async with worker.user("ann") as ann:
        await ann.call(subscribe={"channel": "vault:1", "token": "ann/vault:1"})
        await ann.send({"id": 9, "sub_refresh": {"channel": "vault:1", "token": token}})
        assert await ann.closed() == (3500, "invalid token")


PLAIN = {"epoch": "", "offset": 0}


@pytest.mark.parametrize(
    ("channel", "wishes", "flags"),
    [
        ("plain:1", {}, {}),
        ("plain:1", {"recoverable": True}, {}),
        ("plain:1", {"positioned": True}, {"positioned": True}),
        ("kept:1", {}, {}),
        ("kept:1", {"recoverable": True}, {"recoverable": True, "positioned": True}),
        ("kept:1", {"positioned": True}, {}),
        ("log:1", {}, {"recoverable": True, "positioned": True}),
        ("fleeting:1", {"recoverable": True, "positioned": True}, {}),
    ],
)
async def test_recovery_and_position_are_had_by_force_or_by_wish(
    worker: Running, channel: str, wishes: dict[str, bool], flags: dict[str, bool]
) -> None:
    await worker.publish(channel, "before")
    async with worker.user("ann") as ann:
        start = await ann.call(subscribe={"channel": channel, **wishes})
        position = {key: start.pop(key, absent) for key, absent in PLAIN.items()}
        assert start == flags
        assert (position == PLAIN) is not flags.get("positioned", False)


async def test_without_recovery_a_client_that_comes_back_starts_anew(worker: Running) -> None:
    await worker.publish("plain:1", 1)
    async with worker.user("ann") as ann:
        since = {"recover": True, "epoch": "", "offset": 0}
        start = await ann.call(subscribe={"channel": "plain:1", **since})
        assert {**PLAIN, **start} == {**PLAIN, "was_recovering": True}
        await worker.publish("plain:1", 2)
        assert [each["data"] for each in await ann.publications(1)] == [2]


async def test_a_latest_topic_recovers_to_the_value_that_stands(worker: Running) -> None:
    for price in (1, 2):
        await worker.publish("price:p", price, rank=price)
    async with worker.user("ann") as ann:
        old = {"recover": True, "epoch": "of another life", "offset": 1, "flag": 2}
        start = await ann.call(subscribe={"channel": "price:p", **old})
        assert (start["was_recovering"], start["recovered"]) == (True, True)
        assert [each["data"] for each in start["publications"]] == [2]


async def test_a_user_limited_topic_is_for_its_users(worker: Running) -> None:
    async with worker.user("ann") as ann, worker.user("cat") as cat:
        assert "epoch" in await ann.call(subscribe={"channel": "dialog:x#ann,bob"})
        assert (await cat.call(subscribe={"channel": "dialog:x#ann,bob"}))["code"] == 103
        await worker.publish("dialog:x#ann,bob", "psst")
        assert (await ann.publications(1))[0]["data"] == "psst"


async def test_subscriptions_in_one_namespace_are_bounded(worker: Running) -> None:
    async with worker.user("ann") as ann:
        answers = [await ann.call(subscribe={"channel": f"room:{n}"}) for n in range(4)]
        assert ["code" in answer for answer in answers] == [False, False, False, True]
        assert answers[-1]["code"] == 106
        assert "epoch" in await ann.call(subscribe={"channel": "log:1"})
        await ann.call(unsubscribe={"channel": "room:0"})
        assert "epoch" in await ann.call(subscribe={"channel": "room:4"})


async def test_a_connection_token_subscribes_to_what_it_names(worker: Running) -> None:
    async with worker.user("ann+vault:1") as ann:
        assert ann.hello["subs"].keys() == {"inbox:ann", "announcements", "vault:1"}
        assert ann.hello["subs"]["vault:1"]["data"] == 7
        await worker.publish("vault:1", 1)
        assert [each["data"] for each in await ann.publications(1)] == [1]
        info: dict[str, Any] = {}
        while not info:
            info = (await ann.call(presence={"channel": "vault:1"}))["presence"]
        assert [each["chan_info"] for each in info.values()] == [{"name": "ann"}]


async def test_a_connection_token_that_names_an_unknown_namespace_is_refused(worker: Running) -> None:
    async with worker.raw() as client:
        assert (await client.call(connect={"token": "ann+nobody:1"}))["code"] == 102


async def test_a_connection_token_cannot_name_more_topics_than_a_client_may_have(start: Start) -> None:
    worker = await start(max_subscriptions=1)
    async with worker.raw() as client:
        await client.send({"id": 1, "connect": {"token": "ann+vault:1+vault:2"}})
        assert await client.closed() == (3505, "channel limit")


async def test_everybody_can_have_a_personal_topic_beside_the_inbox(start: Start) -> None:
    worker = await start(user_personal_channel_namespace="own")
    async with worker.user("ann") as ann, worker.user("b,c") as odd:
        assert ann.hello["subs"].keys() == {"inbox:ann", "announcements", "own:#ann"}
        assert odd.hello["subs"].keys() == {"inbox:b,c", "announcements"}
        await worker.publish("own:#ann", 1)
        assert [each["data"] for each in await ann.publications(1)] == [1]


async def test_anonymous_clients_are_let_in_where_that_is_configured(start: Start) -> None:
    worker = await start(allow_anonymous_connect_without_token=True)
    async with worker.user("") as guest:
        assert guest.hello["subs"].keys() == {"announcements"}
        assert "epoch" in await guest.call(subscribe={"channel": "lobby:1"})
        for channel in ("log:1", "room:1"):
            assert (await guest.call(subscribe={"channel": channel}))["code"] == 103
        await worker.publish("announcements", "sale")
        await guest.publications(1)


async def test_an_anonymous_client_does_not_become_somebody(start: Start) -> None:
    worker = await start(allow_anonymous_connect_without_token=True)
    async with worker.user("") as guest:
        await guest.send({"id": 9, "refresh": {"token": "ann"}})
        assert await guest.closed() == (3500, "invalid token")

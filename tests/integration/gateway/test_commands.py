from typing import Any

import pytest

from tests.integration.gateway.dialects import Dialect, in_both_dialects
from tests.integration.gateway.stage import Running, Start

pytestmark = in_both_dialects


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"subscribe": {"channel": "nobody:1"}}, 102),
        ({"subscribe": {"channel": "log:{1}"}}, 102),
        ({"subscribe": {"channel": "order:A-bob"}}, 103),
        ({"subscribe": {"channel": "inbox:ann"}}, 105),
        ({"subscribe": {}}, 107),
        ({"publish": {"channel": "log:1", "data": 1}}, 103),
        ({"presence": {"channel": "log:1"}}, 108),
        ({"presence_stats": {"channel": "log:1"}}, 108),
        ({"presence": {"channel": "room:1"}}, 103),
        ({"presence_stats": {"channel": "room:1"}}, 103),
        ({"presence": {"channel": "nobody:1"}}, 102),
        ({"presence": {}}, 107),
        ({"publish": {"channel": "log:1"}}, 107),
        ({"publish": {"data": 1}}, 107),
        ({"publish": {"channel": "nobody:1", "data": 1}}, 102),
        ({"publish": {"channel": "room:1", "data": 1}}, 103),
        ({"publish": {"channel": "inbox:ann", "data": 1}}, 103),
        ({"publish": {"channel": "open:1", "data": [1]}}, 107),
        ({"publish": {"channel": "room:1", "data": "x" * 100}}, 106),
        ({"sub_refresh": {"channel": "log:1", "token": "ann/log:1"}}, 103),
        ({"sub_refresh": {"channel": "inbox:ann"}}, 107),
        ({"sub_refresh": {"channel": "inbox:ann", "token": "expired:"}}, 109),
        ({"subscribe": {"channel": "plain:x"}}, 107),
        ({"subscribe": {"channel": "vault:1"}}, 103),
        ({"subscribe": {"channel": "vault:1", "token": "forged"}}, 103),
        ({"subscribe": {"channel": "vault:1", "token": "expired:x"}}, 109),
        ({"subscribe": {"channel": "dialog:x#bob"}}, 103),
        ({"subscribe": {"channel": "room:x#ann"}}, 103),
        ({"history": {"channel": "room:1", "limit": 1}}, 103),
        ({"history": {"channel": "order:A-bob", "limit": 1}}, 103),
        ({"history": {"channel": "nobody:1"}}, 102),
        ({"history": {"channel": "log:1", "limit": 1, "since": {"epoch": "other", "offset": 1}}}, 112),
        ({"history": {"channel": "fleeting:1", "limit": 1}}, 108),
        ({"rpc": {"method": "nothing"}}, 104),
        ({"rpc": {}}, 107),
        ({"rpc": {"method": "fail"}}, 450),
        ({"rpc": {"method": "crash"}}, 100),
        ({"refresh": {}}, 107),
        ({"refresh": {"token": "expired:ann"}}, 109),
    ],
)
async def test_a_refused_command_gets_its_code_and_the_connection_stays(
    worker: Running, command: Any, code: int
) -> None:
    async with worker.user("ann") as client:
        assert (await client.call(**command))["code"] == code
        assert await client.call(ping={}) == {}


async def test_too_many_subscriptions_are_refused(start: Start) -> None:
    worker = await start(max_subscriptions=1)
    async with worker.user("ann") as client:
        answers = [await client.call(subscribe={"channel": f"log:{n}"}) for n in range(10)]
        assert answers[0]["recoverable"] is True
        assert answers[-1]["code"] == 106


@pytest.mark.parametrize(("token", "code", "temporary"), [("", 101, None), ("expired:ann", 109, True)])
async def test_a_connect_without_a_good_token_is_refused(
    worker: Running, token: str, code: int, temporary: bool | None
) -> None:
    async with worker.raw() as client:
        answer = await client.call(connect={"token": token})
        assert (answer["code"], answer.get("temporary")) == (code, temporary)


async def test_a_forged_token_closes_for_good(worker: Running) -> None:
    async with worker.raw() as client:
        await client.send({"id": 1, "connect": {"token": "forged"}})
        assert await client.closed() == (3500, "invalid token")


async def test_a_refresh_with_another_persons_token_closes(worker: Running) -> None:
    async with worker.user("ann") as client:
        await client.send({"id": 9, "refresh": {"token": "bob"}})
        assert await client.closed() == (3500, "invalid token")


async def test_an_operation_is_called_with_its_json(worker: Running) -> None:
    async with worker.user("ann") as client:
        assert await client.call(rpc={"method": "echo", "data": {"a": [1, "ü"]}}) == {"data": {"a": [1, "ü"]}}


async def test_a_message_without_reply_is_accepted(worker: Running) -> None:
    async with worker.user("ann") as client:
        await client.send({"send": {"data": {"typing": True}}})
        assert await client.call(ping={}) == {}


async def test_history_pages_through_a_topic(worker: Running) -> None:
    for n in range(1, 6):
        await worker.publish("log:1", n)
    async with worker.user("ann") as client:
        first = await client.call(history={"channel": "log:1", "limit": 2})
        assert [entry["data"] for entry in first["publications"]] == [1, 2]
        since = {"epoch": first["epoch"], "offset": 2}
        rest = await client.call(history={"channel": "log:1", "limit": -1, "since": since})
        assert [entry["offset"] for entry in rest["publications"]] == [3, 4, 5]
        top = await client.call(history={"channel": "log:1"})
        assert (top["offset"], top.get("publications", [])) == (5, [])


async def test_unsubscribing_what_is_not_subscribed_succeeds(worker: Running) -> None:
    async with worker.user("ann") as client:
        assert await client.call(unsubscribe={"channel": "log:1"}) == {}


async def test_replies_to_one_frame_come_in_one_frame(worker: Running, dialect: Dialect) -> None:
    async with worker.user("ann") as client:
        await client.send({"id": 50, "ping": {}}, {"id": 51, "ping": {}})
        frame = await client.socket.recv()
        assert dialect.decode(frame) == [{"id": 50, "ping": {}}, {"id": 51, "ping": {}}]

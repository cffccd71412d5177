import asyncio
from typing import Any

import pytest

from hub.domain.errors import StoreUnavailable
from hub.domain.ids import Topic
from tests.integration.gateway.dialects import in_both_dialects
from tests.integration.gateway.stage import PATIENCE_S, Raw, Running, Start

pytestmark = in_both_dialects


async def joined(client: Raw, channel: str) -> Any:
    return await client.call(subscribe={"channel": channel})


async def test_a_subscriber_publishes_to_everybody_and_says_who_it_is(start: Start) -> None:
    here, far = await start(), await start()
    async with here.user("ann") as ann, far.user("bob") as bob:
        await joined(ann, "room:1")
        await joined(bob, "room:1")
        assert await ann.call(publish={"channel": "room:1", "data": {"hi": "ü:+"}}) == {}
        info = {"user": "ann", "client": ann.hello["client"], "conn_info": {"name": "ann"}}
        for client in (ann, bob):
            assert await client.publications(1) == [{"data": {"hi": "ü:+"}, "offset": 1, "info": info}]


async def test_history_and_recovery_say_who_published(worker: Running) -> None:
    async with worker.user("ann") as ann:
        start = await joined(ann, "room:1")
        await ann.call(publish={"channel": "room:1", "data": 1})
        page = await ann.call(history={"channel": "room:1", "limit": 5})
        assert page["publications"][0]["info"]["user"] == "ann"
    await worker.publish("room:1", 2)
    async with worker.user("bob") as bob:
        since = {"recover": True, "epoch": start["epoch"], "offset": 0}
        back = await bob.call(subscribe={"channel": "room:1", **since})
        assert [each.get("info", {}).get("user") for each in back["publications"]] == ["ann", None]


async def test_publications_of_one_client_keep_their_order(worker: Running) -> None:
    async with worker.user("ann") as ann, worker.user("bob") as bob:
        await joined(ann, "room:1")
        await joined(bob, "room:1")
        for start in range(0, 90, 30):
            batch = range(start, start + 30)
            commands = [{"id": 100 + n, "publish": {"channel": "room:1", "data": n}} for n in batch]
            await ann.send(*commands)
            answered = {(await ann.next()).get("id") for _ in range(60)} - {None}
            assert answered == {100 + n for n in batch}
        assert [each["data"] for each in await bob.publications(90)] == list(range(90))


async def test_who_may_publish_need_not_be_subscribed(worker: Running) -> None:
    async with worker.user("ann") as ann:
        assert await ann.call(publish={"channel": "open:1", "data": {"x": 1}}) == {}
    assert [stored.data for stored in (await worker.topics.read_since(Topic("open:1"), 0, limit=9)).publications] == [
        b'{"x": 1}'
    ]


async def test_publishing_while_redis_is_away_may_be_tried_again(worker: Running) -> None:
    async with worker.user("ann") as ann:
        await joined(ann, "room:1")

        async def fails(_: object) -> None:
            raise StoreUnavailable

        worker.topics.publish_many = fails  # type: ignore[method-assign,assignment]
        answer = await ann.call(publish={"channel": "room:1", "data": 1})
        assert (answer["code"], answer["temporary"]) == (100, True)


@pytest.mark.parametrize("size", [98, 99])
async def test_the_size_of_a_publication_is_bounded(worker: Running, size: int) -> None:
    async with worker.user("ann") as ann:
        await joined(ann, "room:1")
        answer = await ann.call(publish={"channel": "room:1", "data": "x" * size})
        assert answer == ({} if size == 98 else {"code": 106, "message": "limit exceeded"})


async def test_several_commands_of_a_frame_are_all_answered(worker: Running) -> None:
    async with worker.user("ann") as ann:
        await ann.send(
            {"id": 10, "subscribe": {"channel": "room:1"}},
            {"id": 11, "publish": {"channel": "room:1", "data": "too early"}},
            {"id": 12, "presence_stats": {"channel": "log:1"}},
            {"id": 13, "unsubscribe": {"channel": "room:1"}},
        )
        answers: dict[int, Any] = {}
        async with asyncio.timeout(PATIENCE_S):
            while len(answers) < 4:
                line = await ann.next()
                if "id" in line:
                    answers[line["id"]] = line
        assert answers[11]["error"]["code"] == 103
        assert answers[12]["error"]["code"] == 108
        assert answers[13] == {"id": 13, "unsubscribe": {}}
        assert answers[10]["error"]["temporary"] is True

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from deploy.local import RedisServer
from hub.domain.ids import Topic, UserId
from hub.gateway.connection import SLOW_TIMEOUT_S
from tests.integration.gateway.dialects import in_both_dialects
from tests.integration.gateway.stage import Raw, Running, Start, until
from tests.services import running

pytestmark = in_both_dialects


def _since(result: dict[str, object]) -> dict[str, object]:
    return {"recover": True, "epoch": result["epoch"], "offset": result.get("offset", 0)}


async def _trim(worker: Running, topic: str, kept: int) -> None:
    """Trim exactly: by itself Redis does it in whole nodes."""
    await worker.redis.xtrim(worker.keys.topic_stream(Topic(topic)), kept, approximate=False)


async def _publish(worker: Running, topic: str, first: int, last: int) -> None:
    for n in range(first, last + 1):
        await worker.publish(topic, n)


async def test_a_returning_client_gets_what_its_inbox_missed(worker: Running) -> None:
    async with worker.user("ann") as client:
        start = client.hello["subs"]["inbox:ann"]
    await _publish(worker, "inbox:ann", 1, 3)
    async with worker.user("ann", subs={"inbox:ann": _since(start)}) as client:
        inbox = client.hello["subs"]["inbox:ann"]
        assert (inbox["recovered"], inbox["was_recovering"]) == (True, True)
        assert [entry["data"] for entry in inbox["publications"]] == [1, 2, 3]


async def test_a_subscription_recovers_and_goes_on_live(worker: Running) -> None:
    async with worker.user("ann") as client:
        start = await client.call(subscribe={"channel": "log:1"})
    await _publish(worker, "log:1", 1, 4)
    async with worker.user("ann") as client:
        again = await client.call(subscribe={"channel": "log:1", **_since({**start, "offset": 2})})
        assert [entry["offset"] for entry in again["publications"]] == [3, 4]
        await worker.publish("log:1", 5)
        assert await client.publications(1) == [{"data": 5, "offset": 5}]


async def test_more_than_a_page_is_recovered_without_a_hole(worker: Running) -> None:
    async with worker.user("ann") as client:
        start = client.hello["subs"]["inbox:ann"]
    await _publish(worker, "inbox:ann", 1, 150)
    async with worker.user("ann", subs={"inbox:ann": _since(start)}) as client:
        first = [entry["offset"] for entry in client.hello["subs"]["inbox:ann"]["publications"]]
        rest = [entry["offset"] for entry in await client.publications(150 - len(first))]
        assert first + rest == list(range(1, 151))


@pytest.mark.parametrize("since", [{"epoch": "other", "offset": 1}, {"offset": 99}, {"offset": 1}])
async def test_what_cannot_be_recovered_is_said(worker: Running, since: dict[str, object]) -> None:
    await _publish(worker, "log:1", 1, 15)
    await _trim(worker, "log:1", 10)
    async with worker.user("ann") as client:
        epoch = (await client.call(history={"channel": "log:1"}))["epoch"]
        position = {"epoch": epoch, **since}
        start = await client.call(subscribe={"channel": "log:1", "recover": True, **position})
        assert (start["was_recovering"], start.get("recovered"), start["offset"]) == (True, None, 15)
        assert "publications" not in start


async def test_a_client_may_ask_to_be_refused_instead(worker: Running) -> None:
    async with worker.user("ann") as client:
        wish = {"channel": "log:1", "recover": True, "epoch": "other", "offset": 3, "flag": 2}
        assert (await client.call(subscribe=wish))["code"] == 112
        assert "epoch" in await client.call(subscribe={"channel": "log:1"})


async def test_expired_broadcasts_are_skipped(worker: Running) -> None:
    async with worker.user("ann") as client:
        start = await client.call(subscribe={"channel": "news:all"})
    await _publish(worker, "news:all", 1, 8)
    await _trim(worker, "news:all", 3)
    async with worker.user("ann") as client:
        again = await client.call(subscribe={"channel": "news:all", **_since(start)})
        assert [entry["offset"] for entry in again["publications"]] == [6, 7, 8]


async def test_a_lost_message_is_read_from_the_stream_when_the_next_one_comes(worker: Running) -> None:
    async with worker.user("ann") as client:
        await worker.publish("inbox:ann", 1)
        await client.publications(1)
        await _without_pubsub(worker, "inbox:ann", 2)
        await worker.publish("inbox:ann", 3)
        assert [entry["data"] for entry in await client.publications(3)] == [1, 2, 3]


async def test_a_lost_message_is_found_by_the_position_check(start: Start) -> None:
    worker = await start(position_check_s=0.2)
    async with worker.user("ann") as client:
        await worker.publish("inbox:ann", 1)
        await client.publications(1)
        await _without_pubsub(worker, "inbox:ann", 2)
        assert [entry["data"] for entry in await client.publications(2)] == [1, 2]


async def test_a_pubsub_connection_that_is_killed_costs_nothing(worker: Running) -> None:
    async with worker.user("ann") as client:
        await worker.publish("inbox:ann", 1)
        await client.publications(1)
        await worker.redis.client_kill_filter(_type="pubsub", skipme=True)
        for n in range(2, 6):
            await worker.publish("inbox:ann", n)
        assert [entry["data"] for entry in await client.publications(5)] == [1, 2, 3, 4, 5]


async def _without_pubsub(worker: Running, topic: str, offset: int) -> None:
    """Put a publication into the stream as if its message had been lost."""
    stream, meta = worker.keys.topic_stream(Topic(topic)), worker.keys.topic_meta(Topic(topic))
    await worker.redis.xadd(stream, {"d": str(offset)}, id=f"{offset}-0")
    await worker.redis.hset(meta, "offset", offset)


async def test_a_slow_reader_costs_its_buffer_and_misses_nothing(start: Start) -> None:
    worker = await start(write_buffer_bytes=4096)
    async with worker.raw(max_queue=1) as slow, worker.user("bob") as quick:
        slow.hello = await slow.call(connect={"token": "ann"})
        await slow.call(subscribe={"channel": "chat:1"})
        await quick.call(subscribe={"channel": "chat:1"})
        for n in range(200):
            await worker.publish("chat:1", "x" * 40_000)
            if n % 20 == 0:
                await quick.publications(n)
        assert len(await quick.publications(200)) == 200
        assert [entry["offset"] for entry in await slow.publications(200)] == list(range(1, 201))


async def test_who_reads_nothing_for_30_s_then_gets_all_of_5000_publications(start: Start) -> None:
    worker = await start(write_buffer_bytes=4096, ping_interval_s=5.0)
    async with worker.raw(max_queue=1) as slow, worker.user(f"bob@{worker.hands.in_s(28)}") as witness:
        transport = await _fall_silent(worker, slow)
        for first in range(0, 5_000, 250):
            # 20 MB: several times what the kernel takes.
            await worker.publish_many("tape:1", [f"{n:04}{'x' * 4_000}" for n in range(first, first + 250)])
        await until(lambda: transport.get_write_buffer_size() > 4096)
        worker.hands.forward(30)
        # A token of 28 seconds has ended 2 seconds ago: the worker has seen the time pass.
        assert await witness.closed() == (3005, "connection expired")
        held_bytes, found = 0, list[Any]()
        while len(found) < 5_000:
            line = await slow.next()
            if line:  # No ping.
                found.append(line["push"]["pub"])
            held_bytes = max(held_bytes, transport.get_write_buffer_size())
    assert [(entry["offset"], int(entry["data"][:4])) for entry in found] == [(n + 1, n) for n in range(5_000)]
    assert held_bytes < 1_000_000


async def test_who_reads_nothing_for_a_minute_is_told_to_come_again(start: Start) -> None:
    worker = await start(write_buffer_bytes=4096, ping_interval_s=5.0)
    async with worker.raw(max_queue=1) as slow:
        transport = await _fall_silent(worker, slow)
        await worker.publish_many("tape:1", ["x" * 40_000] * 400)
        await until(lambda: transport.get_write_buffer_size() > 4096)
        worker.hands.forward(SLOW_TIMEOUT_S)
        await until(lambda: worker.gateway._worker.people.count(UserId("ann")) == 0)
        with contextlib.suppress(ConnectionClosed):
            while True:
                await slow.next()
        assert await slow.closed() == (3008, "slow")


async def _fall_silent(worker: Running, client: Raw) -> asyncio.Transport:
    """Subscribe to the tape and read no more. Return the server's side of the connection."""
    await client.call(connect={"token": "ann"})
    await client.call(subscribe={"channel": "tape:1"})
    (connection,) = worker.gateway._worker.people.of(UserId("ann"))
    assert connection._transport is not None
    return connection._transport


async def test_a_slow_reader_of_a_log_that_was_trimmed_subscribes_again(start: Start) -> None:
    worker = await start(write_buffer_bytes=4096)
    async with worker.raw(max_queue=1) as slow:
        slow.hello = await slow.call(connect={"token": "ann"})
        await slow.call(subscribe={"channel": "log:1"})
        for _ in range(300):
            await worker.publish("log:1", "x" * 40_000)
        assert await _until_unsubscribed(slow) == {"code": 2500, "reason": "insufficient state"}
        assert (await slow.call(subscribe={"channel": "log:1"}))["offset"] == 300


async def _until_unsubscribed(client: Raw) -> object:
    last = 0
    while True:
        push = (await client.next())["push"]
        if "unsubscribe" in push:
            return push["unsubscribe"]
        assert push["pub"]["offset"] == last + 1
        last += 1


async def test_redis_that_comes_back_without_its_data_is_told_to_the_inbox(tmp_path: Path, start: Start) -> None:
    with running(RedisServer(tmp_path / "redis")) as server:
        worker = await start(url=server.url)
        async with worker.user("ann") as client:
            await _publish(worker, "inbox:ann", 1, 3)
            await client.publications(3)
            await worker.redis.flushall()
            await worker.redis.client_kill_filter(_type="pubsub", skipme=True)
            assert await client.closed() == (3010, "insufficient state")


async def test_without_redis_a_client_is_told_to_try_again(tmp_path: Path, start: Start) -> None:
    with running(RedisServer(tmp_path / "redis")) as server:
        worker = await start(url=server.url)
        async with worker.user("ann") as before:
            await asyncio.to_thread(server.stop)
            async with worker.raw() as client:
                answer = await client.call(connect={"token": "bob"})
                assert (answer["code"], answer["temporary"]) == (100, True)
            assert await before.call(ping={}) == {}

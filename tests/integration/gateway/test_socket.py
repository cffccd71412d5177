import asyncio
import socket
from contextlib import AsyncExitStack

from tests.integration.gateway.dialects import in_both_dialects
from tests.integration.gateway.stage import PATIENCE_S, PING_S, PONG_S, Running, Start

pytestmark = in_both_dialects


async def test_a_shopper_connects_to_inbox_and_announcements(worker: Running) -> None:
    async with worker.user("ann") as client:
        assert set(client.hello["subs"]) == {"inbox:ann", "announcements"}
        assert (client.hello["ping"], client.hello["pong"]) == (300, True)


async def test_a_service_has_no_inbox(worker: Running) -> None:
    async with worker.user("service:erp") as client:
        assert set(client.hello["subs"]) == {"announcements"}


async def test_a_publication_on_the_inbox_is_pushed(worker: Running) -> None:
    async with worker.user("ann") as client, worker.user("bob") as other:
        await worker.publish("inbox:ann", {"n": 1})
        assert await client.publications(1) == [{"data": {"n": 1}, "offset": 1}]
        assert await other.call(ping={}) == {}
        assert other.pushes == []


async def test_subscribe_and_connect_may_come_in_one_frame(worker: Running) -> None:
    async with worker.raw() as client:
        await client.send({"id": 1, "connect": {"token": "ann"}}, {"id": 2, "subscribe": {"channel": "log:1"}})
        assert "connect" in await client.next()
        assert (await client.next())["subscribe"]["recoverable"] is True


async def test_a_topic_without_history_is_delivered_live_only(worker: Running) -> None:
    async with worker.user("ann") as client:
        assert (await client.call(subscribe={"channel": "fleeting:x"})).get("recoverable") is None
        await worker.publish("fleeting:x", "hi")
        assert await client.publications(1) == [{"data": "hi"}]


async def test_the_value_of_a_latest_topic_comes_with_the_subscription(worker: Running) -> None:
    await worker.publish("price:p1", 10, rank=1)
    async with worker.user("ann") as client:
        start = await client.call(subscribe={"channel": "price:p1"})
        assert start["publications"] == [{"data": 10, "offset": 1}]
        await worker.publish("price:p1", 12, rank=2)
        assert await client.publications(1) == [{"data": 12, "offset": 2}]


async def test_nothing_comes_after_unsubscribing(worker: Running) -> None:
    async with worker.user("ann") as client:
        await client.call(subscribe={"channel": "log:1"})
        assert await client.call(unsubscribe={"channel": "log:1"}) == {}
        await worker.publish("log:1", 1)
        await worker.publish("inbox:ann", 2)
        assert [push["data"] for push in await client.publications(1)] == [2]


async def test_a_token_that_ends_ends_the_connection(worker: Running) -> None:
    async with worker.user(f"ann@{worker.hands.in_s(1)}") as client:
        assert (client.hello["expires"], client.hello["ttl"]) == (True, 1)
        worker.hands.forward(4)
        assert await client.closed() == (3005, "connection expired")


async def test_a_refresh_keeps_the_connection(worker: Running) -> None:
    short = worker.hands.in_s(2)
    async with worker.user(f"ann@{short}") as ann, worker.user(f"bob@{short}") as bob:
        answer = await ann.call(refresh={"token": f"ann@{worker.hands.in_s(3600)}"})
        assert answer["ttl"] == 3590
        worker.hands.forward(5)
        assert await bob.closed() == (3005, "connection expired")
        assert await ann.call(ping={}) == {}


async def test_who_answers_pings_stays_and_a_silent_client_is_closed(worker: Running) -> None:
    async with worker.user("ann") as ann, worker.user("bob") as silent:
        worker.hands.forward(PING_S)
        assert await ann.next() == {}
        await ann.send({})
        # Answered after the pong, which was sent before.
        assert await ann.call(ping={}) == {}
        worker.hands.forward(PONG_S)
        assert await silent.closed() == (3012, "no pong")
        worker.hands.forward(PING_S)
        assert await ann.next() == {}


async def test_draining_closes_everybody_for_reconnect_and_lets_nobody_in(start: Start) -> None:
    worker = await start(drain_s=0.3)
    async with worker.user("ann") as ann, worker.user("bob") as bob:
        await asyncio.gather(worker.gateway.drain(), ann.closed(), bob.closed())
        assert await ann.closed() == (3001, "shutdown")
    assert worker.gateway.connections == 0


async def test_draining_goes_by_the_clock_however_few_steps_the_worker_gets(start: Start) -> None:
    worker = await start(drain_s=2 * PATIENCE_S)
    async with AsyncExitStack() as crowd, asyncio.timeout(PATIENCE_S):
        clients = [await crowd.enter_async_context(worker.user(f"u{n}")) for n in range(30)]
        draining = asyncio.create_task(worker.gateway.drain())
        while worker.gateway.connections:
            worker.hands.forward(PATIENCE_S / 5)
            await asyncio.sleep(0.05)
        await draining
        assert {await client.closed() for client in clients} == {(3001, "shutdown")}


async def test_who_stands_before_a_door_that_closes_is_told_to_come_again(worker: Running) -> None:
    worker.gateway.watch(worker.server.sockets)
    request = b"GET /connection/websocket HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    # Blocking, so that the loop cannot accept them.
    waiting = [socket.create_connection(("127.0.0.1", worker.port)) for _ in range(20)]
    for each in waiting:
        each.sendall(request)
    await worker.gateway.close_door()
    worker.server.close()
    for each in waiting:
        assert (await asyncio.to_thread(each.recv, 100)).startswith(b"HTTP/1.1 503 ")
        each.close()


async def test_the_probe_proves_the_way_from_redis(worker: Running) -> None:
    assert await worker.gateway.probe(worker.redis.publish) is True


async def test_the_probe_fails_where_messages_do_not_arrive(worker: Running) -> None:
    async def nowhere(channel: str, message: bytes) -> None: ...

    assert await worker.gateway.probe(nowhere, timeout_s=0.1) is False


async def test_a_broadcast_to_many_reaches_all_and_one_persons_message_as_well(worker: Running) -> None:
    async with worker.user("ann") as ann, AsyncExitStack() as crowd:
        clients = [await crowd.enter_async_context(worker.user(f"u{n}")) for n in range(250)]
        await worker.publish("announcements", "sale")
        await worker.publish("inbox:ann", "paid")
        assert len(await ann.publications(2)) == 2
        for client in clients:
            assert (await client.publications(1))[0]["data"] == "sale"

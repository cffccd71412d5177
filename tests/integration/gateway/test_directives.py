"""What services do with people's connections, over several workers and through the loss of pub/sub messages."""

import asyncio
from pathlib import Path

import pytest

from deploy.local import RedisServer
from hub.domain.directives import DisconnectUser, RefreshUser, SubscribeUser, UnsubscribeUser, Whose
from hub.domain.errors import StoreUnavailable
from hub.domain.ids import Epoch, Topic, UserId
from hub.domain.topics import Position
from hub.store.scripts import Scripts
from hub.store.workers import WorkerFacts, Workers
from tests.integration.gateway.dialects import in_both_dialects
from tests.integration.gateway.stage import PATIENCE_S, Raw, Running, Start, until
from tests.services import running

pytestmark = in_both_dialects

ANN = Whose(UserId("ann"))
LOG = Topic("log:1")


async def pushes(client: Raw, count: int) -> list[dict[str, object]]:
    """Wait for so many pushes, as they are inside of their envelope."""
    while len(client.pushes) < count:
        line = await client.next()
        if line:
            client.pushes.append(line)
    return [each["push"] for each in client.pushes]


async def test_a_person_is_disconnected_on_every_worker(start: Start) -> None:
    one, other = await start(), await start()
    async with one.user("ann") as phone, other.user("ann") as laptop, other.user("bob") as bob:
        await one.tell(DisconnectUser(ANN, 4_501, "go away"))
        assert await phone.closed() == await laptop.closed() == (4_501, "go away")
        assert await bob.call(ping={}) == {}


async def test_a_client_that_is_spared_stays(worker: Running) -> None:
    async with worker.user("ann") as phone, worker.user("ann") as laptop:
        await worker.tell(DisconnectUser(ANN, 4_501, "one only", (phone.hello["client"],)))
        assert (await laptop.closed())[0] == 4_501
        assert await phone.call(ping={}) == {}


async def test_a_person_is_subscribed_and_told_so(worker: Running) -> None:
    async with worker.user("ann") as ann:
        await worker.publish(LOG, "before")
        await worker.tell(SubscribeUser(ANN, LOG))
        (told,) = await pushes(ann, 1)
        assert (told["channel"], told["subscribe"]["offset"]) == (LOG, 1)  # type: ignore[index]
        await worker.publish(LOG, "after")
        assert (await pushes(ann, 2))[1] == {"channel": LOG, "pub": {"data": "after", "offset": 2}}


async def test_a_subscription_can_begin_in_the_past(worker: Running) -> None:
    for number in range(3):
        await worker.publish(LOG, number)
    epoch = (await worker.topics.positions([LOG]))[0].epoch
    async with worker.user("ann") as ann:
        await worker.tell(SubscribeUser(ANN, LOG, Position(epoch, 1)))
        told, *publications = await pushes(ann, 3)
        assert told["subscribe"]["offset"] == 1  # type: ignore[index]
        assert [each["pub"]["data"] for each in publications] == [1, 2]  # type: ignore[index]


async def test_a_place_of_another_life_is_no_place_to_begin_at(worker: Running) -> None:
    await worker.publish(LOG, "before")
    async with worker.user("ann") as ann:
        await worker.tell(SubscribeUser(ANN, LOG, Position(Epoch("other"), 0)))
        (told,) = await pushes(ann, 1)
        assert told["subscribe"]["offset"] == 1  # type: ignore[index]
        await worker.publish(LOG, "after")
        assert (await pushes(ann, 2))[1]["pub"] == {"data": "after", "offset": 2}


async def test_subscribing_who_is_subscribed_changes_nothing(worker: Running) -> None:
    async with worker.user("ann") as ann:
        await ann.call(subscribe={"channel": LOG})
        await worker.tell(SubscribeUser(ANN, LOG), SubscribeUser(ANN, LOG))
        await worker.publish(LOG, 1)
        assert await pushes(ann, 1) == [{"channel": LOG, "pub": {"data": 1, "offset": 1}}]


@pytest.mark.parametrize("by_client", [True, False])
async def test_a_person_is_unsubscribed_whoever_subscribed(worker: Running, *, by_client: bool) -> None:
    async with worker.user("ann") as ann:
        if by_client:
            await ann.call(subscribe={"channel": LOG})
        else:
            await worker.tell(SubscribeUser(ANN, LOG))
            await pushes(ann, 1)
        await worker.tell(UnsubscribeUser(ANN, LOG))
        told = (await pushes(ann, 1 if by_client else 2))[-1]
        assert told == {"channel": LOG, "unsubscribe": {"code": 2000, "reason": "server unsubscribe"}}
        ann.pushes.clear()
        await worker.publish(LOG, 1)
        await worker.publish("inbox:ann", 2)
        assert [each["data"] for each in await ann.publications(1)] == [2]


async def test_who_is_unsubscribed_at_once_stays_so(worker: Running) -> None:
    async with worker.user("ann") as ann:
        await worker.tell(SubscribeUser(ANN, LOG), UnsubscribeUser(ANN, LOG), SubscribeUser(ANN, Topic("log:2")))
        (told,) = await pushes(ann, 1)
        assert told["channel"] == "log:2"
        await worker.publish(LOG, 1)
        await worker.publish("log:2", 2)
        assert (await pushes(ann, 2))[1]["pub"] == {"data": 2, "offset": 1}


async def test_the_end_of_a_connection_can_be_moved(worker: Running) -> None:
    async with worker.user("ann") as ann:
        await worker.tell(RefreshUser(ANN, worker.hands.in_s(1)))
        assert (await pushes(ann, 1))[0] == {"refresh": {"expires": True, "ttl": 1}}
        worker.hands.forward(4)
        assert await ann.closed() == (3005, "connection expired")


async def test_a_publication_that_is_not_kept_reaches_who_is_connected_and_no_offset_is_lost(worker: Running) -> None:
    async with worker.user("ann") as ann:
        await ann.call(subscribe={"channel": LOG})
        await worker.publish(LOG, "kept")
        await worker.publish(LOG, "fleeting", kept=False)
        await worker.publish(LOG, "kept too")
        found = await ann.publications(3)
        assert found == [{"data": "kept", "offset": 1}, {"data": "fleeting"}, {"data": "kept too", "offset": 2}]


async def test_a_disconnect_said_while_pubsub_was_down_is_carried_out(worker: Running) -> None:
    async with worker.user("ann") as ann:
        await worker.redis.client_kill_filter(_type="pubsub", skipme=True)
        await worker.tell(DisconnectUser(ANN, 4_501, "revoked"))
        assert await ann.closed() == (4_501, "revoked")


async def test_a_disconnect_of_which_the_message_got_lost_is_found(start: Start) -> None:
    worker = await start(position_check_s=0.2)
    async with worker.user("ann") as ann:
        # A log entry that no message tells of.
        meta, stream = worker.keys.topic_meta(Topic("directives")), worker.keys.topic_stream(Topic("directives"))
        offset = await worker.redis.hincrby(meta, "offset", 1)
        entry = b'{"do":"disconnect","whose":{"user":"ann"},"code":4501,"reason":"lost"}'
        await worker.redis.xadd(stream, {"d": entry}, id=f"{offset}-0")
        assert await ann.closed() == (4_501, "lost")


async def test_a_revocation_is_carried_out_soon_after_redis_is_back(tmp_path: Path, start: Start) -> None:
    with running(RedisServer(tmp_path / "redis")) as server:
        worker = await start(url=server.url)
        async with worker.user("ann") as ann:
            await asyncio.to_thread(server.stop)
            with pytest.raises(StoreUnavailable):
                await worker.tell(DisconnectUser(ANN, 4_501, "revoked"))
            await asyncio.to_thread(server.start)
            # Its sender asks again, most likely before the worker listens again.
            await worker.tell(DisconnectUser(ANN, 4_501, "revoked"))
            assert await ann.closed() == (4_501, "revoked")


async def test_a_worker_is_on_the_register_while_it_runs(start: Start) -> None:
    worker = await start()
    async with worker.user("ann"), worker.user("ann"):
        await until(lambda: worker.gateway.connections == 2)
        (facts,) = await registered(worker)
        assert (facts.version, facts.name.split("-")[-1].isdecimal()) == ("test", True)
    await worker.gateway.__aexit__(None, None, None)
    assert await registered(worker) == []


async def registered(worker: Running) -> list[WorkerFacts]:
    async with asyncio.timeout(PATIENCE_S):
        return await Workers(Scripts(worker.store), worker.keys).alive()

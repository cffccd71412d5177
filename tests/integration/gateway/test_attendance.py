"""Presence, joins and leaves."""

from typing import Any

from tests.integration.gateway.dialects import in_both_dialects
from tests.integration.gateway.stage import Raw, Running, Start

pytestmark = in_both_dialects


def attendance(client: Raw) -> list[tuple[str, str]]:
    """Who came and went, as a client was told."""
    pushes = [each["push"] for each in client.pushes if "push" in each]
    return [(kind, push[kind]["info"]["user"]) for push in pushes for kind in ("join", "leave") if kind in push]


async def told(client: Raw, *expected: tuple[str, str]) -> None:
    """Read on until a client was told of as much as is expected; it is that and nothing else."""
    while len(attendance(client)) < len(expected):
        client.pushes.append(await client.next())
    assert attendance(client) == [*expected]


async def there(worker: Running, client: Raw, channel: str, *users: str) -> dict[str, Any]:
    """Wait until exactly these users are there, in the words of one client."""
    while True:
        answer = await client.call(presence={"channel": channel})
        presence: dict[str, Any] = answer["presence"]
        if sorted(info["user"] for info in presence.values()) == sorted(users):
            return presence


async def test_subscribers_see_who_is_there(worker: Running) -> None:
    async with worker.user("ann") as ann, worker.user("bob") as bob:
        await ann.call(subscribe={"channel": "room:1"})
        await bob.call(subscribe={"channel": "room:1"})
        seen = await there(worker, ann, "room:1", "ann", "bob")
        mine = ann.hello["client"]
        assert seen[mine] == {"user": "ann", "client": mine, "conn_info": {"name": "ann"}}
        stats = await bob.call(presence_stats={"channel": "room:1"})
        assert stats == {"num_clients": 2, "num_users": 2}


async def test_two_clients_of_a_user_are_two_clients_and_one_user(worker: Running) -> None:
    async with worker.user("ann") as first, worker.user("ann") as second:
        for client in (first, second):
            await client.call(subscribe={"channel": "room:1"})
        await there(worker, first, "room:1", "ann", "ann")
        assert await first.call(presence_stats={"channel": "room:1"}) == {"num_clients": 2, "num_users": 1}


async def test_who_unsubscribes_or_hangs_up_is_no_longer_there(worker: Running) -> None:
    async with worker.user("ann") as ann:
        await ann.call(subscribe={"channel": "room:1"})
        async with worker.user("bob") as bob, worker.user("cat") as cat:
            await bob.call(subscribe={"channel": "room:1"})
            await cat.call(subscribe={"channel": "room:1"})
            await there(worker, ann, "room:1", "ann", "bob", "cat")
            await cat.call(unsubscribe={"channel": "room:1"})
            await there(worker, ann, "room:1", "ann", "bob")
        await there(worker, ann, "room:1", "ann")


async def test_presence_is_that_of_all_workers(start: Start) -> None:
    here, far = await start(), await start()
    async with here.user("ann") as ann, far.user("bob") as bob:
        await ann.call(subscribe={"channel": "room:1"})
        await bob.call(subscribe={"channel": "room:1"})
        await there(here, ann, "room:1", "ann", "bob")


async def test_a_worker_that_stops_takes_its_clients_with_it(start: Start) -> None:
    here, far = await start(), await start(drain_s=0.2)
    async with here.user("ann") as ann, far.user("bob") as bob:
        await ann.call(subscribe={"channel": "room:1"})
        await bob.call(subscribe={"channel": "room:1"})
        await there(here, ann, "room:1", "ann", "bob")
        await far.gateway.drain()
        await there(here, ann, "room:1", "ann")


async def test_joins_and_leaves_are_told_where_that_is_forced(worker: Running) -> None:
    async with worker.user("ann") as ann:
        await ann.call(subscribe={"channel": "lobby:1"})
        async with worker.user("bob") as bob:
            await bob.call(subscribe={"channel": "lobby:1"})
            await told(ann, ("join", "ann"), ("join", "bob"))
        await told(ann, ("join", "ann"), ("join", "bob"), ("leave", "bob"))


async def test_joins_and_leaves_are_told_to_those_who_ask(worker: Running) -> None:
    async with worker.user("ann") as ann, worker.user("bob") as bob, worker.user("cat") as cat:
        await ann.call(subscribe={"channel": "room:1", "join_leave": True})
        await told(ann, ("join", "ann"))
        await bob.call(subscribe={"channel": "room:1"})
        await cat.call(subscribe={"channel": "room:1"})
        # Of who has left again before the store was told that they came, nobody hears.
        await told(ann, ("join", "ann"), ("join", "bob"), ("join", "cat"))
        await cat.call(unsubscribe={"channel": "room:1"})
        await told(ann, ("join", "ann"), ("join", "bob"), ("join", "cat"), ("leave", "cat"))
        await worker.publish("room:1", "after")
        await bob.publications(1)
        assert attendance(bob) == []


async def test_asking_for_joins_where_there_are_none_does_no_harm(worker: Running) -> None:
    async with worker.user("ann") as ann, worker.user("bob") as bob:
        assert (await ann.call(subscribe={"channel": "log:1", "join_leave": True}))["recoverable"] is True
        await bob.call(subscribe={"channel": "log:1"})
        await worker.publish("log:1", 1)
        await ann.publications(1)
        assert attendance(ann) == []


async def test_joins_make_no_hole_in_the_offsets(worker: Running) -> None:
    async with worker.user("ann") as ann:
        await ann.call(subscribe={"channel": "lobby:1"})
        await worker.publish("lobby:1", "a")
        async with worker.user("bob") as bob:
            await bob.call(subscribe={"channel": "lobby:1"})
            await told(ann, ("join", "ann"), ("join", "bob"))
        await told(ann, ("join", "ann"), ("join", "bob"), ("leave", "bob"))
        await worker.publish("lobby:1", "b")
        publications = await ann.publications(2)
        assert [(each["offset"], each["data"]) for each in publications] == [(1, "a"), (2, "b")]


async def test_a_token_says_what_the_others_see_of_a_subscription(worker: Running) -> None:
    async with worker.user("ann") as ann:
        await ann.call(subscribe={"channel": "vault:1", "token": "ann/vault:1"})
        (info,) = (await there(worker, ann, "vault:1", "ann")).values()
        assert info["chan_info"] == {"seat": 1}

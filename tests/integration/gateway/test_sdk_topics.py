"""What the official Python SDK can do with topics: publish, see who is there, subscribe by token, as nobody."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from centrifuge import Client, ReplyError

from tests.integration.gateway.dialects import Dialect, in_both_dialects
from tests.integration.gateway.sdk_app import App, Network, sdk_client
from tests.integration.gateway.stage import Running, Start, until

pytestmark = in_both_dialects

Connect = Callable[..., Awaitable[tuple[App, Client]]]


@pytest.fixture
async def connect(worker: Running, dialect: Dialect) -> AsyncIterator[Connect]:
    """Connects people."""
    clients: list[Client] = []

    async def one(user: str, *, port: int = worker.port) -> tuple[App, Client]:
        app = App(dialect)
        client = sdk_client(app, port, token=user)
        clients.append(client)
        await client.connect()
        await client.ready()
        return app, client

    yield one
    for client in clients:
        await client.disconnect()


async def subscribed(app: App, client: Client, channel: str, **options: Any) -> Any:
    subscription = client.new_subscription(channel, events=app, **options)
    await subscription.subscribe()
    await subscription.ready()
    return subscription


async def test_it_publishes_and_reads_who_is_there_and_what_was(connect: Connect) -> None:
    (ann_app, ann), (bob_app, bob) = await connect("ann"), await connect("bob")
    mine = await subscribed(ann_app, ann, "room:1")
    theirs = await subscribed(bob_app, bob, "room:1")
    await mine.publish(ann_app.encoded({"text": "hello"}))
    await bob_app.sees("order", [{"text": "hello"}])
    assert bob_app.publishers == ["ann"]
    clients = (await theirs.presence()).clients.values()
    assert sorted((info.user, bob_app.decoded(info.conn_info)["name"]) for info in clients) == [
        ("ann", "ann"),
        ("bob", "bob"),
    ]
    stats = await theirs.presence_stats()
    assert (stats.num_clients, stats.num_users) == (2, 2)
    page = await theirs.history(limit=10)
    assert [(bob_app.decoded(each.data), each.info.user) for each in page.publications] == [({"text": "hello"}, "ann")]


async def test_it_is_told_who_comes_and_goes(connect: Connect) -> None:
    (ann_app, ann), (bob_app, bob) = await connect("ann"), await connect("bob")
    await subscribed(ann_app, ann, "room:1", join_leave=True)
    theirs = await subscribed(bob_app, bob, "room:1")
    await until(lambda: len(ann_app.attendance) == 2)
    await theirs.unsubscribe()
    await until(lambda: len(ann_app.attendance) == 3)
    assert ann_app.attendance == [("join", "ann", None), ("join", "bob", None), ("leave", "bob", None)]
    assert bob_app.attendance == []


@pytest.mark.parametrize("method", ["publish", "presence", "history"])
async def test_it_is_told_what_it_may_not_do(connect: Connect, method: str) -> None:
    app, ann = await connect("ann")
    with pytest.raises(ReplyError) as refused:
        await getattr(ann, method)("room:1", *([app.encoded(1)] if method == "publish" else []))
    assert refused.value.code == 103


async def test_it_subscribes_by_token_and_renews_it_before_its_end(connect: Connect, worker: Running) -> None:
    app, ann = await connect("ann")
    given: list[str] = []

    async def get_token(channel: str) -> str:
        given.append(f"ann/{channel}@{worker.hands.in_s(600 if given else 3)}")
        return given[-1]

    vault = await subscribed(app, ann, "vault:1", get_token=get_token)
    assert [app.decoded(info.chan_info) for info in (await vault.presence()).clients.values()] in ([], [{"seat": 1}])
    await until(lambda: len(given) == 2)
    # Answered after the new token, which was sent before.
    await vault.presence()
    async with worker.user(f"bob@{worker.hands.in_s(3)}") as bob:
        worker.hands.forward(6)
        assert await bob.closed() == (3005, "connection expired")
    await worker.publish("vault:1", "after the first token's end")
    await app.sees("order", ["after the first token's end"])
    assert (app.unsubscribed, app.recovered) == ([], [])


async def test_a_subscription_whose_token_ends_is_made_again_with_a_new_one(connect: Connect, worker: Running) -> None:
    app, ann = await connect("ann")
    given: list[str] = []

    async def get_token(channel: str) -> str:
        # The first renewal fails, as a backend that is away for a moment.
        given.append(channel)
        if len(given) == 2:
            raise ConnectionError
        return f"ann/{channel}@{worker.hands.in_s(1 if len(given) == 1 else 600)}"

    await subscribed(app, ann, "vault:1", get_token=get_token)
    await worker.publish("vault:1", 1)
    await until(lambda: len(given) == 2)
    worker.hands.forward(4)
    await until(lambda: len(given) == 3)
    assert app.resubscribing[-1] == 2501
    await worker.publish("vault:1", 2)
    await app.sees("order", [1, 2])


async def test_an_expired_token_is_replaced_before_it_subscribes(connect: Connect, worker: Running) -> None:
    app, ann = await connect("ann")

    async def get_token(channel: str) -> str:
        return f"ann/{channel}"

    await subscribed(app, ann, "vault:1", token="expired:", get_token=get_token)
    await worker.publish("vault:1", 1)
    await app.sees("order", [1])


async def test_a_topic_that_wants_a_token_is_refused_without(connect: Connect) -> None:
    app, ann = await connect("ann")
    await ann.new_subscription("vault:1", events=app).subscribe()
    await until(lambda: app.unsubscribed == [103])


async def test_it_recovers_where_it_has_asked_to(worker: Running, dialect: Dialect) -> None:
    app = App(dialect)
    async with Network(worker.port).running() as network:
        ann = sdk_client(app, network.port, token="ann")
        await ann.connect()
        await subscribed(app, ann, "kept:1", recoverable=True)
        await worker.publish("kept:1", 1)
        await app.sees("order", [1])
        network.cut()
        await worker.publish("kept:1", 2)
        network.mend()
        await app.sees("order", [1, 2])
        assert ("kept:1", True) in app.recovered
        await ann.disconnect()


async def test_somebody_without_a_token_is_nobody_in_particular(start: Start, dialect: Dialect) -> None:
    worker = await start(allow_anonymous_connect_without_token=True)
    app = App(dialect)
    guest = sdk_client(app, worker.port)
    await guest.connect()
    await guest.ready()
    await subscribed(app, guest, "lobby:1")
    await until(lambda: app.attendance == [("join", "", None)])
    with pytest.raises(ReplyError):
        await guest.history("log:1")
    await guest.disconnect()


async def test_topics_that_a_token_names_are_subscribed_by_connecting(connect: Connect, worker: Running) -> None:
    app, _ = await connect("ann+vault:1")
    await worker.publish("vault:1", 1)
    await app.sees("vault:1", [1])

"""The official Python SDK against a real worker, with a network between them that can be cut."""

from tests.integration.gateway.dialects import Dialect, in_both_dialects
from tests.integration.gateway.sdk_app import App, Network, sdk_client
from tests.integration.gateway.stage import Running, Start, until

pytestmark = in_both_dialects


async def test_the_sdk_connects_subscribes_loses_the_network_and_recovers(worker: Running, dialect: Dialect) -> None:
    app = App(dialect)
    async with Network(worker.port).running() as network:
        client = sdk_client(app, network.port, token="ann")
        await client.connect()
        subscription = client.new_subscription("order:A-ann", events=app)
        await subscription.subscribe()
        await subscription.ready()
        await worker.publish("order:A-ann", 1)
        await worker.publish("inbox:ann", "a")
        await app.sees("inbox:ann", ["a"])
        network.cut()
        await worker.publish("order:A-ann", 2)
        await worker.publish("inbox:ann", "b")
        await worker.publish("announcements", "sale")
        network.mend()
        await app.sees("inbox:ann", ["a", "b"])
        await app.sees("order", [1, 2])
        await app.sees("announcements", ["sale"])
        await worker.publish("order:A-ann", 3)
        await app.sees("order", [1, 2, 3])
        assert sorted(app.recovered) == [("announcements", True), ("inbox:ann", True), ("order:A-ann", True)]
        await client.disconnect()


async def test_the_sdk_moves_to_another_worker_when_its_own_drains(start: Start, dialect: Dialect) -> None:
    app = App(dialect)
    first = await start(drain_s=0.2)
    client = sdk_client(app, first.port, token="ann")
    await client.connect()
    await client.ready()
    await first.publish("inbox:ann", 1)
    await app.sees("inbox:ann", [1])
    first.server.close()
    second = await start(port=first.port)
    await first.gateway.drain()
    await second.publish("inbox:ann", 2)
    await app.sees("inbox:ann", [1, 2])
    assert 3001 in app.connecting
    await client.disconnect()


async def test_the_sdk_brings_a_fresh_token_when_its_own_has_expired(worker: Running, dialect: Dialect) -> None:
    app = App(dialect)

    async def get_token() -> str:
        return "ann"

    client = sdk_client(app, worker.port, token="expired:ann", get_token=get_token)
    await client.connect()
    await client.ready()
    await worker.publish("inbox:ann", 1)
    await app.sees("inbox:ann", [1])
    await client.disconnect()


async def test_the_sdk_stays_away_after_an_invalid_token(worker: Running, dialect: Dialect) -> None:
    app = App(dialect)
    client = sdk_client(app, worker.port, token="forged")
    await client.connect()
    await until(lambda: bool(app.disconnected))
    assert app.disconnected == [3500]


async def test_the_sdk_calls_an_operation_and_reads_history(worker: Running, dialect: Dialect) -> None:
    app = App(dialect)
    client = sdk_client(app, worker.port, token="ann")
    await client.connect()
    assert app.decoded((await client.rpc("echo", app.encoded({"n": 1}))).data) == {"n": 1}
    await worker.publish("log:1", "x")
    page = await client.history("log:1", limit=5)
    assert [app.decoded(publication.data) for publication in page.publications] == ["x"]
    await client.disconnect()

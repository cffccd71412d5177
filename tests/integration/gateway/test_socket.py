from tests.integration.gateway.conftest import Running


async def test_a_shopper_connects_to_inbox_and_announcements(worker: Running):
    async with worker.user("ann") as client:
        assert set(client.hello["subs"]) == {"inbox:ann", "announcements"}
        assert client.hello["ping"] == 25
        assert client.hello["pong"] is True


async def test_a_publication_on_the_inbox_is_pushed(worker: Running):
    async with worker.user("ann") as client:
        await worker.publish("inbox:ann", {"n": 1})
        assert await client.publications(1) == [{"data": {"n": 1}, "offset": 1}]

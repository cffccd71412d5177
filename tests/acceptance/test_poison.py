"""Poison over each of the three ways in: nothing stops, nothing waits behind it, and each is told with its field."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.local import KafkaServer, RabbitServer
from hub.app import Stores, open_stores
from hub.settings import Settings
from hub.store.dead_letters import DeadLetter
from tests.acceptance.audience import Audience
from tests.acceptance.installation import FAMILIES, Installation
from tests.acceptance.journeys import Message, journey
from tests.acceptance.producers import KafkaBackend, RabbitBackend, make_topics
from tests.acceptance.waiting import until, until_true
from tests.poison import POISONS, Poison

pytestmark = pytest.mark.timeout(240)
_SECONDS = 15.0
_HTTP_STATUS = range(400, 500)


@dataclass
class Scene:
    """One shopper with an app open, and everything that a backend could write to."""

    hub: Installation
    stores: Stores
    audience: Audience
    kafka: KafkaBackend
    rabbit: RabbitBackend

    async def letters(self, source: str) -> list[DeadLetter]:
        """Return the dead letters of a way in, in the order in which they were sent."""
        found: list[DeadLetter] = []
        cursor = None
        while True:
            page = await self.stores.dead_letters.list(cursor=cursor)
            found += (letter for letter in page.letters if letter.origin.startswith(f"{source}:"))
            cursor = page.cursor
            if cursor is None:
                return sorted(found, key=lambda letter: int(letter.origin.rpartition("/")[2]))

    async def sees(self, order: str) -> float:
        """Wait until the shopper is told of an order; return the seconds it took."""
        return await until(
            lambda: any(told.order == order for told in self.audience.told["mia"]),
            timeout_s=_SECONDS,
            what=f"{order} is seen",
        )


def placed(order: str) -> Message:
    return journey(order, "mia", ["order.placed"], datetime.now(UTC)).messages[0]


@asynccontextmanager
async def scene(
    folder: Path, name: str, redis_url: str, kafka: KafkaServer, rabbit: RabbitServer
) -> AsyncIterator[Scene]:
    await make_topics(kafka.bootstrap, name, FAMILIES, partitions=1)
    settings = {
        "REDIS_URL": redis_url,
        "PARK_TIMEOUT_S": "1",
        "KAFKA__BOOTSTRAP": kafka.bootstrap,
        "KAFKA__GROUP": name,
        "KAFKA__TOPICS": ",".join(f"{name}-{family}" for family in FAMILIES),
        "RABBITMQ__URL": rabbit.url,
        "RABBITMQ__EXCHANGE": name,
        "RABBITMQ__QUEUE": f"{name}.events",
    }
    async with (
        Installation(folder, name, **settings) as hub,
        open_stores(Settings(key_prefix=f"{name}:"), redis_url) as stores,
    ):
        hub.start("serve")
        await hub.started("consume")
        await hub.wait_ready("serve")
        audience = Audience(hub.port, hub.token)
        await audience.open(["mia"])
        async with KafkaBackend(kafka.bootstrap, name) as over_kafka, RabbitBackend(rabbit.url, name) as over_rabbit:
            yield Scene(hub, stores, audience, over_kafka, over_rabbit)
        await audience.close()


async def test_poison_stops_nothing_and_is_put_aside_with_its_field(
    tmp_path: Path, redis_url: str, kafka: KafkaServer, rabbit: RabbitServer, unique_name: str
) -> None:
    async with scene(tmp_path, unique_name, redis_url, kafka, rabbit) as here:
        await _over_kafka(here)
        await _over_rabbitmq(here)
        await _over_http(here)
        await _retried_and_dropped(here)


async def _over_kafka(here: Scene) -> None:
    await here.kafka.send(placed("K1"))
    for poison in POISONS:
        await here.kafka.send_raw("orders", poison.body, key="K1", headers=poison.kafka_headers)
    await here.kafka.send(placed("K2"))
    await here.sees("K1")
    await here.sees("K2")
    _each_names_its_field(await here.letters("kafka"))


async def _over_rabbitmq(here: Scene) -> None:
    await here.rabbit.send(placed("R1"))
    for poison in POISONS:
        await here.rabbit.send_raw(
            "order.placed", poison.body, content_type=poison.content_type, headers=poison.amqp_headers
        )
    await here.rabbit.send(placed("R2"))
    await here.sees("R1")
    await here.sees("R2")
    _each_names_its_field(await here.letters("rabbitmq"))


def _each_names_its_field(letters: list[DeadLetter]) -> None:
    named = [(poison.name, letter.field) for poison, letter in zip(POISONS, letters, strict=True)]
    assert named == [(poison.name, poison.expected_field) for poison in POISONS]
    assert [letter.body for letter in letters] == [poison.body for poison in POISONS]


async def _over_http(here: Scene) -> None:
    wrong = [problem for poison in POISONS if (problem := await _refused(here, poison))]
    assert wrong == []
    assert await here.letters("http") == []
    await here.hub.publish([json.loads(placed("H1").structured)])
    await here.sees("H1")


async def _refused(here: Scene, poison: Poison) -> str:
    """Post a poison; return what is wrong with the answer."""
    headers = {**here.hub.headers, **poison.http_headers}
    async with here.hub.http.post(f"{here.hub.url}/v1/events", data=poison.body, headers=headers) as answer:
        told = await answer.json(content_type=None)
        fields = [error["field"] for error in told.get("errors", [])]
        if answer.status in _HTTP_STATUS and fields == [poison.expected_field]:
            return ""
        return f"{poison.name}: {answer.status} {fields} instead of {poison.expected_field}"


async def _retried_and_dropped(here: Scene) -> None:
    """A letter that can be mended, one that cannot, and the end of them all, by the command line."""
    late = journey("L1", "mia", ["order.placed", "order.confirmed"], datetime.now(UTC)).messages
    await here.kafka.send(late[1])

    async def given_up() -> bool:
        return any("did not appear" in letter.reason for letter in await here.letters("kafka"))

    await until_true(given_up, timeout_s=_SECONDS, what="the event that waited is given up")
    letter = next(letter for letter in await here.letters("kafka") if "did not appear" in letter.reason)
    _, listed, _ = await here.hub.command("dead-letters", "list", "--limit", "3")
    assert letter.id in listed
    assert f"{2 * len(POISONS) + 1 - 3} more" in listed
    _, shown, _ = await here.hub.command("dead-letters", "show", letter.id)
    assert "order L1 did not appear" in shown
    await here.kafka.send(late[0])
    await here.sees("L1")
    poison = (await here.letters("rabbitmq"))[0]
    code, done, not_done = await here.hub.command("dead-letters", "retry", letter.id, poison.id)
    assert (code, f"{letter.id}: applied" in done, f"{poison.id}: not done: body" in not_done) == (1, True, True)
    await until(
        lambda: "order.confirmed" in {told.type for told in here.audience.told["mia"]}, timeout_s=5, what="mend"
    )
    assert (await here.hub.command("dead-letters", "drop", poison.id))[0] == 0
    assert await here.stores.dead_letters.count() == 2 * len(POISONS) - 1
    assert (await here.hub.command("dead-letters", "drop", "--all"))[0] == 0
    assert (await here.hub.command("dead-letters", "list"))[1] == "There are no dead letters.\n"

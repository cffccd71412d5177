"""The thinnest way through: a backend writes to Kafka, a connected shopper sees it."""

from pathlib import Path

from deploy.local import KafkaServer
from tests.acceptance.audience import Audience
from tests.acceptance.checker import problems, summary
from tests.acceptance.installation import FAMILIES, Installation
from tests.acceptance.journeys import Plan
from tests.acceptance.producers import KafkaBackend, make_topics
from tests.acceptance.waiting import until


async def test_events_from_kafka_reach_connected_shoppers(
    tmp_path: Path, redis_url: str, kafka: KafkaServer, unique_name: str
) -> None:
    users = [f"user{number}" for number in range(10)]
    plan = Plan(["kafka"], users, events=100, seed=1)
    await make_topics(kafka.bootstrap, unique_name, FAMILIES)
    settings = {"REDIS_URL": redis_url, "KAFKA__BOOTSTRAP": kafka.bootstrap, "KAFKA__GROUP": unique_name}
    settings["KAFKA__TOPICS"] = ",".join(f"{unique_name}-{family}" for family in FAMILIES)
    async with (
        Installation(tmp_path, unique_name, **settings) as hub,
        KafkaBackend(kafka.bootstrap, unique_name) as shop,
    ):
        await hub.started("serve")
        await hub.started("consume")
        audience = Audience(hub.port, hub.token)
        await audience.open(users)
        await shop.send_plan(plan, "kafka")
        expected = plan.expected()
        await until(lambda: audience.count >= sum(map(len, expected.values())), timeout_s=30, what="all are told")
        await audience.close()
    found = problems(expected, audience.told)
    assert not found, summary(found)
    assert audience.strangers == []

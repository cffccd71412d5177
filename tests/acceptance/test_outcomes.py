"""`doorbell deliver` tells Kafka what became of notifications, also when it is killed at it."""

from pathlib import Path

from deploy.local import KafkaServer
from hub.app import open_stores
from hub.settings import Kafka, Settings
from tests.acceptance.installation import Installation
from tests.integration.consumers.kafka_desk import make_topic
from tests.outcomes import IN_ORDER, OUTCOMES_EACH, Told, happen

PEOPLE = 400


async def test_a_publisher_killed_at_its_work_loses_nothing(
    tmp_path: Path, redis_url: str, kafka: KafkaServer, unique_name: str
) -> None:
    await make_topic(kafka.bootstrap, unique_name)
    own = {"REDIS_URL": redis_url, "KAFKA__BOOTSTRAP": kafka.bootstrap, "KAFKA__OUTCOMES_TOPIC": unique_name}
    settings = Settings(
        key_prefix=f"{unique_name}:", kafka=Kafka(bootstrap=kafka.bootstrap, outcomes_topic=unique_name)
    )
    names = [f"n{number}" for number in range(PEOPLE)]
    async with (
        Installation(tmp_path, unique_name, **own) as shop,
        open_stores(settings, redis_url) as stores,
        Told(kafka.bootstrap, unique_name) as told,
    ):
        deliver = await shop.started("deliver")
        await happen(stores, names[: PEOPLE // 2])
        await told.until(1)
        deliver.kill_and_restart()
        await happen(stores, names[PEOPLE // 2 :])
        await told.until(PEOPLE * OUTCOMES_EACH, within_s=90)
        assert await deliver.stop(timeout_s=30) == 0
    assert told.kinds() == dict.fromkeys(names, IN_ORDER)

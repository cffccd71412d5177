"""Brokers of the acceptance tests' own: these tests restart them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.local import KafkaServer, RabbitServer
from tests.services import KAFKA_JARS, running


@pytest.fixture(scope="session")
def brokers(services_folder: Path) -> Iterator[tuple[KafkaServer, RabbitServer]]:
    """Kafka and RabbitMQ, up at the start of each test that leaves them up at its end."""
    kafka = running(KafkaServer(services_folder / "acceptance-kafka", library=KAFKA_JARS))
    rabbit = running(RabbitServer(services_folder / "acceptance-rabbitmq"))
    with ThreadPoolExecutor(2) as threads:
        both = threads.submit(kafka.__enter__), threads.submit(rabbit.__enter__)
        try:
            yield both[0].result(), both[1].result()
        finally:
            for service in (rabbit, kafka):
                service.__exit__(None, None, None)


@pytest.fixture
def kafka(brokers: tuple[KafkaServer, RabbitServer]) -> KafkaServer:
    """The acceptance tests' Kafka."""
    return brokers[0]


@pytest.fixture
def rabbit(brokers: tuple[KafkaServer, RabbitServer]) -> RabbitServer:
    """The acceptance tests' RabbitMQ."""
    return brokers[1]

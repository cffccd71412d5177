"""Brokers of the acceptance tests' own: these tests restart them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.local import KafkaServer, RabbitServer
from tests.services import KAFKA_JARS, running


@pytest.fixture(scope="session")
def brokers(services_folder: Path) -> Iterator[tuple[KafkaServer, RabbitServer]]:
    """Kafka and RabbitMQ, up at the start of each test that leaves them up at its end."""
    kafka = running(KafkaServer(services_folder / "acceptance-kafka", library=KAFKA_JARS))
    rabbit = running(RabbitServer(services_folder / "acceptance-rabbitmq"))
    with ExitStack() as stack:
        with ThreadPoolExecutor(2) as threads:
            kafka_start, rabbit_start = threads.submit(kafka.__enter__), threads.submit(rabbit.__enter__)
        if kafka_start.exception() is None:
            stack.push(kafka)
        if rabbit_start.exception() is None:
            stack.push(rabbit)
        yield kafka_start.result(), rabbit_start.result()


@pytest.fixture
def kafka(brokers: tuple[KafkaServer, RabbitServer]) -> KafkaServer:
    """The acceptance tests' Kafka."""
    return brokers[0]


@pytest.fixture
def rabbit(brokers: tuple[KafkaServer, RabbitServer]) -> RabbitServer:
    """The acceptance tests' RabbitMQ."""
    return brokers[1]

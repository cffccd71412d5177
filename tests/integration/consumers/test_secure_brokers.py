"""Brokers that want TLS and a login: who has both gets in, and who has not says what is wrong and keeps trying."""

from collections.abc import Iterator

import msgspec
import pytest

from consumers.readiness import State
from hub.settings import Kafka
from tests.certificates import Certificates, make_certificates
from tests.integration.consumers import kafka_desk, rabbit_desk
from tests.integration.consumers.recording_ingest import RecordingIngest, ids, until
from tests.secure_brokers import PASSWORD, USER, SecureKafka, SecureRabbit
from tests.services import KAFKA_JARS, running


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[SecureKafka]:
    folder = tmp_path_factory.mktemp("kafka")
    with running(SecureKafka(folder, library=KAFKA_JARS, certificates=certificates)) as server:
        yield server


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[SecureRabbit]:
    with running(SecureRabbit(tmp_path_factory.mktemp("rabbitmq"), certificates=certificates)) as server:
        yield server


@pytest.fixture
def settings(kafka: SecureKafka, certificates: Certificates, unique_name: str) -> Kafka:
    """What gets in over TLS with a login."""
    return msgspec.structs.replace(
        kafka_desk.kafka_settings(kafka.secure_bootstrap, unique_name),
        security_protocol="SASL_SSL",
        sasl_username=USER,
        sasl_password=PASSWORD,
        ca_file=str(certificates.authority),
    )


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
async def test_kafka_s_events_are_read_with_a_login(kafka: SecureKafka, settings: Kafka, protocol: str) -> None:
    bootstrap = kafka.login_bootstrap if protocol == "SASL_PLAINTEXT" else kafka.secure_bootstrap
    settings = msgspec.structs.replace(settings, security_protocol=protocol, bootstrap=bootstrap)
    await kafka_desk.make_topic(kafka.bootstrap, settings.group)
    await kafka_desk.produce_events(kafka.bootstrap, settings.group, ids("a", 20))
    ingest = RecordingIngest()
    async with kafka_desk.consuming(settings, ingest):
        await until(lambda: len(ingest.seen) == 20, within_s=20)
    assert ingest.seen == ids("a", 20)
    assert await kafka_desk.committed(kafka.bootstrap, settings.group) == 20


@pytest.mark.parametrize("wrong", [{"sasl_password": "guessed"}, {"ca_file": ""}], ids=["password", "authority"])
async def test_who_may_not_or_will_not_talk_to_kafka_goes_on_trying(settings: Kafka, wrong: dict[str, str]) -> None:
    settings = msgspec.structs.replace(settings, **wrong)
    async with kafka_desk.consuming(settings, RecordingIngest()) as consumer:
        await until(lambda: bool(consumer.condition.reason), within_s=20)
        assert consumer.condition.state is State.CONNECTING
        assert not consumer.ready


async def test_rabbitmq_s_events_are_read_over_tls(
    rabbit: SecureRabbit, certificates: Certificates, unique_name: str
) -> None:
    settings = rabbit_desk.rabbit_settings(rabbit.secure_url(authority=certificates.authority), unique_name)
    ingest = RecordingIngest()
    async with rabbit_desk.consuming(settings, ingest) as consumer:
        await until(lambda: consumer.ready)
        await rabbit_desk.publish_events(msgspec.structs.replace(settings, url=rabbit.url), ids("a", 20))
        await until(lambda: len(ingest.seen) == 20)
    assert ingest.seen == ids("a", 20)


@pytest.mark.parametrize("wrong", ["authority", "name"])
async def test_rabbitmq_s_certificate_must_be_vouched_for_and_name_the_host(
    rabbit: SecureRabbit, certificates: Certificates, unique_name: str, wrong: str
) -> None:
    url = rabbit.secure_url(
        authority=None if wrong == "authority" else certificates.authority,
        host="localhost" if wrong == "name" else "127.0.0.1",
    )
    async with rabbit_desk.consuming(rabbit_desk.rabbit_settings(url, unique_name), RecordingIngest()) as consumer:
        await until(lambda: "CERTIFICATE_VERIFY_FAILED" in consumer.condition.reason)
        assert consumer.condition.state is State.CONNECTING

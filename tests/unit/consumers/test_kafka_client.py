import ssl
from pathlib import Path

import pytest

from consumers.kafka_client import open_consumer, ssl_context
from hub.domain.errors import ConfigurationError
from hub.settings import Kafka


def test_without_tls_there_is_no_context() -> None:
    assert ssl_context(Kafka(security_protocol="SASL_PLAINTEXT")) is None


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_tls_checks_the_certificate_and_the_name(protocol: str) -> None:
    context = ssl_context(Kafka(security_protocol=protocol))
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_used_is_the_operators_mistake(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"kafka\.ca_file"):
        ssl_context(Kafka(security_protocol="SSL", ca_file=str(file)))


async def test_an_unknown_security_protocol_is_the_operators_mistake() -> None:
    with pytest.raises(ConfigurationError, match=r"kafka\.security_protocol"):
        open_consumer(Kafka(bootstrap="127.0.0.1:1", security_protocol="TLS"))

"""Kafka clients with every setting that matters set explicitly, made from the configuration."""

from __future__ import annotations

import ssl

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from hub.domain.errors import ConfigurationError, Mistake
from hub.settings import Kafka

REBALANCE_TIMEOUT_S = 60
"""How long the group waits for a member that still drains. aiokafka would take the session timeout: then a slower drain
ends with two members that own one partition."""

_HEARTBEAT_MS = 3_000
"""At most a third of the session timeout, as Kafka's documentation advises."""
_REQUEST_TIMEOUT_MS = 40_000
_FETCH_WAIT_MS = 20
"""The client asks a broker one thing at a time: a partition that was just emptied waits for the fetch under way, which
the broker holds until one of the *other* partitions has news. The default of 500 ms would be seen in every latency."""
_FETCH_MAX_BYTES = 16 * 1024 * 1024
_FETCH_MAX_BYTES_OF_PARTITION = 1024 * 1024
_SECURE = {"SSL", "SASL_SSL"}
_SECURITY_PROTOCOLS = {"PLAINTEXT", "SASL_PLAINTEXT", *_SECURE}


def open_consumer(settings: Kafka) -> AIOKafkaConsumer:
    """Return a consumer of the group that is not yet started and not yet subscribed.

    Raises ConfigurationError on a security protocol or a CA file that cannot be used.
    """
    return AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap,
        client_id=settings.client_id,
        group_id=settings.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        partition_assignment_strategy=(StickyPartitionAssignor,),
        session_timeout_ms=settings.session_timeout_s * 1000,
        heartbeat_interval_ms=min(_HEARTBEAT_MS, settings.session_timeout_s * 1000 // 3),
        rebalance_timeout_ms=REBALANCE_TIMEOUT_S * 1000,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
        fetch_max_wait_ms=_FETCH_WAIT_MS,
        fetch_max_bytes=_FETCH_MAX_BYTES,
        max_partition_fetch_bytes=_FETCH_MAX_BYTES_OF_PARTITION,
        # An event of an aborted transaction never happened.
        isolation_level="read_committed",
        security_protocol=_security_protocol(settings),
        ssl_context=ssl_context(settings),
        sasl_mechanism=settings.sasl_mechanism,
        sasl_plain_username=settings.sasl_username or None,
        sasl_plain_password=settings.sasl_password or None,
    )


def open_producer(settings: Kafka, *, request_timeout_ms: int = _REQUEST_TIMEOUT_MS) -> AIOKafkaProducer:
    """Return a producer that is not yet started. At least once: idempotence can get stuck and needs a new producer.

    `request_timeout_ms` bounds how long it tries to send, and so how long it takes to stop.
    """
    return AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap,
        client_id=settings.client_id,
        acks="all",
        enable_idempotence=False,
        request_timeout_ms=request_timeout_ms,
        max_request_size=_FETCH_MAX_BYTES_OF_PARTITION,
        security_protocol=_security_protocol(settings),
        ssl_context=ssl_context(settings),
        sasl_mechanism=settings.sasl_mechanism,
        sasl_plain_username=settings.sasl_username or None,
        sasl_plain_password=settings.sasl_password or None,
    )


def ssl_context(settings: Kafka) -> ssl.SSLContext | None:
    """Return a context that trusts `ca_file`, or the system's authorities without one; None without TLS."""
    if settings.security_protocol not in _SECURE:
        return None
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        advice = f"write the path of a readable PEM file ({error})"
        raise ConfigurationError([Mistake("settings", "kafka.ca_file", settings.ca_file, advice)]) from error


def _security_protocol(settings: Kafka) -> str:
    if settings.security_protocol not in _SECURITY_PROTOCOLS:
        advice = f"write one of {', '.join(sorted(_SECURITY_PROTOCOLS))}"
        raise ConfigurationError([Mistake("settings", "kafka.security_protocol", settings.security_protocol, advice)])
    return settings.security_protocol

"""Logging and metrics, the same for every role.

The metrics are prometheus_client objects at module level, as that library means them. With several workers they are
right because every process writes to one folder (`PROMETHEUS_MULTIPROC_DIR`, set by the role that starts the
processes) and any of them can serve the sum. Hot loops count in local integers and add them here once a second.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram, multiprocess

from hub.log_pace import Pace, PacedEvents, PacedRecords

REDACTED = "********"
_LATENCY_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

CONSUMED = Counter("doorbell_events_consumed", "Events read, by way in and what became of them", ["source", "outcome"])
CONSUMER_LAG = Gauge(
    "doorbell_consumer_lag_records",
    "Records behind the end of a partition",
    ["topic", "partition"],
    multiprocess_mode="livemax",
)
DISPATCHED = Counter("doorbell_events_dispatched", "Decisions, by event type and outcome", ["type", "outcome"])
DEAD_LETTERS = Counter("doorbell_dead_letters", "Events put aside, by way in and reason", ["source", "reason"])
PUBLISHED = Counter(
    "doorbell_publications", "Publications, by namespace and outcome (published, duplicate)", ["namespace", "outcome"]
)
NOTIFICATIONS = Counter(
    "doorbell_notifications", "Notifications, by rule and outcome (created, duplicate)", ["rule", "outcome"]
)
DELIVERIES = Counter("doorbell_deliveries", "Ladder steps, by channel and outcome", ["channel", "outcome"])
DELIVERY_SECONDS = Histogram(
    "doorbell_delivery_seconds", "Time a provider took to answer", ["channel"], buckets=_LATENCY_BUCKETS_S
)
PROVIDER_CALLS = Counter(
    "doorbell_provider_calls",
    "Calls of providers, by outcome (taken, refused, impossible, unknown)",
    ["provider", "outcome"],
)
PROVIDER_OPEN = Gauge(
    "doorbell_provider_failing",
    "1 while a provider is left alone after failures",
    ["provider"],
    multiprocess_mode="max",
)
TEXTS_REPLACED = Counter(
    "doorbell_texts_replaced",
    "Texts that failed and for which another took its place, by the file with the mistake",
    ["file"],
)
CLICKS = Counter(
    "doorbell_clicks",
    "Links followed, by channel and what they were (first, again, robot, lost, unknown)",
    ["channel", "outcome"],
)
OUTCOMES = Counter(
    "doorbell_outcomes",
    "Outcomes of notifications for Kafka (told, dropped, unreadable), and batches that it did not take (failed)",
    ["outcome"],
)
OUTCOMES_WAITING = Gauge(
    "doorbell_outcomes_waiting_people", "People whose outcomes wait to be told to Kafka", multiprocess_mode="max"
)
BULKS_BROKEN = Counter("doorbell_bulks_broken", "Times that a bulk could not be gone on with: the log says why")
WEBHOOKS = Counter(
    "doorbell_webhooks", "Calls of providers, by what became of them (taken, unknown, refused)", ["provider", "outcome"]
)
MAIL_REPORTS = Counter(
    "doorbell_mail_reports",
    "Reports about mails, by kind (bounce, complaint) and what came of them (suppressed, counted, noted, unknown)",
    ["kind", "outcome"],
)
SMS_HELD_BACK = Counter("doorbell_sms_held_back", "Texts not sent because too many had been, by bound", ["bound"])
QUEUE_DEPTH = Gauge("doorbell_queue_jobs", "Jobs waiting, by lane", ["lane"], multiprocess_mode="max")
CONNECTIONS = Gauge("doorbell_connections", "Open client connections", ["transport"], multiprocess_mode="livesum")
SUBSCRIPTIONS = Gauge("doorbell_subscriptions", "Subscriptions of open connections", multiprocess_mode="livesum")
ACCEPTED = Counter("doorbell_connections_accepted", "Connections, by outcome (accepted, refused and why)", ["outcome"])
DISCONNECTED = Counter("doorbell_disconnects", "Connections closed by Doorbell, by code", ["code"])
SOCKET_DELIVERIES = Counter(
    "doorbell_socket_deliveries", "Frames written to sockets, by how (live, recovered)", ["how"]
)
GAPS = Counter("doorbell_gaps", "Holes found in a topic, by how they were found", ["found_by"])
FANOUT_SECONDS = Histogram(
    "doorbell_fanout_seconds",
    "From reading a publication off Redis to the last local socket",
    buckets=_LATENCY_BUCKETS_S,
)
EVENT_TO_SOCKET_SECONDS = Histogram(
    "doorbell_event_to_socket_seconds",
    "From an event's arrival in Doorbell to the socket write",
    buckets=_LATENCY_BUCKETS_S,
)
REQUESTS = Counter(
    "doorbell_requests", "Operations, by name, transport (http, rpc) and status", ["operation", "transport", "status"]
)
REQUEST_SECONDS = Histogram(
    "doorbell_request_seconds", "Time an operation took", ["operation"], buckets=_LATENCY_BUCKETS_S
)
STORE_ERRORS = Counter("doorbell_store_errors", "Failed Redis calls that were tried again", ["what"])

LOG_LINES_LEFT_OUT = Counter("doorbell_log_lines_left_out", "Warnings and errors that came too often to be logged")

_URL_PASSWORD = re.compile(r"^([^:@]*://)?([^:@]*):(?!//)(.*)@", re.DOTALL)
"""Up to the last @, for one in a password may not have been encoded; and also where the scheme is missing."""
_URL_PASSWORD_OPTION = re.compile(r"(?<=password=)[^&\s'\"]+")
_CHATTY_LIBRARIES = ("aiokafka", "aiormq", "aio_pika")
"""They log every try of an outage; the consumers' readiness logs its beginning and its end."""
_CONTACT_FIELDS = frozenset({"email", "phone", "to", "address", "recipient"})


def masked(contact: str) -> str:
    """Return a contact fit for a log: `a***@example.com`, `+49***21`."""
    name, at, domain = contact.partition("@")
    return f"{name[:1]}***@{domain}" if at else f"{contact[:3]}***{contact[-2:]}"


def without_password(text: str) -> str:
    """Return a URL with its passwords hidden, also where it is not well formed."""
    return _URL_PASSWORD_OPTION.sub(REDACTED, _URL_PASSWORD.sub(rf"\1\2:{REDACTED}@", text))


def _mask_contacts(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in _CONTACT_FIELDS & entry.keys():
        entry[name] = masked(str(entry[name]))
    return entry


def mark_dead(pid: int, metrics_dir: str) -> None:
    """Forget the gauges of a process that has ended; what it counted stays in the sums."""
    multiprocess.mark_process_dead(pid, metrics_dir)  # type: ignore[no-untyped-call]


def configure_logging(*, level: str = "info", role: str = "") -> None:
    """Log JSON lines to stderr, or readable lines on a terminal. Contacts are masked either way."""
    pretty = sys.stderr.isatty()
    # Plain tracebacks: the rich ones print local variables, which hold what people write and where they live.
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer()
    )
    pace = Pace()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            PacedEvents(pace, on_drop=LOG_LINES_LEFT_OUT.inc),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _mask_contacts,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
    structlog.contextvars.bind_contextvars(role=role)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.addFilter(PacedRecords(pace, on_drop=LOG_LINES_LEFT_OUT.inc))
    for library in _CHATTY_LIBRARIES:
        logging.getLogger(library).setLevel(logging.CRITICAL)


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of a module."""
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger(component=name)
    return log

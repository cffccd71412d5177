"""What a type cannot say about the settings: addresses, ranges and settings that must agree."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from ipaddress import ip_network
from operator import attrgetter
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from channels.email.address import mailbox, sender
from channels.email.relay import relays
from hub.config_secrets import shown
from hub.domain.channels import INBOX
from hub.domain.directives import LOG
from hub.domain.errors import ConfigurationError, Mistake
from hub.domain.namespace_checks import mistakes_of
from hub.domain.permission import SIGNED_IN
from hub.domain.preferences import CATEGORY_OR_ANY_PATTERN, CHANNEL_OR_ANY_PATTERN
from hub.domain.quiet_hours import parse_quiet_hours
from hub.domain.topics import BUILT_IN
from hub.settings import Settings
from hub.store.address import BadAddress, redis_address

HMAC_ALGORITHMS = frozenset({"HS256", "HS384", "HS512"})
PUBLIC_KEY_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA", "PS256"})
_COUNTRY_LETTERS = 2
_HTTP_SCHEMES = ("http", "https")
_MAIL_LEASE = "must be below delivery.lease_s, or a mail in progress is sent again"
_LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
_SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER")
MIN_SECRET_BYTES = 32
"""RFC 7518 section 3.2: a key of the hash's size or larger; 32 bytes for HS256."""

_BOUNDS: Mapping[str, tuple[float, float]] = {
    "workers": (1, 256),
    "fsync_interval_s": (0.0, 60.0),
    "park_timeout_s": (1, 86_400),
    "park_limit": (1, 10_000),
    "inbox_size": (1, 10_000),
    "dedupe_window_s": (60, 31_536_000),
    "replay_window_s": (1, 31_536_000),
    "document_ttl_s": (3_600, 315_360_000),
    "kafka.batch_max_records": (1, 10_000),
    "kafka.session_timeout_s": (6, 300),
    "kafka.outcomes_people": (1, 100_000_000),
    "rabbitmq.prefetch": (1, 65_535),
    "rabbitmq.batch_max_messages": (1, 10_000),
    "rabbitmq.delivery_limit": (5, 1_000),
    "smtp.pool_size": (1, 1_000),
    "smtp.per_second": (0.0, 1_000_000.0),
    "smtp.per_domain_second": (0.0, 1_000_000.0),
    "gateway.max_message_bytes": (1_024, 16_777_216),
    "gateway.max_connections": (0, 1_000_000),
    "gateway.max_connections_per_user": (0, 1_000_000),
    "gateway.max_connections_per_address": (0, 1_000_000),
    "gateway.accepts_per_second": (1, 1_000_000),
    "gateway.max_commands_per_second": (1, 1_000_000),
    "gateway.max_subscriptions": (0, 10_000),
    "gateway.handshake_timeout_s": (0.1, 300.0),
    "gateway.connect_timeout_s": (0.1, 300.0),
    "gateway.write_buffer_bytes": (4_096, 67_108_864),
    "gateway.ping_interval_s": (1.0, 3_600.0),
    "gateway.presence_ttl_s": (3.0, 3_600.0),
    "delivery.shards": (1, 1_024),
    "delivery.concurrency": (1, 10_000),
    "delivery.lease_s": (5.0, 3_600.0),
    "delivery.max_attempts": (1, 100),
    "token.leeway_s": (0, 300),
    "smtp.mails_per_connection": (1, 100_000),
    "smtp.timeout_s": (0.1, 3_600.0),
    "gateway.pong_timeout_s": (0.1, 3_600.0),
    "gateway.drain_s": (0.0, 3_600.0),
    "gateway.position_check_s": (0.1, 3_600.0),
    "delivery.bulk_per_second": (1.0, 100_000.0),
    "delivery.backoff_first_s": (0.01, 3_600.0),
    "delivery.backoff_max_s": (0.01, 86_400.0),
    "preferences.marketing_per_day": (0, 1_000),
    "preferences.marketing_per_week": (0, 7_000),
    "sms.max_segments": (1, 10),
    "sms.per_number_hour": (1, 1_000_000),
    "sms.per_number_day": (1, 1_000_000),
    "sms.per_prefix_hour": (1, 10_000_000),
    "sms.per_country_day": (1, 1_000_000_000),
}
"""Of every number, the least and the greatest; `nan` is neither."""

_Finding = tuple[str, object, str]


def check(settings: Settings, *, file: Callable[[str], str]) -> Iterator[Mistake]:
    """Yield a mistake for every setting that is out of range or contradicts another. `file` names a key's origin."""
    for part in (
        _addresses,
        _links,
        _redis,
        _ranges,
        _gateway,
        _token,
        _brokers,
        _relays,
        _mail_addresses,
        _mail,
        _push,
        _sms,
        _preferences,
        _words,
        _names,
        _files,
    ):
        for key, value, advice in part(settings):
            yield Mistake(file(key), key, shown(key, value), advice)


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of `host:port` or `[v6]:port`. Raises ValueError."""
    parts = urlsplit(f"//{text}")
    if parts.hostname is None or parts.port is None or parts.path:
        msg = f"{text!r} is not host:port"
        raise ValueError(msg)
    return parts.hostname, parts.port


def _addresses(settings: Settings) -> Iterator[_Finding]:
    for key in ("listen", "admin_listen"):
        try:
            parse_address(getattr(settings, key))
        except ValueError:
            yield key, getattr(settings, key), "write host:port, such as 0.0.0.0:8080"
    urls = (
        ("rabbitmq.url", settings.rabbitmq.url, ("amqp", "amqps")),
        ("public_url", settings.public_url, _HTTP_SCHEMES),
        ("shop_url", settings.shop_url, _HTTP_SCHEMES),
        ("token.jwks_url", settings.token.jwks_url, _HTTP_SCHEMES),
    )
    for key, url, schemes in urls:
        if url and (problem := _url_problem(url, schemes)):
            yield key, url, problem


def _url_problem(url: str, schemes: Sequence[str]) -> str:
    """Return what is wrong with a URL, "" where nothing is. It repeats nothing of it: a part may be a password's."""
    try:
        parts = urlsplit(url)
        scheme, has_host = parts.scheme, bool(parts.hostname) and parts.port != 0
    except ValueError:
        scheme, has_host = url.partition(":")[0], False
    if scheme not in schemes:
        return f"write a URL that starts with {' or '.join(f'{each}://' for each in schemes)}"
    advice = f"write {scheme}://host:port with a port from 1 to 65535, and / ? # @ in a password as %2F %3F %23 %40"
    return "" if has_host else advice


def _links(settings: Settings) -> Iterator[_Finding]:
    for host in settings.click_hosts:
        parts = urlsplit(f"//{host}")
        if host != host.lower() or parts.netloc != host or not parts.hostname or "@" in host:
            yield "click_hosts", host, "write a host as it stands in links: pay.example or shop.example:8443"


def _redis(settings: Settings) -> Iterator[_Finding]:
    if settings.redis_url:
        try:
            redis_address(settings.redis_url)
        except BadAddress as error:
            for problem in error.problems:
                yield "redis_url", settings.redis_url, problem
    if not settings.key_prefix.isascii() or any(letter in "{}" or letter.isspace() for letter in settings.key_prefix):
        yield "key_prefix", settings.key_prefix, "write letters, digits and colons, without braces and spaces"


def _ranges(settings: Settings) -> Iterator[_Finding]:
    for key, (low, high) in _BOUNDS.items():
        value = attrgetter(key)(settings)
        if not low <= value <= high:
            yield key, value, f"write a number from {low:g} to {high:g}"
    if settings.replay_window_s >= settings.dedupe_window_s:
        yield "replay_window_s", settings.replay_window_s, f"must be below dedupe_window_s ({settings.dedupe_window_s})"
    if settings.gateway.pong_timeout_s >= settings.gateway.ping_interval_s:
        yield "gateway.pong_timeout_s", settings.gateway.pong_timeout_s, "must be below gateway.ping_interval_s"
    if settings.smtp.timeout_s >= settings.delivery.lease_s:
        yield "smtp.timeout_s", settings.smtp.timeout_s, _MAIL_LEASE


def _gateway(settings: Settings) -> Iterator[_Finding]:
    for network in settings.gateway.trusted_proxies:
        try:
            ip_network(network)
        except ValueError:
            yield "gateway.trusted_proxies", network, "write an address or a network: 10.0.0.5, 10.0.0.0/8"


def _token(settings: Settings) -> Iterator[_Finding]:
    token = settings.token
    public = bool(token.public_key_files or token.jwks_url)
    if token.hmac_secret and public:
        advice = "leave it out where public keys are configured: the families never mix (RFC 8725)"
        yield "token.hmac_secret", token.hmac_secret, advice
    if token.hmac_secret and len(token.hmac_secret.encode()) < MIN_SECRET_BYTES:
        advice = f"write at least {MIN_SECRET_BYTES} random bytes, such as from: openssl rand -hex 32"
        yield "token.hmac_secret", token.hmac_secret, advice
    allowed = PUBLIC_KEY_ALGORITHMS if public else HMAC_ALGORITHMS
    unknown = sorted(set(token.roles) - SIGNED_IN)
    if unknown:
        yield "token.roles", token.roles, f"take out {', '.join(unknown)}; the roles are {', '.join(sorted(SIGNED_IN))}"
    wrong = sorted(set(token.algorithms) - allowed)
    if wrong:
        advice = f"take out {', '.join(wrong)}; with these keys write some of {', '.join(sorted(allowed))}"
        yield "token.algorithms", token.algorithms, advice


def _brokers(settings: Settings) -> Iterator[_Finding]:
    kafka = settings.kafka
    protocols = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
    if kafka.security_protocol not in protocols:
        yield "kafka.security_protocol", kafka.security_protocol, f"write one of {', '.join(protocols)}"
    if kafka.security_protocol.startswith("SASL") and not kafka.sasl_username:
        yield "kafka.sasl_username", kafka.sasl_username, "is needed with a SASL security_protocol"
    for server in filter(None, kafka.bootstrap.split(",")):
        try:
            parse_address(server.strip())
        except ValueError:
            yield "kafka.bootstrap", kafka.bootstrap, "write host:port, several separated by commas"
    if kafka.outcomes_topic and not kafka.bootstrap:
        yield "kafka.bootstrap", "", "write the address of the Kafka that has outcomes_topic"
    if kafka.outcomes_topic and kafka.outcomes_topic in {*kafka.topics, kafka.dead_letter_topic}:
        yield "kafka.outcomes_topic", kafka.outcomes_topic, "write another topic than those that are read or copied to"
    if kafka.bootstrap and not kafka.topics:
        yield "kafka.topics", kafka.topics, "write at least one topic"


def _relays(settings: Settings) -> Iterator[_Finding]:
    names = {"smtp"} if settings.smtp.url else set[str]()
    for index, relay in enumerate(settings.smtp.relays):
        key = f"smtp.relays[{index}]"
        if relay.name in names or not relay.name.isidentifier():
            yield f"{key}.name", relay.name, "write a name of letters and digits that no other relay has"
        names.add(relay.name)
        for field in ("per_second", "pool_size", "mails_per_connection", "timeout_s"):
            low, high = _BOUNDS[f"smtp.{field}"]
            if not low <= getattr(relay, field) <= high:
                yield f"{key}.{field}", getattr(relay, field), f"write a number from {low:g} to {high:g}"
        if relay.timeout_s >= settings.delivery.lease_s:
            yield f"{key}.timeout_s", relay.timeout_s, _MAIL_LEASE


def _mail_addresses(settings: Settings) -> Iterator[_Finding]:
    """Find what `doorbell deliver` would not work with, by asking what it asks."""
    smtp = settings.smtp
    for read in (partial(relays, smtp), partial(sender, smtp.sender)):
        try:
            read()
        except ConfigurationError as error:
            yield from ((each.key, each.value, each.advice) for each in error.mistakes)
    if smtp.return_path and mailbox(smtp.return_path) != smtp.return_path:
        yield "smtp.return_path", smtp.return_path, "write a mailbox: bounces@mail.shop.example"


def _mail(settings: Settings) -> Iterator[_Finding]:
    if settings.smtp.reports_listen:
        try:
            parse_address(settings.smtp.reports_listen)
        except ValueError:
            yield "smtp.reports_listen", settings.smtp.reports_listen, "write host:port, such as 127.0.0.1:8024"
    if settings.smtp.webhook_secret and len(settings.smtp.webhook_secret.encode()) < MIN_SECRET_BYTES:
        yield "smtp.webhook_secret", settings.smtp.webhook_secret, f"write at least {MIN_SECRET_BYTES} random bytes"
    low, high = _BOUNDS["smtp.per_domain_second"]
    for domain, bound in settings.smtp.domains.items():
        if not domain.isascii() or "." not in domain or not low <= bound <= high:
            yield f"smtp.domains.{domain}", bound, f"write a domain and a number from {low:g} to {high:g}"


def _push(settings: Settings) -> Iterator[_Finding]:
    names: set[str] = set()
    for index, project in enumerate(settings.push.fcm):
        key = f"push.fcm[{index}]"
        if project.name in names:
            yield f"{key}.name", project.name, "is taken; name each project"
        names.add(project.name)
        if not project.credentials_file and not project.endpoint:
            yield f"{key}.credentials_file", "", "write the path of a service account's JSON file"
        if not project.credentials_file and not project.project_id:
            yield f"{key}.project_id", "", "write the project's id, or a credentials_file that has it"
        if project.credentials_file and not _is_readable_file(project.credentials_file):
            yield f"{key}.credentials_file", project.credentials_file, "is no file that can be read"
        if project.endpoint and (problem := _url_problem(project.endpoint, _HTTP_SCHEMES)):
            yield f"{key}.endpoint", project.endpoint, problem
        if project.timeout_s >= settings.delivery.lease_s:
            yield f"{key}.timeout_s", project.timeout_s, "must be below delivery.lease_s, or a push is sent again"
        if project.concurrency < 1:
            yield f"{key}.concurrency", project.concurrency, "write a number from 1"


def _sms(settings: Settings) -> Iterator[_Finding]:
    yield from _twilio(settings)
    sms = settings.sms
    wrong = [country for country in sms.countries if len(country) != _COUNTRY_LETTERS or not country.isupper()]
    if wrong:
        yield "sms.countries", ", ".join(wrong), "write ISO 3166-1 codes of two capitals: DE, US"
    if settings.signing_secret and len(settings.signing_secret.encode()) < MIN_SECRET_BYTES:
        yield "signing_secret", settings.signing_secret, f"write at least {MIN_SECRET_BYTES} random bytes"
    former = settings.former_signing_secrets
    if any(len(each.encode()) < MIN_SECRET_BYTES for each in former):
        yield "former_signing_secrets", former, f"leave out what has less than {MIN_SECRET_BYTES} bytes"


def _twilio(settings: Settings) -> Iterator[_Finding]:
    names: set[str] = set()
    for index, account in enumerate(settings.sms.twilio):
        key = f"sms.twilio[{index}]"
        if account.name in names or not account.name.isidentifier():
            yield f"{key}.name", account.name, "write a name of letters and digits that no other account has"
        names.add(account.name)
        for field in ("account_sid", "auth_token", "sender"):
            if not getattr(account, field):
                yield f"{key}.{field}", "", "is needed: it stands in Twilio's console"
        if account.endpoint and (problem := _url_problem(account.endpoint, _HTTP_SCHEMES)):
            yield f"{key}.endpoint", account.endpoint, problem
        if account.timeout_s >= settings.delivery.lease_s:
            yield f"{key}.timeout_s", account.timeout_s, "must be below delivery.lease_s"
        if account.concurrency < 1:
            yield f"{key}.concurrency", account.concurrency, "write a number from 1"


def _preferences(settings: Settings) -> Iterator[_Finding]:
    own = settings.preferences
    if own.quiet_hours:
        try:
            parse_quiet_hours(own.quiet_hours)
        except ValueError as error:
            yield "preferences.quiet_hours", own.quiet_hours, str(error)
    try:
        ZoneInfo(own.time_zone)
    except (KeyError, OSError, ValueError):
        yield "preferences.time_zone", own.time_zone, "write an IANA name: Europe/Berlin"
    for category, channels in own.stops.items():
        if re.match(CATEGORY_OR_ANY_PATTERN, category) is None:
            yield "preferences.stops", category, "write categories in lower case, or * for all: prices"
        wrong = [channel for channel in channels if re.match(CHANNEL_OR_ANY_PATTERN, channel) is None]
        if wrong or INBOX in channels:
            advice = "write channels after the inbox, or * for all: sms"
            yield f"preferences.stops.{category}", ", ".join(wrong or channels), advice


def _words(settings: Settings) -> Iterator[_Finding]:
    if settings.log_level.lower() not in _LOG_LEVELS:
        yield "log_level", settings.log_level, f"write one of {', '.join(_LOG_LEVELS)}"
    if settings.kafka.sasl_mechanism not in _SASL_MECHANISMS:
        yield "kafka.sasl_mechanism", settings.kafka.sasl_mechanism, f"write one of {', '.join(_SASL_MECHANISMS)}"
    for key, name in (("rabbitmq.exchange", settings.rabbitmq.exchange), ("rabbitmq.queue", settings.rabbitmq.queue)):
        if not name:
            yield key, name, "write a name"
    for origin in settings.gateway.allowed_origins:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query:
            yield "gateway.allowed_origins", origin, "write scheme and host as browsers do: https://shop.example"


def _names(settings: Settings) -> Iterator[_Finding]:
    built_in = {namespace.name for namespace in BUILT_IN}
    seen: set[str] = set()
    for index, namespace in enumerate(settings.namespaces):
        key = f"namespaces[{index}]"
        if namespace.name in built_in or namespace.name == LOG:
            advice = f"is Doorbell's own; choose a name other than {', '.join(sorted(built_in))}"
            yield f"{key}.name", namespace.name, advice
        elif namespace.name in seen:
            yield f"{key}.name", namespace.name, "is defined twice; take one of the two out"
        seen.add(namespace.name)
        for field, advice in mistakes_of(namespace):
            yield f"{key}.{field}", getattr(namespace, field), advice
    personal = settings.gateway.user_personal_channel_namespace
    if personal and personal not in seen - built_in:
        advice = "write the name of one of your own [[namespaces]]"
        yield "gateway.user_personal_channel_namespace", personal, advice
    names = [key.id for key in settings.api_keys]
    if len(set(names)) != len(names):
        yield "api_keys", names, "two keys share an id"


def _files(settings: Settings) -> Iterator[_Finding]:
    for key, name in (("playbook", settings.playbook), ("kafka.ca_file", settings.kafka.ca_file)):
        if name and not _is_readable_file(name):
            yield key, name, "is no file that can be read"
    if settings.templates_dir and not _is_readable_folder(settings.templates_dir):
        yield "templates_dir", settings.templates_dir, "is no folder that can be read"
    for name in settings.token.public_key_files:
        if not _is_readable_file(name):
            yield "token.public_key_files", name, "is no file that can be read"


# Asking for access first: pathlib raises for a path that may not be looked at.


def _is_readable_file(name: str) -> bool:
    return os.access(name, os.R_OK) and Path(name).is_file()


def _is_readable_folder(name: str) -> bool:
    return os.access(name, os.R_OK | os.X_OK) and Path(name).is_dir()

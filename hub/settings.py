"""The shape of the configuration: frozen structs with their defaults. `hub.config` fills them."""

from __future__ import annotations

from typing import Any

import msgspec

from hub.domain.topics import Namespace


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of doorbell.toml."""


class Kafka(_Section, frozen=True):
    """Where events come from over Kafka; no `bootstrap`, no Kafka."""

    bootstrap: str = ""
    """`host:port[,host:port]`."""
    topics: tuple[str, ...] = ("orders", "payments", "shipments", "prices", "sales", "users")
    group: str = "doorbell"
    client_id: str = "doorbell"
    security_protocol: str = "PLAINTEXT"
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
    sasl_mechanism: str = "PLAIN"
    sasl_username: str = ""
    sasl_password: str = ""
    ca_file: str = ""
    batch_max_records: int = 500
    session_timeout_s: int = 30
    """How long the group waits for a member that has died before the others get its partitions."""
    dead_letter_topic: str = ""
    """Where dead letters are copied to; empty keeps them in Redis only."""
    outcomes_topic: str = ""
    """Where outcomes of notifications are told; empty: nowhere."""
    outcomes_people: int = 100_000
    """How many people's outcomes are kept while Kafka is away; beyond that the oldest are dropped."""


class RabbitMQ(_Section, frozen=True):
    """Where events come from over RabbitMQ; no `url`, no RabbitMQ."""

    url: str = ""
    """`amqp://user:password@host:port/vhost` or `amqps://…`."""
    exchange: str = "shop.events"
    queue: str = "doorbell.events"
    bindings: tuple[str, ...] = ("order.#", "payment.#", "shipment.#", "price.#", "stock.#", "sale.#", "user.#")
    prefetch: int = 6_000
    """Unacknowledged messages at most: must cover the rate times `fsync_interval_s`, about 3 s."""
    delivery_limit: int = 20
    batch_max_messages: int = 500


class Token(_Section, frozen=True):
    """How connection tokens are checked: one HMAC secret, or public keys."""

    hmac_secret: str = ""
    public_key_files: tuple[str, ...] = ()
    jwks_url: str = ""
    algorithms: tuple[str, ...] = ()
    """Pinned algorithms. Empty: HS256 with a secret, else RS256, ES256 and EdDSA. The families never mix."""
    audience: str = ""
    issuer: str = ""
    leeway_s: int = 10
    roles: tuple[str, ...] = ("shopper", "courier", "agent", "admin")
    """Roles that a token may carry. Services come with API keys; a token makes one only where `service` is added."""


class ApiKey(_Section, frozen=True):
    """One service's key, kept as a hash: `doorbell api-key` makes the pair."""

    name: str
    id: str
    sha256: str
    scopes: tuple[str, ...] = ()


class SmtpRelay(_Section, frozen=True):
    """A relay that mails go through."""

    url: str = ""
    """`smtp://[user:password@]host:port`, `smtps://…`, or `smtp+starttls://…`."""
    name: str = "relay"
    per_second: float = 0.0
    """Mails a second at most; 0: no bound."""
    pool_size: int = 8
    mails_per_connection: int = 100
    timeout_s: float = 20.0


class Smtp(_Section, frozen=True):
    """The mail relays; none, no email."""

    url: str = ""
    """The short form of a relay called `smtp`, which is preferred to all `relays`."""
    sender: str = "Doorbell <no-reply@doorbell.example>"
    per_second: float = 0.0
    pool_size: int = 8
    mails_per_connection: int = 100
    timeout_s: float = 20.0
    relays: tuple[SmtpRelay, ...] = ()
    """In order of preference: the next is asked while one is failing."""
    per_domain_second: float = 0.0
    """Mails a second to one domain at most, from each worker; 0: no bound."""
    domains: dict[str, float] = {}
    """Another bound for a domain: `{ "gmail.com" = 20.0 }`."""
    return_path: str = ""
    """The mailbox that bounces come back to, each to an address of its own (`bounces+…@`). Empty: the sender's."""
    reports_listen: str = ""
    """`host:port` where `doorbell deliver` takes bounces and complaints by LMTP; empty: nowhere."""
    webhook_secret: str = ""
    """Checks the signatures of `POST /v1/webhooks/mail`; empty: there is no such path."""

    @property
    def all_relays(self) -> tuple[SmtpRelay, ...]:
        """The relays in order of preference, that of `url` among them."""
        if not self.url:
            return self.relays
        first = SmtpRelay(
            url=self.url,
            name="smtp",
            per_second=self.per_second,
            pool_size=self.pool_size,
            mails_per_connection=self.mails_per_connection,
            timeout_s=self.timeout_s,
        )
        return (first, *self.relays)


class Fcm(_Section, frozen=True):
    """A Firebase project that pushes go through."""

    name: str = "fcm"
    credentials_file: str = ""
    """A service account's JSON file."""
    project_id: str = ""
    """Empty: the one in the credentials file."""
    endpoint: str = ""
    """Where a stand-in listens; empty: Google."""
    per_second: float = 500.0
    """Pushes a second at most, one for each person; 0: no bound."""
    concurrency: int = 64
    timeout_s: float = 8.0


class Push(_Section, frozen=True):
    """Push to phones and browsers; no project, no push."""

    fcm: tuple[Fcm, ...] = ()
    """In order of preference: the next is asked while one is failing."""


class Twilio(_Section, frozen=True):
    """A Twilio account that texts go through."""

    account_sid: str = ""
    auth_token: str = ""
    sender: str = ""
    """A number, a name, or the id of a messaging service (`MG…`)."""
    name: str = "twilio"
    senders: dict[str, str] = {}
    """Another sender for a country, by ISO 3166-1: `{ US = "+1…", DE = "Shop" }`."""
    endpoint: str = ""
    """Where a stand-in listens; empty: Twilio."""
    per_second: float = 20.0
    """Texts a second at most; 0: no bound."""
    concurrency: int = 32
    timeout_s: float = 8.0


class Sms(_Section, frozen=True):
    """Text messages; no account, no texts."""

    twilio: tuple[Twilio, ...] = ()
    """In order of preference: the next is asked while one is failing."""
    countries: tuple[str, ...] = ()
    """Where texts may go, by ISO 3166-1 alpha-2; empty: anywhere."""
    max_segments: int = 3
    """What a text is cut to."""
    per_number_hour: int = 6
    per_number_day: int = 20
    per_prefix_hour: int = 300
    """To numbers that share the first four digits after the country's code: against pumping."""
    per_country_day: int = 20_000


class Gateway(_Section, frozen=True):
    """Bounds on connections."""

    ping_interval_s: float = 25.0
    pong_timeout_s: float = 10.0
    handshake_timeout_s: float = 10.0
    connect_timeout_s: float = 10.0
    """From the WebSocket handshake to the connect command."""
    max_message_bytes: int = 65_536
    max_subscriptions: int = 128
    max_commands_per_second: int = 100
    max_connections: int = 0
    """In each worker; 0 takes it from the descriptor limit."""
    max_connections_per_user: int = 64
    """In each worker, of one person; 0: no limit."""
    max_connections_per_address: int = 0
    """In each worker; 0: no limit, for behind one address there may be a whole mobile network."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks whose X-Forwarded-For tells the client's address."""
    accepts_per_second: int = 2_000
    """In each worker; above it a handshake gets 503 with Retry-After."""
    write_buffer_bytes: int = 65_536
    """Above it a connection is a slow reader and recovers from the stream."""
    allowed_origins: tuple[str, ...] = ()
    """Exact origins browsers may connect from; empty: those with the host that they connect to."""
    allow_anonymous_connect_without_token: bool = False
    """Who connects without a token is let in as nobody in particular."""
    user_personal_channel_namespace: str = ""
    """A namespace whose topic `name:#user` everybody signed in is subscribed to by connecting; empty: none."""
    presence_ttl_s: float = 60.0
    """How long the clients of a worker that has died count as present; workers say a third of it apart who is there."""
    drain_s: float = 10.0
    """How long a stopping worker takes to close its connections in paced batches."""
    position_check_s: float = 20.0


class Delivery(_Section, frozen=True):
    """The delay queue and its workers."""

    shards: int = 4
    lease_s: float = 30.0
    concurrency: int = 64
    max_attempts: int = 8
    backoff_first_s: float = 2.0
    backoff_max_s: float = 600.0
    bulk_per_second: float = 500.0
    """People whom each worker reaches in a second with what goes to many: inbox entries and jobs for the channels."""


class Preferences(_Section, frozen=True):
    """What the operator lays down about messages to everybody, besides what people prefer themselves."""

    stops: dict[str, tuple[str, ...]] = {}
    """What is not sent at all, by category the channels; `*` stands for all. Nothing overrides it."""
    quiet_hours: str = ""
    """`22:00-07:00`, for people who have not chosen their own; empty: none."""
    time_zone: str = "UTC"
    """Where people live whose own time zone is not known; an IANA name."""
    marketing_per_day: int = 0
    """Marketing messages to one person within 24 hours, over all channels; 0: no bound."""
    marketing_per_week: int = 0
    """The same within seven days."""


class Demo(_Section, frozen=True):
    """The demonstration's own doors. `doorbell demo` sets these; never switch them on where there are real shoppers."""

    sign_in: bool = False
    """Whoever asks gets a token for any demo person."""
    service_key: str = ""
    """An API key, one of `api_keys`, that the page for publishing events uses."""
    outbox_url: str = ""
    """Where the stand-in mail relay lists what it took; beside it are the other stand-ins' `pushes` and `texts`."""


class Settings(_Section, frozen=True):
    """Everything that can be configured. Secrets are never printed (`doorbell config show`)."""

    listen: str = "127.0.0.1:8080"
    admin_listen: str = "127.0.0.1:9090"
    """Health and metrics of `doorbell consume` and `doorbell deliver`; port 0 picks one."""
    workers: int = 1
    redis_url: str = ""
    """`redis://…`, `redis+cluster://host:port,host:port` or `redis+sentinel://host:port,host:port/master-name`.

    Empty: a private redis-server with its data in `data_dir`.
    """
    key_prefix: str = "db:"
    public_url: str = "http://127.0.0.1:8080"
    """Where people and services reach this hub: the address in the API documents."""
    signing_secret: str = ""
    """Signs what comes back to the hub: status callbacks and links in messages. Empty: `token.hmac_secret`."""
    former_signing_secrets: tuple[str, ...] = ()
    """What was signed with one of these is still good: links in mails that are out, after the secret was changed."""
    shop_url: str = ""
    """Where links in messages lead. Empty: `public_url`."""
    click_tracking: bool = True
    """Links of mails and pushes to browsers lead by way of the hub, which notes that they were followed."""
    click_hosts: tuple[str, ...] = ()
    """Hosts beside that of `shop_url` that a notification's link may lead to."""
    operator_page: bool = True
    """Whether `/ops` is served. It shows nothing before it is given an API key or an admin's token."""
    data_dir: str = "data"
    log_level: str = "info"
    playbook: str = ""
    """A TOML file that extends or overrides the default playbook."""
    templates_dir: str = ""
    """A folder of templates that go before the built-in ones."""
    default_locale: str = "en"
    fsync_interval_s: float = 2.5
    """How long an acknowledgement to a broker trails the Redis writes (appendfsync everysec)."""
    dedupe_window_s: int = 172_800
    replay_window_s: int = 86_400
    """An event seen longer ago than this repeats no effects. Must be below `dedupe_window_s`."""
    park_timeout_s: int = 900
    park_limit: int = 32
    """Events kept for one unknown order or shipment."""
    document_ttl_s: int = 90 * 86_400
    inbox_size: int = 200
    kafka: Kafka = Kafka()
    rabbitmq: RabbitMQ = RabbitMQ()
    token: Token = Token()
    api_keys: tuple[ApiKey, ...] = ()
    smtp: Smtp = Smtp()
    push: Push = Push()
    sms: Sms = Sms()
    demo: Demo = Demo()
    gateway: Gateway = Gateway()
    delivery: Delivery = Delivery()
    preferences: Preferences = Preferences()
    namespaces: tuple[Namespace, ...] = ()
    channels: dict[str, dict[str, Any]] = {}
    """Tables of channels of your own, by the names they are registered under; each is the channel's business."""

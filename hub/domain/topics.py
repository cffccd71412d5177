"""Topics: namespaces, the three kinds of topic and the options of each."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from hub.domain.ids import Epoch, OrderId, ProductId, SaleId, ShipmentId, Topic, UserId

MAX_TOPIC_LENGTH = 255
MAX_PUBLICATION_BYTES = 16_777_216
USER_BOUNDARY = "#"
"""In a user-limited topic, what stands between its name and the users: `dialogs:games#42,43`."""
_NAME = re.compile(r"[^\s\x00-\x1f\x7f{}]+")


class TopicKind(StrEnum):
    """What history a topic keeps, and so what a slow reader gets."""

    LOG = "log"
    """Every publication, in order, recovered from the stream."""
    LATEST = "latest"
    """Only the newest value counts; a slow reader gets the newest."""
    BROADCAST = "broadcast"
    """For everybody connected; short history, recovered while it lasts."""


class DataFormat(StrEnum):
    """What a publication from outside may be."""

    JSON = "json"
    """Any JSON value."""
    JSON_OBJECT = "json_object"
    """A JSON object."""


class Namespace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options of all topics `name:…`. Times are in seconds.

    Where Centrifugo has an option, ours has its name and its meaning; docs/reference/protocol.md tells the differences.
    Who may do what beside `…_roles` and `allow_…` is in `hub.domain.permission.permits`. A backend's own namespaces go
    by these; the built-in ones go by ownership.
    """

    name: str
    kind: TopicKind = TopicKind.LOG
    history_size: int = 100
    """Publications kept for recovery; 1 for a `latest` topic; 0 keeps none and makes the topic unrecoverable."""
    history_ttl_s: int = 86_400
    force_recovery: bool = True
    """Every subscription can be recovered, asked for or not. Without history it says nothing."""
    allow_recovery: bool = False
    force_positioning: bool = False
    allow_positioning: bool = False
    presence: bool = False
    """Clients may ask who is subscribed."""
    join_leave: bool = False
    """It is told who comes and goes: to whoever asks for it and may see the presence."""
    force_push_join_leave: bool = False
    """It is told to every subscriber."""
    subscribe_roles: frozenset[str] = frozenset()
    publish_roles: frozenset[str] = frozenset()
    history_roles: frozenset[str] = frozenset()
    presence_roles: frozenset[str] = frozenset()
    allow_subscribe_for_client: bool = False
    allow_subscribe_for_anonymous: bool = False
    allow_publish_for_client: bool = False
    allow_publish_for_subscriber: bool = False
    allow_publish_for_anonymous: bool = False
    allow_history_for_client: bool = False
    allow_history_for_subscriber: bool = False
    allow_history_for_anonymous: bool = False
    allow_presence_for_client: bool = False
    allow_presence_for_subscriber: bool = False
    allow_presence_for_anonymous: bool = False
    allow_user_limited_channels: bool = False
    """The users named behind the `#` of a topic may subscribe to it."""
    channel_regex: str = ""
    """What must be found in the part behind `name:` for clients to use the topic. Empty: anything goes."""
    max_subscriptions: int = 0
    """Topics of the namespace that one connection may be subscribed to by itself; 0: no bound of its own."""
    publication_data_format: DataFormat = DataFormat.JSON
    max_publication_bytes: int = 16_384
    """The data of a publication that comes from a client."""

    @property
    def recoverable(self) -> bool:
        """Whether a subscriber can be given what it missed."""
        return self.history_size > 0

    @property
    def attended(self) -> bool:
        """Whether it is kept who is subscribed."""
        return self.presence or self.join_leave


class Position(msgspec.Struct, frozen=True):
    """How far a reader of a topic has come. Offsets start at 1 and have no holes; 0 is before the first."""

    epoch: Epoch
    offset: int


INBOX = "inbox"
ORDER = "order"
SHIPMENT = "shipment"
PRICE = "price"
STOCK = "stock"
SALE = "sale"
CHAT = "chat"
ANNOUNCEMENTS = Topic("announcements")

BUILT_IN = (
    Namespace(INBOX, TopicKind.LOG, history_size=200, history_ttl_s=7 * 86_400),
    Namespace(ORDER, TopicKind.LOG, history_size=100, history_ttl_s=7 * 86_400),
    Namespace(CHAT, TopicKind.LOG, history_size=500, history_ttl_s=7 * 86_400),
    Namespace(SHIPMENT, TopicKind.LATEST, history_size=1, history_ttl_s=86_400),
    Namespace(PRICE, TopicKind.LATEST, history_size=1, history_ttl_s=7 * 86_400),
    Namespace(STOCK, TopicKind.LATEST, history_size=1, history_ttl_s=86_400),
    Namespace(SALE, TopicKind.LATEST, history_size=1, history_ttl_s=7 * 86_400),
    Namespace(ANNOUNCEMENTS, TopicKind.BROADCAST, history_size=20, history_ttl_s=3_600),
)
_BUILT_IN_NAMES = frozenset(namespace.name for namespace in BUILT_IN)


def namespace_of(topic: Topic) -> str:
    """Return the part before the first colon; of a topic without one, the name up to the users it is limited to."""
    namespace, colon, _ = topic.partition(":")
    return namespace if colon else namespace.partition(USER_BOUNDARY)[0]


def name_in_namespace(topic: Topic) -> str:
    """Return the part after the first colon, or the whole name of a topic without one."""
    _, colon, name = topic.partition(":")
    return name if colon else topic


def users_of(topic: Topic) -> frozenset[str] | None:
    """Return the users that a user-limited topic is for, None of any other topic."""
    _, boundary, users = topic.rpartition(USER_BOUNDARY)
    return frozenset(users.split(",")) - {""} if boundary else None


def personal(namespace: str, user: UserId) -> Topic | None:
    """Return the topic of a namespace that is limited to one user; None where the user's id cannot be part of one."""
    topic = Topic(f"{namespace}:{USER_BOUNDARY}{user}")
    return topic if users_of(topic) == frozenset({str(user)}) and is_valid(topic) else None


def is_valid(topic: str) -> bool:
    """Say whether a name may be a topic: 1-255 characters, no white space, control characters or braces.

    Braces are refused because a topic's name is the hash tag of its keys in Redis Cluster.
    """
    return len(topic) <= MAX_TOPIC_LENGTH and _NAME.fullmatch(topic) is not None


class Namespaces:
    """All namespaces of this installation, by name."""

    def __init__(self, own: tuple[Namespace, ...] = ()) -> None:
        """Take the backend's `own` namespaces; they may not reuse a built-in name (hub.config checks)."""
        self._by_name = {namespace.name: namespace for namespace in (*BUILT_IN, *own)}
        self._patterns = {each.name: re.compile(each.channel_regex) for each in own if each.channel_regex}

    def of(self, topic: Topic) -> Namespace | None:
        """Return the namespace of a topic, None where nobody has defined it."""
        return self._by_name.get(namespace_of(topic))

    def built_in(self, topic: Topic) -> bool:
        """Say whether Doorbell itself owns the topic's namespace."""
        return namespace_of(topic) in _BUILT_IN_NAMES

    def allows_name(self, topic: Topic) -> bool:
        """Say whether clients may use a topic of this name, as far as its namespace's `channel_regex` goes."""
        pattern = self._patterns.get(namespace_of(topic))
        return pattern is None or pattern.search(name_in_namespace(topic)) is not None


def inbox(user: UserId) -> Topic:
    """Return the topic of a person's in-app notifications."""
    return Topic(f"{INBOX}:{user}")


def order(order_id: OrderId) -> Topic:
    """Return the topic on which an order's timeline moves."""
    return Topic(f"{ORDER}:{order_id}")


def shipment(shipment_id: ShipmentId) -> Topic:
    """Return the topic of a shipment's latest status and position."""
    return Topic(f"{SHIPMENT}:{shipment_id}")


def price(product_id: ProductId) -> Topic:
    """Return the topic of a product's latest price."""
    return Topic(f"{PRICE}:{product_id}")


def stock(product_id: ProductId) -> Topic:
    """Return the topic that says when a product can be bought again."""
    return Topic(f"{STOCK}:{product_id}")


def sale(sale_id: SaleId) -> Topic:
    """Return the topic of a sale's latest state."""
    return Topic(f"{SALE}:{sale_id}")

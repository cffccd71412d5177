"""Topics: namespaces, the three kinds of topic and the options of each."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from hub.domain.ids import Epoch, OrderId, ProductId, SaleId, ShipmentId, Topic, UserId

MAX_TOPIC_LENGTH = 255
_NAME = re.compile(r"[^\s\x00-\x1f\x7f{}]+")


class TopicKind(StrEnum):
    """What history a topic keeps, and so what a slow reader gets."""

    LOG = "log"
    """Every publication, in order, recovered from the stream."""
    LATEST = "latest"
    """Only the newest value counts; a slow reader gets the newest."""
    BROADCAST = "broadcast"
    """For everybody connected; short history, recovered while it lasts."""


class Namespace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options of all topics `name:…`. Times are in seconds."""

    name: str
    kind: TopicKind = TopicKind.LOG
    history_size: int = 100
    """Publications kept for recovery; 1 for a `latest` topic; 0 keeps none and makes the topic unrecoverable."""
    history_ttl_s: int = 86_400
    subscribe_roles: frozenset[str] = frozenset()
    """Who may subscribe to a namespace that a backend defines. The built-in ones go by ownership."""

    @property
    def recoverable(self) -> bool:
        """Whether a subscriber can be given what it missed."""
        return self.history_size > 0


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


def namespace_of(topic: Topic) -> str:
    """Return the part before the first colon, or the whole name of a topic without one."""
    return topic.partition(":")[0]


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

    def of(self, topic: Topic) -> Namespace | None:
        """Return the namespace of a topic, None where nobody has defined it."""
        return self._by_name.get(namespace_of(topic))

    def built_in(self, topic: Topic) -> bool:
        """Say whether Doorbell itself owns the topic's namespace."""
        return namespace_of(topic) in {namespace.name for namespace in BUILT_IN}


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

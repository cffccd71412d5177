"""A made-up shop's days: journeys of orders as CloudEvents, and what people must be told because of them.

A small model of its own: it shares no code with the hub. Each journey is told over one broker, in local disorder that
costs nothing: what comes before the event that begins an order or a shipment waits for it, and the families (orders,
payments, shipments) overtake each other. Within a family, what follows the beginning keeps its order.
"""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from tests.acceptance.checker import Told

_SOURCE = "/shop/acceptance"
_EUR = {"amount_minor": 4_990, "currency": "EUR"}
_FAMILY = {"order": "orders", "payment": "payments", "shipment": "shipments", "price": "prices", "sale": "sales"}
_CALM = ("order.placed", "payment.authorized", "order.confirmed", "payment.captured", "order.packed")
_ROAD = ("shipment.created", "shipment.dispatched", "shipment.out_for_delivery", "shipment.delivered")
_BUMPY = ("order.placed", "payment.failed", *_CALM[1:], *_ROAD[:2], "shipment.delayed", *_ROAD[2:])
_CANCELLED = ("order.placed", "payment.authorized", "order.confirmed", "order.cancelled", "payment.refunded")
MAILED = {"payment.failed", "order.cancelled"}
"""What the tests' playbook sends by email: at most one of these in a journey."""
PLAYBOOK = """
[defaults]
ladder = []
[rules.payment-failed]
ladder = [{ channel = "email", after = "3s" }]
[rules.order-cancelled]
ladder = [{ channel = "email", after = "3s" }]
[rules.shipment-out-for-delivery]
ladder = []
"""
_KINDS = ((0.8, (*_CALM, *_ROAD)), (0.1, _BUMPY), (0.1, _CANCELLED))
_ANYWHERE = {"order.placed", "payment.authorized", "shipment.created"}
"""May come early over another broker where no payment failed: they overtake nothing that people should hear of."""


class Message(NamedTuple):
    """One event on its way to a broker."""

    id: str
    type: str
    key: str
    body: bytes
    """Its data."""
    time: str

    @property
    def family(self) -> str:
        """The Kafka topic it belongs to."""
        return _FAMILY[self.type.partition(".")[0]]

    @property
    def attributes(self) -> dict[str, str]:
        """The CloudEvents attributes."""
        return {"specversion": "1.0", "id": self.id, "source": _SOURCE, "type": self.type, "time": self.time}

    @property
    def structured(self) -> bytes:
        """The event as one JSON document."""
        return json.dumps({**self.attributes, "data": json.loads(self.body)}).encode()


@dataclass
class Journey:
    """One order of one person. `messages` is the order in which they are sent."""

    order: str
    user: str
    told: list[Told] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)


def journey(order: str, user: str, types: Sequence[str], began: datetime) -> Journey:
    """Return a journey in good order."""
    made = Journey(order, user)
    for step, event_type in enumerate(types):
        data, part = _payload(event_type, order, user)
        time = (began + timedelta(seconds=step)).isoformat()
        made.told.append(Told(event_type, order, part))
        made.messages.append(Message(f"{order}/{event_type}", event_type, order, json.dumps(data).encode(), time))
    return made


def _payload(event_type: str, order: str, user: str) -> tuple[dict[str, Any], str]:
    family, _, name = event_type.partition(".")
    data: dict[str, Any] = {"order_id": order}
    if family == "payment":
        data |= {"payment_id": f"pay-{order}", "amount": _EUR}
        return data | ({"reason": "card declined"} if name == "failed" else {}), f"pay-{order}"
    if family == "shipment":
        data |= {"shipment_id": f"S-{order}", "carrier": "Swift Parcel"}
        eta = (datetime.now(UTC) + timedelta(days=2)).isoformat()
        return data | ({"new_eta": eta, "reason": "snow"} if name == "delayed" else {}), f"S-{order}"
    if name == "placed":
        item = {"product_id": "shoe", "name": "Blue shoe", "quantity": 1, "price": _EUR}
        data |= {"customer_id": user, "total": _EUR, "items": [item]}
    return data, ""


def disordered(messages: Sequence[Message], dice: random.Random) -> list[Message]:
    """Return them with beginnings that come late and families that overtake each other."""
    shuffled = list(messages)
    for _ in range(3 if len(shuffled) > 1 else 0):
        at = dice.randrange(len(shuffled) - 1)
        if shuffled[at].family != shuffled[at + 1].family:
            shuffled[at], shuffled[at + 1] = shuffled[at + 1], shuffled[at]
    for beginning in ("shipment.created", "order.placed"):
        found = next((index for index, message in enumerate(shuffled) if message.type == beginning), None)
        if found is not None and dice.random() < 0.5:
            shuffled.insert(min(len(shuffled), found + dice.randint(1, 3)), shuffled.pop(found))
    return shuffled


def repeated(messages: Sequence[Message], count: int, dice: random.Random) -> list[Message]:
    """Return them with `count` of them sent once more, at once or later."""
    result = list(messages)
    for message in dice.sample(list(messages), min(count, len(messages))):
        first = result.index(message)
        result.insert(dice.randint(first + 1, len(result)), message)
    return result


class Plan:
    """What is sent over each broker, and what must come of it: `events` over each, a tenth of them duplicates."""

    def __init__(self, brokers: Sequence[str], users: Sequence[str], *, events: int, seed: int) -> None:
        self.users = users
        self.journeys: dict[str, list[Journey]] = {broker: [] for broker in brokers}
        self.fillers: dict[str, list[Message]] = {broker: [] for broker in brokers}
        self.strays: dict[str, list[Message]] = {broker: [] for broker in brokers}
        """Duplicates of what went over another broker."""
        self.prices: dict[str, str] = {}
        """The newest price of each product, as the time of its event."""
        self.sales: set[str] = set()
        dice = random.Random(seed)
        began = datetime.now(UTC) - timedelta(hours=2)
        for number, broker in enumerate(brokers):
            self._fill(broker, number, events - events // 10, began, dice)
            self._repeat(broker, brokers[number - 1], events // 10, dice)

    def _fill(self, broker: str, number: int, count: int, began: datetime, dice: random.Random) -> None:
        left, fillers = count, max(4, count // 45)
        journeys = self.journeys[broker]
        while left > fillers:
            types = dice.choices([kind for _, kind in _KINDS], [share for share, _ in _KINDS])[0]
            order = f"{broker[0].upper()}{len(journeys)}"
            user = self.users[(len(journeys) * len(self.journeys) + number) % len(self.users)]
            journeys.append(journey(order, user, types[:left], began))
            left -= len(journeys[-1].messages)
        self.fillers[broker] = [self._filler(broker, index, began) for index in range(left)]

    def _filler(self, broker: str, index: int, began: datetime) -> Message:
        time = (began + timedelta(seconds=index)).isoformat()
        if index < 4:
            sale = f"sale-{broker}-{index}"
            self.sales.add(sale)
            ends_at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
            data: dict[str, Any] = {"sale_id": sale, "title": "Sale", "ends_at": ends_at}
            return Message(sale, "sale.started", sale, json.dumps(data).encode(), time)
        product = f"product-{broker}-{index % 8}"
        new = {"amount_minor": 1_000 + index, "currency": "EUR"}
        data = {"product_id": product, "old": _EUR, "new": new}
        self.prices[product] = str(new["amount_minor"])
        return Message(f"price-{broker}-{index}", "price.changed", product, json.dumps(data).encode(), time)

    def _repeat(self, broker: str, other: str, count: int, dice: random.Random) -> None:
        strays = count // 10 if other != broker else 0
        calm = (one for one in self.journeys[broker] if one.messages[1:2] and one.messages[1].type != "payment.failed")
        candidates = [message for one in calm for message in one.messages if message.type in _ANYWHERE]
        self.strays[other] = dice.sample(candidates, min(strays, len(candidates)))
        journeys = self.journeys[broker]
        share, rest = divmod(count - len(self.strays[other]), len(journeys))
        for index, one in enumerate(journeys):
            one.messages = repeated(disordered(one.messages, dice), share + (index < rest), dice)

    def messages(self, broker: str) -> Iterator[Message]:
        """Everything that is sent over a broker."""
        for one in self.journeys[broker]:
            yield from one.messages
        yield from self.fillers[broker]
        yield from self.strays[broker]

    def all_journeys(self) -> Iterator[Journey]:
        """The journeys over all brokers."""
        for journeys in self.journeys.values():
            yield from journeys

    def expected(self) -> dict[str, list[Told]]:
        """What each person must be told, in order for each order, payment and shipment."""
        told: dict[str, list[Told]] = {user: [] for user in self.users}
        for one in self.all_journeys():
            told[one.user] += one.told
        return told

    def expected_mails(self) -> set[tuple[str, str]]:
        """The mails that must go out, by user and order: there is never more than one about an order."""
        return {(one.user, one.order) for one in self.all_journeys() for told in one.told if told.type in MAILED}

    def waves(self, broker: str, *, size: int = 100) -> Iterator[list[list[Message]]]:
        """Yield cohorts of journeys as waves: the messages of a wave are of different orders, and go out together."""
        journeys = self.journeys[broker]
        for start in range(0, len(journeys), size):
            cohort = journeys[start : start + size]
            longest = max(len(one.messages) for one in cohort)
            yield [[one.messages[step] for one in cohort if step < len(one.messages)] for step in range(longest)]
        yield [[filler] for filler in self.fillers[broker]]


def introductions(users: Iterable[str]) -> list[dict[str, Any]]:
    """Return the events that tell the hub about people."""
    return [
        {
            "specversion": "1.0",
            "id": f"hello-{user}",
            "source": _SOURCE,
            "type": "user.updated",
            "data": {"user_id": user, "email": f"{user}@shop.example", "name": user.title(), "locale": "en"},
        }
        for user in users
    ]

"""Fakes of what the operations need, and tokens for the people of the tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestClient
from msgspec import Meta

from hub.domain.decisions import Outcome
from hub.domain.envelope import Incoming, Rejected
from hub.domain.ids import UserId
from hub.domain.notifications import Lane, Notification
from hub.domain.permission import Role
from hub.service.identity.tokens import mint_token
from hub.service.operations import PEOPLE, Call, Http, Operation, Repeat
from hub.service.rate import Rate
from hub.service.sending.notifications import Sending
from hub.settings import Token

TOKEN = Token(hmac_secret="a secret of thirty-two bytes or more", roles=tuple(Role))
Client = TestClient[web.Request, web.Application]


class FakeIngest:
    """Writes events down; `outcomes` are given in turn, then APPLIED."""

    def __init__(self) -> None:
        self.processed: list[Incoming] = []
        self.rejected: list[Rejected] = []
        self.outcomes: list[Outcome] = []
        self.error: Exception | None = None

    async def process(self, batch: Sequence[Incoming], /) -> Sequence[Outcome]:
        if self.error is not None:
            raise self.error
        self.processed.extend(batch)
        return [self.outcomes.pop(0) if self.outcomes else Outcome.APPLIED for _ in batch]

    async def reject(self, letters: Sequence[Rejected], /) -> None:
        self.rejected.extend(letters)


class FakeSender:
    """Remembers notifications by id; in `postponed` those that were sent ahead of their time."""

    def __init__(self) -> None:
        self.sent: dict[str, Notification] = {}
        self.postponed: dict[str, Notification] = {}

    async def postpone(self, notifications: Sequence[Notification], /) -> Sequence[Sending]:
        known = [Sending.DUPLICATE if item.id in self.postponed else Sending.SCHEDULED for item in notifications]
        self.postponed |= {item.id: item for item in notifications}
        return known

    async def notify(self, notifications: Sequence[Notification], /) -> Sequence[Sending]:
        known = [Sending.DUPLICATE if item.id in self.sent else Sending.CREATED for item in notifications]
        self.sent |= {item.id: item for item in notifications}
        return known


class FakeCancelKeys:
    """Counts the cancels of each (person, key): that is its generation. Every cancel hits one job."""

    def __init__(self) -> None:
        self.cancels: Counter[tuple[str, str]] = Counter()

    async def generations(self, wanted: Sequence[tuple[Lane, UserId, str]], /) -> list[int]:
        return [self.cancels[user, key] for _, user, key in wanted]

    async def cancel(self, user: UserId, key: str, /) -> int:
        self.cancels[user, key] += 1
        return 1


def bearer(user: str = "u-1", role: Role = Role.SHOPPER) -> dict[str, str]:
    return {"Authorization": f"Bearer {mint_token(TOKEN, user=user, role=role, ttl_s=3_600)}"}


TEMPLATES = {"message": frozenset({"title", "body"}), "order-packed": frozenset({"order_id"})}
SERVICE = bearer("shop-backend", Role.SERVICE)


def order_placed(event_id: str = "e-1", **data: object) -> dict[str, object]:
    """One good event in structured mode, with `data` fields replaced or, where None, taken out."""
    price = {"amount_minor": 1_299, "currency": "EUR"}
    fields: dict[str, object] = {
        "order_id": "A-1",
        "customer_id": "u-1",
        "total": price,
        "items": [{"product_id": "p-1", "name": "Kettle", "quantity": 1, "price": price}],
        **data,
    }
    payload = {name: value for name, value in fields.items() if value is not None}
    return {"specversion": "1.0", "id": event_id, "source": "/shop", "type": "order.placed", "data": payload}


class Echo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request that is its own answer."""

    name: Annotated[str, Meta(max_length=10)]
    limit: Annotated[int, Meta(ge=1)] = 1
    flag: bool = False


def echo_operation(method: str = "GET") -> Operation[Echo, Echo]:
    """An operation of shoppers that answers what it was asked, three times a minute."""

    async def echo(_: Call, request: Echo) -> Echo:
        return request

    return Operation(
        name="test.echo" if method == "GET" else "test.echo-body",
        summary="Echo.",
        request=Echo,
        response=Echo,
        roles=PEOPLE,
        http=Http("GET", "/v1/echo/{name}") if method == "GET" else Http("POST", "/v1/echo"),
        handler=echo,
        rate=Rate(count=3, window_s=60.0) if method == "GET" else Rate(count=100, window_s=1.0),
        repeat=Repeat.READS,
    )

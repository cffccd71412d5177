"""Fakes of what the operations need, and tokens for the people of the tests."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from aiohttp.test_utils import TestClient

from hub.domain.decisions import Outcome
from hub.domain.envelope import Incoming, Rejected
from hub.domain.notifications import Notification
from hub.domain.permission import Role
from hub.service.notifications import Sending
from hub.service.tokens import mint_token
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
    """Remembers notifications by id."""

    def __init__(self) -> None:
        self.sent: dict[str, Notification] = {}

    async def notify(self, notifications: Sequence[Notification], /) -> Sequence[Sending]:
        known = [Sending.DUPLICATE if item.id in self.sent else Sending.CREATED for item in notifications]
        self.sent |= {item.id: item for item in notifications}
        return known


def bearer(user: str = "u-1", role: Role = Role.SHOPPER) -> dict[str, str]:
    return {"Authorization": f"Bearer {mint_token(TOKEN, user=user, role=role, ttl_s=60)}"}


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

"""The payments of an order. Each goes its own way: authorized or failed, maybe several times, captured, refunded."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hub.domain.events import AnyPayment
from hub.domain.money import Money

MAX_PAYMENTS = 20
Standing = tuple[int, int, int, int]


class PaymentStatus(StrEnum):
    """How a payment stands, or the payment of a whole order."""

    AUTHORIZED = "authorized"
    FAILED = "failed"
    CAPTURED = "captured"
    REFUNDED = "refunded"


class Payment(msgspec.Struct, frozen=True):
    """One payment. `standing` orders its states: events below it are stale."""

    id: str
    status: PaymentStatus
    standing: Standing
    time_ms: int
    amount: Money


def payment_of(data: AnyPayment, *, status: PaymentStatus, time_ms: int) -> Payment:
    """Return the payment as one event alone describes it."""
    return Payment(data.payment_id, status, _standing(status, data.version or 0, time_ms), time_ms, data.amount)


def _standing(status: PaymentStatus, version: int, time_ms: int) -> Standing:
    """Capture and refund are final steps; before them a payment may fail and be tried again as often as it likes."""
    match status:
        case PaymentStatus.REFUNDED:
            return (2, version, 0, 0)
        case PaymentStatus.CAPTURED:
            return (1, version, 0, 0)
        case PaymentStatus.FAILED:
            return (0, version, time_ms, 1)
        case PaymentStatus.AUTHORIZED:
            return (0, version, time_ms, 0)


def is_news(payments: tuple[Payment, ...], new: Payment) -> bool:
    """Say whether people should hear of `new`.

    Every refund is news, whatever came before it. A failure is old news once another payment has succeeded since.
    """
    if new.status is PaymentStatus.REFUNDED:
        return True
    known = next((payment for payment in payments if payment.id == new.id), None)
    if known is not None and known.standing >= new.standing:
        return False
    return new.status is not PaymentStatus.FAILED or not any(
        payment.status is not PaymentStatus.FAILED and payment.time_ms >= new.time_ms for payment in payments
    )


def merged(payments: tuple[Payment, ...], new: Payment) -> tuple[Payment, ...]:
    """Return the payments with `new` among them if it is ahead of what is known; the 20 furthest ones are kept."""
    known = next((payment for payment in payments if payment.id == new.id), None)
    if known is not None and known.standing >= new.standing:
        return payments
    others = [payment for payment in payments if payment.id != new.id]
    return tuple(sorted([*others, new], key=_order_of)[-MAX_PAYMENTS:])


def overall(payments: tuple[Payment, ...]) -> PaymentStatus | None:
    """Return how the payment of the order stands: as the furthest of its payments; None before the first."""
    return max(payments, key=_order_of).status if payments else None


def _order_of(payment: Payment) -> tuple[Standing, str]:
    return payment.standing, payment.id

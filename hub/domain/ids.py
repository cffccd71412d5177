"""Identifiers, and the one way to derive the id of an effect.

Every effect of an event (a publication, an inbox entry, a job) carries an id made from the event's identity, the
recipient and the rule. The store drops an id it has seen, so processing an event again repeats nothing.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NewType

UserId = NewType("UserId", str)
OrderId = NewType("OrderId", str)
ShipmentId = NewType("ShipmentId", str)
ProductId = NewType("ProductId", str)
SaleId = NewType("SaleId", str)
Topic = NewType("Topic", str)
"""A named stream of publications, `namespace:name` or a bare namespace; `channel` on the wire."""
EventKey = NewType("EventKey", str)
"""An event's identity: 32 hex digits derived from its CloudEvents `source` and `id`."""
EffectId = NewType("EffectId", str)
NotificationId = NewType("NotificationId", str)
JobId = NewType("JobId", str)
RuleName = NewType("RuleName", str)
TemplateName = NewType("TemplateName", str)
Epoch = NewType("Epoch", str)
"""Names one life of a topic's stream; offsets of two epochs cannot be compared."""

_SEPARATOR = "\x1f"
_DIGEST_BYTES = 16


def _digest(*parts: str) -> str:
    return blake2b(_SEPARATOR.join(parts).encode(), digest_size=_DIGEST_BYTES).hexdigest()


def event_key(source: str, event_id: str) -> EventKey:
    """Return the identity of an event: CloudEvents 1.0 makes `source` + `id` unique for each distinct event."""
    return EventKey(_digest(source, event_id))


def effect_id(event: EventKey, recipient: str, rule: str) -> EffectId:
    """Return the id of what `rule` does for `recipient` (a user or a topic) because of `event`."""
    return EffectId(_digest(event, recipient, rule))

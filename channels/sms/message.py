"""One text message as values. Pure."""

from __future__ import annotations

import msgspec

from hub.domain.ids import NotificationId, UserId


class SmsMessage(msgspec.Struct, frozen=True):
    """What goes to a provider. `receipt` names the notification in the provider's status callbacks."""

    id: NotificationId
    user: UserId
    to: str
    country: str
    body: str
    validity_s: int
    """After which nobody needs to deliver it any more."""
    receipt: str

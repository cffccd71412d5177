"""One push as values: what to show, where it leads, how urgent it is and how long it is worth showing. Pure."""

from __future__ import annotations

import msgspec

from hub.domain.devices import Device
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import Lane, Notification
from templates.texts import PushText

PAYLOAD_MAX_BYTES = 4_096
"""Of FCM and APNs alike (firebase.google.com, "About FCM messages"; the SDK does not check it)."""
_ROOM_FOR_FRAME_BYTES = 900
"""What the parts beyond title, body, link and data take in the provider's form, generously."""
_TTL_MAX_S = 28 * 86_400
"""The longest that FCM keeps a message for a device that is away."""
_COLLAPSE_MAX_BYTES = 64
"""Of `apns-collapse-id`."""
_TITLE_MAX_BYTES = 400
_ELLIPSIS = "…"


class PushMessage(msgspec.Struct, frozen=True):
    """What goes to all devices of a person. `badge` is the unread count that an icon shows."""

    id: NotificationId
    user: UserId
    devices: tuple[Device, ...]
    title: str
    body: str
    link: str
    """For browsers, which open it themselves. An app finds where to go in `data`: it tells by itself what was read."""
    data: dict[str, str]
    badge: int
    collapse_key: str
    urgent: bool
    ttl_s: int


def build(
    notification: Notification,
    text: PushText,
    *,
    devices: tuple[Device, ...],
    link: str,
    browser_link: str,
    badge: int,
    now_ms: int,
) -> PushMessage:
    """Return the push of a notification, its text cut so that the whole stays below the providers' bound.

    `data` has what an app needs to acknowledge it (`inbox.ack`) and to open the right page, at `link`.
    """
    data = {"notification_id": notification.id, "category": notification.category, "link": link}
    links = len((link + browser_link).encode())
    left = PAYLOAD_MAX_BYTES - _ROOM_FOR_FRAME_BYTES - links - sum(map(_json_bytes, data.values()))
    title = cut(text.title, _TITLE_MAX_BYTES)
    return PushMessage(
        id=notification.id,
        user=notification.user,
        devices=devices,
        title=title,
        body=cut(text.body, max(0, left - _json_bytes(title))),
        link=browser_link,
        data=data,
        badge=badge,
        collapse_key=_collapse_key(notification),
        urgent=notification.lane is not Lane.MARKETING,
        ttl_s=_ttl_s(notification, now_ms),
    )


def cut(text: str, most_bytes: int) -> str:
    """Return the text, or as much of its beginning as fits into so many bytes of JSON, with an ellipsis."""
    if _json_bytes(text) <= most_bytes:
        return text
    left = most_bytes - len(_ELLIPSIS.encode())
    end = 0
    for end, character in enumerate(text):  # noqa: B007 - where the loop ended is what is wanted
        left -= _json_bytes(character)
        if left < 0:
            break
    return text[:end].rstrip() + _ELLIPSIS if end else ""


def _json_bytes(text: str) -> int:
    """Return how long a text is within JSON, without its quotes."""
    return len(msgspec.json.encode(text)) - 2


def _collapse_key(notification: Notification) -> str:
    """Return the key by which a device replaces an older push: without one of its own, only its own double."""
    key = notification.collapse_key or notification.id
    return key if len(key.encode()) <= _COLLAPSE_MAX_BYTES else notification.id


def _ttl_s(notification: Notification, now_ms: int) -> int:
    if notification.expires_ms is None:
        return _TTL_MAX_S
    return max(0, min(_TTL_MAX_S, (notification.expires_ms - now_ms) // 1_000))

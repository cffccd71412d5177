"""Devices: the apps and browsers on which a person can be reached by push."""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b
from typing import NewType

import msgspec

DeviceId = NewType("DeviceId", str)

MAX_DEVICES = 20
"""Of one person; the one not seen for longest makes room."""
UNSEEN_MAX_S = 270 * 86_400
"""FCM lets registrations of Android apps expire that have not been used for so long."""


class Platform(StrEnum):
    """What a device is, as far as push is concerned."""

    ANDROID = "android"
    IOS = "ios"
    WEB = "web"


class Kind(StrEnum):
    """What a registration is: FCM is replacing registration tokens by Firebase installation ids."""

    TOKEN = "token"  # noqa: S105 - not a secret but a kind of one
    FID = "fid"


class Device(msgspec.Struct, frozen=True, omit_defaults=True):
    """A registered device. `registration` is the provider's name for it; times are Unix ms."""

    kind: Kind
    registration: str
    platform: Platform
    registered_ms: int
    seen_ms: int
    app: str = ""
    locale: str | None = None
    """Of the app, where it differs from the person's: what is pushed to it is in this language."""
    time_zone: str | None = None

    @property
    def id(self) -> DeviceId:
        """The same for the same registration, and saying nothing about it: fit for logs and records."""
        return device_id(self.kind, self.registration)


def device_id(kind: Kind, registration: str) -> DeviceId:
    """Return the id under which a registration is known."""
    return DeviceId(blake2b(f"{kind}:{registration}".encode(), digest_size=12).hexdigest())

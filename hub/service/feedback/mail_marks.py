"""Marks: by what a report about a mail proves which mail it is about, and that it was one of ours.

Anybody may send us a bounce. So every mail carries a signed mark in a header, which reports return, and its bounces may
come back to an address of its own (VERP), which is signed as well. A mark that leaks to its recipient can do no more
than get that recipient's own address suppressed.
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode
from collections.abc import Callable
from typing import Protocol

import msgspec

from hub.domain.ids import NotificationId, UserId
from hub.service.signing import Signer
from hub.store.return_paths import Mailed
from hub.store.suppressions import address_digest

MARKED_S = 60 * 86_400
"""Complaints come weeks after a mail; then its mark is good no more."""
_MARK = "mail-mark"
_RETURN_PATH = "mail-return-path"
_SEAL_BYTES = 10
_ID_BYTES = 16
_ID = re.compile(r"[0-9a-f]{32}")
_CODE = re.compile(r"[a-z2-7]{42}")
_LOCAL_PART_MAX = 64


class MailMark(msgspec.Struct, frozen=True):
    """A mail of ours. `digest` stands for the address (`hub.store.suppressions.address_digest`)."""

    notification: NotificationId
    user: UserId
    digest: str


class Paths(Protocol):
    """Where it is noted whom mails went to (`hub.store.return_paths.ReturnPaths`). Raises StoreUnavailable."""

    async def note(self, notification: NotificationId, mailed: Mailed) -> None:
        """Note whom the mail of a notification goes to."""
        ...


class Marks:
    """Marks the mails that go out. Without a signer there are no marks, and all bounces go to one mailbox."""

    def __init__(self, signer: Signer | None, *, mailbox: str, paths: Paths, clock: Callable[[], int]) -> None:
        """Take the `mailbox` for bounces, empty: the sender's, and `clock`, Unix ms."""
        self._signer = signer
        self._mailbox = mailbox
        self._paths = paths
        self._clock = clock

    def mark(self, notification: NotificationId, user: UserId, *, address: str) -> str:
        """Return the mark of a mail, empty where there is none."""
        if self._signer is None:
            return ""
        return mark(self._signer, notification, user, address=address, now_s=self._clock() // 1_000)

    async def return_path(self, notification: NotificationId, user: UserId, *, address: str) -> str:
        """Return where the bounces of a mail go, empty: to its sender. Raises StoreUnavailable."""
        if self._signer is None or not self._mailbox:
            return self._mailbox
        path = return_path(self._signer, self._mailbox, notification)
        if path != self._mailbox:
            await self._paths.note(notification, Mailed(user, address_digest(address)))
        return path


def mark(signer: Signer, notification: NotificationId, user: UserId, *, address: str, now_s: int) -> str:
    """Return the mark of the mail of a notification to a person's address, fit for a header."""
    text = f"{notification} {address_digest(address)} {user}"
    return signer.sign(_MARK, text, expires_s=now_s + MARKED_S)


def read_mark(signer: Signer, token: str, *, now_s: int) -> MailMark | None:
    """Return the mail of a mark, None where it is none of ours or too old."""
    text = signer.read(_MARK, token, now_s=now_s) if token else None
    if text is None:
        return None
    notification, digest, user = text.split(" ", 2)
    return MailMark(NotificationId(notification), UserId(user), digest)


def return_path(signer: Signer, mailbox: str, notification: NotificationId) -> str:
    """Return the address to which bounces of a notification's mail go: `bounces+<code>@domain`.

    The code is in lower case, for servers change that. The mailbox itself where the code has no room, or the id is not
    one that Doorbell makes.
    """
    if not _ID.fullmatch(notification):
        return mailbox
    identity = bytes.fromhex(notification)
    code = b32encode(identity + signer.seal(_RETURN_PATH, identity)[:_SEAL_BYTES]).decode().rstrip("=").lower()
    local, _, domain = mailbox.rpartition("@")
    made = f"{local}+{code}"
    return f"{made}@{domain}" if len(made) <= _LOCAL_PART_MAX else mailbox


def read_return_path(signer: Signer, address: str) -> NotificationId | None:
    """Return the notification whose bounces go to an address, None where it is none that was made here."""
    code = address.rpartition("@")[0].rpartition("+")[2].lower()
    if not _CODE.fullmatch(code):
        return None
    data = b32decode(code.upper() + "=" * (-len(code) % 8))
    identity, seal = data[:_ID_BYTES], data[_ID_BYTES:]
    return NotificationId(identity.hex()) if signer.is_sealed(_RETURN_PATH, identity, seal) else None

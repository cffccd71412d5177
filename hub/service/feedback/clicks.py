"""Clicks: links of mails and pushes lead through the hub, which notes that they were followed.

A link is `<public_url>/c/<token>`; the token is signed and holds which notification, over which channel, for whom, and
where it leads. It leads only to the shop and to hosts that the operator has named, whatever was signed once: so nobody
gets an open redirect out of it, also not by a secret that has leaked.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from hub.domain.channels import SMS, Channel
from hub.domain.errors import StoreUnavailable
from hub.domain.ids import NotificationId, UserId
from hub.domain.links import whole_link
from hub.domain.notifications import EntryState, Notification
from hub.observe import logger
from hub.service.person.person_links import PREFERENCES_PATH, UNSUBSCRIBE_PATH
from hub.service.signing import Signer

CLICK_PATH = "/c"
_PURPOSE = "click"
_PARTS = 4
_NOTING_S = 2.0
"""Nobody waits longer than this for a page because of what we want to note."""
_NEVER = 0
_IS_ONE_WORD = re.compile(r"[^\s\x00-\x1f\x7f]+")
"""What a token can hold as its target."""
_log = logger(__name__)


class Noted(StrEnum):
    """What became of a click."""

    FIRST = "first"
    AGAIN = "again"
    """Counted before, or of a notification of which there is no record any more."""
    ROBOT = "robot"
    LOST = "lost"
    """Redis was away: the person got where they wanted, and nobody knows."""


class Followed(msgspec.Struct, frozen=True):
    """What a token says: a link of which notification leads where."""

    user: UserId
    notification: NotificationId
    channel: Channel
    target: str


class ClickLinks:
    """Makes and reads the links. Without a signer they lead to the shop directly, and nothing is read."""

    def __init__(
        self,
        signer: Signer | None,
        *,
        public_url: str,
        shop_url: str,
        hosts: Collection[str] = (),
        tracking: bool = True,
    ) -> None:
        """Take `shop_url`, where links lead, and the `hosts` beside the shop's own that they may lead to.

        Without `tracking` new links lead there directly; those that are out are read as before.
        """
        self._tracking = tracking
        self._signer = signer
        self._public_url = public_url.rstrip("/")
        self._shop_url = shop_url
        self._hosts = frozenset({_host(shop_url), *hosts})
        own = (CLICK_PATH, PREFERENCES_PATH, UNSUBSCRIBE_PATH)
        self._own = tuple(f"{self._public_url}{path}/" for path in own)

    def direct(self, notification: Notification) -> str:
        """Return where a notification's link leads."""
        return whole_link(self._shop_url, notification.link, hosts=self._hosts)

    def tracked(self, notification: Notification, channel: Channel) -> str:
        """Return the link that leads there by way of the hub."""
        return self.track(self.direct(notification), notification, channel)

    def track(self, url: str, notification: Notification, channel: Channel) -> str:
        """Return a URL of a notification's texts as it goes out: by way of the hub where it leads to an allowed host.

        The hub's own links stay as they are, so that nothing is led through it twice, and those of texts, to be short.
        """
        if self._signer is None or not self._tracking or channel == SMS:
            return url
        if url.startswith(self._own) or not self._allows(url) or not _IS_ONE_WORD.fullmatch(url):
            return url
        text = f"{notification.id} {channel} {url} {notification.user}"
        return f"{self._public_url}{CLICK_PATH}/{self._signer.sign(_PURPOSE, text)}"

    def shown(self, url: str) -> str:
        """Return what people read where a link is written out: where it leads in the end."""
        start = f"{self._public_url}{CLICK_PATH}/"
        followed = self.read(url.removeprefix(start)) if url.startswith(start) else None
        return url if followed is None else followed.target

    def read(self, token: str) -> Followed | None:
        """Return what a token says, None where it was not signed here or leads where no link may lead (any more)."""
        text = None if self._signer is None else self._signer.read(_PURPOSE, token, now_s=_NEVER)
        parts = (text or "").split(" ", _PARTS - 1)
        if len(parts) != _PARTS:
            return None
        notification, channel, target, user = parts
        return (
            None
            if not self._allows(target)
            else Followed(UserId(user), NotificationId(notification), Channel(channel), target)
        )

    def _allows(self, target: str) -> bool:
        try:
            url = urlsplit(target)
        except ValueError:
            return False
        return url.scheme in {"http", "https"} and url.netloc.lower() in self._hosts


class RecordBook(Protocol):
    """The records (`hub.store.records.Records`). Raises StoreUnavailable."""

    async def note_click(self, user: UserId, notification: NotificationId, at_ms: int) -> bool:
        """Note the first click; False: it is not the first, or the record is gone."""
        ...


class Entries(Protocol):
    """The inboxes (`hub.store.inbox.Inbox`). Raises StoreUnavailable."""

    async def mark(self, user: UserId, ids: Sequence[NotificationId] | None, state: EntryState) -> int:
        """Move entries on; return the unread count."""
        ...


class Clicks:
    """Notes clicks. Who followed a link has seen and read the notification: its ladder ends."""

    def __init__(self, records: RecordBook, entries: Entries, *, clock: Callable[[], int]) -> None:
        """Take `clock`, Unix ms."""
        self._records = records
        self._entries = entries
        self._clock = clock

    async def note(self, followed: Followed) -> Noted:
        """Note a click of a person, within two seconds or not at all. Never fails."""
        try:
            async with asyncio.timeout(_NOTING_S):
                # The ladder must end whether or not there was a click before.
                await self._entries.mark(followed.user, [followed.notification], EntryState.READ)
                first = await self._records.note_click(followed.user, followed.notification, self._clock())
        except (StoreUnavailable, TimeoutError) as error:
            _log.warning("click_lost", notification=followed.notification, problem=str(error))
            return Noted.LOST
        if first:
            _log.info("clicked", notification=followed.notification, channel=followed.channel)
        return Noted.FIRST if first else Noted.AGAIN


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()

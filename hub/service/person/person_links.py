"""Links to a person's own pages, signed: who has one needs no login. A page behind one shows no contacts.

Whoever a mail is forwarded to has its links, too. So they do little harm: the preferences page is open for three
months, and unsubscribing can be taken back there.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from hub.domain.ids import UserId
from hub.service.signing import Signer

PREFERENCES_PATH = "/p"
UNSUBSCRIBE_PATH = "/u"
_PREFERENCES = "preferences-page"
_UNSUBSCRIBE = "unsubscribe"
_OPEN_S = 90 * 86_400
_NOBODYS = ""


class Unsubscription(msgspec.Struct, frozen=True):
    """What an unsubscribe link is about: whose mails, of which category the one with the link was, and from when."""

    user: UserId
    category: str
    at_s: int


class PersonLinks:
    """Makes and reads the links. Without a signer there are none."""

    def __init__(self, signer: Signer | None, *, public_url: str, clock: Callable[[], int]) -> None:
        """Take `public_url`, where this hub's pages are, and `clock`, Unix ms."""
        self._signer = signer
        self._url = public_url.rstrip("/")
        self._clock = clock

    def preferences(self, user: UserId) -> str:
        """Return the link to a person's preferences, good for 90 days; empty where nothing can be signed."""
        token = self._token(_PREFERENCES, user, expires_s=self._clock() // 1_000 + _OPEN_S)
        return f"{self._url}{PREFERENCES_PATH}/{token}" if token else _NOBODYS

    def unsubscribe(self, user: UserId, category: str) -> str:
        """Return the link that ends marketing mails to a person, for ever good; empty where nothing can be signed."""
        token = self._token(_UNSUBSCRIBE, f"{self._clock() // 1_000} {category} {user}", expires_s=0)
        return f"{self._url}{UNSUBSCRIBE_PATH}/{token}" if token else _NOBODYS

    def read_preferences(self, token: str) -> UserId | None:
        """Return whose preferences a token opens, None where it is not good (any more)."""
        user = self._read(_PREFERENCES, token)
        return None if user is None else UserId(user)

    def read_unsubscribe(self, token: str) -> Unsubscription | None:
        """Return what a token unsubscribes from, None where it is not good."""
        text = self._read(_UNSUBSCRIBE, token)
        if text is None:
            return None
        at, category, user = text.split(" ", 2)
        return Unsubscription(UserId(user), category, int(at))

    def beside(self, found: Unsubscription) -> str:
        """Return the link to the preferences of who unsubscribes; empty where the mail's own is over, too."""
        is_over = self._clock() // 1_000 >= found.at_s + _OPEN_S
        return _NOBODYS if is_over else self.preferences(found.user)

    def _token(self, purpose: str, text: str, *, expires_s: int) -> str:
        return _NOBODYS if self._signer is None else self._signer.sign(purpose, text, expires_s=expires_s)

    def _read(self, purpose: str, token: str) -> str | None:
        return None if self._signer is None else self._signer.read(purpose, token, now_s=self._clock() // 1_000)

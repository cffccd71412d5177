"""Who is at the door: a person with a token or a service with an API key."""

from __future__ import annotations

import time
from collections.abc import Callable

from hub.domain.permission import Identity, SubscriptionGrant
from hub.service.identity.api_keys import PREFIX, ApiKeys
from hub.service.identity.tokens import TokenVerifier


class Authenticator:
    """Checks the credentials of sockets and of HTTP requests alike. Touches no store."""

    def __init__(self, verifier: TokenVerifier, keys: ApiKeys, *, clock: Callable[[], float] = time.time) -> None:
        self._verifier = verifier
        self._keys = keys
        self._clock = clock

    def authenticate(self, token: str) -> Identity:
        """Return the bearer of a JWT or an API key. Raises TokenExpired, TokenInvalid, TokenUnverifiable."""
        if token.startswith(PREFIX):
            return self._keys.verify(token)
        return self._verifier.verify(token, self._clock())

    def subscription(self, token: str) -> SubscriptionGrant:
        """Return what a subscription token grants. Raises TokenExpired, TokenInvalid, TokenUnverifiable."""
        return self._verifier.verify_subscription(token, self._clock())

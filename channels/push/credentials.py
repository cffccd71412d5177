"""Google's access tokens, kept fresh beside the event loop.

The SDK refreshes a token where it is needed, which is inside the loop and with a blocking client: a slow token server
would stall every lane. Here a thread does it before it is needed, and a call without a token waits for another try.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials as FixedCredentials

from hub.domain.errors import ConfigurationError, Mistake, TransientDeliveryError
from hub.observe import logger

_log = logger(__name__)
_SCOPES = ("https://www.googleapis.com/auth/firebase.messaging",)
_LOOK_EVERY_S = 20.0
_REFRESH_TIMEOUT_S = 20.0


def from_file(path: str) -> Credentials:
    """Return the credentials of a service account's JSON file. Raises ConfigurationError."""
    try:
        credentials: Credentials = service_account.Credentials.from_service_account_file(  # type: ignore[no-untyped-call]
            path, scopes=_SCOPES
        )
    except (OSError, ValueError) as error:
        advice = f"cannot be read as a service account's JSON file: {error}"
        raise ConfigurationError([Mistake("settings", "push.fcm.credentials_file", path, advice)]) from error
    return credentials


def fixed(token: str) -> Credentials:
    """Return credentials that never end: for a stand-in."""
    credentials: Credentials = FixedCredentials(token)  # type: ignore[no-untyped-call]
    return credentials


class Bearer:
    """Keeps the token for requests fresh. A request never refreshes it itself; after a 401 it asks for that."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._wanted = asyncio.Event()

    def header(self) -> str:
        """Return the value of `Authorization` with the token that there is."""
        return f"Bearer {self._credentials.token}"

    def refused(self) -> None:
        """Get another token soon: the provider does not take this one."""
        self._wanted.set()

    def check(self) -> None:
        """Raise TransientDeliveryError where there is no token that is good now."""
        if not self._credentials.valid:
            self._wanted.set()
            raise TransientDeliveryError("there is no access token for FCM at present", provider_down=True)

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Get a token, and go on doing so before it ends. A failure is logged and tried again."""
        if not isinstance(self._credentials, FixedCredentials):
            await self._refresh()
            task = asyncio.create_task(self._keep(), name="fcm-token")
        else:
            task = None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), _LOOK_EVERY_S)
            asked = self._wanted.is_set()
            self._wanted.clear()
            if asked or not self._credentials.valid or _is_stale(self._credentials):
                await self._refresh()

    async def _refresh(self) -> None:
        request = Request()
        try:
            async with asyncio.timeout(_REFRESH_TIMEOUT_S):
                await asyncio.to_thread(self._credentials.refresh, request)
        except (GoogleAuthError, TimeoutError, OSError) as error:
            _log.warning("fcm_token_not_refreshed", problem=str(error) or repr(error))


def _is_stale(credentials: Credentials) -> bool:
    # google-auth calls a token fresh until a few minutes before its end.
    return str(getattr(credentials, "token_state", "")).endswith("STALE")

"""Twilio's Programmable Messaging through its own SDK.

Its HTTP client is extended where it falls short: it forgets its timeout, and an exception of the SDK has lost the
Retry-After. Nothing is ever sent twice by the client itself: a message has no idempotency key.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
from twilio.base import values
from twilio.base.exceptions import TwilioException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from channels.channel import Committing
from channels.sms.message import SmsMessage
from channels.sms.replies import refusal
from hub.domain.errors import TransientDeliveryError, UnknownDeliveryError
from hub.domain.notifications import Lane
from hub.settings import Twilio as Settings

_SERVICE = "MG"
"""How the id of a messaging service begins; anything else is a number or a name to send from."""
_VALIDITY_MAX_S = 36_000


class Twilio:
    """One account."""

    def __init__(self, client: Client, settings: Settings, *, callback_url: str) -> None:
        """Take `callback_url`, to which status callbacks go; the message's receipt is appended to it."""
        self.name = settings.name
        self._client = client
        self._settings = settings
        self._callback_url = callback_url

    async def send(self, message: SmsMessage, *, lane: Lane, committing: Committing) -> str:
        """Hand over one text message and return Twilio's id of it.

        Raises the delivery errors; those of `committing` pass.
        """
        sender = self._sender(message.country)
        await committing()
        try:
            taken = await self._client.messages.create_async(
                to=message.to,
                body=message.body,
                status_callback=f"{self._callback_url}/{message.receipt}" if self._callback_url else values.unset,
                validity_period=max(1, min(message.validity_s, _VALIDITY_MAX_S)),
                **sender,
            )
        except aiohttp.ClientConnectorError as error:
            raise TransientDeliveryError(f"{self.name} cannot be reached: {error}", provider_down=True) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnknownDeliveryError(f"no clean answer: {error!r}") from error
        except (TwilioException, ValueError, TypeError, AttributeError) as error:
            raise UnknownDeliveryError(f"an answer that makes no sense: {error!r}") from error
        if not taken.sid:
            raise UnknownDeliveryError("an answer without a message id")
        return str(taken.sid)

    def _sender(self, country: str) -> dict[str, str]:
        sender = self._settings.senders.get(country, self._settings.sender)
        return {"messaging_service_sid": sender} if sender.startswith(_SERVICE) else {"from_": sender}


class _HttpClient(AsyncTwilioHttpClient):  # type: ignore[misc]
    """The SDK's client, with a timeout that counts and refusals that keep what they say."""

    def __init__(self, *, timeout_s: float, places: int) -> None:
        super().__init__(pool_connections=False)
        self.session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=timeout_s), connector=aiohttp.TCPConnector(limit=places)
        )

    async def request(  # noqa: PLR0917 - the SDK's own signature
        self,
        method: str,
        url: str,
        params: Any = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,  # noqa: FBT001, FBT002 - as above
    ) -> Response:
        """Make one request. Raises the delivery error of an answer that is no acceptance."""
        login = {"Authorization": aiohttp.encode_basic_auth(*auth)} if auth else {}
        async with self.session.request(
            method, url, params=params, data=data, headers={**(headers or {}), **login}, allow_redirects=allow_redirects
        ) as answer:
            text = await answer.text(errors="replace")
            if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
                wait_s = _retry_after_s(answer.headers.get("Retry-After", ""))
                raise refusal(answer.status, _code_of(text), retry_after_s=wait_s)
            return Response(answer.status, text, answer.headers)


def _code_of(text: str) -> int | None:
    try:
        code: Any = json.loads(text)["code"]
        return int(code)
    except (ValueError, KeyError, TypeError):
        return None


def _retry_after_s(text: str) -> float | None:
    try:
        return max(0.0, float(text))
    except ValueError:
        return None


@asynccontextmanager
async def open_twilio(settings: Settings, *, callback_url: str) -> AsyncIterator[Twilio]:
    """Open an account; connects when first used."""
    http = _HttpClient(timeout_s=settings.timeout_s, places=settings.concurrency)
    client = Client(settings.account_sid, settings.auth_token, http_client=http)
    if settings.endpoint:
        client.api.base_url = settings.endpoint.rstrip("/")
    try:
        yield Twilio(client, settings, callback_url=callback_url)
    finally:
        await http.session.close()

"""What the bare SDKs do: the same number of calls of the same stand-in, with nothing of Doorbell's around them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import aiosmtplib
import firebase_admin
from firebase_admin import credentials, messaging
from google.oauth2.credentials import Credentials
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from loadtest.delivery.providers import Provider
from loadtest.delivery.throughput import NAME
from loadtest.measure import Figure

_AT_ONCE = 32
_HEAD = (
    b"From: shop@shop.example\r\nTo: zoe@example.com\r\nSubject: Thank you\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n\r\n"
)
_MAIL = _HEAD + b"<p>We have your order, and tell you when it is packed.</p>\r\n" * 90
"""About as long as one of Doorbell's."""
_Call = Callable[[int], Awaitable[object]]


async def measure(providers: Mapping[str, Provider], *, seconds: float) -> dict[str, list[Figure]]:
    """Return the figures of each SDK, by provider; the first of each is calls a second."""
    return {
        "relay": await _mails(providers["relay"].url, seconds),
        "twilio": await _texts(providers["twilio"].url, seconds),
        "fcm": await _pushes(providers["fcm"].url, seconds),
    }


async def _mails(url: str, seconds: float) -> list[Figure]:
    host, _, port = url.rpartition("/")[2].partition(":")
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(aiosmtplib.SMTP(hostname=host, port=int(port))) for _ in range(_AT_ONCE)
        ]
        return await _rate(
            "aiosmtplib",
            lambda place: clients[place].sendmail("shop@shop.example", ["zoe@example.com"], _MAIL),
            seconds,
        )


async def _texts(url: str, seconds: float) -> list[Figure]:
    http = AsyncTwilioHttpClient()
    client = Client("AC" + "0" * 32, "stand-in", http_client=http)
    client.api.base_url = url

    def text(_: int) -> Awaitable[object]:
        sent: Awaitable[object] = client.messages.create_async(to="+447400000000", from_="Shop", body="On its way.")
        return sent

    try:
        return await _rate("twilio", text, seconds)
    finally:
        await http.session.close()


class _Fixed(credentials.Base):  # type: ignore[misc]
    def get_credential(self) -> Credentials:
        return Credentials("stand-in")  # type: ignore[no-untyped-call]


async def _pushes(url: str, seconds: float) -> list[Figure]:
    app = await asyncio.to_thread(firebase_admin.initialize_app, _Fixed(), {"projectId": "load"}, name="ceiling")
    service = await asyncio.to_thread(messaging._get_messaging_service, app)  # noqa: SLF001
    service._fcm_url = f"{url}/v1/projects/load/messages:send"  # noqa: SLF001

    def push(_: int) -> Awaitable[object]:
        sent: Awaitable[Any] = messaging.send_each_async([_push()], app=app)
        return sent

    try:
        return await _rate("firebase-admin", push, seconds)
    finally:
        await service._async_client.aclose()  # noqa: SLF001
        await asyncio.to_thread(firebase_admin.delete_app, app)


def _push() -> messaging.Message:
    return messaging.Message(
        fid="device-1",
        notification=messaging.Notification(title="On its way", body="Your parcel comes today."),
        data={"notification_id": "load-1"},
    )


async def _rate(sdk: str, call: _Call, seconds: float) -> list[Figure]:
    """Make calls, so many at once, for a time; the first ones open connections and do not count."""
    done = 0
    until_s = 0.0

    async def keep_calling(place: int) -> None:
        nonlocal done
        while time.perf_counter() < until_s:
            await call(place)
            done += 1

    until_s = time.perf_counter() + seconds / 5
    await asyncio.gather(*map(keep_calling, range(_AT_ONCE)))
    done = 0
    began_s, cpu_s = time.perf_counter(), time.process_time()
    until_s = began_s + seconds
    await asyncio.gather(*map(keep_calling, range(_AT_ONCE)))
    took_s, used_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    return [
        Figure(NAME, f"the bare {sdk}: calls a second", done / took_s, "1/s"),
        Figure(NAME, f"the bare {sdk}: CPU each", used_s / max(1, done) * 1e6, "µs"),
    ]

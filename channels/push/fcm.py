"""Firebase Cloud Messaging through its own SDK: Android, iOS and browsers alike.

The only module that touches private names of firebase-admin (pinned below 8): its async client, which is replaced by
one that is faster and does not retry by itself - a job does that, with the provider's Retry-After - and its URL.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import firebase_admin
from firebase_admin import exceptions, messaging
from google.auth.credentials import Credentials

from channels.channel import Committing
from channels.push.credentials import Bearer, fixed, from_file
from channels.push.http import HttpClient
from channels.push.message import PushMessage
from channels.push.replies import Fate, Reply, reply_of
from hub.domain.devices import Device, DeviceId, Kind
from hub.domain.errors import PermanentDeliveryError, TransientDeliveryError, UnknownDeliveryError
from hub.domain.ids import UserId
from hub.domain.notifications import Lane
from hub.observe import logger
from hub.settings import Fcm as Settings

_log = logger(__name__)
Forget = Callable[[UserId, Sequence[DeviceId]], Awaitable[object]]


class Fcm:
    """One Firebase project."""

    def __init__(self, app: firebase_admin.App, *, name: str, bearer: Bearer, forget: Forget) -> None:
        """Take `forget`, which is told the devices whose registrations are dead."""
        self.name = name
        self._app = app
        self._bearer = bearer
        self._forget = forget

    async def send(self, message: PushMessage, *, lane: Lane, committing: Committing) -> str:
        """Send to all devices at once; return FCM's id of the first that took it, and how many did.

        Raises:
            TransientDeliveryError: FCM takes nothing for now, and no device has it.
            PermanentDeliveryError: no device will ever take it.
            UnknownDeliveryError: no device is known to have it, one may.
        """
        self._bearer.check()
        prepared = [(device, encoded(message, device)) for device in message.devices]
        await committing()
        replies = await asyncio.gather(*(self._send_one(each) for _, each in prepared))
        await self._clean_up(message, [device for device, _ in prepared], replies)
        return _summary(replies)

    async def _send_one(self, message: messaging.Message) -> Reply:
        # One at a time: an answer that makes no sense fails a whole batch of the SDK's, taken messages included.
        try:
            batch = await messaging.send_each_async([message], app=self._app)
        except exceptions.UnknownError as error:
            return Reply(Fate.UNKNOWN, f"no answer that makes sense: {error.cause!r}")
        except ValueError as error:
            return Reply(Fate.REFUSED, f"the SDK refuses it: {error}")
        (response,) = batch.responses
        if response.exception is not None:
            return reply_of(response.exception)
        if response.message_id is None:
            return Reply(Fate.UNKNOWN, "an answer without a message id")
        return Reply(Fate.TAKEN, response.message_id.rpartition("/")[2])

    async def _clean_up(self, message: PushMessage, devices: Sequence[Device], replies: Sequence[Reply]) -> None:
        for device, reply in zip(devices, replies, strict=True):
            if reply.fate is not Fate.TAKEN:
                _log.info("push_not_taken", notification=message.id, device=device.id, word=reply.word)
        gone = [device.id for device, reply in zip(devices, replies, strict=True) if reply.fate is Fate.GONE]
        if gone:
            await self._forget(message.user, gone)


def _summary(replies: Sequence[Reply]) -> str:
    taken = [reply.word for reply in replies if reply.fate is Fate.TAKEN]
    if taken:
        return f"{taken[0]} ({len(taken)} of {len(replies)})"
    words = "; ".join(dict.fromkeys(reply.word for reply in replies))
    if any(reply.fate is Fate.UNKNOWN for reply in replies):
        raise UnknownDeliveryError(words)
    waiting = [reply for reply in replies if reply.fate is Fate.LATER]
    if waiting:
        waits = [reply.retry_after_s for reply in waiting if reply.retry_after_s is not None]
        raise TransientDeliveryError(words, max(waits, default=None), provider_down=True)
    raise PermanentDeliveryError(words)


def encoded(message: PushMessage, device: Device) -> messaging.Message:
    """Return the message for one device, in the SDK's form: what is shown, and how each platform treats it."""
    made = messaging.Message(
        fid=device.registration,
        notification=messaging.Notification(title=message.title, body=message.body),
        data=message.data,
        android=messaging.AndroidConfig(
            collapse_key=message.collapse_key,
            priority="high" if message.urgent else "normal",
            ttl=message.ttl_s,
            notification=messaging.AndroidNotification(tag=message.collapse_key, notification_count=message.badge),
        ),
        apns=messaging.APNSConfig(
            headers=_apns_headers(message),
            payload=messaging.APNSPayload(messaging.Aps(badge=message.badge, sound="default", thread_id=None)),
        ),
        webpush=messaging.WebpushConfig(
            headers={"TTL": str(message.ttl_s), "Urgency": "high" if message.urgent else "low"},
            notification=messaging.WebpushNotification(tag=message.collapse_key),
            fcm_options=_web_link(message.link),
        ),
    )
    if device.kind is Kind.TOKEN:
        # Giving it to the constructor is deprecated; FCM goes on taking registration tokens.
        made.fid, made.token = None, device.registration
    return made


def _apns_headers(message: PushMessage) -> dict[str, str]:
    headers = {"apns-priority": "10" if message.urgent else "5", "apns-collapse-id": message.collapse_key}
    if message.ttl_s == 0:
        headers["apns-expiration"] = "0"
    return headers


def _web_link(link: str) -> Any:
    # The SDK refuses anything but https here; the link is in `data` as well.
    return messaging.WebpushFCMOptions(link=link) if link.startswith("https://") else None


@asynccontextmanager
async def open_fcm(settings: Settings, *, forget: Forget) -> AsyncIterator[Fcm]:
    """Open a project: its credentials, kept fresh, and its client. Raises ConfigurationError.

    With `endpoint`, messages go there instead of to Google, under a fixed token where there is no credentials file.
    """
    credentials = await asyncio.to_thread(_credentials, settings)
    bearer = Bearer(credentials)
    # The SDK keeps apps by name for the whole process, and builds SSL contexts: both are no work for the loop.
    app = await asyncio.to_thread(_app, settings, credentials)
    service = messaging._get_messaging_service(app)  # noqa: SLF001
    client = HttpClient(bearer, timeout_s=settings.timeout_s, connections=settings.concurrency)
    unused, service._async_client = service._async_client, client  # noqa: SLF001
    await unused.aclose()
    if settings.endpoint:
        service._fcm_url = f"{settings.endpoint.rstrip('/')}/v1/projects/{app.project_id}/messages:send"  # noqa: SLF001
    try:
        async with bearer.kept_fresh():
            yield Fcm(app, name=settings.name, bearer=bearer, forget=forget)
    finally:
        await client.aclose()
        await asyncio.to_thread(firebase_admin.delete_app, app)


def _credentials(settings: Settings) -> Credentials:
    if settings.credentials_file:
        return from_file(settings.credentials_file)
    return fixed("stand-in")


class _Given(firebase_admin.credentials.Base):  # type: ignore[misc]
    """Credentials that are made already."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def get_credential(self) -> Credentials:
        """Return them."""
        return self._credentials


def _app(settings: Settings, credentials: Credentials) -> firebase_admin.App:
    project = settings.project_id or getattr(credentials, "project_id", None)
    options = {"projectId": project, "httpTimeout": settings.timeout_s}
    name = f"{settings.name}-{secrets.token_hex(4)}"
    app = firebase_admin.initialize_app(_Given(credentials), options, name=name)
    messaging._get_messaging_service(app)  # noqa: SLF001
    return app

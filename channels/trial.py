"""Tries a channel's providers with one message, outside of any ladder: for who has just set them up.

They are asked in order, as for a real message, but with nothing around them: no pace, no breaker, no limits on texts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from importlib import import_module
from typing import Generic, TypeAlias, TypeVar

import msgspec

from channels.email.address import mailbox, sender
from channels.email.message import Mail
from channels.email.message import build as build_mail
from channels.email.provider import open_relay
from channels.email.relay import relays
from channels.providers import Provider
from channels.push.message import PushMessage
from channels.sms.message import SmsMessage
from channels.sms.numbers import number
from hub.domain.channels import EMAIL, PUSH, SMS
from hub.domain.devices import Device, Kind, Platform
from hub.domain.errors import (
    ConfigurationError,
    InputError,
    Mistake,
    PermanentDeliveryError,
    TransientDeliveryError,
    UnknownDeliveryError,
)
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import Lane
from hub.settings import Settings
from templates.renderer import Renderer
from templates.segments import plain

_NOBODY = UserId("doorbell-test")
_TEMPLATE = "message"
_CONTEXT = {
    "title": "A test from Doorbell",
    "body": "If you can read this, this channel works.",
    "name": None,
}
_GOOD_FOR_S = 600
_M = TypeVar("_M")
_Opening: TypeAlias = AbstractAsyncContextManager[Provider[_M]]


class Outcome(StrEnum):
    """What a provider made of the message."""

    TAKEN = "taken"
    REFUSED = "refused"
    """Nothing was taken: another try, or the next provider, may go better."""
    IMPOSSIBLE = "impossible"
    """Nobody will ever take it."""
    UNKNOWN = "unknown"
    """It may have been taken."""
    NOT_ASKED = "not asked"


class Finding(msgspec.Struct, frozen=True):
    """What one provider made of the message, and its words."""

    provider: str
    outcome: Outcome
    words: str


class Trial(Generic[_M]):
    """A message, and the providers that will be asked to take it."""

    def __init__(self, message: _M, openings: Sequence[tuple[str, Callable[[], _Opening[_M]]]]) -> None:
        self._message = message
        self._openings = openings

    async def run(self, *, every: bool) -> AsyncIterator[Finding]:
        """Ask one provider after the other until it is not sure that nobody has taken it; with `every`, all of them.

        Raises ConfigurationError where a provider's settings will not do.
        """
        settled = ""
        for name, opening in self._openings:
            if settled and not every:
                yield Finding(name, Outcome.NOT_ASKED, settled)
                continue
            outcome, words = await self._ask(opening)
            if outcome is not Outcome.REFUSED:
                settled = f"{name} has settled it"
            yield Finding(name, outcome, words)

    async def _ask(self, opening: Callable[[], _Opening[_M]]) -> tuple[Outcome, str]:
        async with opening() as provider:
            try:
                word = await provider.send(self._message, lane=Lane.CRITICAL, committing=_nothing_holds_it_back)
            except TransientDeliveryError as error:
                return Outcome.REFUSED, str(error)
            except PermanentDeliveryError as error:
                return Outcome.IMPOSSIBLE, str(error)
            except UnknownDeliveryError as error:
                return Outcome.UNKNOWN, str(error)
            return Outcome.TAKEN, word


AnyTrial = Trial[Mail] | Trial[PushMessage] | Trial[SmsMessage]


async def _nothing_holds_it_back() -> None:
    """No job is behind it."""


async def trial(
    channel: str, to: str, *, kind: Kind, message: NotificationId, settings: Settings, renderer: Renderer, now_ms: int
) -> AnyTrial:
    """Return a trial of a built-in channel. `to` is a mailbox, a number in E.164, or a registration of `kind`.

    Raises ConfigurationError where the channel is not configured, and InputError for a bad `to`.
    """
    match channel:
        case "email":
            return _by_email(to, message, settings, renderer, now_ms)
        case "sms":
            return _by_sms(to, message, settings, renderer)
        case "push":
            return await _by_push(Device(kind, to, Platform.ANDROID, now_ms, now_ms), message, settings, renderer)
        case _:
            raise InputError("channel", f"is none of {PUSH}, {SMS}, {EMAIL}")


def _by_email(to: str, message: NotificationId, settings: Settings, renderer: Renderer, now_ms: int) -> Trial[Mail]:
    if not settings.smtp.all_relays:
        raise _not_configured("smtp.url", "no mail relay is configured")
    recipient = mailbox(to)
    if recipient is None:
        raise InputError("--to", f"{to} is no mailbox; write name@domain")
    own = sender(settings.smtp.sender)
    text = renderer.email(_TEMPLATE, settings.default_locale, "UTC", {**_CONTEXT, "shop": own.name})
    mail = build_mail(message, text, sender=own, recipient=recipient, at_ms=now_ms)
    openings = [
        (each.name, lambda each=each, address=address: open_relay(each, address, own_name=own.domain, tls=None))
        for each, address in zip(settings.smtp.all_relays, relays(settings.smtp), strict=True)
    ]
    return Trial(mail, openings)


def _by_sms(to: str, message: NotificationId, settings: Settings, renderer: Renderer) -> Trial[SmsMessage]:
    accounts = settings.sms.twilio
    if not accounts:
        raise _not_configured("sms.twilio", "no account is configured")
    found = number(to)
    if found is None:
        raise InputError("--to", f"{to} takes no texts; write a mobile number in E.164: +4915112345678")
    if settings.sms.countries and found.country not in settings.sms.countries:
        raise InputError("--to", f"is in {found.country}, where sms.countries lets no text go")
    # Twilio's SDK takes half a second to import: only where it is asked.
    open_twilio = import_module("channels.sms.twilio").open_twilio
    body = plain(renderer.sms(_TEMPLATE, settings.default_locale, "UTC", _CONTEXT).body)
    text = SmsMessage(message, _NOBODY, found.e164, found.country, body, _GOOD_FOR_S, "")
    openings = [(each.name, lambda each=each: open_twilio(each, callback_url="")) for each in accounts]
    return Trial(text, openings)


async def _by_push(
    device: Device, message: NotificationId, settings: Settings, renderer: Renderer
) -> Trial[PushMessage]:
    projects = settings.push.fcm
    if not projects:
        raise _not_configured("push.fcm", "no project is configured")
    # As heavy as Twilio's, and it reads files.
    fcm = await asyncio.to_thread(import_module, "channels.push.fcm")
    text = renderer.push(_TEMPLATE, settings.default_locale, "UTC", _CONTEXT)
    push = PushMessage(
        id=message,
        user=_NOBODY,
        devices=(device,),
        title=text.title,
        body=text.body,
        link=settings.shop_url or settings.public_url,
        data={"notification_id": message, "category": "test"},
        badge=0,
        collapse_key=message,
        urgent=True,
        ttl_s=_GOOD_FOR_S,
    )
    openings = [(each.name, lambda each=each: fcm.open_fcm(each, forget=_forget_nothing)) for each in projects]
    return Trial(push, openings)


async def _forget_nothing(*_: object) -> None:
    """A registration that is dead is told; nobody keeps it here."""


def _not_configured(key: str, advice: str) -> ConfigurationError:
    return ConfigurationError([Mistake("settings", key, "(missing)", f"{advice}; see docs/reference/configuration.md")])

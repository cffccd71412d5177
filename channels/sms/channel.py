"""The SMS channel: renders a notification as a text message, within what may be sent to a number, and hands it over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from channels.channel import Committing
from channels.providers import Providers
from channels.sms.message import SmsMessage
from channels.sms.numbers import Number, number
from hub.domain.channels import SMS
from hub.domain.errors import PermanentDeliveryError
from hub.domain.ids import NotificationId, UserId
from hub.domain.links import whole_link
from hub.domain.notifications import Notification
from hub.domain.people import Person
from hub.observe import SMS_HELD_BACK, logger
from hub.settings import Sms as Settings
from hub.store.velocity import Bound
from templates.renderer import Renderer
from templates.segments import cut, plain

_log = logger(__name__)
_HOUR_S, _DAY_S = 3_600, 86_400
_VALIDITY_S = 14_400


class Windows(Protocol):
    """What has been sent to numbers (`hub.store.velocity.Velocity`). Raises StoreUnavailable."""

    async def take(self, what: str, bounds: Sequence[Bound]) -> str | None:
        """Count a message; return the bound that leaves no room for it."""
        ...


class SmsChannel:
    """Sends text messages. One whose outcome is unknown is not sent again: nobody drops a double."""

    name = SMS
    resends_unknown = False

    def __init__(
        self,
        providers: Providers[SmsMessage],
        settings: Settings,
        *,
        windows: Windows,
        renderer: Renderer,
        public_url: str,
        default_locale: str,
        receipt: Callable[[UserId, NotificationId], str],
        clock: Callable[[], int],
    ) -> None:
        """Take `receipt`, which makes the signed name of a notification for status callbacks, and `clock`, Unix ms."""
        self.providers = providers
        self._settings = settings
        self._windows = windows
        self._renderer = renderer
        self._public_url = public_url
        self._default_locale = default_locale
        self._receipt = receipt
        self._clock = clock

    async def addresses(self, people: Sequence[Person]) -> list[str | None]:
        """Return each person's number in E.164, None where it takes no texts or its country is not allowed."""
        numbers = [number(person.phone) if person.phone else None for person in people]
        return [found.e164 if found is not None and self._allows(found) else None for found in numbers]

    async def send(self, notification: Notification, person: Person, *, address: str, committing: Committing) -> str:
        """Send the text message of a notification and return the provider's id for it.

        Raises the delivery errors (permanent, too, where too much has gone to the number or its neighbours),
        TemplateError where there is no text that could be sent, and StoreUnavailable.
        """
        found = number(address)
        if found is None or not self._allows(found):
            raise PermanentDeliveryError("no number that takes texts")
        message = self._message(notification, person, found)
        full = await self._windows.take(notification.id, self._bounds(found))
        if full is not None:
            SMS_HELD_BACK.labels(full).inc()
            _log.warning("sms_held_back", bound=full, country=found.country, notification=notification.id)
            raise PermanentDeliveryError(f"too many texts: {full}")
        return await self.providers.send(message, lane=notification.lane, committing=committing)

    def _allows(self, found: Number) -> bool:
        return not self._settings.countries or found.country in self._settings.countries

    def _bounds(self, found: Number) -> tuple[Bound, ...]:
        settings = self._settings
        return (
            Bound("number-hour", found.e164, settings.per_number_hour, _HOUR_S),
            Bound("number-day", found.e164, settings.per_number_day, _DAY_S),
            Bound("prefix-hour", found.prefix, settings.per_prefix_hour, _HOUR_S),
            Bound("country-day", found.country, settings.per_country_day, _DAY_S),
        )

    def _message(self, notification: Notification, person: Person, found: Number) -> SmsMessage:
        locale = person.locale or self._default_locale
        context = {
            **notification.context,
            "name": person.name,
            "link": whole_link(self._public_url, notification.link),
        }
        text = self._renderer.sms(notification.template, locale, person.time_zone or "UTC", context)
        return SmsMessage(
            id=notification.id,
            user=person.user,
            to=found.e164,
            country=found.country,
            body=cut(plain(text.body), self._settings.max_segments),
            validity_s=self._validity_s(notification),
            receipt=self._receipt(person.user, notification.id),
        )

    def _validity_s(self, notification: Notification) -> int:
        if notification.expires_ms is None:
            return _VALIDITY_S
        return max(1, min(_VALIDITY_S, (notification.expires_ms - self._clock()) // 1_000))

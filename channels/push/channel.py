"""The push channel: renders a notification for a person's devices and hands it to a provider."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from channels.channel import Committing
from channels.providers import Providers
from channels.push.message import PushMessage, build
from hub.domain.channels import PUSH, Channel
from hub.domain.devices import Device
from hub.domain.errors import PermanentDeliveryError
from hub.domain.ids import UserId
from hub.domain.notifications import Notification
from hub.domain.people import Person
from templates.renderer import Renderer

NO_DEVICE = "no device is registered any more"


class DeviceBook(Protocol):
    """The devices (`hub.store.devices.Devices`). Raises StoreUnavailable."""

    async def of_many(self, users: Sequence[UserId]) -> list[list[Device]]:
        """Return the devices of people."""
        ...


class UnreadCounts(Protocol):
    """The inbox (`hub.store.inbox.Inbox`). Raises StoreUnavailable."""

    async def unread(self, user: UserId) -> int:
        """Return how many entries are unread."""
        ...


class Links(Protocol):
    """The links of notifications (`channels.registry.Tools`)."""

    def direct_link(self, notification: Notification) -> str:
        """Return where a notification's link leads."""
        ...

    def tracked_link(self, notification: Notification, channel: Channel) -> str:
        """Return the link that goes out over a channel."""
        ...


class PushChannel:
    """Sends one push to all devices of a person.

    It has arrived when one of them has it. A push whose outcome is unknown is sent again: it has the same collapse key,
    and a device that has it already shows it once.
    """

    name = PUSH
    resends_unknown = True

    def __init__(
        self,
        providers: Providers[PushMessage],
        *,
        devices: DeviceBook,
        unread: UnreadCounts,
        renderer: Renderer,
        links: Links,
        default_locale: str,
        clock: Callable[[], int],
    ) -> None:
        """Take `links`, which makes the links of pushes, and `clock`, Unix ms."""
        self.providers = providers
        self._devices = devices
        self._unread = unread
        self._renderer = renderer
        self._links = links
        self._default_locale = default_locale
        self._clock = clock

    async def addresses(self, people: Sequence[Person]) -> list[str | None]:
        """Return the person's id for whoever has a device: the devices themselves are looked up when it is sent."""
        found = await self._devices.of_many([person.user for person in people])
        return [person.user if devices else None for person, devices in zip(people, found, strict=True)]

    async def send(self, notification: Notification, person: Person, *, address: str, committing: Committing) -> str:
        """Send the push of a notification and return which provider took it, for how many devices.

        Raises the delivery errors, TemplateError where there is no text that could be shown, and StoreUnavailable.
        """
        (devices,) = await self._devices.of_many([person.user])
        if not devices:
            raise PermanentDeliveryError(NO_DEVICE)
        message = await self._message(notification, person, tuple(devices))
        return await self.providers.send(message, lane=notification.lane, committing=committing)

    async def _message(self, notification: Notification, person: Person, devices: tuple[Device, ...]) -> PushMessage:
        newest = devices[0]
        locale = newest.locale or person.locale or self._default_locale
        time_zone = newest.time_zone or person.time_zone or "UTC"
        context = {**notification.context, "name": person.name}
        return build(
            notification,
            self._renderer.push(notification.template, locale, time_zone, context),
            devices=devices,
            link=self._links.direct_link(notification),
            browser_link=self._links.tracked_link(notification, PUSH),
            badge=await self._unread.unread(person.user),
            now_ms=self._clock(),
        )

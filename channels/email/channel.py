"""The email channel: renders a notification for a person and hands it to a relay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from channels.channel import Committing
from channels.email.address import Sender, mailbox
from channels.email.domains import DomainPaces
from channels.email.message import Mail, build, one_click
from channels.links import in_html, in_text
from channels.providers import Providers
from hub.domain.channels import EMAIL, Channel
from hub.domain.ids import NotificationId, UserId
from hub.domain.mail_reports import MARK_HEADER
from hub.domain.notifications import Notification
from hub.domain.people import Person
from templates.renderer import Renderer
from templates.texts import EmailText


class Marking(Protocol):
    """What makes reports about mails recognizable (`hub.service.feedback.mail_marks.Marks`)."""

    def mark(self, notification: NotificationId, user: UserId, *, address: str) -> str:
        """Return the mark of a mail, empty where there is none."""
        ...

    async def return_path(self, notification: NotificationId, user: UserId, *, address: str) -> str:
        """Return where the bounces of a mail go, empty: to its sender. Raises StoreUnavailable."""
        ...


class Links(Protocol):
    """Links to a person's own pages (`hub.service.person.person_links.PersonLinks`), empty where there are none."""

    def preferences(self, user: UserId) -> str:
        """Return the link to a person's preferences."""
        ...

    def unsubscribe(self, user: UserId, category: str) -> str:
        """Return the link that ends marketing mails to a person."""
        ...


class Outward(Protocol):
    """The links that lead to the shop (`channels.registry.Tools`)."""

    def tracked_link(self, notification: Notification, channel: Channel) -> str:
        """Return a notification's link as it goes out over a channel."""
        ...

    def track(self, url: str, notification: Notification, channel: Channel) -> str:
        """Return a URL within its texts as it goes out over a channel."""
        ...

    def shown(self, url: str) -> str:
        """Return what people read where such a URL is written out."""
        ...


class EmailChannel:
    """Sends mails.

    A mail whose outcome is unknown is sent again: its Message-ID is the same, and receivers drop the double.
    """

    name = EMAIL
    resends_unknown = True

    def __init__(
        self,
        providers: Providers[Mail],
        *,
        domains: DomainPaces,
        marking: Marking,
        links: Links,
        renderer: Renderer,
        sender: Sender,
        outward: Outward,
        default_locale: str,
        clock: Callable[[], int],
    ) -> None:
        """Take `outward`, which makes the links of mails that lead out, and `clock`, Unix ms."""
        self._marking = marking
        self._links = links
        self.providers = providers
        self._domains = domains
        self._renderer = renderer
        self._sender = sender
        self._outward = outward
        self._default_locale = default_locale
        self._clock = clock

    async def addresses(self, people: Sequence[Person]) -> list[str | None]:
        """Return each person's mailbox as SMTP takes it."""
        return [mailbox(person.email) if person.email else None for person in people]

    async def send(self, notification: Notification, person: Person, *, address: str, committing: Committing) -> str:
        """Send the mail of a notification; return the relay that has taken it and its words.

        Raises the delivery errors, TemplateError where there is no text that could be sent, and StoreUnavailable.
        """
        # The turn comes first: a mail that has none was made in vain.
        await self._domains.take(address, notification.lane)
        return_path = await self._marking.return_path(notification.id, person.user, address=address)
        mail = self.mail(notification, person, address=address, return_path=return_path)
        return await self.providers.send(mail, lane=notification.lane, committing=committing)

    def mail(self, notification: Notification, person: Person, *, address: str, return_path: str = "") -> Mail:
        """Return the mail that `send` would hand over."""
        marketing = notification.is_marketing
        unsubscribe = self._links.unsubscribe(person.user, notification.category) if marketing else ""
        context = {
            **notification.context,
            "name": person.name,
            "shop": self._sender.name,
            "link": self._outward.tracked_link(notification, EMAIL),
            "preferences_link": self._links.preferences(person.user),
            "unsubscribe_link": unsubscribe,
        }
        locale = person.locale or self._default_locale
        text = self._renderer.email(notification.template, locale, person.time_zone or "UTC", context)
        mark = self._marking.mark(notification.id, person.user, address=address)
        more = {MARK_HEADER: mark} if mark else {}
        return build(
            notification.id,
            self._tracked(text, notification),
            sender=self._sender,
            recipient=address,
            at_ms=self._clock(),
            more=more | one_click(unsubscribe) if unsubscribe else more,
            return_path=return_path,
        )

    def _tracked(self, text: EmailText, notification: Notification) -> EmailText:
        """Lead every link to the shop by way of the hub: also those that a template or a value has written itself."""
        track = partial(self._outward.track, notification=notification, channel=EMAIL)
        html = in_html(text.html, track, label=self._outward.shown)
        return EmailText(text.subject, in_text(text.text, track), html)

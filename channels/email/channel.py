"""The email channel: renders a notification for a person and hands it to the relay."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from channels.channel import Committing
from channels.email.address import Sender, mailbox, sender
from channels.email.message import Mail, build
from channels.email.pool import SmtpPool
from channels.email.relay import relay
from channels.lanes import shares
from hub.domain.channels import EMAIL
from hub.domain.links import whole_link
from hub.domain.notifications import Lane, Notification
from hub.domain.people import Person
from hub.settings import Smtp
from templates.renderer import Renderer


class EmailChannel:
    """Sends mails. A pool of sessions for each lane, so that no lane waits for another's.

    A mail whose outcome is unknown is sent again: its Message-ID is the same, and receivers drop the double.
    """

    name = EMAIL
    resends_unknown = True

    def __init__(
        self,
        pools: Mapping[Lane, SmtpPool],
        *,
        renderer: Renderer,
        sender: Sender,
        public_url: str,
        default_locale: str,
        clock: Callable[[], int],
    ) -> None:
        """Take `public_url`, where the links of mails lead, and `clock`, Unix ms."""
        self._pools = pools
        self._renderer = renderer
        self._sender = sender
        self._public_url = public_url
        self._default_locale = default_locale
        self._clock = clock

    async def addresses(self, people: Sequence[Person]) -> list[str | None]:
        """Return each person's mailbox as SMTP takes it."""
        return [mailbox(person.email) if person.email else None for person in people]

    async def send(self, notification: Notification, person: Person, *, address: str, committing: Committing) -> str:
        """Send the mail of a notification and return the relay's words of acceptance.

        Raises the delivery errors, and TemplateError where there is no text that could be sent.
        """
        mail = self.mail(notification, person, address=address)
        return await self._pools[notification.lane].send(mail, committing=committing)

    def mail(self, notification: Notification, person: Person, *, address: str) -> Mail:
        """Return the mail that `send` would hand over."""
        context = {
            **notification.context,
            "name": person.name,
            "shop": self._sender.name,
            "link": whole_link(self._public_url, notification.link),
        }
        locale = person.locale or self._default_locale
        text = self._renderer.email(notification.template, locale, person.time_zone or "UTC", context)
        return build(notification.id, text, sender=self._sender, recipient=address, at_ms=self._clock())


def unix_ms() -> int:
    """Return the machine's time."""
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def open_email(
    settings: Smtp,
    *,
    renderer: Renderer,
    public_url: str,
    default_locale: str,
    tls: ssl.SSLContext | None = None,
    clock: Callable[[], int] = unix_ms,
) -> AsyncIterator[EmailChannel]:
    """Open the channel that `settings` describe, and close its sessions in the end. Connects when first used.

    `tls` replaces the system's certificates. Raises ConfigurationError for a URL or a sender that cannot be used.
    """
    address, own = relay(settings.url), sender(settings.sender)
    async with AsyncExitStack() as stack:
        pools = {
            lane: await stack.enter_async_context(
                SmtpPool(
                    address,
                    own_name=own.domain,
                    size=size,
                    mails_per_connection=settings.mails_per_connection,
                    timeout_s=settings.timeout_s,
                    tls=tls,
                )
            )
            for lane, size in shares(settings.pool_size).items()
        }
        yield EmailChannel(
            pools,
            renderer=renderer,
            sender=own,
            public_url=public_url,
            default_locale=default_locale,
            clock=clock,
        )

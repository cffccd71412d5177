"""The mail relay stand-in as fixtures. Use them with `from tests.mail_relay import mail_relay`."""

from collections.abc import AsyncIterator

import pytest_asyncio

from channels.standins.mail_relay import MailRelay


@pytest_asyncio.fixture
async def mail_relay() -> AsyncIterator[MailRelay]:
    """A relay of this test's own, on a private port; `mail_relay.faults` makes it fail."""
    async with MailRelay() as relay:
        yield relay

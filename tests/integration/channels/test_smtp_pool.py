import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from channels.email.address import sender
from channels.email.message import Mail, build
from channels.email.pool import SmtpPool
from channels.email.relay import relay
from channels.standins.mail_relay import MailRelay
from channels.standins.script import Fault, Phase
from hub.domain.errors import (
    DeliveryError,
    PermanentDeliveryError,
    StoreUnavailable,
    TransientDeliveryError,
    UnknownDeliveryError,
)
from hub.domain.ids import NotificationId
from templates.texts import EmailText
from tests.mail_relay import mail_relay

__all__ = ["mail_relay"]
SENDER = sender("Shop <no-reply@shop.example>")
TIMEOUT_S = 0.4


def mail(number: int = 1, *, text: str = "Hello\n.\n..dots\n") -> Mail:
    email = EmailText("Subject", text, "<p>Hello</p>")
    recipient = f"zoe{number}@example.com"
    return build(NotificationId(f"n-{number}"), email, sender=SENDER, recipient=recipient, at_ms=0)


class Sending:
    """A pool, and how often a mail came to its point of no return."""

    def __init__(self, pool: SmtpPool) -> None:
        self.pool = pool
        self.commits = 0

    async def __call__(self, number: int = 1) -> str:
        return await self.pool.send(mail(number), committing=self.committing)

    async def committing(self) -> None:
        self.commits += 1


@asynccontextmanager
async def sending(
    url: str, *, size: int = 2, mails_per_connection: int = 100, idle_s: float = 20.0, timeout_s: float = TIMEOUT_S
) -> AsyncIterator[Sending]:
    pool = SmtpPool(
        relay(url),
        own_name="shop.example",
        size=size,
        mails_per_connection=mails_per_connection,
        timeout_s=timeout_s,
        idle_s=idle_s,
    )
    async with pool:
        yield Sending(pool)


async def test_a_mail_arrives_as_it_was_written(mail_relay: MailRelay) -> None:
    async with sending(mail_relay.url) as send:
        await send()
    (taken,) = mail_relay.outbox.mails()
    assert (taken.sender, taken.recipients) == ("no-reply@shop.example", ("zoe1@example.com",))
    assert taken.content == mail().message
    plain = taken.parsed().get_body(("plain",))
    assert plain is not None
    assert plain.get_content() == "Hello\n.\n..dots\n"


async def test_a_connection_is_used_again(mail_relay: MailRelay) -> None:
    async with sending(mail_relay.url) as send:
        for number in range(5):
            await send(number)
    assert (mail_relay.outbox.total, mail_relay.sessions) == (5, 1)


async def test_a_connection_is_replaced_after_its_last_mail(mail_relay: MailRelay) -> None:
    async with sending(mail_relay.url, mails_per_connection=2) as send:
        for number in range(5):
            await send(number)
    assert (mail_relay.outbox.total, mail_relay.sessions) == (5, 3)


async def test_an_idle_connection_is_not_trusted_for_ever(mail_relay: MailRelay) -> None:
    async with sending(mail_relay.url, idle_s=0.0) as send:
        await send(1)
        await send(2)
    assert mail_relay.sessions == 2


async def test_there_are_never_more_connections_than_the_pool_may_have(mail_relay: MailRelay) -> None:
    async with sending(mail_relay.url, size=3) as send:
        await asyncio.gather(*(send(number) for number in range(30)))
    assert mail_relay.outbox.total == 30
    assert mail_relay.sessions <= 3


async def test_a_connection_that_the_relay_closed_is_replaced_without_a_failure(mail_relay: MailRelay) -> None:
    async with sending(mail_relay.url) as send:
        await send(1)
        mail_relay.hang_up()
        await send(2)
    assert (mail_relay.outbox.total, mail_relay.sessions) == (2, 2)


class Failing(NamedTuple):
    """One thing that goes wrong, and what it must come to."""

    fault: Fault
    error: type[DeliveryError]
    down: bool = False
    """It is no fault of the mail: the next relay is asked, and no try is used up."""
    suppress: bool = False
    """The address is bad."""
    kept: bool = False
    """The connection is clean and carries the next mail."""


BEFORE_MAIL = {Phase.BANNER, Phase.EHLO}
FAILURES = [
    Failing(Fault(Phase.BANNER, "421 4.3.2 too busy"), TransientDeliveryError, down=True),
    Failing(Fault(Phase.BANNER, "554 5.7.1 we do not know you"), TransientDeliveryError, down=True),
    Failing(Fault(Phase.BANNER, "HTTP/1.1 400 Bad Request"), TransientDeliveryError, down=True),
    Failing(Fault(Phase.BANNER, delay_s=5.0), TransientDeliveryError, down=True),
    Failing(Fault(Phase.BANNER, drop=True), TransientDeliveryError, down=True),
    Failing(Fault(Phase.EHLO, drop=True), TransientDeliveryError, down=True),
    Failing(Fault(Phase.EHLO, delay_s=5.0), TransientDeliveryError, down=True),
    Failing(Fault(Phase.EHLO, "421 4.3.2 closing"), TransientDeliveryError, down=True),
    Failing(Fault(Phase.MAIL, "421 4.7.0 too many connections"), TransientDeliveryError, down=True),
    Failing(Fault(Phase.MAIL, "451 4.3.0 try later"), TransientDeliveryError, down=True, kept=True),
    Failing(Fault(Phase.MAIL, "550 5.7.1 sender refused"), TransientDeliveryError, down=True, kept=True),
    Failing(Fault(Phase.MAIL, "nonsense"), TransientDeliveryError, down=True),
    Failing(Fault(Phase.MAIL, drop=True), TransientDeliveryError, down=True),
    Failing(Fault(Phase.MAIL, delay_s=5.0), TransientDeliveryError, down=True),
    Failing(Fault(Phase.RCPT, "450 4.2.0 greylisted"), TransientDeliveryError, kept=True),
    Failing(Fault(Phase.RCPT, "451 4.7.1 slow down"), TransientDeliveryError, kept=True),
    Failing(Fault(Phase.RCPT, "452 4.2.2 mailbox full"), TransientDeliveryError, kept=True),
    Failing(Fault(Phase.RCPT, "452 4.3.1 no space left"), TransientDeliveryError, down=True, kept=True),
    Failing(Fault(Phase.RCPT, "421 4.7.0 too many"), TransientDeliveryError, down=True),
    Failing(Fault(Phase.RCPT, "550 5.1.1 no such user"), PermanentDeliveryError, suppress=True, kept=True),
    Failing(Fault(Phase.RCPT, "550 no such user"), PermanentDeliveryError, suppress=True, kept=True),
    Failing(Fault(Phase.RCPT, "552 5.2.2 mailbox full"), PermanentDeliveryError, kept=True),
    Failing(Fault(Phase.RCPT, "550 5.7.1 policy"), PermanentDeliveryError, kept=True),
    Failing(Fault(Phase.RCPT, "999 what"), TransientDeliveryError, kept=True),
    Failing(Fault(Phase.RCPT, drop=True), TransientDeliveryError, down=True),
    Failing(Fault(Phase.RCPT, delay_s=5.0), TransientDeliveryError, down=True),
    Failing(Fault(Phase.DATA, "451 4.3.0 no space"), TransientDeliveryError, down=True, kept=True),
    Failing(Fault(Phase.DATA, "554 5.6.0 no"), PermanentDeliveryError, kept=True),
    Failing(Fault(Phase.DATA, drop=True), TransientDeliveryError, down=True),
    Failing(Fault(Phase.DATA, delay_s=5.0), TransientDeliveryError, down=True),
    Failing(Fault(Phase.BODY, drop=True), UnknownDeliveryError),
    Failing(Fault(Phase.DOT, "421 4.3.2 closing"), TransientDeliveryError, down=True),
    Failing(Fault(Phase.DOT, "451 4.3.0 try later"), TransientDeliveryError, down=True, kept=True),
    Failing(Fault(Phase.DOT, "554 5.7.1 looks like spam"), PermanentDeliveryError, kept=True),
    Failing(Fault(Phase.DOT, "550 5.1.1 no such user"), PermanentDeliveryError, suppress=True, kept=True),
    Failing(Fault(Phase.DOT, "nonsense"), UnknownDeliveryError),
    Failing(Fault(Phase.DOT, "354 what"), UnknownDeliveryError),
    Failing(Fault(Phase.DOT, drop=True), UnknownDeliveryError),
    Failing(Fault(Phase.DOT, delay_s=5.0), UnknownDeliveryError),
]


def named(failing: Failing) -> str:
    """What a failure is called in the list of tests."""
    fault = failing.fault
    return f"{fault.phase} {fault.reply or ('drop' if fault.drop else 'hang')}"


@pytest.mark.parametrize("failing", FAILURES, ids=named)
async def test_a_failure_is_told_for_what_it_is_and_the_next_mail_goes_through(
    mail_relay: MailRelay, failing: Failing
) -> None:
    async with sending(mail_relay.url) as send:
        mail_relay.faults.add(failing.fault)
        with pytest.raises(failing.error) as failed:
            await send(1)
        await send(2)
    error = failed.value
    assert getattr(error, "provider_down", False) is failing.down
    assert getattr(error, "suppress", False) is failing.suppress
    # SMTP has no word for when to come again: the backoff decides, or the relay's breaker.
    assert getattr(error, "retry_after_s", None) is None
    assert len(mail_relay.outbox.mails("zoe2@example.com")) == 1
    assert mail_relay.sessions == (1 if failing.kept else 2)


@pytest.mark.parametrize("failing", FAILURES, ids=named)
async def test_nothing_is_taken_by_a_failure_that_is_not_unknown_and_never_twice(
    mail_relay: MailRelay, failing: Failing
) -> None:
    async with sending(mail_relay.url) as send:
        mail_relay.faults.add(failing.fault)
        with pytest.raises(DeliveryError):
            await send(1)
    assert mail_relay.outbox.total <= (1 if failing.error is UnknownDeliveryError else 0)


@pytest.mark.parametrize("failing", [each for each in FAILURES if each.fault.phase not in BEFORE_MAIL], ids=named)
async def test_a_failure_on_a_kept_connection_leaves_nothing_behind(mail_relay: MailRelay, failing: Failing) -> None:
    async with sending(mail_relay.url, size=1) as send:
        await send(1)
        # Both tries of a mail whose kept connection breaks before it is handed over.
        mail_relay.faults.add(replace(failing.fault, times=2))
        with pytest.raises(failing.error):
            await send(2)
        mail_relay.faults.clear()
        for number in range(3, 6):
            await send(number)
    counts = [len(mail_relay.outbox.mails(f"zoe{number}@example.com")) for number in range(3, 6)]
    assert counts == [1, 1, 1]


@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.RCPT, Phase.DATA])
async def test_a_kept_connection_that_breaks_before_the_mail_is_replaced_once(
    mail_relay: MailRelay, phase: Phase
) -> None:
    async with sending(mail_relay.url) as send:
        await send(1)
        mail_relay.faults.add(Fault(phase, drop=True))
        await send(2)
    assert (mail_relay.outbox.total, mail_relay.sessions) == (2, 2)


async def test_a_kept_connection_that_breaks_after_the_mail_is_not_tried_again(mail_relay: MailRelay) -> None:
    async with sending(mail_relay.url) as send:
        await send(1)
        mail_relay.faults.add(Fault(Phase.DOT, drop=True))
        with pytest.raises(UnknownDeliveryError):
            await send(2)
    assert len(mail_relay.outbox.mails("zoe2@example.com")) == 1


async def test_the_point_of_no_return_comes_after_the_recipient_is_accepted(mail_relay: MailRelay) -> None:
    async with sending(mail_relay.url) as send:
        mail_relay.faults.add(Fault(Phase.RCPT, "450 4.2.0 later"))
        with pytest.raises(TransientDeliveryError):
            await send(1)
        assert send.commits == 0
        await send(1)
        assert send.commits == 1


async def test_a_mail_held_back_at_the_last_moment_is_not_sent(mail_relay: MailRelay) -> None:
    async def held_back() -> None:
        raise StoreUnavailable

    async with sending(mail_relay.url) as send:
        with pytest.raises(StoreUnavailable):
            await send.pool.send(mail(1), committing=held_back)
        await send(2)
    assert [taken.recipients for taken in mail_relay.outbox.mails()] == [("zoe2@example.com",)]
    assert mail_relay.sessions == 1


@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.DATA, Phase.DOT])
async def test_a_cancelled_mail_does_not_spoil_the_next_one(mail_relay: MailRelay, phase: Phase) -> None:
    async with sending(mail_relay.url, size=1) as send:
        await send(1)
        mail_relay.faults.add(Fault(phase, delay_s=0.2))
        task = asyncio.create_task(send(2))
        async with asyncio.timeout(30):
            while not mail_relay.faults.over:  # noqa: ASYNC110 - a server in this very loop, which sets no event
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await send(3)
    assert len(mail_relay.outbox.mails("zoe3@example.com")) == 1


async def test_nobody_listening_is_transient() -> None:
    async with sending("smtp://127.0.0.1:1") as send:
        with pytest.raises(TransientDeliveryError, match=r"no session with 127\.0\.0\.1:1"):
            await send()


async def test_starttls_that_was_stripped_is_a_failure_and_nothing_is_sent(mail_relay: MailRelay) -> None:
    async with sending(mail_relay.url.replace("smtp://", "smtp+starttls://")) as send:
        with pytest.raises(TransientDeliveryError, match="STARTTLS"):
            await send()
    assert mail_relay.outbox.total == 0


async def test_a_password_is_given_and_a_wrong_one_loses_nothing() -> None:
    async with MailRelay(login=("me", "secret")) as relay:
        async with sending(relay.url) as send:
            await send()
        async with sending(relay.url.replace("secret", "wrong"), timeout_s=10.0) as send:
            with pytest.raises(TransientDeliveryError, match="535"):
                await send()
    assert relay.outbox.total == 1

"""The email channel over real relays: which of them takes a mail, and what happens when one fails."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from channels.email.channel import EmailChannel, Marking
from channels.email.opening import open_email
from channels.registry import Tools
from channels.standins.mail_relay import MailRelay
from channels.standins.outbox import Taken
from channels.standins.script import Fault, Phase
from hub.domain.channels import EMAIL
from hub.domain.errors import ConfigurationError, PermanentDeliveryError, TransientDeliveryError, UnknownDeliveryError
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import Lane, Notification
from hub.domain.people import Person
from hub.service.feedback.clicks import ClickLinks
from hub.service.feedback.mail_marks import Marks, read_return_path
from hub.service.person.person_links import PersonLinks
from hub.service.signing import Signer
from hub.settings import Smtp, SmtpRelay
from hub.store.clock import unix_ms
from hub.store.keys import Keys
from hub.store.return_paths import Mailed, ReturnPaths
from hub.store.single import SingleServer
from hub.store.suppressions import address_digest
from templates.renderer import Renderer
from tests.mail_relay import mail_relay

__all__ = ["mail_relay"]
ZOE = Person(UserId("zoe"), email="zoe@example.com", name="Zoë", locale="en")
_renderer = Renderer()
SIGNER = Signer("a secret that is known to nobody")
LINKS = PersonLinks(SIGNER, public_url="https://hub.example", clock=unix_ms)


def notification(number: int = 1, *, lane: Lane = Lane.TRANSACTIONAL) -> Notification:
    return Notification(
        id=NotificationId(f"n-{number}"),
        user=ZOE.user,
        rule=RuleName("order-packed"),
        event_type="order.packed",
        category="orders",
        lane=lane,
        template=TemplateName("order-packed"),
        context={"order_id": "A-1"},
        created_ms=0,
    )


class Unmarked:
    """No marks, and bounces go to the sender."""

    def mark(self, notification: NotificationId, user: UserId, *, address: str) -> str:
        return ""

    async def return_path(self, notification: NotificationId, user: UserId, *, address: str) -> str:
        return ""


async def committing() -> None:
    """Nothing holds the mail back."""


async def send(channel: EmailChannel, number: int = 1, *, to: str = "zoe@example.com") -> str:
    return await channel.send(notification(number), ZOE, address=to, committing=committing)


@asynccontextmanager
async def over(settings: Smtp, *, marking: Marking | None = None) -> AsyncIterator[EmailChannel]:
    tools = Tools(_renderer, "https://shop.example", "en")
    async with open_email(settings, tools, marking=marking or Unmarked(), links=LINKS) as channel:
        yield channel


def spare(url: str) -> SmtpRelay:
    return SmtpRelay(url=url, name="spare", timeout_s=1.0)


async def test_the_first_relay_takes_what_it_can(mail_relay: MailRelay) -> None:
    async with MailRelay() as second, over(Smtp(url=mail_relay.url, relays=(spare(second.url),))) as channel:
        assert (await send(channel)).startswith("smtp:2.0.0 OK")
    assert (mail_relay.outbox.total, second.outbox.total) == (1, 0)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Phase.BANNER, "554 5.7.1 we do not know you"),
        Fault(Phase.BANNER, drop=True),
        Fault(Phase.MAIL, "451 4.3.0 try later"),
        Fault(Phase.RCPT, "421 4.7.0 too many"),
        Fault(Phase.RCPT, drop=True),
        Fault(Phase.DATA, "452 4.3.1 no space left"),
        Fault(Phase.DOT, "451 4.3.0 queue is full"),
    ],
    ids=lambda fault: f"{fault.phase} {fault.reply or 'drop'}",
)
async def test_what_one_relay_cannot_take_now_the_next_one_gets_once(mail_relay: MailRelay, fault: Fault) -> None:
    mail_relay.faults.add(fault)
    async with MailRelay() as second, over(Smtp(url=mail_relay.url, relays=(spare(second.url),))) as channel:
        assert (await send(channel)).startswith("spare:2.0.0 OK")
    assert (mail_relay.outbox.total, second.outbox.total) == (0, 1)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(Phase.RCPT, "550 5.1.1 no such user"), PermanentDeliveryError),
        (Fault(Phase.RCPT, "450 4.2.0 greylisted"), TransientDeliveryError),
        (Fault(Phase.DOT, drop=True), UnknownDeliveryError),
    ],
    ids=lambda value: str(getattr(value, "phase", "")),
)
async def test_what_is_about_the_mail_or_unknown_goes_to_no_other_relay(
    mail_relay: MailRelay, fault: Fault, expected: type[Exception]
) -> None:
    mail_relay.faults.add(fault)
    async with MailRelay() as second, over(Smtp(url=mail_relay.url, relays=(spare(second.url),))) as channel:
        with pytest.raises(expected):
            await send(channel)
    assert second.outbox.total == 0


async def test_a_relay_that_nobody_answers_at_is_left_alone_after_a_while(mail_relay: MailRelay) -> None:
    settings = Smtp(url="smtp://127.0.0.1:1", timeout_s=1.0, relays=(spare(mail_relay.url),))
    async with over(settings) as channel:
        for number in range(8):
            assert (await send(channel, number)).startswith("spare:")
        first, second = channel.providers.health
    assert (first.name, first.failing, second.failing) == ("smtp", True, False)
    assert first.rests_s > 0.0
    assert mail_relay.outbox.total == 8


async def test_while_the_only_relay_rests_a_mail_waits_for_the_end_of_it() -> None:
    async with over(Smtp(url="smtp://127.0.0.1:1", timeout_s=1.0)) as channel:
        waits = []
        for number in range(7):
            with pytest.raises(TransientDeliveryError) as refused:
                await send(channel, number)
            assert refused.value.provider_down
            waits.append(refused.value.retry_after_s)
    # Five failures in a row: then it is not even asked, and the time to come again is known.
    assert waits[:5] == [None] * 5
    assert all(wait is not None and 0.0 < wait <= 5.0 for wait in waits[5:])


async def test_relays_without_a_url_are_all_there_is(mail_relay: MailRelay) -> None:
    async with over(Smtp(relays=(SmtpRelay(url=mail_relay.url, name="own"),))) as channel:
        assert (await send(channel)).startswith("own:")


async def test_mails_to_a_domain_with_a_bound_come_back_later_and_others_pass(mail_relay: MailRelay) -> None:
    async with over(Smtp(url=mail_relay.url, domains={"slow.example": 0.001})) as channel:
        await send(channel, 1, to="zoe@slow.example")
        waits = []
        for number in (2, 3):
            with pytest.raises(TransientDeliveryError, match=r"slow\.example has had its mails") as refused:
                await send(channel, number, to="zoe@slow.example")
            waits.append(refused.value.retry_after_s or 0.0)
        await send(channel, 4, to="zoe@quick.example")
    assert waits[0] > 100.0
    assert waits[1] == pytest.approx(waits[0] + 1_000.0, abs=60.0)
    assert mail_relay.outbox.total == 2


async def test_a_relay_whose_url_cannot_be_used_is_named() -> None:
    with pytest.raises(ConfigurationError, match="a password needs"):
        async with over(Smtp(relays=(SmtpRelay(url="smtp://me:secret@mail.example", name="own"),))):
            pass


def part(mail: Taken, kind: str) -> str:
    body = mail.parsed().get_body((kind,))
    assert body is not None
    return str(body.get_content())


async def test_the_link_of_a_mail_leads_by_way_of_the_hub(mail_relay: MailRelay) -> None:
    signer = Signer("a secret of thirty-two bytes or more")
    clicks = ClickLinks(signer, public_url="https://hub.example", shop_url="https://shop.example")
    tools = Tools(_renderer, "https://shop.example", "en", clicks=clicks)
    told = replace(notification(), link="/orders/A-1")
    async with open_email(Smtp(url=mail_relay.url), tools, marking=Unmarked(), links=LINKS) as channel:
        await channel.send(told, ZOE, address="zoe@example.com", committing=committing)
    (mail,) = mail_relay.outbox.mails()
    link = clicks.tracked(told, EMAIL)
    assert link.startswith("https://hub.example/c/")
    assert f'href="{link}"' in part(mail, "html")
    assert link in part(mail, "plain")


async def test_a_marketing_mail_is_unsubscribed_from_with_one_click(mail_relay: MailRelay) -> None:
    async with over(Smtp(url=mail_relay.url)) as channel:
        offer = notification(lane=Lane.MARKETING)
        await channel.send(offer, ZOE, address="zoe@example.com", committing=committing)
    (mail,) = mail_relay.outbox.mails()
    link = str(mail.parsed()["List-Unsubscribe"]).strip("<>")
    assert mail.parsed()["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    token = link.removeprefix("https://hub.example/u/")
    found = LINKS.read_unsubscribe(token)
    assert found is not None
    assert (found.user, found.category) == (ZOE.user, "orders")
    assert f'href="{link}"' in part(mail, "html")
    assert f"Unsubscribe: {link}" in part(mail, "plain")
    assert "you have agreed to offers" in part(mail, "plain")


async def test_any_mail_leads_to_the_persons_preferences_and_only_marketing_ends(mail_relay: MailRelay) -> None:
    async with over(Smtp(url=mail_relay.url)) as channel:
        await send(channel)
    (mail,) = mail_relay.outbox.mails()
    assert mail.parsed()["List-Unsubscribe"] is None
    assert "/u/" not in part(mail, "plain")
    found = re.search(r"https://hub\.example/p/(\S+)", part(mail, "plain"))
    assert found is not None
    assert LINKS.read_preferences(found[1]) == ZOE.user
    assert f'href="{found[0]}"' in part(mail, "html")


async def test_bounces_come_back_to_an_address_of_the_mails_own(
    mail_relay: MailRelay, redis_url: str, key_prefix: str
) -> None:
    name = NotificationId("0123456789abcdef0123456789abcdef")
    server = SingleServer(redis_url)
    paths = ReturnPaths(server, Keys(key_prefix))
    marks = Marks(SIGNER, mailbox="bounces@shop.example", paths=paths, clock=unix_ms)
    async with over(Smtp(url=mail_relay.url), marking=marks) as channel:
        known = replace(notification(), id=name)
        await channel.send(known, ZOE, address="zoe@example.com", committing=committing)
    (mail,) = mail_relay.outbox.mails()
    assert read_return_path(SIGNER, mail.sender) == name
    assert await paths.read(name) == Mailed(ZOE.user, address_digest("zoe@example.com"))
    assert mail.parsed()["From"].addresses[0].addr_spec == "no-reply@doorbell.example"
    await server.aclose()

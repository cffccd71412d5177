import pytest

from channels.breaker import Breaker
from channels.channel import Committing
from channels.email.address import sender
from channels.email.channel import EmailChannel
from channels.email.domains import DomainPaces
from channels.email.message import Mail
from channels.pace import Pace
from channels.providers import Line, Providers
from channels.registry import Tools
from hub.domain.channels import EMAIL
from hub.domain.errors import TransientDeliveryError
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import Lane, Notification, Step
from hub.domain.people import Person
from templates.renderer import Renderer

ADDRESS = "zoe@mail.example"
ZOE = Person(user=UserId("zoe"), email=ADDRESS)
WELCOME = Notification(
    id=NotificationId("n-1"),
    user=ZOE.user,
    rule=RuleName("welcome"),
    event_type="user.updated",
    category="account",
    lane=Lane.TRANSACTIONAL,
    template=TemplateName("message"),
    ladder=(Step(EMAIL),),
    context={"title": "Welcome", "body": "Good to have you here."},
    created_ms=1_767_261_600_000,
)


class Relay:
    """Takes every mail."""

    name = "relay"

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    async def send(self, message: Mail, *, lane: Lane, committing: Committing) -> str:
        await committing()
        self.mails.append(message)
        return "taken"


class Marking:
    """Gives each mail a return path of its own, and remembers for which."""

    def __init__(self) -> None:
        self.noted: list[NotificationId] = []

    def mark(self, notification: NotificationId, user: UserId, *, address: str) -> str:
        return f"mark-of-{notification}"

    async def return_path(self, notification: NotificationId, user: UserId, *, address: str) -> str:
        self.noted.append(notification)
        return f"bounces+{notification}@shop.example"


class NoLinks:
    def preferences(self, user: UserId) -> str:
        return ""

    def unsubscribe(self, user: UserId, category: str) -> str:
        return ""


async def committing() -> None:
    pass


async def test_a_mail_whose_domain_has_no_turn_for_it_is_not_made() -> None:
    relay, marking = Relay(), Marking()
    channel = EmailChannel(
        Providers([Line(relay, pace=Pace(0.0), breaker=Breaker(), places=1)]),
        domains=DomainPaces(0.1, {}, clock_s=lambda: 100.0),
        marking=marking,
        links=NoLinks(),
        renderer=Renderer(),
        sender=sender("Shop <no-reply@shop.example>"),
        outward=Tools(Renderer(), "https://shop.example", "en"),
        default_locale="en",
        clock=lambda: 1_767_261_600_000,
    )
    await channel.send(WELCOME, ZOE, address=ADDRESS, committing=committing)
    assert [mail.sender for mail in relay.mails] == ["bounces+n-1@shop.example"]
    with pytest.raises(TransientDeliveryError, match="has had its mails"):
        await channel.send(WELCOME, ZOE, address=ADDRESS, committing=committing)
    assert marking.noted == [WELCOME.id]

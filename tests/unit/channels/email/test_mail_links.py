"""Every link of a mail that leads to the shop goes by way of the hub, once, and tells which notification it is of."""

import re
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import unescape
from typing import Any

import pytest

from channels.breaker import Breaker
from channels.digest import Digester
from channels.email.address import sender
from channels.email.channel import EmailChannel
from channels.email.domains import DomainPaces
from channels.ladder import Facts
from channels.pace import Pace
from channels.providers import Line, Providers
from channels.registry import Tools
from channels.standing import Standing
from hub.domain.channels import EMAIL
from hub.domain.digests import closing_job
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import EntryState, Job, Lane, Notification, Step, job_id
from hub.domain.people import Person
from hub.service.feedback.clicks import ClickLinks
from hub.service.person.person_links import PersonLinks
from hub.service.signing import Signer
from hub.store.jobs import Claimed
from templates.check import sample
from templates.renderer import Renderer
from templates.texts import InboxText
from tests.unit.channels.email.test_email_channel import Marking, Relay

ZOE = Person(user=UserId("zoe"), email="zoe@mail.example")
SIGNER = Signer("a secret of thirty-two bytes or more")
RENDERER = Renderer()
HUBS = ("https://hub.example", "https://shop.example")
"""The hub has a host of its own, or is a part of the shop's."""
LINK = re.compile(r"https?://[^\s<>\"]+")
BODY = "Look at https://shop.example/sale?a=1&b=2, https://pay.example/7 or https://elsewhere.example/."


def notification(name: str, template: str, context: dict[str, Any], lane: Lane = Lane.MARKETING) -> Notification:
    return Notification(
        id=NotificationId(name),
        user=ZOE.user,
        rule=RuleName("r"),
        event_type="t",
        category="orders",
        lane=lane,
        template=TemplateName(template),
        context=context,
        created_ms=0,
        ladder=(Step(EMAIL),),
        link=f"/orders/{name}",
    )


class World:
    """The links of a hub, and a channel whose mails have them."""

    def __init__(self, public_url: str, *, tracking: bool = True) -> None:
        self.clicks = ClickLinks(
            SIGNER, public_url=public_url, shop_url="https://shop.example", hosts=["pay.example"], tracking=tracking
        )
        self.tools = Tools(RENDERER, "https://shop.example", "en", clicks=self.clicks)
        self.channel = EmailChannel(
            Providers([Line(Relay(), pace=Pace(0.0), breaker=Breaker(), places=1)]),
            domains=DomainPaces(0.1, {}),
            marking=Marking(),
            links=PersonLinks(SIGNER, public_url=public_url, clock=lambda: 0),
            renderer=RENDERER,
            sender=sender("Shop <no-reply@shop.example>"),
            outward=self.tools,
            default_locale="en",
            clock=lambda: 0,
        )
        self._own = tuple(f"{public_url}/{page}/" for page in "pu")
        self._start = f"{public_url}/c/"

    def parts_of(self, told: Notification) -> dict[str, str]:
        """Return the text and the HTML of a mail."""
        made = self.channel.mail(told, ZOE, address="zoe@mail.example")
        mail = message_from_bytes(made.message, EmailMessage, policy=policy.default)
        bodies = {kind: mail.get_body((kind,)) for kind in ("plain", "html")}
        return {kind: str(body.get_content()) for kind, body in bodies.items() if body is not None}

    def links_of(self, told: Notification) -> dict[str, set[tuple[str, str]]]:
        """Return, for the two parts of a mail, which notification each link tells of and where it leads.

        Nothing is told by those that go by no hub; the links to the person's own pages are left out.
        """
        parts = self.parts_of(told)
        hrefs = [unescape(href) for href in re.findall(r'href="([^"]*)"', parts["html"])]
        found = {"plain": LINK.findall(parts["plain"]), "html": hrefs}
        return {
            part: {self._told(link.rstrip(".,")) for link in links if not link.startswith(self._own)}
            for part, links in found.items()
        }

    def _told(self, link: str) -> tuple[str, str]:
        if not link.startswith(self._start):
            return "", link
        followed = self.clicks.read(link.removeprefix(self._start))
        assert followed is not None
        return followed.notification, followed.target


class Gathered:
    """A digest with these notifications in it, none of them seen."""

    def __init__(self, *names: str) -> None:
        self.jobs = [Job(job_id(NotificationId(name), 0), 0, notification(name, "message", {}), 0) for name in names]

    async def take(self, _: Claimed) -> tuple[Job, ...]:
        return tuple(self.jobs)

    async def of(self, jobs: Sequence[Job]) -> list[Standing]:
        return [Standing(EntryState.UNSEEN, cancelled=False, replaced=False) for _ in jobs]

    def inbox(self, *_: object) -> InboxText:
        return InboxText("Sale", BODY)

    async def message(self, tools: Tools) -> Notification:
        """Return what goes out when it closes."""
        this: Any = self
        digester = Digester(this, standings=this, records=this, texts=this, links=tools, default_locale="en")
        closing = closing_job(self.jobs[0], now_ms=0)
        claimed = Claimed(closing, "token", attempt=0, unknown=False, claims=0, lease_until_ms=1)
        contents = await digester.close(claimed, ZOE, Facts(now_ms=0))
        assert contents is not None
        assert contents.message is not None
        return contents.message


@pytest.fixture(params=HUBS)
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


@pytest.mark.parametrize("template", [name for name in RENDERER.catalog.templates() if name != "digest"])
def test_the_link_of_a_mail_goes_by_way_of_the_hub_wherever_it_stands(world: World, template: str) -> None:
    told = notification("n1", template, sample(RENDERER, template))
    only = {("n1", "https://shop.example/orders/n1")}
    assert world.links_of(told) == {"plain": only, "html": only}


def test_links_that_a_value_has_written_out_go_by_way_of_the_hub_where_they_may(world: World) -> None:
    told = notification("n1", "message", {"title": "Sale", "body": BODY})
    targets = ("https://shop.example/orders/n1", "https://shop.example/sale?a=1&b=2", "https://pay.example/7")
    tracked = {("n1", target) for target in targets}
    assert world.links_of(told) == {"html": tracked, "plain": tracked | {("", "https://elsewhere.example/")}}


async def test_a_link_of_a_digest_tells_of_its_own_notification(world: World) -> None:
    digest = await Gathered("a", "b").message(world.tools)
    targets = ("https://shop.example/orders/{}", "https://shop.example/sale?a=1&b=2", "https://pay.example/7")
    tracked = {(name, target.format(name)) for name in ("a", "b") for target in targets}
    tracked.add((digest.id, "https://shop.example/"))
    assert world.links_of(digest) == {"html": tracked, "plain": tracked | {("", "https://elsewhere.example/")}}


async def test_people_read_where_a_link_leads_and_not_its_token(world: World) -> None:
    html = world.parts_of(await Gathered("a", "b").message(world.tools))["html"]
    assert ">https://shop.example/sale?a=1&amp;b=2</a>" in html
    assert not re.search(r">[^<]*/c/", html)


async def test_without_tracking_a_mail_stays_as_it_was_written() -> None:
    world = World(HUBS[0], tracking=False)
    digest = await Gathered("a", "b").message(world.tools)
    assert {told for links in world.links_of(digest).values() for told, _ in links} == {""}
    assert BODY in world.parts_of(digest)["plain"]
    assert BODY.replace("&", "&amp;") in world.parts_of(digest)["html"]

"""A person's own pages over HTTP, with real preferences in Redis behind them."""

import html
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientResponse, FormData, web
from aiohttp.test_utils import TestClient, TestServer

from hub.api.app import build_app
from hub.api.health import Health
from hub.api.person_pages import PersonPages
from hub.app import Stores, build_person_links, build_preference_centre, load_playbook, open_stores
from hub.domain.answers import ANSWERED_STOP
from hub.domain.channels import EMAIL, PUSH, SMS
from hub.domain.decisions import Aggregate, AggregateKind, Change
from hub.domain.events import Consent
from hub.domain.ids import UserId
from hub.domain.people import Person, encode_person
from hub.domain.quiet_hours import QuietHours
from hub.service.calls import Operations
from hub.service.person.person_links import PersonLinks
from hub.service.person.preferences import PreferenceCentre
from hub.service.rate import RateLimiter
from hub.service.repeats import StoredRepeats
from hub.settings import Fcm, Push, Settings, Sms, Smtp, Twilio
from hub.store.clock import unix_ms
from templates.renderer import Renderer

Client = TestClient[web.Request, web.Application]
ZOE = UserId("zoe")
HUB = "https://hub.example"
SETTINGS = Settings(
    signing_secret="a secret of thirty-two bytes or more",
    public_url=HUB,
    smtp=Smtp(url="smtp://127.0.0.1:1"),
    push=Push(fcm=(Fcm(),)),
    sms=Sms(twilio=(Twilio(),)),
)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_renderer = Renderer()


class World:
    """The pages, a browser without JavaScript, and what is behind them."""

    def __init__(self, client: Client, stores: Stores) -> None:
        self.client = client
        self.stores = stores
        self.links: PersonLinks = build_person_links(SETTINGS)
        self.centre: PreferenceCentre = build_preference_centre(SETTINGS, stores, load_playbook(SETTINGS))

    async def knows(self, **fields: Any) -> None:
        aggregate = Aggregate(AggregateKind.PERSON, ZOE)
        (document,) = await self.stores.documents.read_many([aggregate])
        person = encode_person(Person(ZOE, **fields))
        await self.stores.documents.apply_many([Change(aggregate, document.version, person)])

    async def agrees(self) -> None:
        await self.centre.record_consent(ZOE, EMAIL, granted=True, source="shop", now_ms=unix_ms() - 1_000)

    async def consent(self) -> Consent | None:
        return (await self.centre.of(ZOE)).consent.get(EMAIL)

    @property
    def preferences(self) -> str:
        return self.links.preferences(ZOE).removeprefix(HUB)

    @property
    def unsubscribe(self) -> str:
        return self.links.unsubscribe(ZOE, "sales").removeprefix(HUB)

    async def fill(self, path: str) -> dict[str, list[str]]:
        """Open a page and return the fields of its form as they stand."""
        page = await (await self.client.get(path)).text()
        fields: dict[str, list[str]] = {}
        for tag in re.findall(r"<input [^>]*>", page):
            attributes = dict(re.findall(r'(\w+)="([^"]*)"', tag))
            if attributes["type"] != "checkbox" or tag.endswith(" checked>"):
                fields.setdefault(attributes["name"], []).append(html.unescape(attributes["value"]))
        for name in re.findall(r'<select name="(\w+)">', page):
            chosen = page.partition(f'<select name="{name}">')[2].partition("</select>")[0]
            values = re.findall(r'<option(?: value="([^"]*)")?( selected)?>([^<]*)', chosen)
            picked = next((each for each in values if each[1]), values[0])
            fields[name] = [picked[0]]
        return fields

    async def send(self, path: str, fields: dict[str, list[str]]) -> ClientResponse:
        pairs = [(name, value) for name, values in fields.items() for value in values]
        return await self.client.post(path, data=pairs, headers=FORM, allow_redirects=False)


@pytest.fixture
async def world(redis_url: str, key_prefix: str) -> AsyncIterator[World]:
    async with open_stores(Settings(key_prefix=key_prefix), redis_url) as stores:
        pages = PersonPages(
            build_person_links(SETTINGS),
            build_preference_centre(SETTINGS, stores, load_playbook(SETTINGS)),
            stores.documents,
            renderer=_renderer,
            default_locale="en",
            clock=unix_ms,
        )
        app = build_app(
            operations=Operations([], rates=RateLimiter(), repeats=StoredRepeats(stores.idempotency)),
            authenticate=lambda _: pytest.fail("nobody signs in here"),
            health=Health({}),
            extra_routes=pages.routes(),
        )
        async with TestClient(TestServer(app)) as client:
            yield World(client, stores)


async def test_one_click_ends_marketing_mails(world: World) -> None:
    await world.agrees()
    answer = await world.client.post(world.unsubscribe, data={"List-Unsubscribe": "One-Click"})
    assert (answer.status, await answer.text()) == (200, "Unsubscribed.")
    word = await world.consent()
    assert word is not None
    assert (word.granted, word.source) == (False, "unsubscribe link")


async def test_one_click_may_come_as_a_form_of_parts_or_empty(world: World) -> None:
    form = FormData(default_to_multipart=True)
    form.add_field("List-Unsubscribe", "One-Click")
    await world.agrees()
    assert (await world.client.post(world.unsubscribe, data=form)).status == 200
    word = await world.consent()
    assert word is not None
    assert not word.granted
    assert (await world.client.post(world.unsubscribe)).status == 200


async def test_opening_a_link_changes_nothing(world: World) -> None:
    await world.agrees()
    before = await world.centre.of(ZOE)
    for path in (world.unsubscribe, world.preferences, f"{world.preferences}?saved=1&on=x"):
        for ask in (world.client.get, world.client.head):
            assert (await ask(path)).status == 200
    assert await world.centre.of(ZOE) == before


async def test_a_person_unsubscribes_on_the_page_and_sees_that_it_is_done(world: World) -> None:
    await world.agrees()
    fields = await world.fill(world.unsubscribe)
    answer = await world.send(world.unsubscribe, fields)
    assert (answer.status, answer.headers["Location"]) == (303, world.unsubscribe)
    page = await (await world.client.get(world.unsubscribe)).text()
    assert "You get no more offers" in page
    assert "<form" not in page
    assert f'href="{HUB}/p/' in page


async def test_a_person_chooses_everything_on_one_page(world: World) -> None:
    fields = await world.fill(world.preferences)
    fields["on"] = [each for each in fields["on"] if each != "orders/email"]
    fields |= {
        "consent": ["push"],
        "quiet": ["1"],
        "quiet_from": ["21:30"],
        "quiet_until": ["06:00"],
        "time_zone": ["Asia/Tokyo"],
        "pause": ["week"],
    }
    answer = await world.send(world.preferences, fields)
    assert answer.status == 303
    assert "Your choice is saved." in await (await world.client.get(answer.headers["Location"])).text()
    view = await world.centre.of(ZOE)
    assert view.switches == {"orders": {EMAIL: False}}
    assert (view.consent[PUSH].granted, SMS in view.consent) == (True, False)
    assert view.quiet_hours == QuietHours("21:30", "06:00")
    assert view.time_zone == "Asia/Tokyo"
    assert view.snoozed_until_ms > unix_ms()


async def test_the_page_tells_of_a_stop_by_text_and_offers_no_texts_until_it_is_taken_back(world: World) -> None:
    phone = "+4915112345678"
    await world.knows(phone=phone)
    await world.stores.suppressions.stop(SMS, phone, reason=ANSWERED_STOP, wording="Stop <b>it")
    page = await (await world.client.get(world.preferences)).text()
    assert "Answer START to one of them" in page
    assert "Stop &lt;b&gt;it" in page
    assert "orders/email" in page
    assert "orders/sms" not in page
    await world.stores.suppressions.remove(SMS, phone)
    page = await (await world.client.get(world.preferences)).text()
    assert "Answer START" not in page
    assert "orders/sms" in page


async def test_saving_the_page_as_it_stands_says_nothing(world: World) -> None:
    await world.send(world.preferences, await world.fill(world.preferences))
    assert (await world.centre.of(ZOE)).version == 0


@pytest.mark.parametrize(
    ("locale", "language", "direction", "title"),
    [
        ("ar-EG", "ar", "rtl", "ما نراسلك بشأنه"),
        ("de", "de", "ltr", "Worüber wir Ihnen schreiben"),
        ("pt_BR", "pt-BR", "ltr", "Sobre o que escrevemos a você"),
        ("fr", "en", "ltr", "What we write to you about"),
        (None, "en", "ltr", "What we write to you about"),
    ],
)
async def test_a_page_is_in_the_persons_language(
    world: World, locale: str | None, language: str, direction: str, title: str
) -> None:
    await world.knows(locale=locale)
    page = await (await world.client.get(world.preferences)).text()
    assert f'<html lang="{language}" dir="{direction}">' in page
    assert f"<title>{title}</title>" in page


@pytest.mark.parametrize("path", ["/p/x", "/u/x", "/p/a.b", "/u/" + "a" * 3_000])
async def test_a_link_that_is_not_good_shows_a_page_that_says_so(world: World, path: str) -> None:
    for answer in (await world.client.get(path), await world.client.post(path)):
        assert answer.status == 404
        assert "This link is no longer good" in await answer.text()


async def test_one_kind_of_link_does_not_open_the_other_page(world: World) -> None:
    for path in (world.preferences.replace("/p/", "/u/"), world.unsubscribe.replace("/u/", "/p/")):
        assert (await world.client.get(path)).status == 404


async def test_an_erased_person_can_still_unsubscribe_and_has_no_preferences(world: World) -> None:
    await world.knows(erased=True)
    await world.stores.erasure.erase(ZOE)
    assert (await world.client.post(world.unsubscribe)).status == 200
    fields = {"cell": ["orders/email"], "on": []}
    assert (await world.send(world.preferences, fields)).status == 404


@pytest.mark.parametrize(
    "body",
    [b"cell=nonsense", b"quiet=1&quiet_from=99:99&quiet_until=1", b"time_zone=Mars/Base", b"\xff=\xff", b"a=&" * 5_000],
)
async def test_a_form_that_makes_no_sense_changes_nothing_and_says_so(world: World, body: bytes) -> None:
    answer = await world.client.post(world.preferences, data=body, headers=FORM)
    assert answer.status == 400
    assert "Nothing has been changed" in await answer.text()
    assert (await world.centre.of(ZOE)).version == 0


async def test_a_form_that_is_too_large_is_refused(world: World) -> None:
    answer = await world.client.post(world.preferences, data=b"a" * 100_000, headers=FORM)
    assert answer.status == 400


async def test_nobody_can_change_a_thing_without_end(world: World) -> None:
    statuses = [(await world.client.post(world.unsubscribe)).status for _ in range(70)]
    assert statuses.count(429) >= 5


async def test_a_page_runs_and_loads_nothing_and_keeps_its_address_to_itself(world: World) -> None:
    answer = await world.client.get(world.preferences)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "<script" not in await answer.text()


async def test_what_people_are_called_is_text_and_never_markup(world: World) -> None:
    await world.knows(time_zone="<script>alert(1)</script>", locale="en")
    hostile = UserId('"><script>alert(1)</script>')
    link = world.links.preferences(hostile).removeprefix(HUB)
    for path in (link, world.preferences):
        assert "<script" not in await (await world.client.get(path)).text()

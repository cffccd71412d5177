"""Texts as a step of ladders: real store, real SDK, the stand-in for Twilio, and its signed callbacks."""

import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import msgspec
import pytest_asyncio
from aiohttp import ClientSession, web

from channels.registry import Tools
from channels.sms.channel import SmsChannel
from channels.sms.opening import open_sms
from channels.standins.mail_relay import MailRelay
from channels.standins.twilio import TwilioStandIn, twilio_error
from hub.api.webhooks import TWILIO_PATH, twilio_routes
from hub.domain.channels import SMS
from hub.domain.ids import UserId
from hub.domain.notifications import Lane, Notification, Step
from hub.domain.people import Person
from hub.domain.preferences import Preferences
from hub.service.feedback.sms_receipts import SmsReceipts, receipt_name
from hub.service.signing import Signer
from hub.settings import Sms, Twilio
from hub.store.clock import unix_ms
from hub.store.keys import Keys
from hub.store.scripts import Scripts
from hub.store.single import SingleServer
from hub.store.velocity import Velocity
from templates.renderer import Renderer
from tests.delivery_shop import ZOE, Shop
from tests.mail_relay import mail_relay

__all__ = ["mail_relay"]

PHONE = "+4915112345678"
BY_SMS = (Step(SMS),)
SIGNER = Signer("s" * 32)


class SmsShop(Shop):
    """A shop that texts, and the hub's webhooks on a port of their own."""

    def __init__(self, server: SingleServer, prefix: str, relay: MailRelay) -> None:
        super().__init__(server, prefix, relay)
        self.velocity = Velocity(Scripts(server), Keys(prefix))
        self.hub = ""
        self.sms: SmsChannel

    async def texts(self, user: UserId = ZOE, **fields: Any) -> Notification:
        notification = await self.notifies(user, ladder=BY_SMS, **fields)
        async with self.working(channels={SMS: self.sms}):
            await self.is_quiet()
        return notification


@pytest_asyncio.fixture
async def twilio() -> AsyncIterator[TwilioStandIn]:
    async with TwilioStandIn() as standin:
        yield standin


@pytest_asyncio.fixture
async def shop(redis_url: str, key_prefix: str, mail_relay: MailRelay, twilio: TwilioStandIn) -> AsyncIterator[SmsShop]:
    server = SingleServer(redis_url)
    made = SmsShop(server, key_prefix, mail_relay)
    await made.knows(Person(ZOE, phone=PHONE, locale="de"))
    async with AsyncExitStack() as stack:
        made.hub = await stack.enter_async_context(webhooks(made, twilio))
        made.sms = await stack.enter_async_context(open_texts(made, twilio))
        yield made
    await server.aclose()


def open_texts(shop: SmsShop, twilio: TwilioStandIn, **changes: object) -> AbstractAsyncContextManager[SmsChannel]:
    account = Twilio(twilio.account_sid, twilio.auth_token, "+4930000000", endpoint=twilio.url, timeout_s=1.0)
    return open_sms(
        msgspec.structs.replace(Sms((account,)), **changes),
        Tools(Renderer(), "https://shop.example", "en"),
        windows=shop.velocity,
        callback_url=f"{shop.hub}{TWILIO_PATH}",
        receipt=partial(receipt_name, SIGNER),
    )


@asynccontextmanager
async def webhooks(shop: SmsShop, twilio: TwilioStandIn) -> AsyncIterator[str]:
    """Serve the hub's webhooks; yield its public URL."""
    receipts = SmsReceipts(signer=SIGNER, records=shop.records, suppressions=shop.suppressions, clock=unix_ms)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        app = web.Application()
        app.add_routes(twilio_routes({"twilio": twilio.auth_token}, public_url=url, receipts=receipts))
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        yield url
        await runner.cleanup()


async def test_an_unseen_notification_goes_out_as_a_text_in_the_persons_language(
    shop: SmsShop, twilio: TwilioStandIn
) -> None:
    notification = await shop.texts()
    (text,) = twilio.taken
    assert text.to == PHONE
    assert "A-1" in text.body
    assert "gepackt" in text.body
    (attempt,) = await shop.attempts(notification)
    assert (attempt.outcome, attempt.provider_id) == ("delivered", f"twilio:{text.id}")


async def test_reports_are_kept_by_how_far_they_are_not_by_when_they_come(shop: SmsShop, twilio: TwilioStandIn) -> None:
    notification = await shop.texts()
    (text,) = twilio.taken
    for status in ("queued", "delivered", "sent", "delivered"):
        assert await twilio.report(text, status) == 204
    record = await shop.records.read(ZOE, notification.id)
    assert record is not None
    assert [receipt.status for receipt in record.receipts] == ["delivered"]


async def test_a_report_without_a_good_signature_is_refused(shop: SmsShop, twilio: TwilioStandIn) -> None:
    await shop.texts()
    (text,) = twilio.taken
    twilio.auth_token = "forged"
    assert await twilio.report(text, "delivered") == 403
    async with ClientSession() as session, session.post(text.callback, data={"MessageStatus": "sent"}) as answer:
        assert answer.status == 403


async def test_a_report_about_what_is_not_ours_changes_nothing(shop: SmsShop, twilio: TwilioStandIn) -> None:
    url = f"{shop.hub}{TWILIO_PATH}/twilio/made-up"
    assert await twilio.call(url, {"MessageStatus": "delivered"}) == 204


async def test_a_number_that_is_reported_dead_is_not_texted_again(shop: SmsShop, twilio: TwilioStandIn) -> None:
    await shop.texts()
    await twilio.report(twilio.taken[0], "undelivered", code=30_005)
    assert await shop.outcomes(await shop.texts()) == ["skipped"]
    assert len(twilio.taken) == 1


async def test_who_answers_stop_is_not_texted_until_they_answer_start(shop: SmsShop, twilio: TwilioStandIn) -> None:
    url = f"{shop.hub}{TWILIO_PATH}/twilio"
    assert await twilio.call(url, {"From": PHONE, "Body": " Stop. "}) == 200
    (attempt,) = await shop.attempts(await shop.texts())
    assert attempt.outcome == "skipped"
    assert attempt.detail.startswith("the person has answered STOP (Stop.) on 20")
    assert await twilio.call(url, {"From": PHONE, "Body": "hello", "OptOutType": "START"}) == 200
    assert await shop.outcomes(await shop.texts()) == ["delivered"]


async def test_a_stop_goes_before_a_word_for_texts_and_a_start_is_no_consent(
    shop: SmsShop, twilio: TwilioStandIn
) -> None:
    url = f"{shop.hub}{TWILIO_PATH}/twilio"
    lavish = Preferences(switches={"orders": {SMS: True}})
    await shop.preferences.put(ZOE, lavish, expected_version=0)
    await twilio.call(url, {"From": PHONE, "Body": "STOP"})
    assert await shop.outcomes(await shop.texts(lane=Lane.CRITICAL)) == ["skipped"]
    await twilio.call(url, {"From": PHONE, "Body": "START"})
    promotion = await shop.texts(lane=Lane.MARKETING)
    record = await shop.records.read(ZOE, promotion.id)
    assert record is not None
    assert [ruling.reason for ruling in record.decisions] == ["there is no consent to marketing by sms"]
    assert not twilio.taken


async def test_a_number_that_has_refused_for_good_is_suppressed_by_the_answer(
    shop: SmsShop, twilio: TwilioStandIn
) -> None:
    twilio.faults.add(twilio_error(400, 21_610))
    assert await shop.outcomes(await shop.texts()) == ["failed"]
    (attempt,) = await shop.attempts(await shop.texts())
    assert (attempt.outcome, attempt.detail[:28]) == ("skipped", "the person has answered STOP")


async def test_too_many_texts_to_one_number_are_held_back(shop: SmsShop, twilio: TwilioStandIn) -> None:
    async with open_texts(shop, twilio, per_number_hour=2) as shop.sms:
        outcomes = [await shop.outcomes(await shop.texts()) for _ in range(3)]
    assert outcomes == [["delivered"], ["delivered"], ["failed"]]
    assert len(twilio.taken) == 2


async def test_texts_to_a_whole_range_of_numbers_are_held_back(shop: SmsShop, twilio: TwilioStandIn) -> None:
    async with open_texts(shop, twilio, per_prefix_hour=3) as shop.sms:
        for last in range(5):
            user = UserId(f"pumped-{last}")
            await shop.knows(Person(user, phone=f"+491511234560{last}"))
            await shop.texts(user)
    assert len(twilio.taken) == 3


async def test_a_country_that_is_not_allowed_gets_no_texts(shop: SmsShop, twilio: TwilioStandIn) -> None:
    async with open_texts(shop, twilio, countries=("US", "FR")) as shop.sms:
        notification = await shop.texts()
    (attempt,) = await shop.attempts(notification)
    assert (attempt.outcome, attempt.detail) == ("skipped", "no address for sms")

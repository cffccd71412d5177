"""The real SDK against the stand-in: what each answer of Twilio does to a text, its number and the account."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from channels.sms.message import SmsMessage
from channels.sms.twilio import Twilio, open_twilio
from channels.standins.http_script import GARBAGE, Drop, HttpFault
from channels.standins.twilio import TwilioStandIn, twilio_error
from hub.domain.errors import DeliveryError, PermanentDeliveryError, TransientDeliveryError, UnknownDeliveryError
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import Lane
from hub.settings import Twilio as Settings
from tests.delivery_shop import until

MESSAGE = SmsMessage(
    id=NotificationId("n-1"),
    user=UserId("zoe"),
    to="+4915112345678",
    country="DE",
    body="Order A-1 is packed.",
    validity_s=600,
    receipt="signed",
)


class Desk:
    """An account on the stand-in."""

    def __init__(self, standin: TwilioStandIn) -> None:
        self.standin = standin
        self.commits = 0
        self.twilio: Twilio

    async def committing(self) -> None:
        self.commits += 1

    async def send(self, **changes: object) -> str:
        message = msgspec.structs.replace(MESSAGE, **changes)
        return await self.twilio.send(message, lane=Lane.TRANSACTIONAL, committing=self.committing)


def settings_for(standin: TwilioStandIn, **changes: object) -> Settings:
    settings = Settings(
        account_sid=standin.account_sid,
        auth_token=standin.auth_token,
        sender="+4930000000",
        senders={"US": "MG123", "GB": "Shop"},
        endpoint=standin.url,
        timeout_s=1.0,
    )
    return msgspec.structs.replace(settings, **changes)


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[Desk]:
    async with TwilioStandIn() as standin:
        made = Desk(standin)
        async with open_twilio(
            settings_for(standin), callback_url="https://hub.example/v1/webhooks/twilio/a"
        ) as twilio:
            made.twilio = twilio
            yield made


async def test_a_text_is_handed_over_with_how_long_it_is_worth_it_and_where_to_report(desk: Desk) -> None:
    sid = await desk.send()
    (text,) = desk.standin.taken
    assert text.id == sid
    assert (text.to, text.sender, text.body) == ("+4915112345678", "+4930000000", "Order A-1 is packed.")
    assert (text.callback, text.validity_s) == ("https://hub.example/v1/webhooks/twilio/a/signed", 600)
    assert desk.commits == 1


@pytest.mark.parametrize(("country", "sender"), [("US", "MG123"), ("GB", "Shop"), ("FR", "+4930000000")])
async def test_each_country_has_its_sender(desk: Desk, country: str, sender: str) -> None:
    await desk.send(country=country)
    assert desk.standin.taken[0].sender == sender


TRANSIENT = {
    "429 with Retry-After": (twilio_error(429, 20_429, retry_after_s=9), 9.0),
    "429 without": (twilio_error(429, 20_429), 5.0),
    "429 of a proxy": (HttpFault(429, GARBAGE), 5.0),
    "the queue is full": (twilio_error(400, 30_022), 5.0),
    "500": (twilio_error(500, 20_500), None),
    "500 with garbage": (HttpFault(500, GARBAGE), None),
    "502 of a proxy": (HttpFault(502, GARBAGE), None),
    "503 with Retry-After": (HttpFault(503, headers={"Retry-After": "4"}), 4.0),
    "503 with a Retry-After that is a date": (HttpFault(503, headers={"Retry-After": "Wed, 21 Oct 2026"}), None),
    "504": (HttpFault(504), None),
    "our credentials refused": (twilio_error(401, 20_003), None),
    "the account suspended": (twilio_error(403, 20_005), None),
    "no such account": (twilio_error(404, 20_404), None),
    "a redirect": (HttpFault(302, headers={"Location": "http://127.0.0.1:9/"}), None),
}


@pytest.mark.parametrize(("fault", "retry_after_s"), TRANSIENT.values(), ids=TRANSIENT)
async def test_a_refusal_of_everything_waits_and_says_how_long(
    desk: Desk, fault: HttpFault, retry_after_s: float | None
) -> None:
    desk.standin.faults.add(fault)
    with pytest.raises(TransientDeliveryError) as refused:
        await desk.send()
    assert refused.value.provider_down
    assert refused.value.retry_after_s == retry_after_s
    assert desk.standin.requests == 1


PERMANENT = {
    "no number": (twilio_error(400, 21_211), True),
    "not a mobile number": (twilio_error(400, 21_614), True),
    "answered STOP": (twilio_error(400, 21_610), True),
    "not to this country": (twilio_error(400, 21_408), False),
    "no route": (twilio_error(400, 21_612), False),
    "an unknown code": (twilio_error(400, 29_999), False),
    "a bad request with garbage": (HttpFault(400, GARBAGE), False),
}


@pytest.mark.parametrize(("fault", "suppress"), PERMANENT.values(), ids=PERMANENT)
async def test_a_text_refused_for_good_says_whether_the_number_is_bad(
    desk: Desk, fault: HttpFault, *, suppress: bool
) -> None:
    desk.standin.faults.add(fault)
    with pytest.raises(PermanentDeliveryError) as refused:
        await desk.send()
    assert refused.value.suppress is suppress


UNKNOWN = {
    "no answer in time": HttpFault(delay_s=1.5),
    "cut before it was taken": HttpFault(drop=Drop.BEFORE),
    "cut after it was taken": HttpFault(drop=Drop.AFTER),
    "201 with garbage": HttpFault(201, GARBAGE),
    "201 without an id": HttpFault(201, b"{}"),
    "201 with half an answer": HttpFault(201, b'{"sid": "SM'),
    "200 with a list": HttpFault(200, b"[]"),
}


@pytest.mark.parametrize("fault", UNKNOWN.values(), ids=UNKNOWN)
async def test_what_may_have_been_taken_is_unknown_and_not_sent_again(desk: Desk, fault: HttpFault) -> None:
    desk.standin.faults.add(fault)
    with pytest.raises(UnknownDeliveryError):
        await desk.send()
    assert desk.standin.requests == 1


async def test_nobody_there_is_clean() -> None:
    async with TwilioStandIn() as standin:
        gone = settings_for(standin, endpoint="http://127.0.0.1:9")
        async with open_twilio(gone, callback_url="") as twilio:
            with pytest.raises(TransientDeliveryError) as refused:
                await twilio.send(MESSAGE, lane=Lane.CRITICAL, committing=Desk(standin).committing)
    assert refused.value.provider_down


async def test_a_call_that_is_cancelled_leaves_the_client_in_order(desk: Desk) -> None:
    desk.standin.faults.add(HttpFault(delay_s=0.5))
    sending = asyncio.create_task(desk.send())
    await until(lambda: desk.standin.requests == 1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert (await desk.send()).startswith("SM")


async def test_a_text_is_held_back_by_a_lost_lease(desk: Desk) -> None:
    class LostError(DeliveryError):
        pass

    async def lost() -> None:
        raise LostError

    with pytest.raises(LostError):
        await desk.twilio.send(MESSAGE, lane=Lane.CRITICAL, committing=lost)
    assert desk.standin.requests == 0

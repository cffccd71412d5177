"""The real SDK against the stand-in: what each answer of FCM does to a push, its devices and the provider."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest
import pytest_asyncio

from channels.push.fcm import Fcm, open_fcm
from channels.push.message import PushMessage
from channels.standins.fcm import FcmStandIn, fcm_error
from channels.standins.http_script import GARBAGE, Drop, HttpFault
from hub.domain.devices import Device, DeviceId, Kind, Platform
from hub.domain.errors import DeliveryError, PermanentDeliveryError, TransientDeliveryError, UnknownDeliveryError
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import Lane
from hub.settings import Fcm as Settings
from tests.delivery_shop import until

ZOE = UserId("zoe")
PHONE = Device(Kind.FID, "phone", Platform.ANDROID, 1, 1)
TABLET = Device(Kind.TOKEN, "tablet", Platform.IOS, 1, 1)
MESSAGE = PushMessage(
    id=NotificationId("n-1"),
    user=ZOE,
    devices=(PHONE,),
    title="Packed",
    body="Order A-1 is packed.",
    link="https://shop.example/orders/A-1",
    data={"notification_id": "n-1"},
    badge=2,
    collapse_key="n-1",
    urgent=True,
    ttl_s=600,
)


class Desk:
    """A provider on the stand-in, and what it was made to forget."""

    def __init__(self, standin: FcmStandIn) -> None:
        self.standin = standin
        self.forgotten: list[DeviceId] = []
        self.commits = 0
        self.fcm: Fcm

    async def forget(self, user: UserId, devices: Sequence[DeviceId]) -> None:
        assert user == ZOE
        self.forgotten += devices

    async def committing(self) -> None:
        self.commits += 1

    async def send(self, *devices: Device) -> str:
        message = msgspec.structs.replace(MESSAGE, devices=devices or (PHONE,))
        return await self.fcm.send(message, lane=Lane.TRANSACTIONAL, committing=self.committing)


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[Desk]:
    async with FcmStandIn() as standin:
        made = Desk(standin)
        settings = Settings(project_id="shop", endpoint=standin.url, timeout_s=1.0)
        async with open_fcm(settings, forget=made.forget) as made.fcm:
            yield made


async def test_every_device_gets_its_copy_with_what_its_platform_needs(desk: Desk) -> None:
    word = await desk.send(PHONE, TABLET)
    assert word.endswith("(2 of 2)")
    assert desk.commits == 1
    phone, tablet = sorted(desk.standin.taken, key=lambda push: push.to)
    assert (phone.message["fid"], tablet.message["token"]) == ("phone", "tablet")
    assert phone.message["notification"] == {"title": "Packed", "body": "Order A-1 is packed."}
    assert phone.message["data"] == {"notification_id": "n-1"}
    android, apns = phone.message["android"], phone.message["apns"]
    assert (android["priority"], android["ttl"], android["collapse_key"]) == ("high", "600s", "n-1")
    assert apns["headers"] == {"apns-priority": "10", "apns-collapse-id": "n-1"}
    assert apns["payload"]["aps"] == {"badge": 2, "sound": "default"}
    assert phone.message["webpush"]["fcm_options"] == {"link": "https://shop.example/orders/A-1"}


@pytest.mark.parametrize(
    "fault",
    [fcm_error(404, "NOT_FOUND", "UNREGISTERED"), fcm_error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH")],
    ids=["unregistered", "another project's"],
)
async def test_a_dead_registration_is_forgotten(desk: Desk, fault: HttpFault) -> None:
    desk.standin.faults.add(fault)
    with pytest.raises(PermanentDeliveryError):
        await desk.send()
    assert desk.forgotten == [PHONE.id]


async def test_a_dead_registration_beside_a_good_one_does_not_keep_the_push_from_arriving(desk: Desk) -> None:
    desk.standin.faults.add(msgspec.structs.replace(fcm_error(404, "NOT_FOUND", "UNREGISTERED"), recipient="phone"))
    assert (await desk.send(PHONE, TABLET)).endswith("(1 of 2)")
    assert desk.forgotten == [PHONE.id]


TRANSIENT = {
    "quota with Retry-After": (fcm_error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", retry_after_s=7), 7.0),
    "quota without Retry-After": (fcm_error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), 60.0),
    "429 without details": (HttpFault(429), 60.0),
    "500": (fcm_error(500, "INTERNAL", "INTERNAL"), None),
    "500 with garbage": (HttpFault(500, GARBAGE), None),
    "502 of a proxy": (HttpFault(502, GARBAGE), None),
    "503": (fcm_error(503, "UNAVAILABLE", "UNAVAILABLE"), None),
    "503 with Retry-After": (fcm_error(503, "UNAVAILABLE", "UNAVAILABLE", retry_after_s=12), 12.0),
    "503 with a Retry-After that is a date": (HttpFault(503, headers={"Retry-After": "Wed, 21 Oct 2026"}), None),
    "504": (HttpFault(504), None),
    "a certificate of APNs that is wrong": (fcm_error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), None),
    "our own token refused": (fcm_error(401, "UNAUTHENTICATED"), None),
    "forbidden": (fcm_error(403, "PERMISSION_DENIED"), None),
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
    assert desk.forgotten == []


PERMANENT = {
    "a bad argument": fcm_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
    "a bad request without details": HttpFault(400, GARBAGE),
    "no such project": fcm_error(404, "NOT_FOUND"),
    "a failed precondition": fcm_error(400, "FAILED_PRECONDITION"),
}


@pytest.mark.parametrize("fault", PERMANENT.values(), ids=PERMANENT)
async def test_a_message_that_is_refused_for_good_costs_no_registration(desk: Desk, fault: HttpFault) -> None:
    desk.standin.faults.add(fault)
    with pytest.raises(PermanentDeliveryError):
        await desk.send()
    assert desk.forgotten == []


UNKNOWN = {
    "no answer in time": HttpFault(delay_s=1.5),
    "cut before it was taken": HttpFault(drop=Drop.BEFORE),
    "cut after it was taken": HttpFault(drop=Drop.AFTER),
    "200 with garbage": HttpFault(200, GARBAGE),
    "200 without an id": HttpFault(200, b"{}"),
    "200 with half an answer": HttpFault(200, b'{"name": "projects/sh'),
}


@pytest.mark.parametrize("fault", UNKNOWN.values(), ids=UNKNOWN)
async def test_what_may_have_been_taken_is_unknown(desk: Desk, fault: HttpFault) -> None:
    desk.standin.faults.add(fault)
    with pytest.raises(UnknownDeliveryError):
        await desk.send()
    assert desk.forgotten == []


async def test_nobody_there_is_clean() -> None:
    settings = Settings(project_id="shop", endpoint="http://127.0.0.1:9", timeout_s=1.0)
    async with FcmStandIn() as standin:
        made = Desk(standin)
        async with open_fcm(settings, forget=made.forget) as made.fcm:
            with pytest.raises(TransientDeliveryError) as refused:
                await made.send()
    assert refused.value.provider_down


async def test_a_call_that_is_cancelled_leaves_the_client_in_order(desk: Desk) -> None:
    desk.standin.faults.add(HttpFault(delay_s=0.5))
    sending = asyncio.create_task(desk.send())
    await until(lambda: desk.standin.requests == 1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert "(1 of 1)" in await desk.send()


async def test_a_message_is_held_back_by_a_lost_lease(desk: Desk) -> None:
    class LostError(DeliveryError):
        pass

    async def lost() -> None:
        raise LostError

    with pytest.raises(LostError):
        await desk.fcm.send(MESSAGE, lane=Lane.CRITICAL, committing=lost)
    assert desk.standin.requests == 0

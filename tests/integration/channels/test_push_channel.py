"""Push as a step of ladders: real store, real SDK, the stand-in for FCM."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from channels.push.channel import PushChannel
from channels.push.opening import open_push
from channels.registry import Tools
from channels.standins.fcm import FcmStandIn, fcm_error
from channels.standins.mail_relay import MailRelay
from hub.domain.channels import EMAIL, PUSH
from hub.domain.devices import Device, Kind, Platform
from hub.domain.notifications import EntryState, Step
from hub.domain.people import Person
from hub.settings import Fcm, Push
from hub.store.clock import unix_ms
from hub.store.devices import Devices
from hub.store.keys import Keys
from hub.store.scripts import Scripts
from hub.store.single import SingleServer
from templates.renderer import Renderer
from tests.delivery_shop import MAILBOX, ZOE, Shop
from tests.mail_relay import mail_relay

__all__ = ["mail_relay"]

LADDER = (Step(PUSH), Step(EMAIL, after_s=600.0))
TOOLS = Tools(Renderer(), "https://shop.example", "en")


class PushShop(Shop):
    """A shop whose people have devices."""

    def __init__(self, server: SingleServer, prefix: str, relay: MailRelay) -> None:
        super().__init__(server, prefix, relay)
        self.devices = Devices(server, Scripts(server), Keys(prefix))
        self.push: PushChannel

    async def has_device(self, registration: str, **changes: str) -> None:
        now_ms = unix_ms()
        await self.devices.put(ZOE, Device(Kind.FID, registration, Platform.WEB, now_ms, now_ms, **changes))

    async def pushes(self) -> None:
        async with self.working(channels={PUSH: self.push}):
            await self.is_quiet()


@pytest_asyncio.fixture
async def fcm() -> AsyncIterator[FcmStandIn]:
    async with FcmStandIn() as standin:
        yield standin


@pytest_asyncio.fixture
async def shop(redis_url: str, key_prefix: str, mail_relay: MailRelay, fcm: FcmStandIn) -> AsyncIterator[PushShop]:
    server = SingleServer(redis_url)
    made = PushShop(server, key_prefix, mail_relay)
    await made.knows(Person(ZOE, email=MAILBOX, name="Zoë", locale="de"))
    settings = Push((Fcm(project_id="shop", endpoint=fcm.url, timeout_s=1.0),))
    async with AsyncExitStack() as stack:
        made.push = await stack.enter_async_context(open_push(settings, TOOLS, devices=made.devices, unread=made.inbox))
        yield made
    await server.aclose()


async def test_an_unseen_notification_reaches_every_device_in_its_language(shop: PushShop, fcm: FcmStandIn) -> None:
    await shop.has_device("phone", locale="pt-BR")
    await shop.has_device("laptop", locale="pt-BR")
    notification = await shop.notifies(ladder=(Step(PUSH),), link="/orders/A-1")
    await shop.pushes()
    assert {push.to for push in fcm.taken} == {"phone", "laptop"}
    message = fcm.taken[0].message
    assert message["notification"]["title"] == "Seu pedido foi embalado"
    assert message["data"]["notification_id"] == notification.id
    assert message["data"]["link"] == "https://shop.example/orders/A-1"
    assert message["apns"]["payload"]["aps"]["badge"] == 1
    assert await shop.outcomes(notification) == ["delivered"]
    (attempt,) = await shop.attempts(notification)
    assert attempt.provider_id.startswith("fcm:")


async def test_what_has_been_seen_is_not_pushed(shop: PushShop, fcm: FcmStandIn) -> None:
    await shop.has_device("phone")
    notification = await shop.notifies(ladder=(Step(PUSH),))
    await shop.inbox.mark(ZOE, [notification.id], EntryState.SEEN)
    await shop.pushes()
    assert not fcm.taken


async def test_without_a_device_the_next_step_comes_at_once(shop: PushShop) -> None:
    notification = await shop.notifies(ladder=(Step(PUSH), Step(EMAIL)))
    async with shop.working(channels={PUSH: shop.push}):
        await shop.is_quiet()
    first, _ = await shop.attempts(notification)
    assert (first.channel, first.outcome, first.detail) == (PUSH, "skipped", "no address for push")


async def test_when_the_last_registration_is_dead_the_ladder_goes_on_and_it_is_forgotten(
    shop: PushShop, fcm: FcmStandIn
) -> None:
    await shop.has_device("phone")
    fcm.faults.add(fcm_error(404, "NOT_FOUND", "UNREGISTERED"))
    notification = await shop.notifies(ladder=LADDER)
    await shop.pushes()
    assert (await shop.outcomes(notification))[0] == "failed"
    assert await shop.devices.of(ZOE) == []


@pytest.mark.parametrize("status", [500, 503])
async def test_an_outage_is_waited_out(shop: PushShop, fcm: FcmStandIn, status: int) -> None:
    await shop.has_device("phone")
    fcm.faults.add(fcm_error(status, "INTERNAL"))
    notification = await shop.notifies(ladder=(Step(PUSH),))
    await shop.pushes()
    assert await shop.outcomes(notification) == ["refused", "delivered"]
    assert len(fcm.taken) == 1

"""Erasing a person of whom everything is known, in a real store with a worker: nothing of it is left."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest_asyncio

from channels.standins.mail_relay import MailRelay
from hub.domain.channels import EMAIL
from hub.domain.decisions import Aggregate, AggregateKind, Change, Decision, Erase, Outcome
from hub.domain.devices import Device, Kind, Platform
from hub.domain.digests import closing_job
from hub.domain.events import Consent
from hub.domain.ids import UserId
from hub.domain.notifications import Step
from hub.domain.people import Person, encode_person, tombstone
from hub.domain.preferences import Preferences
from hub.store.clock import unix_ms
from hub.store.devices import Devices
from hub.store.keys import Keys
from hub.store.scripts import Scripts
from hub.store.single import SingleServer
from tests.delivery_shop import Shop
from tests.mail_relay import mail_relay
from tests.redis_client import client_of

__all__ = ["mail_relay"]

ANA = UserId("ana-7f3c")
PRIVATE = ("ana@example.com", "+4915112345678", "Ana Lovelace", "Europe/Lisbon", "order-of-ana", "phone-of-ana")
LATER = (Step(EMAIL, after_s=7 * 86_400.0),)


@pytest_asyncio.fixture
async def shop(redis_url: str, key_prefix: str, mail_relay: MailRelay) -> AsyncIterator[Shop]:
    server = SingleServer(redis_url)
    yield Shop(server, key_prefix, mail_relay)
    await server.aclose()


async def fill(shop: Shop, devices: Devices) -> None:
    """Have everything known about Ana that can be, and messages of all kinds wait for her."""
    consent = {EMAIL: Consent(granted=True, at=datetime.now(UTC), source="order-of-ana")}
    address, phone, name, zone, order, device = PRIVATE
    await shop.knows(Person(ANA, email=address, phone=phone, name=name, time_zone=zone, consent=consent))
    await shop.preferences.put(ANA, Preferences(time_zone=zone, consent={}), expected_version=0)
    await devices.put(ANA, Device(Kind.TOKEN, device, Platform.WEB, registered_ms=unix_ms(), seen_ms=unix_ms()))
    private = {"order_id": order}
    await shop.notifies(ANA, context=private)
    await shop.delivers()
    gathering = await shop.notifies(ANA, context=private, digest_s=7 * 86_400)
    for claimed in await shop.jobs.claim(lane=gathering.lane, now_ms=unix_ms(), lease_ms=60_000, limit=40):
        await shop.digests.gather(claimed, closing_job(claimed.job, now_ms=unix_ms()))
    ahead = shop.notification(ANA, context=private, created_ms=unix_ms() + 80 * 86_400_000, collapse_key=order)
    await shop.effects.postpone([ahead])
    await shop.notifies(ANA, context=private, ladder=LATER, cancel_key=order)


async def erase(shop: Shop) -> None:
    aggregate = Aggregate(AggregateKind.PERSON, ANA)
    (document,) = await shop.documents.read_many([aggregate])
    await shop.documents.apply_many([Change(aggregate, document.version, encode_person(tombstone(ANA)))])
    await shop.effects.carry_out([Decision(Outcome.APPLIED, erase=Erase(ANA))])


READS: dict[str, tuple[str | int, ...]] = {
    "string": ("GET",),
    "hash": ("HGETALL",),
    "zset": ("ZRANGE", 0, -1),
    "set": ("SMEMBERS",),
    "list": ("LRANGE", 0, -1),
    "stream": ("XRANGE", "-", "+"),
}


async def everything(redis_url: str, key_prefix: str) -> dict[str, str]:
    """Return all that is kept, by key."""
    kept: dict[str, str] = {}
    async with client_of(redis_url) as redis:
        async for key in redis.scan_iter(match=f"{key_prefix}*"):
            command, *rest = READS[(await redis.type(key)).decode()]
            kept[key.decode().removeprefix(key_prefix)] = repr(await redis.execute_command(command, key, *rest))
    return kept


async def test_whatever_is_known_about_a_person_goes_and_whatever_waits_is_not_sent(
    shop: Shop, redis_url: str, key_prefix: str
) -> None:
    server = SingleServer(redis_url)
    await fill(shop, Devices(server, Scripts(server), Keys(key_prefix)))
    await server.aclose()
    before = repr(await everything(redis_url, key_prefix))
    assert all(each in before for each in PRIVATE)
    shop.relay.outbox.clear()
    await erase(shop)
    await shop.delivers()
    assert shop.relay.outbox.mails() == []
    left = await everything(redis_url, key_prefix)
    assert [each for each in PRIVATE if each in repr(left)] == []
    # What is left under the person's name keeps them erased, or keeps an event that comes again from being new.
    named = {key.removeprefix(f"{{user:{ANA}}}:").partition(":")[0] for key in left if ANA in key}
    assert named <= {"doc", "meta", "seen", "awaited"}

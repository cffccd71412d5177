"""The whole scene: brokers, backends, one installation with all roles, 200 apps and a mail relay; and its verdict."""

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from channels.standins.mail_relay import MailRelay
from channels.standins.outbox import Outbox, Taken
from deploy.local import KafkaServer, RabbitServer
from hub.app import Stores, open_stores
from hub.settings import Delivery, Settings
from tests.acceptance.audience import Audience
from tests.acceptance.checker import Handed, mail_problems, problems, summary
from tests.acceptance.installation import FAMILIES, Installation
from tests.acceptance.journeys import MAILED, PLAYBOOK, Plan, introductions
from tests.acceptance.producers import Backend, KafkaBackend, RabbitBackend, is_consumed, is_empty, make_topics
from tests.acceptance.programs import Program
from tests.acceptance.waiting import until, until_true
from tests.redis_client import client_of

LEASE_S = 6
_MAILS_MAX = 100_000
_LINK = re.compile(r"https?://\S+")
_ORDER = re.compile(r"\b[KR][0-9]+\b")
_USERS, _SDKS = 200, 4


class Shop:
    """One shop with everything running. `run` sends the plan; `verdict` says what went wrong."""

    def __init__(self, hub: Installation, plan: Plan, audience: Audience, relay: MailRelay, stores: Stores) -> None:
        self.hub = hub
        self.plan = plan
        self.audience = audience
        self.relay = relay
        self.stores = stores
        self.backends: dict[str, Backend] = {}
        self.programs: dict[str, Program] = {}
        self.expected = plan.expected()
        self.total = sum(map(len, self.expected.values()))

    async def shown(self, share: float, *, timeout_s: float = 120.0) -> None:
        """Wait until a share of all notifications has been shown."""
        wanted = round(self.total * share)
        await until(
            lambda: self.audience.count >= wanted, timeout_s=timeout_s, what=lambda: f"{wanted} shown: {self.progress}"
        )

    def _missing(self) -> str:
        found = problems(self.expected, self.audience.told)
        return summary(found) if len(found) < 1_000 else ""

    @property
    def progress(self) -> str:
        """How far everything has come, for a failure's message."""
        sent = {name: backend.sent for name, backend in self.backends.items()}
        mails, errors = self.relay.outbox.total, self.audience.tally.errors
        return f"sent {sent}, shown {self.audience.count} of {self.total}, {mails} mails, {errors} {self._missing()}"

    async def send(self) -> None:
        """Send the whole plan, over both brokers at once."""
        await asyncio.gather(*(backend.send_plan(self.plan, name) for name, backend in self.backends.items()))

    async def settled(self, kafka: KafkaServer, rabbit: RabbitServer, *, timeout_s: float = 120.0) -> None:
        """Wait until every event is acknowledged to its broker and no job is left: nothing more can come."""
        await self.shown(1.0, timeout_s=timeout_s)

        async def consumed() -> bool:
            if not await is_consumed(kafka.bootstrap, self.hub.name):
                return False
            return await is_empty(rabbit, f"{self.hub.name}.events")

        await until_true(consumed, timeout_s=timeout_s, what="everything is acknowledged")

        async def delivered() -> bool:
            return not any((await self.stores.jobs.depth()).values())

        await until_true(delivered, timeout_s=timeout_s, what="no job is left")
        await until(
            self._timelines_are_complete, timeout_s=10, what=lambda: f"order pages: {self._short_timelines()[:5]}"
        )

    async def verdict(self) -> list[str]:
        """Return everything that is not as it must be."""
        audience, tally = self.audience, self.audience.tally
        found = problems(self.expected, audience.told)
        found += audience.strangers
        found += self._sent_problems()
        found += self._timeline_problems()
        found += [
            f"{user} was told of sales {sorted(sales)}"
            for user, sales in audience.announced.items()
            if Counter(sales) != Counter(self.plan.sales)
        ]
        found += [
            f"{user} sees {price} for {product} instead of {self.plan.prices[product]}"
            for (user, product), price in audience.prices.items()
            if price != self.plan.prices[product]
        ]
        for name in ("doubles", "holes", "unrecovered", "errors"):
            if getattr(tally, name):
                found.append(f"clients counted {name}: {getattr(tally, name)}")
        found += [f"unrecovered: {each}" for each in audience.sdk_unrecovered]
        found += await self._mail_problems()
        letters = await self.stores.dead_letters.count()
        return [*found, *([f"{letters} dead letters"] if letters else [])]

    async def _mail_problems(self) -> list[str]:
        """Return what is wrong with the mails: each must be that of a notification that its person was shown."""
        expected = {
            id_: (user, told.order) for id_, (user, told) in self.audience.notified.items() if told.type in MAILED
        }
        unknown = self.plan.expected_mails() - set(expected.values())
        found = [f"{user} was shown nothing about {order} to be mailed" for user, order in unknown]
        found += mail_problems(expected, self._handed())
        unrecorded = self.mailed_twice() - await self.begun_twice()
        return found + [f"a second mail of {id_} is not on record" for id_ in sorted(unrecorded)]

    def mailed_twice(self) -> set[str]:
        """Return the notifications of which the relay took a second mail."""
        return {id_ for id_, copies in Counter(mail.id for mail in self._handed()).items() if copies > 1}

    def _handed(self) -> list[Handed]:
        return [_handed(mail, in_doubt=mail.id in self.relay.in_doubt) for mail in self.relay.outbox.mails()]

    async def begun_twice(self) -> set[str]:
        """Return the notifications for which, by their records, a second call of the relay was begun."""
        found: set[str] = set()
        async with client_of(self.hub.environment["DOORBELL_REDIS_URL"]) as redis:
            async for key in redis.scan_iter(match=f"{self.hub.name}:*record:*", count=5_000):
                fields: list[Any] = await redis.hkeys(key)
                numbers = [int(name.rsplit(b":", 1)[1]) for name in fields if name.startswith(b"attempt:")]
                if any(number >= 1 for number in numbers):
                    found.add(key.decode().rpartition(":")[2])
        return found

    def _sent_problems(self) -> list[str]:
        return [
            f"{name} did not take {message.id}"
            for name, backend in self.backends.items()
            for message in self.plan.messages(name)
            if message.id not in backend.acknowledged
        ]

    def _short_timelines(self) -> list[str]:
        return [
            f"{journey.order} at {position} of {len(journey.told)}"
            for journey in self.plan.all_journeys()
            for position in self.audience.positions(f"order:{journey.order}")
            if position != len(journey.told)
        ]

    def _timelines_are_complete(self) -> bool:
        return not self._short_timelines()

    def _timeline_problems(self) -> list[str]:
        """Return the order pages that are not at the order's end, or were shown something twice or out of order."""
        timelines = self.audience.timelines
        journeys = {journey.order: journey for journey in self.plan.all_journeys()}
        wanted = {
            order: [told for told in journeys[order].told if told in all_told] for order, all_told in timelines.items()
        }
        return [*self._short_timelines(), *problems(wanted, timelines)]


def _handed(mail: Taken, *, in_doubt: bool) -> Handed:
    message = mail.parsed()
    body = message.get_body(("plain",))
    # The tokens of links are random, and some of them contain what looks like an order.
    words = _LINK.sub("", body.get_content()) if body else ""
    orders = sorted(set(_ORDER.findall(words)))
    id_ = str(message["Message-ID"]).strip("<>").partition("@")[0]
    return Handed(id_, mail.recipients[0].partition("@")[0], ",".join(orders), in_doubt)


@contextlib.asynccontextmanager
async def open_shop(
    folder: Path, name: str, *, redis_url: str, kafka: KafkaServer, rabbit: RabbitServer, events: int, seed: int
) -> AsyncIterator[Shop]:
    """Start everything, with people introduced and their apps connected."""
    users = [f"user{number}" for number in range(_USERS)]
    plan = Plan(["kafka", "rabbit"], users, events=events, seed=seed)
    playbook = folder / "playbook.toml"
    playbook.write_text(PLAYBOOK)
    await make_topics(kafka.bootstrap, name, FAMILIES)
    async with MailRelay(outbox=Outbox(mails_max=_MAILS_MAX)) as relay:
        settings = {
            "REDIS_URL": redis_url,
            "WORKERS": "2",
            "GATEWAY__DRAIN_S": "3",
            "PLAYBOOK": str(playbook),
            "KAFKA__BOOTSTRAP": kafka.bootstrap,
            "KAFKA__GROUP": name,
            "KAFKA__TOPICS": ",".join(f"{name}-{family}" for family in FAMILIES),
            "KAFKA__SESSION_TIMEOUT_S": "6",
            "RABBITMQ__URL": rabbit.url,
            "RABBITMQ__EXCHANGE": name,
            "RABBITMQ__QUEUE": f"{name}.events",
            "SMTP__URL": relay.url,
            "SMTP__TIMEOUT_S": str(LEASE_S - 1),
            "DELIVERY__LEASE_S": str(LEASE_S),
        }
        hub_settings = Settings(redis_url=redis_url, key_prefix=f"{name}:", delivery=Delivery())
        async with (
            Installation(folder, name, **settings) as hub,
            open_stores(hub_settings, redis_url) as stores,
        ):
            shop = Shop(hub, plan, Audience(hub.port, hub.token), relay, stores)
            for role in ("serve", "consume", "deliver"):
                shop.programs[role] = hub.start(role)
            for role in shop.programs:
                await hub.wait_ready(role)
            await hub.publish(introductions(users))
            products = [f"price:{product}" for product in plan.prices]
            await shop.audience.open(users[:20], topics=products)
            await shop.audience.open(users[20:-_SDKS])
            await shop.audience.open_sdks(users[-_SDKS:])
            async with (
                KafkaBackend(kafka.bootstrap, name) as over_kafka,
                RabbitBackend(rabbit.url, name) as over_rabbit,
            ):
                shop.backends = {"kafka": over_kafka, "rabbit": over_rabbit}
                yield shop
            await shop.audience.close()

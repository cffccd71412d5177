"""A shop for the tests of delivery: people and notifications in a real Redis, and workers that deliver to a relay."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from channels.email.opening import open_email
from channels.registry import Tools
from channels.runner import Runner
from channels.standins.mail_relay import MailRelay
from channels.worker import delivery_runner
from hub.domain.channels import EMAIL, Channel
from hub.domain.decisions import Aggregate, AggregateKind, Change
from hub.domain.house_rules import HouseRules
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import InboxEntry, Job, Lane, Notification, Step, job_id
from hub.domain.people import Person, encode_person
from hub.domain.topics import Namespaces
from hub.service.feedback.mail_marks import Marks
from hub.service.intake.effects import Effects
from hub.service.person.person_links import PersonLinks
from hub.service.signing import Signer
from hub.settings import Delivery, Smtp
from hub.store.allowances import Allowances
from hub.store.clock import unix_ms
from hub.store.connection import pipelined
from hub.store.dead_letters import DeadLetters
from hub.store.digests import Digests
from hub.store.documents import Documents
from hub.store.erasure import Erasure
from hub.store.inbox import Inbox
from hub.store.jobs import Jobs
from hub.store.keys import Keys
from hub.store.preferences import PreferenceBook
from hub.store.records import Attempt, Records
from hub.store.return_paths import ReturnPaths
from hub.store.round_trip import Command
from hub.store.scripts import Scripts
from hub.store.server import Server
from hub.store.suppressions import Suppressions
from hub.store.topics import Topics
from templates.renderer import Renderer
from tests.due import next_due_ms

ZOE = UserId("zoe")
MAILBOX = "zoe@example.com"
BY_EMAIL = (Step(EMAIL),)
WINDOW_S = 3_600
SECRET = "a secret that is known to nobody"
SIGNER = Signer(SECRET)
DELIVERY = Delivery(lease_s=2.0, max_attempts=3, backoff_first_s=0.05, backoff_max_s=0.05)
_renderer = Renderer()


async def until(condition: Callable[[], bool], *, timeout_s: float = 30.0) -> None:
    """Wait until something is so: what happens in another process or over a socket sets no event here."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - see above.
            await asyncio.sleep(0.02)


class Shop:
    """A real store with people in it, and workers that deliver from it."""

    def __init__(self, server: Server, prefix: str, relay: MailRelay) -> None:
        keys, scripts = Keys(prefix), Scripts(server)
        self._keys, self._server = keys, server
        self.relay = relay
        self.dead_letters = DeadLetters(server, scripts, keys)
        self.records = Records(server, scripts, keys)
        self.jobs = Jobs(server, scripts, keys, self.dead_letters, self.records, shards=2, dedupe_window_s=WINDOW_S)
        self.digests = Digests(scripts, keys, self.dead_letters, shards=2, dedupe_window_s=WINDOW_S)
        self.inbox = Inbox(server, scripts, keys, Namespaces(), size=50, dedupe_window_s=WINDOW_S)
        self.documents = Documents(server, scripts, keys, ttl_s=WINDOW_S)
        self.erasure = Erasure(server, scripts, keys, shards=2)
        self.suppressions = Suppressions(server, scripts, keys)
        self.return_paths = ReturnPaths(server, keys)
        self.marks = Marks(SIGNER, mailbox="", paths=self.return_paths, clock=unix_ms)
        self.links = PersonLinks(SIGNER, public_url="https://hub.example", clock=unix_ms)
        self.effects = Effects(
            scripts=scripts,
            topics=Topics(server, scripts, keys, Namespaces(), dedupe_window_s=WINDOW_S),
            inbox=self.inbox,
            jobs=self.jobs,
            records=self.records,
            documents=self.documents,
            erasure=self.erasure,
            renderer=_renderer,
            default_locale="en",
        )
        self.preferences = PreferenceBook(server, scripts, keys)
        self.allowances = Allowances(scripts, keys)
        self.house = HouseRules()
        self._numbers = itertools.count()

    async def next_due_ms(self, lane: Lane) -> int | None:
        """Return when a lane has something to do next, None where it is empty."""
        return await next_due_ms(self._server, self._keys, lane, shards=2)

    async def knows(self, person: Person) -> None:
        aggregate = Aggregate(AggregateKind.PERSON, person.user)
        (document,) = await self.documents.read_many([aggregate])
        await self.documents.apply_many([Change(aggregate, document.version, encode_person(person))])

    async def has_unreadable_preferences(self, user: UserId) -> None:
        """Keep preferences of somebody that no version of ours has written."""
        write: Command = ("HSET", self._keys.preferences(user), "v", 1, "body", "}")
        await pipelined(self._server, [write], what="test")

    def notification(self, user: UserId = ZOE, **changes: Any) -> Notification:
        made = Notification(
            id=NotificationId(f"n-{next(self._numbers)}"),
            user=user,
            rule=RuleName("order-packed"),
            event_type="order.packed",
            category="orders",
            lane=Lane.TRANSACTIONAL,
            template=TemplateName("order-packed"),
            context={"order_id": "A-1"},
            created_ms=unix_ms(),
            ladder=BY_EMAIL,
        )
        return msgspec.structs.replace(made, **changes)

    async def notifies(self, user: UserId = ZOE, **changes: Any) -> Notification:
        notification = self.notification(user, **changes)
        entry = InboxEntry(
            id=notification.id,
            event_type=notification.event_type,
            category=notification.category,
            title="Packed",
            body="Packed",
            created_ms=notification.created_ms,
            collapse_key=notification.collapse_key,
        )
        await self.inbox.add_many([(user, entry)])
        due_ms = notification.created_ms + round(notification.ladder[0].after_s * 1_000)
        job = Job(id=job_id(notification.id, 0), step=0, notification=notification, due_ms=due_ms)
        await self.jobs.schedule_many([job])
        return notification

    def runner(self, channels: dict[Channel, Any], settings: Delivery = DELIVERY) -> Runner:
        return delivery_runner(
            settings,
            self,
            channels=channels,
            tools=Tools(_renderer, "https://shop.example", "en"),
            appearances=self.effects,
            house=self.house,
        )

    async def delivers(self, *, settings: Delivery = DELIVERY) -> None:
        """Run a worker until nothing is left in the queue."""
        async with self.working(settings=settings):
            await self.is_quiet()

    @asynccontextmanager
    async def working(
        self, *, settings: Delivery = DELIVERY, channels: dict[Channel, Any] | None = None, drain_s: float = 5.0
    ) -> AsyncIterator[None]:
        smtp = Smtp(url=self.relay.url, pool_size=4, timeout_s=1.0)
        stop = asyncio.Event()
        async with open_email(
            smtp, Tools(_renderer, "https://shop.example", "en"), marking=self.marks, links=self.links
        ) as email:
            chosen = channels if channels is not None else {EMAIL: email}
            task = asyncio.create_task(self.runner(chosen, settings).run(stop, drain_s=drain_s))
            try:
                yield
            finally:
                stop.set()
                await task

    async def is_quiet(self) -> None:
        async with asyncio.timeout(20):
            while sum((await self.jobs.depth()).values()):  # noqa: ASYNC110 - Redis sets no event.
                await asyncio.sleep(0.02)

    async def attempts(self, notification: Notification) -> Sequence[Attempt]:
        record = await self.records.read(notification.user, notification.id)
        return record.attempts if record else ()

    async def outcomes(self, notification: Notification) -> list[str]:
        return [attempt.outcome for attempt in await self.attempts(notification)]

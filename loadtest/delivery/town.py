"""Who is written to under load: people with a mailbox, a phone and a device each, and what waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hub.app import Stores, build_effects, build_renderer, open_stores
from hub.config import load
from hub.domain.channels import EMAIL, PUSH, SMS, Channel
from hub.domain.decisions import Aggregate, AggregateKind, Change
from hub.domain.devices import Device, Kind, Platform
from hub.domain.events import Consent
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import Lane, Notification, Step
from hub.domain.people import Person, encode_person
from hub.service.intake.effects import Effects
from hub.store.clock import unix_ms
from loadtest.stack import Stack

_BATCH = 500
_LOCALES = ("en-GB", "de", "pt-BR", "ar")
_CONSENT = dict.fromkeys((EMAIL, SMS, PUSH), Consent(granted=True))


def user(number: int) -> UserId:
    """Return the person of a number."""
    return UserId(f"user-{number}")


def phone(number: int) -> str:
    """Return the person's number: one that libphonenumber takes for a British mobile phone."""
    return f"+447400{number:06d}"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is to be sent: `count` notifications of one template, by one channel, in one lane."""

    channel: Channel
    lane: Lane
    template: TemplateName
    count: int
    category: str = "orders"
    digest_s: int = 0
    """For how long they gather with others of the same person; 0: each goes alone."""


class Town:
    """The people of an installation that is under load."""

    def __init__(self, stores: Stores, effects: Effects, samples: dict[str, dict[str, object]]) -> None:
        self.stores = stores
        self._effects = effects
        self._samples = samples
        self._numbers = 0
        self._people = 1

    @property
    def people(self) -> int:
        """How many there are."""
        return self._people

    async def settle(self, people: int) -> None:
        """Make everybody known, and give each a phone with the app."""
        self._people = people
        now_ms = unix_ms()
        for numbers in _batches(people):
            await self.stores.documents.apply_many([_known(number) for number in numbers])
            devices = [Device(Kind.TOKEN, f"device-{number}", Platform.ANDROID, now_ms, now_ms) for number in numbers]
            await asyncio.gather(
                *(
                    self.stores.devices.put(user(number), device)
                    for number, device in zip(numbers, devices, strict=True)
                )
            )

    async def wait_for(self, *backlogs: Backlog) -> list[Notification]:
        """Put notifications into inboxes, person after person, and their first steps into the queue, due at once.

        Those of several backlogs take turns.
        """
        sent: list[Notification] = []
        for numbers in _batches(max(backlog.count for backlog in backlogs)):
            batch = [
                self._notification(backlog, number % self._people)
                for number in numbers
                for backlog in backlogs
                if number < backlog.count
            ]
            await self._effects.notify(batch)
            sent += batch
        return sent

    def _notification(self, backlog: Backlog, person: int) -> Notification:
        self._numbers += 1
        return Notification(
            id=NotificationId(f"load-{self._numbers}"),
            user=user(person),
            rule=RuleName("load"),
            event_type="load",
            category=backlog.category,
            lane=backlog.lane,
            template=backlog.template,
            context=self._samples[backlog.template],
            created_ms=unix_ms(),
            ladder=(Step(backlog.channel),),
            link="/orders/A-1001",
            digest_s=backlog.digest_s,
        )


def _batches(count: int) -> Iterator[range]:
    for start in range(0, count, _BATCH):
        yield range(start, min(count, start + _BATCH))


def _known(number: int) -> Change:
    person = Person(
        user(number),
        email=f"user-{number}@mail-{number % 50}.example",
        phone=phone(number),
        name=f"Zoë Weber {number}",
        locale=_LOCALES[number % len(_LOCALES)],
        time_zone="Europe/London",
        consent=_CONSENT,
    )
    return Change(Aggregate(AggregateKind.PERSON, person.user), 0, encode_person(person))


@asynccontextmanager
async def open_town(stack: Stack) -> AsyncIterator[Town]:
    """Open the stores of the installation with its own settings."""
    ours = {name: value for name, value in stack.environment.items() if name.startswith("DOORBELL_")}
    settings = load(None, ours)
    async with open_stores(settings, stack.redis_url) as stores:
        renderer = build_renderer(settings)
        samples = {
            name: {key: value for key, value in sample.items() if key != "name"}
            for name, sample in renderer.catalog.samples.items()
        }
        yield Town(stores, build_effects(settings, stores, renderer), samples)


def write_configuration(folder: Path, *, relay: str, twilio: str, fcm: str) -> Path:
    """Write the settings that the figures are measured with; return the file.

    They differ from the defaults where those are bounds that a shop agrees with a provider, and not what a worker can
    do: pushes and texts a second, texts to one number, and sessions with the relay.
    """
    playbook = folder / "playbook.toml"
    playbook.write_text(
        '[rules.order-placed]\nladder = []\n[rules.payment-failed]\nladder = [{ channel = "sms" }]\n', encoding="utf-8"
    )
    file = folder / "doorbell.toml"
    file.write_text(
        f"""
playbook = "{playbook}"

[delivery]
concurrency = 256

[smtp]
url = "{relay}"
pool_size = 80
mails_per_connection = 1000

[[push.fcm]]
project_id = "load"
endpoint = "{fcm}"
per_second = 0
concurrency = 64

[sms]
per_number_hour = 1000000
per_number_day = 1000000
per_prefix_hour = 1000000
per_country_day = 1000000

[[sms.twilio]]
account_sid = "AC{"0" * 32}"
auth_token = "stand-in"
sender = "MG{"0" * 32}"
endpoint = "{twilio}"
per_second = 0
concurrency = 32
""",
        encoding="utf-8",
    )
    return file

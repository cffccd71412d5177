"""Delivery workers killed at random: every job ends in one recorded outcome, and no mail is doubled without a reason.

A backlog waits, workers deliver it to a stand-in of a mail relay, and again and again one of them is killed (SIGKILL)
and started anew, whatever it is doing. The relay refuses some people for good and some for now, so that jobs end in
different ways, and half of the jobs gather in digests. Afterwards the records of all notifications are held against
what the relay has taken.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from channels.standins.mail_relay import MailRelay
from channels.standins.outbox import Outbox, Taken
from channels.standins.script import Fault, Phase
from hub.domain.channels import EMAIL
from hub.domain.ids import NotificationId, TemplateName
from hub.domain.notifications import Lane, Notification
from hub.store.records import Attempt
from loadtest.delivery.town import Backlog, Town, open_town
from loadtest.measure import Figure
from loadtest.stack import Stack, running_stack

NAME = "crashes"
MOST_DOUBLES = 0.001
"""Doubled mails for each job, at most."""
_ROLE = "deliver"
_WINDOW_S = 3
"""How long digests gather: a kill or two."""
_LOOK_S = 0.002
_PATIENCE_S = 900.0
_FINAL = frozenset({"delivered", "failed", "unknown", "buried"})
_REFUSED_DOMAIN, _BUSY_DOMAIN = "mail-7.example", "mail-8.example"
"""Of the town's mailboxes, one in fifty each."""
_MOST_CALLS = 2
"""Of one step whose outcome may be unknown: one, and one more."""
_IN_DIGEST = re.compile(r"in digest (\w+)")
_MESSAGE_ID = re.compile(rb"^Message-ID: <([^@>]+)@", re.MULTILINE | re.IGNORECASE)
_SETTINGS = {
    # A worker that has died is replaced after a lease: as long as a call takes at most, and no longer.
    "DOORBELL_DELIVERY__LEASE_S": "5",
    "DOORBELL_SMTP__TIMEOUT_S": "2",
    "DOORBELL_DELIVERY__MAX_ATTEMPTS": "3",
    "DOORBELL_DELIVERY__BACKOFF_FIRST_S": "0.2",
    "DOORBELL_DELIVERY__BACKOFF_MAX_S": "1",
}


@dataclass(frozen=True, slots=True)
class Load:
    """`jobs` steps, half of which gather, and `kills` of one of the `workers` at random. `seed` says when they fall."""

    jobs: int = 20_000
    kills: int = 40
    workers: int = 2
    seed: int = 1


class Ledger(Outbox):
    """An outbox that remembers how often each mail has come, by its notification."""

    def __init__(self) -> None:
        super().__init__(mails_max=1)
        self.times: Counter[NotificationId] = Counter()

    def take(self, *, sender: str, recipients: tuple[str, ...], content: bytes, at_ms: int) -> Taken:
        """Count a mail."""
        found = _MESSAGE_ID.search(content)
        if found is None:
            raise ValueError("a mail without a Message-ID")
        self.times[NotificationId(found[1].decode())] += 1
        return super().take(sender=sender, recipients=recipients, content=content, at_ms=at_ms)


@dataclass(slots=True)
class Verdict:
    """What has become of the jobs. `wrong` says what must not be, in words; there should be nothing in it."""

    jobs: int
    kills: int
    mails: int
    cut: int = 0
    """Jobs with a call of which nobody knows how it ended."""
    doubles: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def figures(self) -> list[Figure]:
        """Return the figures of a run."""
        outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        return [
            Figure(NAME, f"jobs, while workers were killed {self.kills} times ({outcomes})", self.jobs, ""),
            Figure(NAME, "jobs without exactly one outcome that fits the mails", len(self.wrong), "", budget=0),
            Figure(NAME, "jobs of which a call was cut off", self.cut, ""),
            Figure(NAME, "doubled mails", self.doubles, ""),
            Figure(
                NAME,
                "doubled mails in a thousand jobs",
                self.doubles / self.jobs * 1_000,
                "‰",
                budget=MOST_DOUBLES * 1_000,
            ),
        ]


@asynccontextmanager
async def installed(*, people: int) -> AsyncIterator[tuple[Stack, Town, MailRelay]]:
    """Yield an installation whose relay runs in this process, with the people known and nobody delivering."""
    async with MailRelay(outbox=Ledger()) as relay:
        settings = {**_SETTINGS, "DOORBELL_SMTP__URL": relay.url}
        with running_stack(kafka=False, settings=settings) as stack:
            async with open_town(stack) as town:
                await town.settle(people)
                yield stack, town, relay


async def measure(load: Load) -> list[Figure]:
    """Run it and return the figures."""
    verdict = await crash(load)
    for problem in verdict.wrong[:20]:
        print(problem)
    return verdict.figures()


async def crash(load: Load) -> Verdict:
    """Deliver a backlog while workers are killed, and say what has become of it. Raises TimeoutError."""
    async with installed(people=max(100, load.jobs // 10)) as (stack, town, relay):
        ledger = relay.outbox
        if not isinstance(ledger, Ledger):
            raise TypeError("the relay was given a ledger")
        relay.faults.add(Fault(Phase.RCPT, "550 5.7.1 not wanted here", times=None, recipient=_REFUSED_DOMAIN))
        relay.faults.add(Fault(Phase.RCPT, "450 4.2.0 come again", times=None, recipient=_BUSY_DOMAIN))
        alone = Backlog(EMAIL, Lane.TRANSACTIONAL, TemplateName("order-placed"), load.jobs // 2)
        sent = await town.wait_for(alone)
        sent += await town.wait_for(replace(alone, count=load.jobs - alone.count, digest_s=_WINDOW_S))
        async with asyncio.timeout(_PATIENCE_S):
            await _deliver(load, stack, town)
        await asyncio.to_thread(stack.stop_all)
        attempts = {each.id: await _attempts(town, each) for each in sent}
    return judge(attempts, ledger.times, kills=load.kills)


async def _deliver(load: Load, stack: Stack, town: Town) -> None:
    """Run the workers until nothing waits, and kill one of them at random moments of the way there."""
    chance = random.Random(load.seed)
    names = [f"{_ROLE}-{number}" for number in range(load.workers)]
    await asyncio.gather(*(asyncio.to_thread(stack.start, _ROLE, name=name) for name in names))
    for left in sorted((chance.randrange(load.jobs) for _ in range(load.kills)), reverse=True):
        while await _waiting(town) > left:  # noqa: ASYNC110 - another process makes progress, and sets no event here.
            await asyncio.sleep(_LOOK_S)
        await asyncio.sleep(chance.random() * 2 * _LOOK_S)  # Not right after a job has ended.
        name = chance.choice(names)
        await asyncio.to_thread(stack.kill, name)
        await asyncio.to_thread(stack.start, _ROLE, name=name)
    while await _waiting(town):  # noqa: ASYNC110 - as above.
        await asyncio.sleep(0.1)


async def _waiting(town: Town) -> int:
    """Return how many jobs are in the queue, waiting or in hand."""
    return sum((await town.stores.jobs.depth()).values())


async def _attempts(town: Town, notification: Notification) -> Sequence[Attempt]:
    record = await town.stores.records.read(notification.user, notification.id)
    return record.attempts if record is not None else ()


def judge(
    attempts: Mapping[NotificationId, Sequence[Attempt]], mails: Mapping[NotificationId, int], *, kills: int
) -> Verdict:
    """Hold the records against the mails that came."""
    verdict = Verdict(jobs=len(attempts), kills=kills, mails=sum(mails.values()))
    verdict.doubles = sum(count > 1 for count in mails.values())
    meant = set(attempts)
    for name, tries in attempts.items():
        final = [each for each in tries if each.outcome in _FINAL]
        if len(final) != 1:
            verdict.wrong.append(f"{name} has {len(final)} outcomes: {[each.outcome for each in tries]}")
            continue
        told = _told(name, final[0])
        meant |= told.mails
        verdict.outcomes[final[0].outcome] += 1
        verdict.cut += final[0].outcome in {"delivered", "unknown"} and told.earlier_calls > 0
        if problem := told.contradiction(sum(mails.get(each, 0) for each in told.mails)):
            verdict.wrong.append(f"{name}: {problem}")
    verdict.wrong += [f"the mail {name} is nobody's" for name in mails.keys() - meant]
    return verdict


@dataclass(frozen=True, slots=True)
class _Told:
    """The last word of a record: how it ended, which mail it speaks of, and how many calls came before.

    `mails` are ids, under one of which the mail should have come.
    """

    outcome: str
    mails: frozenset[NotificationId]
    earlier_calls: int

    def contradiction(self, came: int) -> str:
        """Return what does not fit between it and the mails that came; empty: nothing."""
        # A call that a dead worker had begun counts as a try, and is the only reason for a second mail.
        match self.outcome:
            case "delivered" if not 1 <= came <= 1 + min(1, self.earlier_calls):
                return f"delivered after {self.earlier_calls} other calls, and {came} mails came"
            case "unknown" if came > _MOST_CALLS:
                return f"{came} mails came"
            case "failed" | "buried" if came:
                return f"{self.outcome}, and {came} mails came"
            case _:
                return ""


def _told(name: NotificationId, final: Attempt) -> _Told:
    """Read the last word: what gathered went out with the mail of its digest or, if it was the only one, its own."""
    found = _IN_DIGEST.match(final.detail)
    if found is None:
        return _Told(final.outcome, frozenset({name}), final.number)
    # The first number of a step in a digest is that of its gathering.
    return _Told(final.outcome, frozenset({name, NotificationId(found[1])}), final.number - 1)

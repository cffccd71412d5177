"""Delivery workers killed at random: every job ends in one recorded outcome, and nothing is doubled without a reason.

A backlog of mails, pushes and texts waits, workers deliver it to stand-ins of a relay, FCM and Twilio, and again and
again one of them is killed (SIGKILL) and started anew, whatever it is doing. The providers refuse some people for good,
the relay some for now as well, so that jobs end in different ways, and half of the jobs gather in digests. Afterwards
the records of all notifications are held against what the providers have taken.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from channels.standins.fcm import FcmStandIn, fcm_error
from channels.standins.http_script import HttpFault
from channels.standins.mail_relay import MailRelay
from channels.standins.outbox import Outbox, Taken
from channels.standins.script import Fault, Phase
from channels.standins.twilio import SentText, TwilioStandIn, twilio_error
from hub.domain.channels import EMAIL, PUSH, SMS
from hub.domain.ids import NotificationId, TemplateName
from hub.domain.notifications import Lane, Notification
from hub.service.feedback.sms_receipts import named_receipt
from hub.service.signing import Signer
from loadtest.delivery.crash_verdict import NAME, Came, Ended, Verdict, judge
from loadtest.delivery.town import Backlog, Town, open_town
from loadtest.measure import Figure
from loadtest.stack import Stack, running_stack

__all__ = ["NAME", "Load", "crash", "measure"]

CHANNELS = (EMAIL, PUSH, SMS)
CALLS_AT_ONCE = 3
"""Of a worker with each provider: as many as a worker has sessions with a relay for mails of this lane, by default."""
_ROLE = "deliver"
_WINDOW_S = 3
"""How long digests gather: a kill or two."""
_LOOK_S = 0.002
_TIMEOUT_S = 2
_PATIENCE_S = 900.0
_REFUSED_DOMAIN, _BUSY_DOMAIN = "mail-7.example", "mail-8.example"
"""Of the town's mailboxes, one in fifty each."""
_REFUSED_DEVICES, _REFUSED_PHONES = "device-13", "0013"
"""Of the town's people those whose number begins with 13: one in eighteen."""
_MESSAGE_ID = re.compile(rb"^Message-ID: <([^@>]+)@", re.MULTILINE | re.IGNORECASE)
_SETTINGS = {
    # A worker that has died is replaced after a lease: as long as a call takes at most, and no longer.
    "DOORBELL_DELIVERY__LEASE_S": "5",
    "DOORBELL_SMTP__TIMEOUT_S": f"{_TIMEOUT_S}",
    "DOORBELL_DELIVERY__MAX_ATTEMPTS": "3",
    "DOORBELL_DELIVERY__BACKOFF_FIRST_S": "0.2",
    "DOORBELL_DELIVERY__BACKOFF_MAX_S": "1",
    **dict.fromkeys(
        (
            f"DOORBELL_SMS__{bound}"
            for bound in ("PER_NUMBER_HOUR", "PER_NUMBER_DAY", "PER_PREFIX_HOUR", "PER_COUNTRY_DAY")
        ),
        "1000000",
    ),
}


@dataclass(frozen=True, slots=True)
class Load:
    """`jobs` steps, half of which gather, and `kills` of one of the `workers` at random. `seed` says when they fall."""

    jobs: int = 20_000
    kills: int = 13
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


class StandIns:
    """The providers, all in this process, and what they have taken."""

    def __init__(self) -> None:
        self.mails = Ledger()
        self.relay = MailRelay(outbox=self.mails)
        self.fcm, self.twilio = FcmStandIn(), TwilioStandIn()
        self.fcm.taken, self.twilio.taken = deque(), deque()

    @property
    def settings(self) -> dict[str, str]:
        """What an installation that sends to them is told."""
        account = {"account_sid": self.twilio.account_sid, "auth_token": self.twilio.auth_token, "sender": "Shop"}
        bounds = {"per_second": 0, "concurrency": CALLS_AT_ONCE, "timeout_s": _TIMEOUT_S}
        return {
            "DOORBELL_SMTP__URL": self.relay.url,
            "DOORBELL_PUSH__FCM": json.dumps([{"project_id": "load", "endpoint": self.fcm.url, **bounds}]),
            "DOORBELL_SMS__TWILIO": json.dumps([{**account, "endpoint": self.twilio.url, **bounds}]),
        }

    def refuse_some(self) -> None:
        """Refuse some people for good, and some mailboxes for now."""
        self.relay.faults.add(Fault(Phase.RCPT, "550 5.7.1 not wanted here", times=None, recipient=_REFUSED_DOMAIN))
        self.relay.faults.add(Fault(Phase.RCPT, "450 4.2.0 come again", times=None, recipient=_BUSY_DOMAIN))
        self.fcm.faults.add(_always(fcm_error(400, "INVALID_ARGUMENT"), _REFUSED_DEVICES))
        self.twilio.faults.add(_always(twilio_error(400, 21_612), _REFUSED_PHONES))

    def came(self, signer: Signer) -> Came:
        """Return how often each message has come; `signer` is the one that names the receipts of texts."""
        pushes = (NotificationId(push.message["data"]["notification_id"]) for push in self.fcm.taken)
        texts = (_notification_of(text, signer) for text in self.twilio.taken)
        return {EMAIL: self.mails.times, PUSH: Counter(pushes), SMS: Counter(texts)}


def _always(fault: HttpFault, recipient: str) -> HttpFault:
    return msgspec.structs.replace(fault, times=None, recipient=recipient)


def _notification_of(text: SentText, signer: Signer) -> NotificationId:
    """Return what a text is about: only its status callback says it."""
    named = named_receipt(signer, text.callback.rpartition("/")[2], now_s=0)
    if named is None:
        raise ValueError("a text whose status callback is not ours")
    return named[1]


@asynccontextmanager
async def installed(*, people: int) -> AsyncIterator[tuple[Stack, Town, StandIns]]:
    """Yield an installation whose providers run in this process, with the people known and nobody delivering."""
    stand_ins = StandIns()
    async with stand_ins.relay, stand_ins.fcm, stand_ins.twilio:
        with running_stack(kafka=False, settings={**_SETTINGS, **stand_ins.settings}) as stack:
            async with open_town(stack) as town:
                await town.settle(people)
                yield stack, town, stand_ins


async def measure(load: Load) -> list[Figure]:
    """Run it and return the figures."""
    verdict = await crash(load)
    for problem in verdict.wrong[:20]:
        print(problem)
    return verdict.figures()


async def crash(load: Load) -> Verdict:
    """Deliver a backlog while workers are killed, and say what has become of it. Raises TimeoutError."""
    async with installed(people=max(100, load.jobs // 10)) as (stack, town, stand_ins):
        stand_ins.refuse_some()
        sent = await town.wait_for(*backlogs(load.jobs))
        async with asyncio.timeout(_PATIENCE_S):
            await _deliver(load, stack, town)
        await asyncio.to_thread(stack.stop_all)
        ended = [await _ended(town, each) for each in sent]
        came = stand_ins.came(Signer(stack.token.hmac_secret))
    return judge(ended, came, kills=load.kills)


def backlogs(jobs: int) -> list[Backlog]:
    """Return so many jobs, shared among the channels; of each channel's, half gather."""
    kinds = [(channel, digest_s) for digest_s in (0, _WINDOW_S) for channel in CHANNELS]
    template = TemplateName("order-placed")
    return [
        Backlog(channel, Lane.TRANSACTIONAL, template, jobs // len(kinds) + (place < jobs % len(kinds)), digest_s=wait)
        for place, (channel, wait) in enumerate(kinds)
    ]


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


async def _ended(town: Town, notification: Notification) -> Ended:
    record = await town.stores.records.read(notification.user, notification.id)
    channel = notification.ladder[0].channel
    return Ended(notification.id, channel, record.attempts if record is not None else ())

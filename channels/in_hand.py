"""Jobs in hand: claimed, with what has to be known to decide about them, read in a few round trips for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from channels.channel import DeliveryChannel
from channels.digest import Contents
from channels.ladder import Facts, at_own_pace, in_order
from channels.ports import People, PreferenceBook, RecordBook, SuppressionList
from channels.rulings import Case, Rulings
from channels.standing import Standings
from hub.domain.answers import stop_of, told
from hub.domain.channels import INBOX, Channel
from hub.domain.decisions import Aggregate, AggregateKind
from hub.domain.ids import UserId
from hub.domain.notifications import APPEARANCE, Notification
from hub.domain.people import Person, person_of
from hub.domain.preferences import Preferences, pace_of, preferred_order
from hub.store.jobs import Claimed
from hub.store.records import Record
from hub.store.suppressions import Suppression

_CLEAN_END = "refused"
"""The outcome in the record of a call that was begun and cleanly refused."""


class InHand(msgspec.Struct, frozen=True):
    """A claimed job, the facts about it and whom it is for. `address` is empty where there is an obstacle.

    `contents` is what a digest has to tell, once its closing job has looked at it.
    """

    claimed: Claimed
    facts: Facts
    person: Person
    address: str
    contents: Contents | None = None

    @property
    def message(self) -> Notification:
        """What goes out: the job's own notification, but for the closing job of a digest."""
        told = self.contents.message if self.contents is not None else None
        return told or self.claimed.job.notification


class _Reach(msgspec.Struct, frozen=True):
    address: str = ""
    obstacle: str = ""


class Briefing:
    """Finds the facts about claimed jobs. Raises StoreUnavailable."""

    def __init__(
        self,
        *,
        channels: Mapping[Channel, DeliveryChannel],
        standings: Standings,
        people: People,
        preferences: PreferenceBook,
        rulings: Rulings,
        records: RecordBook,
        suppressions: SuppressionList,
        clock: Callable[[], int],
        jitter: Callable[[], float],
    ) -> None:
        """Take `clock` (Unix ms) and `jitter` (random, 0 up to 1)."""
        self._channels = channels
        self._standings = standings
        self._people = people
        self._preferences = preferences
        self._rulings = rulings
        self._records = records
        self._suppressions = suppressions
        self._clock = clock
        self._jitter = jitter

    async def about(self, claimed: Sequence[Claimed]) -> list[InHand]:
        """Return the jobs with their facts, in the same order."""
        users = [each.job.notification.user for each in claimed]
        standings, people, preferences, unknown_calls = await asyncio.gather(
            self._standings.of([each.job for each in claimed]),
            self._read_people(users),
            self._preferences.read_many(users),
            asyncio.gather(*(self._unknown_calls(each) for each in claimed)),
        )
        wishes = [each.preferences for each in preferences]
        claimed = [_as_preferred(each, own) for each, own in zip(claimed, wishes, strict=True)]
        reaches = await self._reaches([each.job.channel for each in claimed], people)
        now_ms = self._clock()
        hands = [
            InHand(
                each,
                Facts(
                    now_ms=now_ms,
                    state=standing.state,
                    erased=person.erased,
                    cancelled=standing.cancelled,
                    replaced=standing.replaced,
                    obstacle=reach.obstacle,
                    tries=each.claims - each.outages,
                    outages=each.outages,
                    down_since_ms=each.down_since_ms,
                    unknown_calls=unknown,
                    resends_unknown=self._resends_unknown(each.job.channel),
                    jitter=self._jitter(),
                ),
                person,
                reach.address,
            )
            for each, standing, person, reach, unknown in zip(
                claimed, standings, people, reaches, unknown_calls, strict=True
            )
        ]
        return await self._ruled(hands, wishes)

    def without_facts(self, claimed: Claimed) -> InHand:
        """Return a job of which nothing can be found out but how often it has been tried."""
        facts = Facts(now_ms=self._clock(), tries=claimed.claims, jitter=self._jitter())
        return InHand(claimed, facts, Person(claimed.job.notification.user), address="")

    async def _ruled(self, hands: Sequence[InHand], wishes: Sequence[Preferences]) -> list[InHand]:
        cases = [Case(hand.claimed.job, hand.facts, hand.person, own) for hand, own in zip(hands, wishes, strict=True)]
        rulings = await self._rulings.on(cases)
        return [
            hand if ruling is None else replace(hand, facts=replace(hand.facts, ruling=ruling))
            for hand, ruling in zip(hands, rulings, strict=True)
        ]

    def _resends_unknown(self, name: Channel) -> bool:
        channel = self._channels.get(name)
        return channel is not None and channel.resends_unknown

    async def _read_people(self, users: Sequence[UserId]) -> list[Person]:
        documents = await self._people.read_many([Aggregate(AggregateKind.PERSON, user) for user in users])
        return [person_of(document, user) for document, user in zip(documents, users, strict=True)]

    async def _reaches(self, channels: Sequence[Channel], people: Sequence[Person]) -> list[_Reach]:
        reaches = [
            _Reach() if name == INBOX else _Reach(obstacle=f"the channel {name} is not configured") for name in channels
        ]
        for name, channel in self._channels.items():
            wanted = [index for index, each in enumerate(channels) if each == name]
            addresses = await channel.addresses([people[index] for index in wanted]) if wanted else []
            for index, address in zip(wanted, addresses, strict=True):
                reaches[index] = _Reach(address=address) if address else _Reach(obstacle=f"no address for {name}")
        reachable = [index for index, reach in enumerate(reaches) if reach.address]
        if reachable:
            asked = [(channels[index], reaches[index].address) for index in reachable]
            for index, suppression in zip(reachable, await self._suppressions.find_many(asked), strict=True):
                if suppression is not None:
                    reaches[index] = _Reach(obstacle=_why_suppressed(suppression))
        return reaches

    async def _unknown_calls(self, claimed: Claimed) -> int:
        """Return how many calls of this step the provider may have taken. Rarely more than a field of the claim."""
        if not claimed.unknown or claimed.job.step == APPEARANCE:  # An inbox drops what it has.
            return 0
        if claimed.attempt <= 1:
            return 1
        notification = claimed.job.notification
        record = await self._records.read(notification.user, notification.id)
        return max(1, claimed.attempt - _clean_ends(record, claimed.job.step))


def _why_suppressed(suppression: Suppression) -> str:
    stop = stop_of(suppression.reason, at_ms=suppression.at_ms, wording=suppression.wording)
    return "the address has refused messages for good" if stop is None else told(stop)


def _as_preferred(claimed: Claimed, own: Preferences) -> Claimed:
    """Return a job with its ladder as the person wants it, as far as the rule leaves them the choice."""
    job, category = claimed.job, claimed.job.notification.category
    ordered = at_own_pace(in_order(job, preferred_order(own, category)), pace_of(own, category))
    return claimed if ordered is job else replace(claimed, job=ordered)


def _clean_ends(record: Record | None, step: int) -> int:
    attempts = record.attempts if record else ()
    return sum(1 for attempt in attempts if attempt.step == step and attempt.outcome == _CLEAN_END)

"""What has become of jobs whose workers were killed: their records held against what the providers have taken. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hub.domain.channels import EMAIL, PUSH, SMS, Channel
from hub.domain.ids import NotificationId
from hub.store.records import Attempt
from loadtest.measure import Figure

NAME = "crashes"
MOST_DOUBLES = 0.001
"""Doubled messages of a channel for each of its jobs, at most."""
_MOST_CALLS: Mapping[Channel, int] = {EMAIL: 2, PUSH: 2, SMS: 1}
"""Of one step whose outcome may be unknown: one, and one more where a double is harmless."""
_MESSAGES: Mapping[Channel, str] = {EMAIL: "mails", PUSH: "pushes", SMS: "texts"}
_FINAL = frozenset({"delivered", "failed", "unknown", "buried"})
_IN_DIGEST = re.compile(r"in digest (\w+)")

Came = Mapping[Channel, Mapping[NotificationId, int]]
"""How often the message of each notification has come to the provider of a channel."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A job of a channel, and what is recorded of it."""

    name: NotificationId
    channel: Channel
    attempts: Sequence[Attempt]


@dataclass(slots=True)
class Account:
    """What has become of the jobs of one channel."""

    jobs: int = 0
    messages: int = 0
    cut: int = 0
    """Jobs with a call of which nobody knows how it ended."""
    doubles: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    def figures(self, channel: Channel) -> list[Figure]:
        """Return the figures of a channel."""
        outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        doubled = f"doubled {_MESSAGES[channel]}"
        return [
            Figure(NAME, f"jobs by {channel} ({outcomes})", self.jobs, ""),
            Figure(NAME, f"jobs by {channel} of which a call was cut off", self.cut, ""),
            Figure(NAME, doubled, self.doubles, ""),
            Figure(
                NAME,
                f"{doubled} in a thousand jobs",
                self.doubles / max(1, self.jobs) * 1_000,
                "‰",
                budget=MOST_DOUBLES * 1_000,
            ),
        ]


@dataclass(slots=True)
class Verdict:
    """What has become of all jobs. `wrong` says what must not be, in words; there should be nothing in it."""

    kills: int
    accounts: dict[Channel, Account] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def figures(self) -> list[Figure]:
        """Return the figures of a run."""
        jobs = sum(account.jobs for account in self.accounts.values())
        return [
            Figure(NAME, f"jobs, while workers were killed {self.kills} times", jobs, ""),
            Figure(NAME, "jobs without exactly one outcome that fits the messages", len(self.wrong), "", budget=0),
            *(figure for channel, account in self.accounts.items() for figure in account.figures(channel)),
        ]


def judge(jobs: Iterable[Ended], came: Came, *, kills: int) -> Verdict:
    """Hold the records against the messages that came."""
    verdict = Verdict(kills=kills)
    meant: dict[Channel, set[NotificationId]] = {}
    for job in jobs:
        account = verdict.accounts.setdefault(job.channel, Account())
        account.jobs += 1
        names = meant.setdefault(job.channel, set())
        names.add(job.name)
        final = [each for each in job.attempts if each.outcome in _FINAL]
        if len(final) != 1:
            verdict.wrong.append(f"{job.name} has {len(final)} outcomes: {[each.outcome for each in job.attempts]}")
            continue
        told = _told(job, final[0])
        names |= told.messages
        account.outcomes[told.outcome] += 1
        account.cut += told.outcome in {"delivered", "unknown"} and told.earlier_calls > 0
        taken = came.get(job.channel, {})
        if problem := told.contradiction(sum(taken.get(each, 0) for each in told.messages)):
            verdict.wrong.append(f"{job.name} by {job.channel}: {problem}")
    for channel, taken in came.items():
        account = verdict.accounts.setdefault(channel, Account())
        account.messages = sum(taken.values())
        account.doubles = sum(count > 1 for count in taken.values())
        strangers = taken.keys() - meant.get(channel, set())
        verdict.wrong += [f"the message {name} by {channel} is nobody's" for name in strangers]
    return verdict


@dataclass(frozen=True, slots=True)
class _Told:
    """The last word of a record: how it ended, which message it speaks of, and how many calls came before.

    `messages` are ids, under one of which the message should have come.
    """

    outcome: str
    channel: Channel
    messages: frozenset[NotificationId]
    earlier_calls: int

    def contradiction(self, came: int) -> str:
        """Return what does not fit between it and the messages that came; empty: nothing."""
        most = _MOST_CALLS[self.channel]
        # A call that a dead worker had begun counts as a try, and is the only reason for a second message.
        match self.outcome:
            case "delivered" if not 1 <= came <= min(most, 1 + self.earlier_calls):
                return f"delivered after {self.earlier_calls} other calls, and {came} came"
            case "unknown" if came > most:
                return f"{came} came"
            case "failed" | "buried" if came:
                return f"{self.outcome}, and {came} came"
            case _:
                return ""


def _told(job: Ended, final: Attempt) -> _Told:
    """Read the last word: what gathered went out with the message of its digest or, if it was the only one, its own."""
    found = _IN_DIGEST.match(final.detail)
    if found is None:
        return _Told(final.outcome, job.channel, frozenset({job.name}), final.number)
    # The first number of a step in a digest is that of its gathering.
    digest = NotificationId(found[1])
    return _Told(final.outcome, job.channel, frozenset({job.name, digest}), final.number - 1)

"""Why somebody got a notification, or did not: a record told step by step, in English for who runs the shop. Pure.

`push at 10:00:01 delivered`, `email not sent at 10:05:01: it had been seen at 10:02:00`. Times are UTC; one of another
day than the notification's has its date.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from hub.domain.channels import Channel
from hub.domain.notifications import APPEARANCE
from hub.store.records import About, Attempt, Receipt, Record, RecordedRuling

_MS = 1_000
_SKIPPED = "skipped"
_NOT_SENT = frozenset({_SKIPPED, "cancelled", "replaced"})
_GATHERED = "gathered"
_SEEN = "it has been seen"
_ENDS = frozenset({_SEEN, "it has expired", "the person has been erased"})
"""The reasons that `channels.ladder` notes where it is not one step that is skipped, but all that are left."""
_UNDER_WAY = frozenset({"refused", "deferred", "released", "retry"})
"""Outcomes after which the same step is tried again."""
_WORDS = {
    "failed": "failed for good",
    "unknown": "may have arrived: the provider's answer was lost",
    "buried": "put aside for an operator",
    "refused": "refused for now",
    "deferred": "put off",
    "released": "given back by a worker that was stopped",
    "retry": "to be tried again",
    _GATHERED: "put into a digest",
}
_VERDICTS = {"send": "allowed", "hold": "held back", "drop": "not allowed"}


def explained(record: Record) -> tuple[str, ...]:
    """Return what happened to a notification: the inbox, each step of the ladder, then what the person did."""
    told = _Telling(record)
    return (*told.beginning(), *told.steps(), *told.person())


class _Telling:
    def __init__(self, record: Record) -> None:
        self._record = record
        self._about = record.about
        self._day = _day(record.about.created_ms) if record.about is not None else ""

    def beginning(self) -> Iterator[str]:
        if self._about is None:
            ahead = [attempt for attempt in self._record.attempts if attempt.step == APPEARANCE]
            yield from (self._attempt(attempt) for attempt in ahead)
            if not ahead:
                yield "how it began is no longer known"
            return
        by = f"by the rule {self._about.rule}" if self._about.rule else "by no rule that is known"
        day, at = self._day, _clock(self._about.created_ms)
        yield f"inbox at {day} {at} UTC, {by} ({self._about.category}, {self._about.lane.value})"
        if not self._about.ladder:
            yield "no other channel: its ladder is empty"

    def steps(self) -> Iterator[str]:
        for number, (channel, after_s) in enumerate(_ladder(self._about, self._record)):
            attempts = [attempt for attempt in self._record.attempts if attempt.step == number]
            rulings = [ruling for ruling in self._record.decisions if ruling.step == number]
            yield from (self._ruling(ruling) for ruling in rulings)
            yield from (self._attempt(attempt) for attempt in attempts)
            if any(attempt.outcome not in {*_UNDER_WAY, *_NOT_SENT, _GATHERED} for attempt in attempts):
                yield from (self._receipt(each) for each in self._record.receipts if each.channel == channel)
            if not attempts and not rulings:
                yield self._waiting(channel, number, after_s)

    def person(self) -> Iterator[str]:
        record = self._record
        done = (
            ("seen", record.seen_ms),
            ("read", record.read_ms),
            ("link followed", record.clicked_ms),
            ("archived", record.archived_ms),
        )
        for what, at_ms in done:
            if at_ms is not None:
                yield f"{what} at {self._at(at_ms)}"

    def _attempt(self, attempt: Attempt) -> str:
        at = self._at(attempt.at_ms)
        if attempt.outcome in _NOT_SENT:
            return f"{attempt.channel} not sent at {at}{_because(self._skipped(attempt.detail))}"
        outcome = _WORDS.get(attempt.outcome, attempt.outcome)
        by = f" ({attempt.provider_id})" if attempt.provider_id else ""
        return f"{attempt.channel} at {at} {outcome}{by}{_because(attempt.detail)}"

    def _skipped(self, reason: str) -> str:
        seen_ms = self._engaged_ms()
        return f"it had been seen at {self._at(seen_ms)}" if reason == _SEEN and seen_ms is not None else reason

    def _ruling(self, ruling: RecordedRuling) -> str:
        until = f" until {self._at(ruling.until_ms)}" if ruling.until_ms is not None else ""
        verdict = _VERDICTS.get(ruling.verdict, ruling.verdict)
        return f"{ruling.channel} at {self._at(ruling.at_ms)} {verdict}{until}{_because(ruling.reason)}"

    def _receipt(self, receipt: Receipt) -> str:
        at = self._at(receipt.at_ms)
        return f"{receipt.channel}: its provider reported {receipt.status} at {at}{_because(receipt.detail)}"

    def _waiting(self, channel: Channel, number: int, after_s: float) -> str:
        ends = [
            each.detail
            for each in self._record.attempts
            if each.outcome in _NOT_SENT and (each.detail in _ENDS or each.outcome != _SKIPPED)
        ]
        ends += [ruling.reason for ruling in self._record.decisions if ruling.ends]
        if ends or self._engaged_ms() is not None:
            return f"{channel} not sent: {self._skipped(ends[0] if ends else _SEEN)}"
        if number == 0:
            return f"{channel} not yet tried: due {after_s:g} s after the inbox"
        return f"{channel} not yet tried: due {after_s:g} s after the step before it, if still unseen"

    def _engaged_ms(self) -> int | None:
        """Return when the person is first known to have had it before their eyes."""
        times = (self._record.seen_ms, self._record.read_ms, self._record.clicked_ms, self._record.archived_ms)
        return min((time_ms for time_ms in times if time_ms is not None), default=None)

    def _at(self, time_ms: int) -> str:
        day = _day(time_ms)
        return _clock(time_ms) if day == self._day else f"{day} {_clock(time_ms)}"


def _ladder(about: About | None, record: Record) -> tuple[tuple[Channel, float], ...]:
    """Return the steps, where nothing is known of them as far as something was noted of them.

    What was noted goes before the rule's own order: people may have another.
    """
    noted = {ruling.step: ruling.channel for ruling in record.decisions}
    noted.update((attempt.step, attempt.channel) for attempt in record.attempts)
    if about is not None:
        return tuple((noted.get(number, channel), after_s) for number, (channel, after_s) in enumerate(about.ladder))
    unknown = Channel("a channel")
    return tuple((noted.get(number, unknown), 0.0) for number in range(max(noted, default=-1) + 1))


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _day(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / _MS, UTC).strftime("%Y-%m-%d")


def _clock(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms // _MS, UTC).strftime("%H:%M:%S")

"""A record in words: what somebody reads who asks why they got a notification, or did not."""

from typing import Any

from msgspec.structs import replace

from hub.domain.channels import EMAIL, INBOX, PUSH, SMS
from hub.domain.ids import NotificationId, RuleName, UserId
from hub.domain.notifications import APPEARANCE, Lane
from hub.service.sending.explanation import explained
from hub.store.records import About, Attempt, Receipt, Record, RecordedRuling
from tests.shop import NOON_MS

LADDER = ((PUSH, 0.0), (EMAIL, 300.0))
TOLD_AT = "inbox at 2026-01-01 12:00:00 UTC, by the rule order-shipped (orders, transactional)"


def at(seconds: float) -> int:
    return NOON_MS + round(seconds * 1_000)


def record(ladder: tuple[tuple[Any, float], ...] = LADDER, **parts: Any) -> Record:
    about = About(RuleName("order-shipped"), "shipment.dispatched", "orders", Lane.TRANSACTIONAL, NOON_MS, ladder)
    return Record(NotificationId("n1"), UserId("mia"), about, **parts)


def test_a_step_that_was_not_needed_says_when_it_had_been_seen() -> None:
    attempts = (
        Attempt(at(1), 0, 0, PUSH, "delivered", "fcm-1"),
        Attempt(at(301), 1, 0, EMAIL, "skipped", detail="it has been seen"),
    )
    assert explained(record(attempts=attempts, seen_ms=at(120))) == (
        TOLD_AT,
        "push at 12:00:01 delivered (fcm-1)",
        "email not sent at 12:05:01: it had been seen at 12:02:00",
        "seen at 12:02:00",
    )


def test_a_step_that_waits_says_what_it_waits_for() -> None:
    told = explained(record(attempts=(Attempt(at(1), 0, 0, PUSH, "delivered"),)))
    assert told[-1] == "email not yet tried: due 300 s after the step before it, if still unseen"
    assert explained(record())[1] == "push not yet tried: due 0 s after the inbox"


def test_steps_after_the_end_of_the_ladder_say_why_they_were_not_sent() -> None:
    expired = (Attempt(at(1), 0, 0, PUSH, "skipped", detail="it has expired"),)
    assert explained(record(attempts=expired))[1:] == (
        "push not sent at 12:00:01: it has expired",
        "email not sent: it has expired",
    )
    assert explained(record(read_ms=at(0.5)))[1:3] == (
        "push not sent: it had been seen at 12:00:00",
        "email not sent: it had been seen at 12:00:00",
    )


def test_every_try_of_a_step_is_told_with_its_reason() -> None:
    attempts = (
        Attempt(at(1), 0, 0, PUSH, "refused", detail="503"),
        Attempt(at(3), 0, 1, PUSH, "failed", detail="no such device"),
        Attempt(at(4), 1, 0, EMAIL, "unknown", detail="timed out"),
    )
    assert explained(record(attempts=attempts))[1:] == (
        "push at 12:00:01 refused for now: 503",
        "push at 12:00:03 failed for good: no such device",
        "email at 12:00:04 may have arrived: the provider's answer was lost: timed out",
    )


def test_what_preferences_said_is_told_before_what_was_done() -> None:
    decisions = (
        RecordedRuling(at(0), 0, 0, PUSH, "hold", "quiet hours", until_ms=at(86_400)),
        RecordedRuling(at(86_400), 0, 1, PUSH, "send"),
        RecordedRuling(at(86_700), 1, 0, EMAIL, "drop", "no email about orders is wanted"),
    )
    attempts = (Attempt(at(86_401), 0, 0, PUSH, "delivered"),)
    assert explained(record(decisions=decisions, attempts=attempts))[1:] == (
        "push at 12:00:00 held back until 2026-01-02 12:00:00: quiet hours",
        "push at 2026-01-02 12:00:00 allowed",
        "push at 2026-01-02 12:00:01 delivered",
        "email at 2026-01-02 12:05:00 not allowed: no email about orders is wanted",
    )


def test_what_is_held_back_is_not_said_to_be_waiting_for_its_turn() -> None:
    decisions = (RecordedRuling(at(0), 0, 0, PUSH, "hold", "quiet hours", until_ms=at(3_600)),)
    assert explained(record(decisions=decisions))[1] == "push at 12:00:00 held back until 13:00:00: quiet hours"


def test_a_ruling_on_all_channels_is_the_reason_for_those_that_are_left() -> None:
    decisions = (RecordedRuling(at(0), 0, 0, PUSH, "drop", "too much marketing", ends=True),)
    assert explained(record(decisions=decisions))[1:] == (
        "push at 12:00:00 not allowed: too much marketing",
        "email not sent: too much marketing",
    )


def test_the_steps_are_told_in_the_order_that_the_person_prefers() -> None:
    attempts = (Attempt(at(1), 0, 0, EMAIL, "delivered"),)
    receipts = (Receipt(EMAIL, "bounced", 9, at(2)),)
    assert explained(record(attempts=attempts, receipts=receipts))[1:3] == (
        "email at 12:00:01 delivered",
        "email: its provider reported bounced at 12:00:02",
    )


def test_what_a_provider_reported_later_follows_its_step() -> None:
    ladder = ((SMS, 0.0),)
    attempts = (Attempt(at(1), 0, 0, SMS, "delivered", "SM1"),)
    receipts = (Receipt(SMS, "undelivered", 6, at(9), "30003"),)
    assert explained(record(ladder, attempts=attempts, receipts=receipts))[1:] == (
        "sms at 12:00:01 delivered (SM1)",
        "sms: its provider reported undelivered at 12:00:09: 30003",
    )


def test_what_the_person_did_comes_last() -> None:
    engaged = {"seen_ms": at(5), "read_ms": at(6), "clicked_ms": at(6), "archived_ms": at(9)}
    assert explained(record((), **engaged)) == (
        TOLD_AT,
        "no other channel: its ladder is empty",
        "seen at 12:00:05",
        "read at 12:00:06",
        "link followed at 12:00:06",
        "archived at 12:00:09",
    )


def test_a_record_without_its_beginning_tells_what_is_left() -> None:
    left = Record(NotificationId("n1"), UserId("mia"), attempts=(Attempt(at(1), 1, 0, EMAIL, "delivered"),))
    assert explained(left) == (
        "how it began is no longer known",
        "a channel not yet tried: due 0 s after the inbox",
        "email at 2026-01-01 12:00:01 delivered",
    )


def test_what_was_called_off_or_replaced_ends_the_ladder() -> None:
    off = Attempt(at(1), 0, 0, PUSH, "cancelled", detail="its cancel key has been cancelled")
    told = explained(record(attempts=(off,)))
    assert told[1:] == (
        "push not sent at 12:00:01: its cancel key has been cancelled",
        "email not sent: its cancel key has been cancelled",
    )


def test_a_step_that_gathered_is_told_with_what_became_of_its_digest() -> None:
    gathered = Attempt(at(1), 0, 0, PUSH, "gathered")
    sent = Attempt(at(61), 0, 1, PUSH, "delivered", provider_id="fcm", detail="in digest d1")
    told = explained(record(attempts=(gathered, sent)))
    assert told[1:3] == ("push at 12:00:01 put into a digest", "push at 12:01:01 delivered (fcm): in digest d1")


def test_what_was_called_off_before_it_appeared_is_told() -> None:
    off = Attempt(at(1), APPEARANCE, 0, INBOX, "cancelled", detail="its cancel key has been cancelled")
    told = explained(replace(record(attempts=(off,)), about=None))
    assert told[0].startswith("inbox not sent at ")

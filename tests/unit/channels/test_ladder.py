from typing import Any

import msgspec
import pytest

from channels.backoff import Backoff
from channels.ladder import (
    PATIENCE_MS,
    Broken,
    Bury,
    Delivered,
    Done,
    Facts,
    Gather,
    Impossible,
    Limits,
    Move,
    Refused,
    Result,
    Retry,
    Send,
    Unclear,
    Wait,
    at_own_pace,
    in_order,
    next_move,
    would_be_sent,
)
from hub.domain.channels import EMAIL, PUSH, SMS
from hub.domain.digests import closing_job
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import EntryState, Job, Lane, Notification, Step, Throttle, job_id
from hub.domain.preferences import Pace
from hub.domain.rulings import Allow, Drop, Hold

NOW_MS = 1_767_261_600_000
LIMITS = Limits(max_tries=3, backoff=Backoff(first_s=2.0, max_s=600.0))
NOTIFICATION = Notification(
    id=NotificationId("n-1"),
    user=UserId("u-1"),
    rule=RuleName("order-placed"),
    event_type="order.placed",
    category="orders",
    lane=Lane.TRANSACTIONAL,
    template=TemplateName("order-placed"),
    context={},
    created_ms=NOW_MS,
    ladder=(Step(PUSH), Step(EMAIL, after_s=60.0)),
    expires_ms=NOW_MS + 3_600_000,
)
LASTING = msgspec.structs.replace(NOTIFICATION, expires_ms=None)
FACTS = Facts(now_ms=NOW_MS, jitter=0.5)


def job(step: int = 0) -> Job:
    return Job(id=job_id(NOTIFICATION.id, step), step=step, notification=NOTIFICATION, due_ms=NOW_MS)


def lasting_job() -> Job:
    return Job(id=job_id(NOTIFICATION.id, 0), step=0, notification=LASTING, due_ms=NOW_MS)


def move(result: Result | None = None, *, step: int = 0, **facts: object) -> Move:
    return next_move(job(step), msgspec.structs.replace(FACTS, **facts), result, limits=LIMITS)


def next_job(due_ms: int) -> Job:
    return Job(id=job_id(NOTIFICATION.id, 1), step=1, notification=NOTIFICATION, due_ms=due_ms)


@pytest.mark.parametrize("state", [None, EntryState.UNSEEN])
def test_an_unseen_notification_is_sent(state: EntryState | None) -> None:
    assert move(state=state) == Send()


@pytest.mark.parametrize("state", [EntryState.SEEN, EntryState.READ, EntryState.ARCHIVED])
def test_the_ladder_ends_when_it_has_been_seen(state: EntryState) -> None:
    assert move(state=state) == Done("skipped", "it has been seen")


def test_the_ladder_ends_when_it_has_expired() -> None:
    assert move(now_ms=NOW_MS + 3_600_000) == Done("skipped", "it has expired")


def test_nothing_is_sent_to_an_erased_person() -> None:
    assert move(erased=True) == Done("skipped", "the person has been erased")


def test_a_channel_that_cannot_reach_the_person_is_skipped_at_once() -> None:
    assert move(obstacle="no address") == Done("skipped", "no address", followed_by=(next_job(NOW_MS),))


def test_an_obstacle_on_the_last_step_ends_the_ladder() -> None:
    assert move(step=1, obstacle="no address") == Done("skipped", "no address")


def test_the_next_step_waits_its_time_after_a_delivery() -> None:
    assert move(Delivered("id-1")) == Done("delivered", followed_by=(next_job(NOW_MS + 60_000),))


def test_a_failure_for_good_goes_to_the_next_step_at_once() -> None:
    expected = Done("failed", "550", followed_by=(next_job(NOW_MS),), suppress=True)
    assert move(Impossible("550", suppress=True)) == expected


def test_a_refusal_is_tried_again_with_jitter() -> None:
    assert move(Refused("451"), tries=1) == Retry("deferred", "451", NOW_MS + 2_000)


def test_a_providers_wish_is_a_lower_bound() -> None:
    assert move(Refused("429", retry_after_s=100.0)) == Retry("deferred", "429", NOW_MS + 105_000)


def test_a_refusal_after_the_call_began_is_told_apart() -> None:
    assert move(Refused("451", begun=True)) == Retry("refused", "451", NOW_MS + 1_000)


def test_the_last_try_is_buried_and_the_ladder_goes_on() -> None:
    expected = Bury("tried 3 times, last: 451", followed_by=(next_job(NOW_MS),))
    assert move(Refused("451"), tries=2) == expected


def test_an_unclear_outcome_is_tried_again_once() -> None:
    assert move(Unclear("timeout")) == Retry("unknown", "timeout", NOW_MS + 1_000, unknown=True)
    expected = Done("unknown", "timeout", followed_by=(next_job(NOW_MS + 60_000),))
    assert move(Unclear("timeout"), unknown_calls=1) == expected


def test_a_channel_that_must_not_double_gives_up_on_an_unclear_outcome() -> None:
    assert isinstance(move(Unclear("timeout"), resends_unknown=False), Done)


def test_after_two_crashes_in_the_call_it_is_not_sent_again() -> None:
    assert move(unknown_calls=1) == Send()
    assert isinstance(move(unknown_calls=2), Done)


def test_our_own_fault_is_put_aside_for_an_operator() -> None:
    assert move(Broken("no template"), step=1) == Bury("no template")


OUTAGE = Refused("503", provider_down=True)


def test_an_outage_of_the_provider_uses_up_no_tries() -> None:
    found = move(OUTAGE, tries=2, outages=1_000, down_since_ms=NOW_MS - PATIENCE_MS + 1)
    assert isinstance(found, Retry)
    assert found.down_since_ms == NOW_MS - PATIENCE_MS + 1
    after = move(Refused("451"), tries=1, outages=1_000)
    assert isinstance(after, Retry)
    assert after.down_since_ms is None


def test_an_outage_begins_when_it_is_found_however_long_the_step_has_been_due() -> None:
    late_ms = NOW_MS + 3 * PATIENCE_MS
    found = next_move(lasting_job(), msgspec.structs.replace(FACTS, now_ms=late_ms), OUTAGE, limits=LIMITS)
    assert found == Retry("deferred", "503", late_ms + 1_000, down_since_ms=late_ms)


def test_an_outage_that_outlasts_all_patience_buries_the_job() -> None:
    found = move(OUTAGE, down_since_ms=NOW_MS - PATIENCE_MS)
    assert found == Bury("its provider was down for a day, last: 503", followed_by=(next_job(NOW_MS),))


# Rulings


def test_what_a_ruling_allows_is_sent() -> None:
    assert move(ruling=Allow("on")) == Send()


def test_what_a_ruling_holds_waits_without_counting_as_a_try() -> None:
    assert move(ruling=Hold("quiet hours", NOW_MS + 5), tries=99) == Wait("quiet hours", NOW_MS + 5)


def test_what_a_ruling_drops_goes_on_to_the_next_step_at_once() -> None:
    assert move(ruling=Drop("switched off")) == Done("dropped", "switched off", followed_by=(next_job(NOW_MS),))


def test_a_ruling_on_all_channels_ends_the_ladder() -> None:
    assert move(ruling=Drop("too many", ends=True)) == Done("dropped", "too many")


def test_what_has_been_seen_or_cannot_be_reached_asks_for_no_ruling() -> None:
    assert would_be_sent(job(), FACTS)
    assert not would_be_sent(job(), msgspec.structs.replace(FACTS, state=EntryState.SEEN))
    assert not would_be_sent(job(), msgspec.structs.replace(FACTS, obstacle="no address"))
    held = move(state=EntryState.SEEN, ruling=Hold("quiet hours", NOW_MS + 5))
    assert held == Done("skipped", "it has been seen")


# The person's own order


def ladder_of(job: Job) -> tuple[tuple[str, float], ...]:
    return tuple((step.channel, step.after_s) for step in job.notification.ladder)


def test_the_channels_a_person_prefers_come_first_and_the_waits_stay() -> None:
    assert ladder_of(in_order(job(), (SMS, EMAIL))) == ((EMAIL, 0.0), (PUSH, 60.0))
    assert ladder_of(in_order(job(), (PUSH,))) == ladder_of(job())


def test_a_ladder_under_way_keeps_its_order() -> None:
    assert in_order(job(1), (EMAIL,)) == job(1)


def test_without_a_wish_and_for_what_is_critical_the_rule_decides() -> None:
    urgent = msgspec.structs.replace(job(), notification=msgspec.structs.replace(NOTIFICATION, lane=Lane.CRITICAL))
    assert in_order(urgent, (EMAIL,)) is urgent
    assert in_order(job(), ()) == job()


# The person's own pace


def at_pace(notification: Notification = LASTING, **pace: int) -> Notification:
    first = Job(id=job_id(notification.id, 0), step=0, notification=notification, due_ms=NOW_MS)
    return at_own_pace(first, Pace(**pace)).notification


def test_a_person_may_wait_longer_before_another_channel_but_not_shorter_and_not_before_the_first() -> None:
    assert [step.after_s for step in at_pace(wait_s=600).ladder] == [0.0, 600.0]
    assert [step.after_s for step in at_pace(wait_s=30).ladder] == [0.0, 60.0]


@pytest.mark.parametrize(("rules_s", "own_s"), [(0, 3_600), (600, 3_600), (600, 0)])
def test_a_person_chooses_how_long_it_gathers_or_that_it_does_not(rules_s: int, own_s: int) -> None:
    assert at_pace(msgspec.structs.replace(LASTING, digest_s=rules_s), digest_s=own_s).digest_s == own_s
    assert at_pace(msgspec.structs.replace(LASTING, digest_s=rules_s), wait_s=1).digest_s == rules_s


def test_what_has_a_throttle_does_not_gather_and_what_is_critical_goes_as_the_rule_says() -> None:
    throttled = msgspec.structs.replace(LASTING, throttle=Throttle("k", 1, 60))
    urgent = msgspec.structs.replace(LASTING, lane=Lane.CRITICAL)
    assert at_pace(throttled, digest_s=3_600) == throttled
    assert at_pace(urgent, digest_s=3_600, wait_s=600) == urgent


def test_a_ladder_under_way_keeps_its_pace() -> None:
    assert at_own_pace(job(1), Pace(3_600, 600)) == job(1)


def test_what_closes_a_digest_does_not_gather_itself() -> None:
    closing = closing_job(gathering(), now_ms=NOW_MS)
    assert at_own_pace(closing, Pace(3_600, 600)) is closing


# Digests


def gathering(**changes: Any) -> Job:
    notification = msgspec.structs.replace(NOTIFICATION, **{"digest_s": 600, **changes})
    return Job(job_id(notification.id, 0), 0, notification, NOW_MS)


def test_a_step_of_a_rule_with_a_digest_gathers() -> None:
    assert next_move(gathering(), Facts(now_ms=NOW_MS), limits=LIMITS) == Gather()


@pytest.mark.parametrize(
    "known", [{"state": EntryState.SEEN}, {"obstacle": "no address"}, {"cancelled": True}, {"replaced": True}]
)
def test_what_would_not_be_sent_does_not_gather(known: dict[str, Any]) -> None:
    assert isinstance(next_move(gathering(), Facts(now_ms=NOW_MS, **known), limits=LIMITS), Done)


@pytest.mark.parametrize("changes", [{"expires_ms": NOW_MS + 600_000}, {"lane": Lane.CRITICAL}])
def test_what_cannot_wait_goes_alone(changes: dict[str, Any]) -> None:
    assert next_move(gathering(**changes), Facts(now_ms=NOW_MS), limits=LIMITS) == Send()


def test_after_the_message_of_a_digest_each_ladder_goes_on_with_its_own_wait() -> None:
    items = (gathering(), gathering(id=NotificationId("n-2"), ladder=(Step(EMAIL), Step(SMS, after_s=5.0))))
    closing = closing_job(items[0], now_ms=NOW_MS)
    move = next_move(closing, Facts(now_ms=NOW_MS, gathered=items), Delivered("id"), limits=LIMITS)
    assert isinstance(move, Done)
    assert [(each.id, each.due_ms - NOW_MS) for each in move.followed_by] == [("n-1:1", 60_000), ("n-2:1", 5_000)]


def test_a_digest_in_which_nothing_is_left_is_not_sent() -> None:
    closing = closing_job(gathering(), now_ms=NOW_MS)
    known = Facts(now_ms=NOW_MS, gathered=())
    assert next_move(closing, known, limits=LIMITS) == Done("skipped", "nothing in it is left to tell")

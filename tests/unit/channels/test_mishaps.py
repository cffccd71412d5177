import pytest

from channels.mishaps import Mishaps
from hub.domain.channels import PUSH
from hub.domain.ids import JobId, NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import Job, Lane, Notification, Step

NOTIFICATION = Notification(
    id=NotificationId("n-1"),
    user=UserId("zoe"),
    rule=RuleName("order-packed"),
    event_type="order.packed",
    category="orders",
    lane=Lane.TRANSACTIONAL,
    template=TemplateName("order-packed"),
    context={},
    created_ms=0,
    ladder=(Step(PUSH),),
)
JOB = Job(id=JobId("n-1:0"), step=0, notification=NOTIFICATION, due_ms=0)


def note(mishaps: Mishaps, outcome: str, *, at_ms: int = 5) -> None:
    mishaps.note(JOB, outcome, "HTTP 500", tries=2, at_ms=at_ms)


@pytest.mark.parametrize("outcome", ["refused", "failed", "unknown", "buried"])
def test_what_went_wrong_is_kept_with_whom_and_what_it_was_about(outcome: str) -> None:
    mishaps = Mishaps()
    note(mishaps, outcome)
    (kept,) = mishaps.latest
    assert (kept.user, kept.notification, kept.channel, kept.outcome) == ("zoe", "n-1", "push", outcome)
    assert (kept.reason, kept.tries, kept.at_ms) == ("HTTP 500", 2, 5)


@pytest.mark.parametrize("outcome", ["delivered", "skipped", "deferred", "released", "lost_lease"])
def test_what_went_well_or_only_waits_is_no_mishap(outcome: str) -> None:
    mishaps = Mishaps()
    note(mishaps, outcome)
    assert mishaps.latest == ()


def test_the_newest_are_kept_and_come_first() -> None:
    mishaps = Mishaps(most=2)
    for at_ms in (1, 2, 3):
        note(mishaps, "failed", at_ms=at_ms)
    assert [mishap.at_ms for mishap in mishaps.latest] == [3, 2]

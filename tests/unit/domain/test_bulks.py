import pytest

from hub.domain.bulks import Bulk, BulkId, BulkOutcome, Recipient, bulk_id, notification_of, outcome_of
from hub.domain.channels import EMAIL
from hub.domain.ids import TemplateName, UserId
from hub.domain.notifications import Lane, Step

BULK = Bulk(
    id=BulkId("b"),
    by="service:shop",
    created_ms=1_000,
    category="marketing",
    lane=Lane.MARKETING,
    template=TemplateName("message"),
    context={"title": "Sale", "body": "Boots"},
    ladder=(Step(EMAIL),),
    expires_ms=9_000,
    link="/sale",
    expected=2,
)


def test_a_recipients_own_context_goes_before_that_of_all() -> None:
    made = notification_of(BULK, Recipient(UserId("zoe"), {"title": "For Zoë"}))
    assert made.context == {"title": "For Zoë", "body": "Boots"}
    assert (made.user, made.bulk, made.lane, made.ladder) == ("zoe", "b", Lane.MARKETING, (Step(EMAIL),))
    assert (made.created_ms, made.expires_ms, made.link) == (1_000, 9_000, "/sale")


def test_each_persons_notification_has_an_id_that_stays() -> None:
    zoe, again, ben = (notification_of(BULK, Recipient(UserId(name))).id for name in ("zoe", "zoe", "ben"))
    assert zoe == again != ben


def test_the_same_id_of_another_caller_is_another_bulk() -> None:
    assert bulk_id("shop", "spring") == bulk_id("shop", "spring") != bulk_id("other", "spring")


@pytest.mark.parametrize(
    ("step", "outcome"),
    [
        ("delivered", BulkOutcome.SENT),
        ("unknown", BulkOutcome.UNKNOWN),
        ("failed", BulkOutcome.FAILED),
        ("buried", BulkOutcome.FAILED),
        ("skipped", BulkOutcome.SKIPPED),
        ("a word of tomorrow", BulkOutcome.SKIPPED),
    ],
)
def test_what_the_end_of_a_step_means(step: str, outcome: BulkOutcome) -> None:
    assert outcome_of(step) is outcome

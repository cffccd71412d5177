import json

import msgspec
import pytest

from hub.domain.channels import EMAIL
from hub.domain.cloudevents import Unknown, decode_structured
from hub.domain.ids import NotificationId, UserId
from hub.domain.outcomes import Outcome, OutcomeKind, encoded, event_of, waiting_text
from tests.shop import NOON_MS

ATTEMPT = Outcome(
    notification_id=NotificationId("n1"),
    user_id=UserId("mia"),
    at_ms=NOON_MS + 5,
    channel=EMAIL,
    step=0,
    number=1,
    outcome="delivered",
)
TEXT = waiting_text(OutcomeKind.ATTEMPTED, ATTEMPT)


def test_an_outcome_is_a_cloud_event_with_its_place_among_those_of_its_notification() -> None:
    assert json.loads(encoded(event_of(TEXT, 7))) == {
        "specversion": "1.0",
        "id": f"n1:{NOON_MS + 5}:7",
        "source": "/doorbell",
        "type": "notification.attempted",
        "subject": "n1",
        "time": "2026-01-01T12:00:00.005+00:00",
        "datacontenttype": "application/json",
        "partitionkey": "n1",
        "sequence": "000007",
        "data": {
            "notification_id": "n1",
            "user_id": "mia",
            "at_ms": NOON_MS + 5,
            "channel": "email",
            "step": 0,
            "number": 1,
            "outcome": "delivered",
        },
    }


def test_the_same_outcome_told_again_has_the_same_id() -> None:
    assert event_of(TEXT, 7).id == event_of(TEXT, 7).id
    assert event_of(TEXT, 7).id != event_of(TEXT, 8).id


def test_its_envelope_is_one_that_we_would_read_ourselves() -> None:
    read = decode_structured(encoded(event_of(TEXT, 7)), received_ms=NOON_MS)
    assert isinstance(read, Unknown)


def test_a_text_of_another_version_is_not_read() -> None:
    with pytest.raises(msgspec.DecodeError):
        event_of(b'["notification.unheard_of",{}]', 1)

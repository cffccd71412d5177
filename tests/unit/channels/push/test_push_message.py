import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.push.message import PAYLOAD_MAX_BYTES, PushMessage, build, cut
from hub.domain.devices import Device, Kind, Platform
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import Lane, Notification
from templates.texts import PushText

NOW_MS = 1_767_261_600_000
PHONE = Device(Kind.FID, "fid-1", Platform.ANDROID, NOW_MS, NOW_MS)
NOTIFICATION = Notification(
    id=NotificationId("n-1"),
    user=UserId("zoe"),
    rule=RuleName("order-placed"),
    event_type="order.placed",
    category="orders",
    lane=Lane.TRANSACTIONAL,
    template=TemplateName("order-placed"),
    context={},
    created_ms=NOW_MS,
)


TEXT = PushText("Title", "Body")


def pushed(text: PushText = TEXT, *, link: str = "https://shop.example/", **changes: object) -> PushMessage:
    notification = msgspec.structs.replace(NOTIFICATION, **changes)
    return build(notification, text, devices=(PHONE,), link=link, browser_link=link, badge=3, now_ms=NOW_MS)


def test_the_data_lets_the_app_acknowledge_and_open_it() -> None:
    assert pushed().data == {"notification_id": "n-1", "category": "orders", "link": "https://shop.example/"}


def test_a_browser_opens_another_link_than_an_app() -> None:
    direct, tracked = "https://shop.example/", "https://hub.example/c/token"
    message = build(NOTIFICATION, TEXT, devices=(PHONE,), link=direct, browser_link=tracked, badge=3, now_ms=NOW_MS)
    assert (message.link, message.data["link"]) == (tracked, direct)


def test_it_lives_as_long_as_the_notification() -> None:
    assert pushed(expires_ms=NOW_MS + 90_000).ttl_s == 90
    assert pushed(expires_ms=NOW_MS - 1).ttl_s == 0
    assert pushed(expires_ms=None).ttl_s == 28 * 86_400


def test_only_marketing_is_not_urgent() -> None:
    assert pushed(lane=Lane.CRITICAL).urgent
    assert not pushed(lane=Lane.MARKETING).urgent


@pytest.mark.parametrize(("own", "key"), [("eta:S-1", "eta:S-1"), (None, "n-1"), ("é" * 40, "n-1")])
def test_a_newer_push_replaces_an_older_one_of_its_key_and_each_its_own_double(own: str | None, key: str) -> None:
    assert pushed(collapse_key=own).collapse_key == key


def test_a_text_that_is_too_long_is_cut_with_an_ellipsis() -> None:
    message = pushed(PushText("Title", "word " * 2_000))
    assert message.body.endswith("…")
    assert len(msgspec.json.encode([message.title, message.body, message.data])) < PAYLOAD_MAX_BYTES


@given(st.text(), st.integers(0, 200))
def test_a_cut_text_fits_and_is_a_beginning(text: str, most_bytes: int) -> None:
    short = cut(text, most_bytes)
    assert len(msgspec.json.encode(short)) - 2 <= max(most_bytes, 0) or short == ""
    assert text.startswith(short.removesuffix("…").rstrip()) or short == text

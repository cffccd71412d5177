"""Links that tell when they are followed, and lead nowhere but where links may lead."""

from collections.abc import Sequence

import pytest

from hub.domain.channels import EMAIL, SMS
from hub.domain.errors import StoreUnavailable
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import EntryState, Lane, Notification
from hub.service.feedback.clicks import ClickLinks, Clicks, Followed, Noted
from hub.service.signing import Signer

SIGNER = Signer("a secret of thirty-two bytes or more")
SHOP = "https://shop.example"


def links(signer: Signer | None = SIGNER, *, hosts: Sequence[str] = (), tracking: bool = True) -> ClickLinks:
    return ClickLinks(signer, public_url="https://hub.example/", shop_url=SHOP, hosts=hosts, tracking=tracking)


def notification(link: str | None) -> Notification:
    return Notification(
        NotificationId("n1"),
        UserId("mia m|x"),
        RuleName("r"),
        "t",
        "c",
        Lane.MARKETING,
        TemplateName("t"),
        {},
        5,
        link=link,
    )


def token_of(link: str) -> str:
    before, token = link.rsplit("/", 1)
    assert before == "https://hub.example/c"
    return token


def test_a_tracked_link_says_what_was_followed_and_where_it_leads() -> None:
    told = notification("/orders/A-1?from=mail")
    followed = links().read(token_of(links().tracked(told, EMAIL)))
    assert followed == Followed(told.user, told.id, EMAIL, "https://shop.example/orders/A-1?from=mail")


def test_without_a_secret_or_a_wish_for_it_links_are_direct() -> None:
    told = notification("/sale")
    assert links(None).tracked(told, EMAIL) == "https://shop.example/sale"
    assert links(tracking=False).tracked(told, EMAIL) == "https://shop.example/sale"
    assert links(None).read("anything") is None


def test_links_that_are_out_are_read_after_tracking_was_switched_off() -> None:
    token = token_of(links().tracked(notification("/sale"), EMAIL))
    assert links(tracking=False).read(token) is not None


@pytest.mark.parametrize("shop", [SHOP, "https://hub.example"])
def test_the_hubs_own_links_are_not_led_through_it_again(shop: str) -> None:
    made = ClickLinks(SIGNER, public_url="https://hub.example/", shop_url=shop)
    told = notification("/sale")
    tracked = made.tracked(told, EMAIL)
    for own in (tracked, "https://hub.example/p/token", "https://hub.example/u/token"):
        assert made.track(own, told, EMAIL) == own
    assert made.shown(tracked) == f"{shop}/sale"


@pytest.mark.parametrize(
    "url", ["https://evil.example/", "mailto:a@shop.example", "https://shop.example/a b", "https://[", "x", ""]
)
def test_a_url_that_no_token_may_hold_stays_as_it_is(url: str) -> None:
    assert links().track(url, notification(None), EMAIL) == url
    assert links().shown(url) == url


def test_a_text_message_keeps_the_short_link() -> None:
    assert links().tracked(notification("/sale"), SMS) == "https://shop.example/sale"


@pytest.mark.parametrize(
    "link", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", "https://[", None]
)
def test_a_link_to_another_host_becomes_the_shops_own_page(link: str | None) -> None:
    assert links().direct(notification(link)) == "https://shop.example/"


def test_a_link_may_lead_to_a_host_that_is_named() -> None:
    told = notification("https://pay.example/invoice/7")
    named = links(hosts=["pay.example"])
    followed = named.read(token_of(named.tracked(told, EMAIL)))
    assert followed is not None
    assert followed.target == "https://pay.example/invoice/7"


def test_a_host_that_is_named_no_more_is_not_led_to() -> None:
    token = token_of(links(hosts=["pay.example"]).tracked(notification("https://pay.example/invoice/7"), EMAIL))
    assert links().read(token) is None


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "https://shop.example@evil.example/",
        "https://shop.example.evil.example/",
        "javascript:alert(1)",
        "//evil.example/",
        "https://[",
        "",
    ],
)
def test_not_even_a_signature_leads_to_another_host(target: str) -> None:
    assert links().read(SIGNER.sign("click", f"n1 email {target} mia")) is None


@pytest.mark.parametrize("token", ["", "x", "x.y", "é.é", "MC5hIGIgYyBk.AAAAAAAAAAAAAAAAAAAAAA"])
def test_a_token_that_was_not_signed_here_says_nothing(token: str) -> None:
    assert links().read(token) is None


def test_a_token_for_another_door_opens_none_here() -> None:
    assert links().read(SIGNER.sign("preferences-page", "n1 email https://shop.example/ mia")) is None


class FakeStore:
    """Notes what it is told, in order; `away`: it cannot be reached."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.calls: list[object] = []

    async def note_click(self, user: UserId, notification: NotificationId, at_ms: int) -> bool:
        self.calls.append(("click", user, notification, at_ms))
        return sum(call[0] == "click" for call in self.calls) == 1  # type: ignore[index]

    async def mark(self, user: UserId, ids: Sequence[NotificationId] | None, state: EntryState) -> int:
        if self.away:
            raise StoreUnavailable("away")
        self.calls.append(("mark", user, ids, state))
        return 0


FOLLOWED = Followed(UserId("mia"), NotificationId("n1"), EMAIL, SHOP)


async def test_a_click_counts_as_read_and_is_noted_once() -> None:
    store = FakeStore()
    clicks = Clicks(store, store, clock=lambda: 7)
    assert [await clicks.note(FOLLOWED) for _ in range(2)] == [Noted.FIRST, Noted.AGAIN]
    assert store.calls[:2] == [("mark", "mia", ["n1"], EntryState.READ), ("click", "mia", "n1", 7)]


async def test_a_click_is_no_error_while_redis_is_away() -> None:
    store = FakeStore(away=True)
    assert await Clicks(store, store, clock=lambda: 7).note(FOLLOWED) is Noted.LOST

import pytest

from hub.domain.ids import NotificationId, UserId
from hub.service.feedback.mail_marks import MARKED_S, MailMark, Marks, mark, read_mark, read_return_path, return_path
from hub.service.signing import Signer
from hub.store.return_paths import Mailed
from hub.store.suppressions import address_digest

SIGNER = Signer("a secret that is known to nobody")
OTHER = Signer("another secret, of somebody else")
ID = NotificationId("0123456789abcdef0123456789abcdef")
ZOE = UserId("zoe of the house")
BOUNCES = "bounces@mail.shop.example"


class Paths:
    """Remembers whom mails went to."""

    def __init__(self) -> None:
        self.noted: dict[NotificationId, Mailed] = {}

    async def note(self, notification: NotificationId, mailed: Mailed) -> None:
        self.noted[notification] = mailed


def marked(signer: Signer = SIGNER) -> str:
    return mark(signer, ID, ZOE, address="Zoe@Example.com", now_s=1_000)


def test_a_mark_says_which_mail_it_is_and_hides_the_address() -> None:
    assert read_mark(SIGNER, marked(), now_s=1_001) == MailMark(ID, ZOE, address_digest("zoe@example.com"))
    assert "example" not in marked()


@pytest.mark.parametrize("token", ["", "a.b", marked()[:-1], marked(OTHER), "é.é", SIGNER.sign("unsubscribe", "a b c")])
def test_a_mark_that_was_not_made_here_is_none(token: str) -> None:
    assert read_mark(SIGNER, token, now_s=1_001) is None


def test_a_mark_is_good_for_two_months() -> None:
    assert read_mark(SIGNER, marked(), now_s=1_000 + MARKED_S) is None


def test_a_return_path_leads_back_to_its_mail() -> None:
    path = return_path(SIGNER, BOUNCES, ID)
    assert path.startswith("bounces+")
    assert path.endswith("@mail.shop.example")
    assert len(path.partition("@")[0]) <= 64
    assert read_return_path(SIGNER, path) == read_return_path(SIGNER, path.upper()) == ID


@pytest.mark.parametrize(
    "address",
    [
        "",
        BOUNCES,
        "bounces+@mail.shop.example",
        "bounces+" + "a" * 42 + "@mail.shop.example",
        return_path(OTHER, BOUNCES, ID),
        return_path(SIGNER, BOUNCES, ID).replace("bounces+", "bounces+x"),
    ],
)
def test_a_return_path_that_was_not_made_here_is_none(address: str) -> None:
    assert read_return_path(SIGNER, address) is None


@pytest.mark.parametrize(
    ("mailbox", "notification"),
    [("a-very-long-mailbox-for-bounces@shop.example", ID), (BOUNCES, NotificationId("n-1"))],
)
def test_what_has_no_room_in_an_address_comes_back_to_the_mailbox_itself(
    mailbox: str, notification: NotificationId
) -> None:
    assert return_path(SIGNER, mailbox, notification) == mailbox


async def test_it_is_noted_whom_a_mail_with_a_return_path_of_its_own_went_to() -> None:
    paths = Paths()
    marks = Marks(SIGNER, mailbox=BOUNCES, paths=paths, clock=lambda: 1_000_000)
    assert await marks.return_path(ID, ZOE, address="Zoe@Example.com") == return_path(SIGNER, BOUNCES, ID)
    assert paths.noted == {ID: Mailed(ZOE, address_digest("zoe@example.com"))}
    assert marks.mark(ID, ZOE, address="Zoe@Example.com") == marked()


@pytest.mark.parametrize("mailbox", ["", BOUNCES])
async def test_without_a_secret_nothing_is_marked(mailbox: str) -> None:
    paths = Paths()
    marks = Marks(None, mailbox=mailbox, paths=paths, clock=lambda: 0)
    assert await marks.return_path(ID, ZOE, address="zoe@example.com") == mailbox
    assert marks.mark(ID, ZOE, address="zoe@example.com") == ""
    assert paths.noted == {}

from collections.abc import Sequence

import pytest

from hub.domain.channels import EMAIL
from hub.domain.ids import NotificationId
from hub.store.records import Attempt
from loadtest.delivery.crashes import Ledger, Verdict, judge

N = NotificationId("n")


def tried(*outcomes: str, number: int = 0) -> Sequence[Attempt]:
    return [Attempt(1, 0, number, EMAIL, outcome) for outcome in outcomes]


def judged(attempts: Sequence[Attempt], mails: int) -> Verdict:
    return judge({N: attempts}, {N: mails} if mails else {}, kills=1)


@pytest.mark.parametrize(
    ("attempts", "mails"),
    [
        (tried("delivered"), 1),
        (tried("delivered", number=1), 1),
        (tried("delivered", number=1), 2),
        (tried("refused", "failed"), 0),
        (tried("deferred", "buried"), 0),
        (tried("unknown"), 2),
    ],
)
def test_one_outcome_that_fits_is_right(attempts: Sequence[Attempt], mails: int) -> None:
    assert judged(attempts, mails).wrong == []


@pytest.mark.parametrize(
    ("attempts", "mails"),
    [
        ((), 1),
        (tried("refused"), 0),
        (tried("delivered", "delivered"), 1),
        (tried("delivered"), 0),
        (tried("delivered"), 2),
        (tried("delivered", number=3), 3),
        (tried("failed"), 1),
        (tried("buried"), 1),
        (tried("unknown"), 3),
    ],
)
def test_what_does_not_fit_is_told(attempts: Sequence[Attempt], mails: int) -> None:
    assert len(judged(attempts, mails).wrong) == 1


def test_a_mail_of_nobodys_is_told() -> None:
    assert judge({}, {N: 1}, kills=0).wrong == ["the mail n is nobody's"]


D = NotificationId("d1")
IN_DIGEST = [Attempt(1, 0, 0, EMAIL, "gathered"), Attempt(2, 0, 1, EMAIL, "delivered", detail="in digest d1")]


@pytest.mark.parametrize("mail", [N, D])
def test_what_gathered_came_with_the_digests_mail_or_alone(mail: NotificationId) -> None:
    verdict = judge({N: IN_DIGEST}, {mail: 1}, kills=0)
    assert (verdict.wrong, verdict.doubles, verdict.cut) == ([], 0, 0)


@pytest.mark.parametrize("mails", [{}, {D: 2}, {N: 1, D: 1}])
def test_what_gathered_came_once(mails: dict[NotificationId, int]) -> None:
    assert len(judge({N: IN_DIGEST}, mails, kills=0).wrong) == 1


def test_doubles_and_calls_that_were_cut_off_are_counted() -> None:
    verdict = judged(tried("delivered", number=1), 2)
    assert (verdict.doubles, verdict.cut, verdict.mails) == (1, 1, 2)


def test_the_ledger_counts_mails_by_their_notification() -> None:
    ledger = Ledger()
    for _ in range(2):
        ledger.take(sender="s", recipients=("r",), content=b"To: r\r\nMessage-ID: <n@shop.example>\r\n\r\n", at_ms=1)
    assert ledger.times == {N: 2}
    with pytest.raises(ValueError, match="Message-ID"):
        ledger.take(sender="s", recipients=("r",), content=b"To: r\r\n\r\n", at_ms=1)

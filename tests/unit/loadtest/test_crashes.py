from collections.abc import Sequence

import pytest

from hub.domain.channels import EMAIL, PUSH, SMS, Channel
from hub.domain.ids import NotificationId
from hub.store.records import Attempt
from loadtest.delivery.crash_verdict import Ended, Verdict, judge
from loadtest.delivery.crashes import Ledger, backlogs

N = NotificationId("n")


def tried(*outcomes: str, number: int = 0) -> Sequence[Attempt]:
    return [Attempt(1, 0, number, EMAIL, outcome) for outcome in outcomes]


def judged(attempts: Sequence[Attempt], came: int, channel: Channel = EMAIL) -> Verdict:
    return judge([Ended(N, channel, attempts)], {channel: {N: came} if came else {}}, kills=1)


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


@pytest.mark.parametrize(("channel", "wrong"), [(EMAIL, 0), (PUSH, 0), (SMS, 1)])
@pytest.mark.parametrize("attempts", [tried("delivered", number=1), tried("unknown", number=1)])
def test_a_text_is_never_doubled(attempts: Sequence[Attempt], channel: Channel, wrong: int) -> None:
    assert len(judged(attempts, 2, channel).wrong) == wrong


def test_a_message_of_nobodys_is_told() -> None:
    assert judge([], {PUSH: {N: 1}}, kills=0).wrong == ["the message n by push is nobody's"]


def test_what_came_by_another_channel_is_nobodys() -> None:
    assert len(judge([Ended(N, EMAIL, tried("delivered"))], {SMS: {N: 1}}, kills=0).wrong) == 2


def test_the_jobs_are_shared_among_the_channels() -> None:
    shares = [(each.channel, bool(each.digest_s), each.count) for each in backlogs(20)]
    assert shares == [
        (EMAIL, False, 4),
        (PUSH, False, 4),
        (SMS, False, 3),
        (EMAIL, True, 3),
        (PUSH, True, 3),
        (SMS, True, 3),
    ]


D = NotificationId("d1")
IN_DIGEST = [Attempt(1, 0, 0, EMAIL, "gathered"), Attempt(2, 0, 1, EMAIL, "delivered", detail="in digest d1")]


@pytest.mark.parametrize("mail", [N, D])
def test_what_gathered_came_with_the_digests_mail_or_alone(mail: NotificationId) -> None:
    verdict = judge([Ended(N, EMAIL, IN_DIGEST)], {EMAIL: {mail: 1}}, kills=0)
    account = verdict.accounts[EMAIL]
    assert (verdict.wrong, account.doubles, account.cut) == ([], 0, 0)


@pytest.mark.parametrize("mails", [{}, {D: 2}, {N: 1, D: 1}])
def test_what_gathered_came_once(mails: dict[NotificationId, int]) -> None:
    assert len(judge([Ended(N, EMAIL, IN_DIGEST)], {EMAIL: mails}, kills=0).wrong) == 1


def test_doubles_and_calls_that_were_cut_off_are_counted() -> None:
    account = judged(tried("delivered", number=1), 2).accounts[EMAIL]
    assert (account.jobs, account.doubles, account.cut, account.messages) == (1, 1, 1, 2)


def test_the_ledger_counts_mails_by_their_notification() -> None:
    ledger = Ledger()
    for _ in range(2):
        ledger.take(sender="s", recipients=("r",), content=b"To: r\r\nMessage-ID: <n@shop.example>\r\n\r\n", at_ms=1)
    assert ledger.times == {N: 2}
    with pytest.raises(ValueError, match="Message-ID"):
        ledger.take(sender="s", recipients=("r",), content=b"To: r\r\n\r\n", at_ms=1)

"""The checker itself: it sees what is lost, double, leaked and out of order, and nothing else."""

from tests.acceptance.checker import Told, mail_problems, problems

PLACED, CONFIRMED, PACKED = (Told(f"order.{name}", "A") for name in ("placed", "confirmed", "packed"))
PAID = Told("payment.captured", "A", "p")
RIGHT = {"ann": [PLACED, CONFIRMED, PACKED, PAID], "bob": []}


def test_what_is_right_has_no_problems() -> None:
    assert problems(RIGHT, {"ann": [PLACED, PAID, CONFIRMED, PACKED]}) == []


def test_a_loss_is_seen() -> None:
    assert problems(RIGHT, {"ann": [PLACED, PACKED, PAID]}) == ["ann was not told order.confirmed A"]


def test_a_double_is_seen() -> None:
    assert problems(RIGHT, {"ann": [*RIGHT["ann"], PLACED]}) == ["ann was told order.placed A 2 times"]


def test_a_leak_is_seen() -> None:
    assert problems(RIGHT, RIGHT | {"bob": [PLACED]}) == ["bob was told order.placed A, meant for ann"]


def test_an_invention_is_seen() -> None:
    invented = Told("order.returned", "A")
    assert problems(RIGHT, RIGHT | {"bob": [invented]}) == ["bob was told order.returned A, meant for nobody"]


def test_a_story_out_of_order_is_seen() -> None:
    found = problems(RIGHT, {"ann": [PLACED, PACKED, CONFIRMED, PAID]})
    assert found == ["ann was told the story of order A as order.placed, order.packed, order.confirmed"]


def test_mails_are_compared_one_by_one() -> None:
    expected = {("ann", "A"): 1, ("bob", "B"): 1}
    assert mail_problems(expected, expected, doubles_allowed=0) == []
    assert mail_problems(expected, {("ann", "A"): 1}, doubles_allowed=0) == ["no mail to bob about B"]
    assert mail_problems(expected, expected | {("ann", "A"): 2}, doubles_allowed=1) == []
    assert len(mail_problems(expected, expected | {("ann", "A"): 2}, doubles_allowed=0)) == 1
    assert len(mail_problems(expected, expected | {("ann", "A"): 3}, doubles_allowed=9)) == 1
    assert len(mail_problems(expected, expected | {("ann", "B"): 1}, doubles_allowed=9)) == 1

"""The checker itself: it sees what is lost, double, leaked and out of order, and nothing else."""

from tests.acceptance.checker import Handed, Told, mail_problems, problems

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


MAILS = {"n1": ("ann", "A"), "n2": ("bob", "B")}
ANNS, BOBS = Handed("n1", "ann", "A"), Handed("n2", "bob", "B")


def test_each_notification_s_mail_is_what_is_looked_for() -> None:
    assert mail_problems(MAILS, [BOBS, ANNS]) == []
    assert mail_problems(MAILS, [ANNS]) == ["no mail to bob about B"]


def test_a_mail_to_somebody_else_or_of_no_notification_is_seen() -> None:
    for wrong in (ANNS._replace(user="bob"), ANNS._replace(order="B"), ANNS._replace(id="n3")):
        found = mail_problems(MAILS, [ANNS, BOBS, wrong])
        assert f"a mail to {wrong.user} about {wrong.order} that nobody asked for" in found


def test_a_second_mail_is_right_only_after_one_that_was_in_doubt() -> None:
    in_doubt = ANNS._replace(in_doubt=True)
    assert mail_problems(MAILS, [in_doubt, BOBS, ANNS]) == []
    assert mail_problems(MAILS, [in_doubt, BOBS, in_doubt]) == []
    found = mail_problems(MAILS, [ANNS, BOBS, in_doubt])
    assert found == ["a second mail to ann about A, though the first one was handed over in peace"]


def test_a_third_mail_is_never_right() -> None:
    in_doubt = ANNS._replace(in_doubt=True)
    assert mail_problems(MAILS, [in_doubt, in_doubt, BOBS, in_doubt]) == ["3 mails to ann about A"]

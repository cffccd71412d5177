import pytest

from hub.service.feedback.signed_webhooks import WINDOW_S, is_signed, sign

SECRET = "a secret of thirty-two bytes or more"
BODY = b'{"reports": []}'
AT_S = 1_764_842_400
GOOD = sign(SECRET, BODY, at_s=AT_S)


@pytest.mark.parametrize("now_s", [AT_S - WINDOW_S, AT_S, AT_S + WINDOW_S])
def test_a_good_signature_is_good_for_a_while(now_s: int) -> None:
    assert is_signed(SECRET, GOOD, BODY, now_s=now_s)


@pytest.mark.parametrize("now_s", [AT_S - WINDOW_S - 1, AT_S + WINDOW_S + 1])
def test_a_signature_from_another_time_may_be_a_repetition(now_s: int) -> None:
    assert not is_signed(SECRET, GOOD, BODY, now_s=now_s)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=,v1=",
        f"t={AT_S}",
        GOOD.replace("v1=", "v0="),
        GOOD.replace(f"t={AT_S}", f"t={AT_S + 1}"),
        GOOD + f",t={AT_S}",
        GOOD.replace(f"t={AT_S}", "t=\u0661"),
        f"t={AT_S},v1=é",
        sign("another secret of thirty-two bytes or more", BODY, at_s=AT_S),
        sign(SECRET, BODY + b" ", at_s=AT_S),
    ],
)
def test_any_other_signature_is_refused(header: str) -> None:
    assert not is_signed(SECRET, header, BODY, now_s=AT_S)


def test_while_a_secret_is_changed_one_of_two_signatures_is_enough() -> None:
    both = sign("the next secret of thirty-two bytes", BODY, at_s=AT_S) + "," + GOOD.partition(",")[2]
    assert is_signed(SECRET, both, BODY, now_s=AT_S)

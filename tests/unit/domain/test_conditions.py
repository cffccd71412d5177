import pytest

from hub.domain.conditions import ConditionError, holds, parse

CONTEXT = {"total": {"amount_minor": 5_998, "currency": "EUR"}, "status": "packed", "reason": None, "attempt": 2}


@pytest.mark.parametrize(
    "text",
    [
        "total.amount_minor >= 5998",
        "total.amount_minor<=5998",
        "total.amount_minor > 1",
        "total.amount_minor < 1e4",
        'total.currency == "EUR"',
        'status in ["packed", "placed"]',
        'status != "placed"',
        'status > "a"',
        "attempt exists",
        "reason missing",
        "nothing missing",
        "total.currency.name missing",
        "reason == null",
    ],
)
def test_conditions_that_hold(text: str) -> None:
    assert holds(parse(text), CONTEXT)


@pytest.mark.parametrize(
    "text",
    ["attempt > 2", "reason < 7", "reason exists", 'attempt == "2"', "total > 1", 'attempt < "3"', "status in []"],
)
def test_conditions_that_do_not_hold(text: str) -> None:
    assert not holds(parse(text), CONTEXT)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "write `variable operator value`"),
        ("total", "write `variable operator value`"),
        ("Total == 1", "write `variable operator value`"),
        ("status == packed", "write the value as JSON"),
        ('status in "packed"', "write a list after `in`"),
        ("attempt > true", "`>` compares numbers or texts"),
        ("attempt > [1]", "`>` compares numbers or texts"),
    ],
)
def test_a_condition_that_cannot_be_read_says_what_to_write(text: str, advice: str) -> None:
    with pytest.raises(ConditionError) as caught:
        parse(text)
    assert str(caught.value).startswith(advice)

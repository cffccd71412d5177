import pytest

from loadtest.report.scale import linear, logarithmic, round_step, short


@pytest.mark.parametrize(("rough", "step"), [(0.3, 0.5), (1.1, 2), (2.1, 2.5), (5, 5), (70, 100), (20_000, 20_000)])
def test_steps_are_round(rough: float, step: float) -> None:
    assert round_step(rough) == pytest.approx(step)


def test_a_scale_ends_at_a_round_number_above_the_greatest_value() -> None:
    scale = linear([3, 97_000], start=200, end=0)
    assert (scale.high, scale.ticks()[-1]) == (100_000, 100_000)
    assert (scale(0), scale(100_000), scale(50_000)) == (200, 0, 100)


def test_a_logarithmic_scale_spans_whole_powers_of_ten() -> None:
    scale = logarithmic([0, 3, 450], start=0, end=300)
    assert scale.ticks() == [1, 10, 100, 1_000]
    assert (scale(10), scale(0.001)) == (100, 0)


def test_nothing_to_show_has_a_scale_nevertheless() -> None:
    assert linear([], start=0, end=1).ticks()
    assert logarithmic([], start=0, end=1).ticks() == [1, 10]


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.25, "0.25"), (2_500, "2.5k"), (100_000, "100k"), (1.5e6, "1.5M")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert short(value) == text

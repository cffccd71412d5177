"""The offset checker: what it lets pass, and what it counts."""

import pytest

from loadtest.swarm.ledger import Position, Tally
from loadtest.swarm.wire import Pub, Sub


def check(*offsets: int, start: int = 0, topic: str = "inbox:ann") -> Tally:
    tally, position = Tally(), Position("e", start)
    for offset in offsets:
        tally.publication(position, topic, offset)
    return tally


def test_offsets_one_after_the_other_are_right() -> None:
    tally = check(5, 6, 7, start=4)
    assert tally.received == 3
    assert tally.mistakes == {}


@pytest.mark.parametrize(
    ("offsets", "mistakes"),
    [
        ((1, 1), {"doubles": 1}),
        ((1, 3), {"holes": 1}),
        ((2, 1), {"holes": 1, "doubles": 1}),
        ((1, 3, 2), {"holes": 1, "doubles": 1}),
    ],
)
def test_doubles_holes_and_the_wrong_order_are_counted(offsets: tuple[int, ...], mistakes: dict[str, int]) -> None:
    assert check(*offsets).mistakes == mistakes


def test_a_topic_of_the_latest_value_may_leave_values_out_but_not_repeat_them() -> None:
    tally = check(1, 5, 5, topic="courier:7")
    assert (tally.skipped, tally.mistakes) == (3, {"doubles": 1})


def test_a_topic_without_history_is_only_counted() -> None:
    tally = check(0, 0, 0)
    assert (tally.received, tally.mistakes) == (3, {})


def test_a_recovered_subscription_goes_on_where_it_stood() -> None:
    tally, positions = Tally(), {"inbox:ann": Position("e", 4)}
    tally.subscribed(positions, "inbox:ann", Sub(epoch="e", offset=6, recovered=True, publications=[_pub(5), _pub(6)]))
    assert positions["inbox:ann"].offset == 4
    assert (tally.recovered, tally.mistakes) == (2, {})


def test_a_subscription_that_starts_over_without_recovery_is_a_mistake() -> None:
    tally, positions = Tally(), {"inbox:ann": Position("e", 4)}
    tally.subscribed(positions, "inbox:ann", Sub(epoch="f", offset=9))
    assert tally.mistakes == {"unrecovered": 1}
    assert (positions["inbox:ann"].epoch, positions["inbox:ann"].offset) == ("f", 9)


def test_tallies_of_shards_add_up() -> None:
    total, part = Tally(), check(1, 1)
    part.error("closed with 3501")
    for _ in range(2):
        total.add(part.counts(), part.errors)
    assert total.received == 4
    assert total.mistakes == {"doubles": 2, "closed with 3501": 2}


def _pub(offset: int) -> Pub:
    return Pub(data=b"{}", offset=offset)  # type: ignore[arg-type]

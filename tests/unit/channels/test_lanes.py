import pytest

from channels.lanes import shares
from hub.domain.notifications import Lane


@pytest.mark.parametrize("total", [1, 4, 8, 64, 1_000])
def test_every_lane_has_places_of_its_own(total: int) -> None:
    assert set(shares(total)) == set(Lane)
    assert min(shares(total).values()) >= 1


def test_all_lanes_together_keep_the_total() -> None:
    assert sum(shares(64).values()) <= 64

from typing import Any

from hub.domain.decisions import Outcome
from hub.domain.sales import MAX_ENTRIES
from tests.shop import event
from tests.world import World

TIMES: dict[str, Any] = {"starts_at": "2026-01-02T00:00:00Z", "ends_at": "2026-01-03T00:00:00Z"}


def sell(world: World, kind: str, *, at_s: float = 0, **more: Any) -> Outcome:
    return world.tell(event(f"sale.{kind}", at_s=at_s, sale_id="summer", **more)).outcome


def shown(world: World) -> dict[str, Any]:
    return [update for topic, update in world.announced if topic == "sale:summer"][-1]


def test_a_sale_goes_from_scheduled_to_ended_and_keeps_its_offer() -> None:
    world = World()
    sell(world, "scheduled", title="Summer", offer={"percent": 20}, **TIMES)
    sell(world, "started", at_s=1, title="Summer", ends_at=TIMES["ends_at"])
    sell(world, "ended", at_s=2)

    assert world.types_on("announcements") == ["sale.scheduled", "sale.started", "sale.ended"]
    assert (shown(world)["status"], shown(world)["title"], shown(world)["offer"]) == (
        "ended",
        "Summer",
        {"percent": 20},
    )
    assert shown(world)["starts_at"] == 1_767_312_000_000


def test_a_scheduled_sale_may_be_moved_by_a_newer_word() -> None:
    world = World()
    sell(world, "scheduled", at_s=2, title="Summer", **TIMES)

    assert sell(world, "scheduled", at_s=3, title="Late summer", **TIMES) is Outcome.APPLIED
    assert sell(world, "scheduled", at_s=1, title="Spring", **TIMES) is Outcome.STALE
    assert shown(world)["title"] == "Late summer"


def test_nothing_starts_after_the_end_and_nothing_follows_a_cancellation() -> None:
    world = World()

    assert sell(world, "ended", version=1) is Outcome.APPLIED
    assert sell(world, "started", at_s=60, version=9, title="Summer", ends_at=TIMES["ends_at"]) is Outcome.STALE
    assert sell(world, "cancelled") is Outcome.APPLIED
    assert sell(world, "ended", at_s=60) is Outcome.STALE


def test_a_sale_remembers_a_bounded_number_of_events() -> None:
    world = World()
    for second in range(MAX_ENTRIES + 5):
        sell(world, "scheduled", at_s=second, title="Summer", **TIMES)

    (document,) = world.documents.values()
    assert document.body.count(b'"applied_ms"') == MAX_ENTRIES
    assert [rank for _, rank in world.ranks] == list(range(1, MAX_ENTRIES + 6))

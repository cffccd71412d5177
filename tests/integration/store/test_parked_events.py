from hub.domain.decisions import Aggregate, AggregateKind, Change
from hub.domain.ids import EffectId
from hub.store.documents import Documents
from hub.store.parked import Parked, Parking

ORDER = Aggregate(AggregateKind.ORDER, "A:1")
SHIPMENT = Aggregate(AggregateKind.SHIPMENT, "S-1")
MINUTE_MS = 60_000


async def park(parked: Parked, name: str, *, aggregate: Aggregate = ORDER, deadline_ms: int = 100) -> Parking:
    effect = EffectId(name)
    return await parked.park(aggregate, name.encode(), effect=effect, now_ms=0, deadline_ms=deadline_ms, limit=2)


async def test_an_event_is_parked_once_and_within_the_limit(parked: Parked) -> None:
    assert [await park(parked, name) for name in ("a", "a", "b", "c", "b")] == [
        Parking.KEPT,
        Parking.KEPT,
        Parking.KEPT,
        Parking.FULL,
        Parking.KEPT,
    ]
    assert await parked.waiting_many([ORDER, SHIPMENT]) == [(b"a", b"b"), ()]


async def test_an_event_whose_aggregate_has_appeared_is_not_parked(parked: Parked, documents: Documents) -> None:
    await documents.apply_many([Change(ORDER, 0, b"{}")])
    assert await park(parked, "a") is Parking.EXISTS


async def test_overdue_events_go_to_one_caller_at_a_time(parked: Parked) -> None:
    await park(parked, "a")
    await park(parked, "b", deadline_ms=200)
    await park(parked, "s", aggregate=SHIPMENT)
    assert await parked.expired(99, 10) == []
    assert sorted(body for _, body in await parked.expired(100, 10)) == [b"a", b"s"]
    assert await parked.expired(100, 10) == []


async def test_overdue_events_that_nobody_dealt_with_come_again(parked: Parked) -> None:
    await park(parked, "a")
    assert await parked.expired(100, 10) == await parked.expired(100 + MINUTE_MS, 10) == [(ORDER, b"a")]


async def test_what_was_unparked_does_not_come_again(parked: Parked) -> None:
    await park(parked, "a")
    await park(parked, "b", deadline_ms=3 * MINUTE_MS)
    await parked.unpark(ORDER, [body for _, body in await parked.expired(100, 10)])
    assert await parked.expired(2 * MINUTE_MS, 10) == []
    assert await parked.expired(3 * MINUTE_MS, 10) == [(ORDER, b"b")]


async def test_a_reminder_without_events_is_forgotten(parked: Parked) -> None:
    await park(parked, "a")
    await parked.unpark(ORDER, [b"a", b"unknown"])
    assert await parked.expired(10**12, 10) == []
    assert await parked.expired(10**13, 10) == []


async def test_a_body_with_line_breaks_is_found_again(parked: Parked) -> None:
    await park(parked, "a\n1:b\r\n\0")
    assert await parked.waiting_many([ORDER]) == [(b"a\n1:b\r\n\0",)]
    await parked.unpark(ORDER, [b"a\n1:b\r\n\0"])
    assert await parked.waiting_many([ORDER]) == [()]

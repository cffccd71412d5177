import asyncio

import pytest
from redis.asyncio import Redis

from hub.domain.decisions import Aggregate, AggregateKind, Change, Document, Link, Precedent, Publication
from hub.domain.ids import EffectId, OrderId, ShipmentId, Topic, UserId
from hub.store.documents import Applied, Conflict, Documents, Overtaking, Unfinished
from hub.store.keys import Keys
from hub.store.parked import Parked
from hub.store.topics import Topics

ORDER = Aggregate(AggregateKind.ORDER, "A-1")
ADA = UserId("ada")
PERSON = Aggregate(AggregateKind.PERSON, ADA)


async def test_an_unknown_aggregate_has_version_zero(documents: Documents) -> None:
    assert await documents.read_many([ORDER]) == [Document(0, b"")]


async def test_a_change_is_applied_on_the_expected_version_only(documents: Documents) -> None:
    results = await documents.apply_many([Change(ORDER, 0, b"1"), Change(ORDER, 0, b"x"), Change(ORDER, 1, b"2")])
    assert results == [Applied(1), Conflict(), Applied(2)]
    assert await documents.read_many([ORDER]) == [Document(2, b"2")]


async def test_the_same_change_again_is_applied_again(documents: Documents) -> None:
    change = Change(ORDER, 0, b"1")
    assert await documents.apply_many([change]) == await documents.apply_many([change]) == [Applied(1)]
    assert await documents.apply_many([Change(ORDER, 1, b"2"), change]) == [Applied(2), Conflict()]


@pytest.mark.parametrize("rank", [None, 7])
async def test_a_change_waits_until_what_it_comes_after_is_out(
    documents: Documents, topics: Topics, rank: int | None
) -> None:
    topic = Topic("order:A-1") if rank is None else Topic("shipment:S-1")
    aggregate = ORDER if rank is None else Aggregate(AggregateKind.SHIPMENT, "S-1")
    await documents.apply_many([Change(aggregate, 0, b"1")])
    change = Change(aggregate, 1, b"2", Precedent(topic, EffectId("e"), rank))
    assert await documents.apply_many([change]) == [Unfinished()]
    assert await documents.read_many([aggregate]) == [Document(1, b"1")]
    await topics.publish_many([Publication(topic, EffectId("e"), b"{}", rank)])
    assert await documents.apply_many([change]) == [Applied(2)]


async def test_what_was_published_since_is_as_good_on_a_latest_topic(documents: Documents, topics: Topics) -> None:
    shipment, topic = Aggregate(AggregateKind.SHIPMENT, "S-1"), Topic("shipment:S-1")
    await topics.publish_many([Publication(topic, EffectId("e"), b"{}", 10)])
    lower, higher = (Change(shipment, 0, b"1", Precedent(topic, EffectId("x"), rank)) for rank in (9, 11))
    assert await documents.apply_many([higher, lower]) == [Unfinished(), Applied(1)]


async def test_of_racing_changes_one_wins(documents: Documents) -> None:
    results = await asyncio.gather(*(documents.apply_many([Change(ORDER, 0, b"%d" % n)]) for n in range(10)))
    assert sum(isinstance(result, Applied) for (result,) in results) == 1


async def test_an_order_expires_and_a_person_does_not(documents: Documents, redis: Redis, keys: Keys) -> None:
    await documents.apply_many([Change(ORDER, 0, b"1"), Change(PERSON, 0, b"1")])
    assert 0 < await redis.ttl(keys.document(ORDER)) <= 60
    assert await redis.ttl(keys.document(PERSON)) == -1


async def test_a_change_tells_which_events_wait_for_it_until_they_are_unparked(
    documents: Documents, parked: Parked
) -> None:
    for name in (b"late", b"early"):
        deadline_ms = 9 if name == b"early" else 10
        await parked.park(ORDER, name, effect=EffectId(name.decode()), now_ms=0, deadline_ms=deadline_ms, limit=9)
    assert await documents.apply_many([Change(ORDER, 0, b"1")]) == [Applied(1, (b"early", b"late"))]
    await parked.unpark(ORDER, [b"early"])
    assert await documents.apply_many([Change(ORDER, 1, b"2")], heard={ORDER}) == [Applied(2, (b"late",))]


async def test_a_change_does_not_overtake_the_events_that_wait_for_its_aggregate(
    documents: Documents, parked: Parked
) -> None:
    await parked.park(ORDER, b"early", effect=EffectId("e"), now_ms=0, deadline_ms=9, limit=9)
    await documents.apply_many([Change(ORDER, 0, b"1")])
    assert await documents.apply_many([Change(ORDER, 1, b"2")]) == [Overtaking((b"early",))]
    assert await documents.read_many([ORDER]) == [Document(1, b"1")]
    await parked.unpark(ORDER, [b"early"])
    assert await documents.apply_many([Change(ORDER, 1, b"2")]) == [Applied(2)]


async def test_shipments_of_an_order_are_linked_once(documents: Documents) -> None:
    links = [Link(OrderId("A-1"), ShipmentId(name)) for name in ("S-2", "S-1", "S-2")]
    await documents.link_many(links)
    assert await documents.shipments_of(OrderId("A-1")) == ["S-1", "S-2"]

"""Events through ingest into a real Redis: what people are told, whatever order and however often events come."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from hub.app import Stores, build_effects, build_ingest, build_ingest_alone, build_renderer, load_playbook, open_stores
from hub.domain.cloudevents import decode_structured
from hub.domain.decisions import Aggregate, AggregateKind, Decision, Document, Outcome
from hub.domain.envelope import Event, Incoming, Origin, Source
from hub.domain.errors import StoreUnavailable
from hub.domain.ids import OrderId, Topic, UserId
from hub.domain.notifications import Lane
from hub.domain.orders import decode_order
from hub.service.intake.batch import Task
from hub.service.intake.effects import Effects
from hub.service.intake.ingest import Ingest
from hub.settings import Settings
from templates.texts import InboxText, TemplateError

NOW = datetime.now(UTC)
MONEY = {"amount_minor": 1999, "currency": "EUR"}
PLACED = {
    "customer_id": "ana",
    "total": MONEY,
    "items": [{"product_id": "p", "name": "Shoe", "quantity": 1, "price": MONEY}],
}
JOURNEY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("order.placed", PLACED),
    ("order.confirmed", {}),
    ("order.packed", {}),
)


def event(name: str, order: str, data: dict[str, Any], *, second: int = 0) -> Incoming:
    """Return a decoded event about an order; `second` is when it happened."""
    body = {
        "specversion": "1.0",
        "id": f"{order}-{name}",
        "source": "/shop",
        "type": name,
        "time": (NOW + timedelta(seconds=second)).isoformat(),
        "data": {"order_id": order, **data},
    }
    decoded = decode_structured(msgspec.json.encode(body), received_ms=int(NOW.timestamp() * 1000))
    assert isinstance(decoded, Event)
    return Incoming(decoded, Origin(Source.HTTP, "test"))


def journey(order: str) -> list[Incoming]:
    return [event(name, order, data, second=second) for second, (name, data) in enumerate(JOURNEY)]


@pytest.fixture
async def stores(redis_url: str, key_prefix: str) -> AsyncIterator[Stores]:
    async with open_stores(Settings(key_prefix=key_prefix), redis_url) as opened:
        yield opened


@pytest.fixture
def ingest(stores: Stores) -> Ingest:
    settings = Settings(park_limit=3)
    return build_ingest_alone(settings, stores)


async def told(stores: Stores, user: str = "ana") -> list[str]:
    """Return the types of a person's notifications, the oldest first."""
    page = await stores.inbox.page(UserId(user), cursor=None, limit=100)
    return [item.entry.event_type for item in reversed(page.items)]


async def test_one_batch_tells_the_whole_journey_in_order(ingest: Ingest, stores: Stores) -> None:
    assert await ingest.process(journey("A")) == [Outcome.APPLIED] * 3
    assert await told(stores) == ["order.placed", "order.confirmed", "order.packed"]
    timeline = await stores.topics.history(Topic("order:A"), since=None, limit=10, reverse=False)
    assert [stored.offset for stored in timeline.publications] == [1, 2, 3]


async def test_processing_again_repeats_nothing(ingest: Ingest, stores: Stores) -> None:
    await ingest.process(journey("A"))
    assert await ingest.process(journey("A")) == [Outcome.REPLAYED] * 3
    assert len(await told(stores)) == 3
    assert (await stores.jobs.depth())[Lane.TRANSACTIONAL] == 3


async def test_a_duplicate_within_a_batch_is_told_once(ingest: Ingest, stores: Stores) -> None:
    await ingest.process([each for each in journey("A") for _ in range(3)])
    assert len(await told(stores)) == 3


async def test_an_event_ahead_of_its_order_in_a_batch_loses_nothing(ingest: Ingest, stores: Stores) -> None:
    placed, confirmed, packed = journey("A")
    assert await ingest.process([packed, confirmed, placed]) == [Outcome.APPLIED] * 3
    assert await told(stores) == ["order.placed", "order.confirmed", "order.packed"]


async def test_an_event_ahead_of_its_order_by_batches_loses_nothing(ingest: Ingest, stores: Stores) -> None:
    placed, confirmed, packed = journey("A")
    assert await ingest.process([packed]) == [Outcome.PARKED]
    assert await ingest.process([confirmed]) == [Outcome.PARKED]
    await ingest.process([placed])
    assert await told(stores) == ["order.placed", "order.confirmed", "order.packed"]
    order = Aggregate(AggregateKind.ORDER, "A")
    assert await stores.parked.waiting_many([order]) == [()]


async def test_who_died_before_waking_the_parked_events_is_made_up_for(ingest: Ingest, stores: Stores) -> None:
    placed, confirmed, _ = journey("A")
    await ingest.process([confirmed])
    tasks = [Task(0, placed)]
    round_ = ingest._decide(tasks, await ingest._read(tasks))
    await stores.documents.apply_many(list(round_.changes.values()))  # ...and here the process dies
    assert await ingest.process([placed]) == [Outcome.REPLAYED]
    assert await told(stores) == ["order.placed", "order.confirmed"]


async def test_what_comes_later_does_not_overtake_the_events_that_waited(ingest: Ingest, stores: Stores) -> None:
    placed, confirmed, packed = journey("A")
    await ingest.process([confirmed])
    tasks = [Task(0, placed)]
    round_ = ingest._decide(tasks, await ingest._read(tasks))
    await stores.documents.apply_many(list(round_.changes.values()))  # ...and here the process dies, or is slow
    assert await ingest.process([packed]) == [Outcome.APPLIED]
    assert await told(stores) == ["order.placed", "order.confirmed", "order.packed"]
    await ingest.process([placed])
    assert len(await told(stores)) == 3
    assert await stores.parked.waiting_many([Aggregate(AggregateKind.ORDER, "A")]) == [()]


@pytest.mark.parametrize("in_one_batch", [True, False])
async def test_effects_that_a_crash_cut_off_are_made_up_for_in_order(
    ingest: Ingest, stores: Stores, in_one_batch: bool
) -> None:
    placed, confirmed, packed = journey("A")
    batch = [confirmed, placed, packed] if in_one_batch else [placed, packed]
    if not in_one_batch:
        await ingest.process([confirmed])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest._effects, "carry_out", _nothing)
        patch.setattr(ingest, "_settle", _nothing)
        await ingest.process(batch)  # All is decided and kept, but nobody has been told.
    await ingest.process(batch)
    assert await told(stores) == ["order.placed", "order.confirmed", "order.packed"]


@asynccontextmanager
async def dying(ingest: Ingest, *, at_trip: int = 1) -> AsyncIterator[None]:
    """Have the process die between the changes of a round and their effects: the `at_trip`-th time it gets there."""
    carry_out, trips = ingest._effects.carry_out, itertools.count(1)

    async def carry_out_or_die(*args: Any, **named: Any) -> Any:
        if next(trips) == at_trip:
            raise StoreUnavailable("killed")
        return await carry_out(*args, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest._effects, "carry_out", carry_out_or_die)
        with pytest.raises(StoreUnavailable, match="killed"):
            yield


async def test_what_was_sent_before_its_order_and_comes_again_alone_is_told_after_it(
    ingest: Ingest, stores: Stores
) -> None:
    placed, confirmed, packed = journey("A")
    async with dying(ingest):
        await ingest.process([confirmed, placed])
    assert await told(stores) == []
    assert await ingest.process([confirmed]) == [Outcome.APPLIED]
    assert await told(stores) == ["order.placed", "order.confirmed"]
    assert await ingest.process([placed, packed]) == [Outcome.REPLAYED, Outcome.APPLIED]
    assert await told(stores) == ["order.placed", "order.confirmed", "order.packed"]
    assert (await stores.jobs.depth())[Lane.TRANSACTIONAL] == 3


async def test_what_was_parked_and_comes_again_alone_is_told_after_its_order(ingest: Ingest, stores: Stores) -> None:
    placed, confirmed, _ = journey("A")
    await ingest.process([confirmed])
    async with dying(ingest):
        await ingest.process([placed])
    await ingest.process([confirmed])
    assert await told(stores) == ["order.placed", "order.confirmed"]
    await ingest.process([placed])
    assert len(await told(stores)) == 2


async def test_of_events_that_waited_together_the_later_coming_again_alone_is_told_after_the_earlier(
    ingest: Ingest, stores: Stores
) -> None:
    placed, confirmed, packed = journey("A")
    async with dying(ingest, at_trip=2):
        await ingest.process([packed, confirmed, placed])
    assert await told(stores) == ["order.placed"]
    assert await ingest.process([packed]) == [Outcome.REPLAYED]
    assert await told(stores) == ["order.placed", "order.confirmed", "order.packed"]
    await ingest.process([confirmed, placed])
    assert len(await told(stores)) == 3


async def test_what_was_sent_before_its_shipment_and_comes_again_alone_is_told_after_it(
    ingest: Ingest, stores: Stores
) -> None:
    await ingest.process(journey("A")[:1])
    created = event("shipment.created", "A", {"shipment_id": "S"}, second=1)
    dispatched = event("shipment.dispatched", "A", {"shipment_id": "S"}, second=2)
    async with dying(ingest):
        await ingest.process([dispatched, created])
    await ingest.process([dispatched])
    assert await told(stores) == ["order.placed", "shipment.created", "shipment.dispatched"]
    await ingest.process([created])
    assert len(await told(stores)) == 3
    assert await stores.documents.shipments_of(OrderId("A")) == ["S"]


async def test_another_process_does_not_overtake_effects_that_are_being_written(ingest: Ingest, stores: Stores) -> None:
    placed, confirmed, _ = journey("A")
    other, here, on = build_ingest_alone(Settings(), stores), asyncio.Event(), asyncio.Event()
    carry_out = other._effects.carry_out

    async def carry_out_slowly(*args: Any, **named: Any) -> Any:
        here.set()
        await on.wait()
        return await carry_out(*args, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(other._effects, "carry_out", carry_out_slowly)
        slow = asyncio.create_task(other.process([placed]))
        await here.wait()
        await ingest.process([confirmed])
        on.set()
        await slow
    assert await told(stores) == ["order.placed", "order.confirmed"]


async def _nothing(*_: Any, **__: Any) -> None:
    """What is left of a call when the process dies before it."""


async def test_too_many_events_for_an_unknown_order_become_dead_letters(ingest: Ingest, stores: Stores) -> None:
    batch = [event("payment.failed", "A", {"payment_id": f"p{i}", "amount": MONEY, "reason": "no"}) for i in range(5)]
    batch = [
        Incoming(msgspec.structs.replace(each.event, id=str(number)), each.origin) for number, each in enumerate(batch)
    ]
    outcomes = await ingest.process(batch)
    assert sorted(outcomes) == [Outcome.PARKED] * 3 + [Outcome.REJECTED] * 2
    assert await stores.dead_letters.count() == 2


async def test_an_event_whose_order_never_appears_becomes_a_dead_letter(
    redis_url: str, key_prefix: str, stores: Stores
) -> None:
    settings = Settings(park_timeout_s=-1)
    ingest = build_ingest_alone(settings, stores)
    await ingest.process([journey("A")[1]])
    assert await ingest.give_up_parked() == 1
    letters = (await stores.dead_letters.list()).letters
    assert [letter.reason for letter in letters] == ["order A did not appear within -1 s"]
    assert await ingest.give_up_parked() == 0


async def test_another_customer_for_a_known_order_is_rejected(ingest: Ingest, stores: Stores) -> None:
    await ingest.process(journey("A"))
    stolen = event("order.cancelled", "A", {"customer_id": "eve", "reason": "x"})
    assert await ingest.process([stolen]) == [Outcome.REJECTED]
    assert await stores.dead_letters.count() == 1
    assert await told(stores, "eve") == []


async def test_the_same_events_over_two_ways_in_at_once_are_told_once(ingest: Ingest, stores: Stores) -> None:
    orders = [f"A{number}" for number in range(20)]
    shuffled = (random.Random(seed).sample(orders, len(orders)) for seed in range(3))
    batches = [[each for order in names for each in journey(order)] for names in shuffled]
    await asyncio.gather(*(ingest.process(batch) for batch in batches))
    assert len(await told(stores)) == 60
    documents = await stores.documents.read_many([Aggregate(AggregateKind.ORDER, OrderId(order)) for order in orders])
    assert {decode_order(document.body).status for document in documents} == {"packed"}


async def test_an_erased_person_is_told_nothing(ingest: Ingest, stores: Stores) -> None:
    erased = event("user.erased", "-", {"user_id": "ana"})
    await ingest.process([erased, *journey("A")])
    assert await told(stores) == []
    assert (await stores.jobs.depth())[Lane.TRANSACTIONAL] == 0


async def test_an_event_for_which_there_is_no_text_is_put_aside_and_told_once_there_is(
    ingest: Ingest, stores: Stores
) -> None:
    placed, confirmed, _ = journey("A")
    problem = TemplateError("en/order-placed/inbox.txt", "'typo' is undefined", line=2)

    def fails(template: str, *_: object) -> InboxText:
        if template == "order-placed":
            raise problem
        return InboxText("Title", "Body")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest._effects._renderer, "inbox", fails)
        assert await ingest.process([placed, confirmed]) == [Outcome.REJECTED, Outcome.APPLIED]
    assert await told(stores) == ["order.confirmed"]
    (letter,) = (await stores.dead_letters.list()).letters
    assert letter.reason == "en/order-placed/inbox.txt:2: 'typo' is undefined"
    assert await ingest.process([placed]) == [Outcome.REPLAYED]
    assert sorted(await told(stores)) == ["order.confirmed", "order.placed"]


async def test_the_parts_of_a_large_batch_are_told_like_small_ones(ingest: Ingest, stores: Stores) -> None:
    orders = [f"A-{number}" for number in range(80)]
    steps = zip(*(journey(order) for order in orders), strict=True)
    batch = [each for step in steps for each in step]
    assert await ingest.process(batch) == [Outcome.APPLIED] * 240
    for order in orders:
        timeline = await stores.topics.history(Topic(f"order:{order}"), since=None, limit=10, reverse=False)
        assert [stored.offset for stored in timeline.publications] == [1, 2, 3]
    assert (await told(stores)).count("order.packed") == 80


async def test_a_part_that_fails_fails_the_batch_once_the_others_are_done(stores: Stores) -> None:
    """All of it is given again: no part may still be at work then."""
    failing = _FailsFor("user-0", build_effects(Settings(), stores, build_renderer(Settings())))
    ingest = build_ingest(Settings(), stores, failing, load_playbook(Settings()))  # type: ignore[arg-type]  # what it needs of Effects
    batch = [event("order.placed", f"A-{number}", PLACED | {"customer_id": f"user-{number}"}) for number in range(200)]
    with pytest.raises(StoreUnavailable):
        await ingest.process(batch)
    carried_out = failing.carried_out
    assert 100 <= carried_out < 200
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    failing.broken = False
    assert await ingest.process(batch) == [Outcome.REPLAYED] * 200
    assert failing.carried_out == carried_out + 200
    assert await told(stores, "user-0") == await told(stores, "user-199") == ["order.placed"]


class _FailsFor:
    """Effects of which those for one person cannot be written while it is `broken`."""

    def __init__(self, user: str, effects: Effects) -> None:
        self._user = user
        self._effects = effects
        self.broken = True
        self.carried_out = 0

    async def carry_out(self, decisions: Sequence[Decision], *, known: Mapping[Aggregate, Document]) -> Any:
        told = {notification.user for decision in decisions for notification in decision.notifications}
        if self.broken and self._user in told:
            raise StoreUnavailable("Redis does not answer")
        untold = await self._effects.carry_out(decisions, known=known)
        self.carried_out += len(decisions)
        return untold

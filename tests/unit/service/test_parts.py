"""A batch is split so that nothing that belongs together is torn apart."""

from __future__ import annotations

import random
from itertools import chain

import pytest

from hub.domain.envelope import Event, Incoming, Origin, Source
from hub.service.intake.batch import Task
from hub.service.intake.parts import independent_parts
from tests.shop import event, order_placed

MONEY = {"amount_minor": 1999, "currency": "EUR"}


def tasks_of(*events: Event) -> list[Task]:
    return [Task(index, Incoming(each, Origin(Source.HTTP, str(index)))) for index, each in enumerate(events)]


def placed(number: int, customer: str) -> Event:
    return order_placed(order_id=f"A-{number}", customer_id=customer)


def part_of(parts: list[list[Task]], task: Task) -> int:
    return next(index for index, part in enumerate(parts) if task in part)


def test_a_small_batch_stays_whole() -> None:
    tasks = tasks_of(*(placed(number, f"user-{number}") for number in range(99)))
    assert independent_parts(tasks) == [tasks]


def test_no_batch_has_no_part() -> None:
    assert independent_parts([]) == []


def test_a_large_batch_of_strangers_comes_in_four_parts_of_one_size() -> None:
    tasks = tasks_of(*(placed(number, f"user-{number}") for number in range(500)))
    assert [len(part) for part in independent_parts(tasks)] == [125] * 4


def test_a_batch_about_one_person_stays_whole() -> None:
    tasks = tasks_of(*(placed(number, "ana") for number in range(500)))
    assert independent_parts(tasks) == [tasks]


def test_a_shipment_that_names_its_order_stays_with_the_order_and_its_customer() -> None:
    strangers = [placed(number, f"user-{number}") for number in range(300)]
    shipment = event("shipment.dispatched", shipment_id="S-1", order_id="A-0")
    later = event("shipment.delivered", shipment_id="S-1")
    mine = placed(1_000, "user-0")
    tasks = tasks_of(*strangers, shipment, later, mine)
    parts = independent_parts(tasks)
    assert len({part_of(parts, task) for task in (tasks[0], *tasks[-3:])}) == 1


def test_all_sales_stay_together_for_they_are_announced_on_one_topic() -> None:
    sales = [event("sale.ended", sale_id=f"sale-{number}") for number in range(200)]
    tasks = tasks_of(*sales)
    assert independent_parts(tasks) == [tasks]


def test_the_prices_of_one_product_stay_together() -> None:
    prices = [event("price.changed", product_id=f"p{number % 8}", old=MONEY, new=MONEY) for number in range(400)]
    tasks = tasks_of(*prices)
    parts = independent_parts(tasks)
    assert len(parts) == 4
    for product in range(8):
        assert len({part_of(parts, task) for task in tasks[product::8]}) == 1


def any_event(chance: random.Random) -> Event:
    order, person = f"A-{chance.randrange(400)}", f"user-{chance.randrange(400)}"
    match chance.randrange(4):
        case 0:
            return order_placed(order_id=order, customer_id=person)
        case 1:
            return event("order.packed", order_id=order)
        case 2:
            return event("shipment.dispatched", shipment_id=f"S-{chance.randrange(400)}", order_id=order)
        case _:
            return event("user.erased", user_id=person)


@pytest.mark.parametrize("seed", range(20))
def test_parts_hold_every_task_once_in_order_and_share_no_name(seed: int) -> None:
    chance = random.Random(seed)
    tasks = tasks_of(*(any_event(chance) for _ in range(chance.randrange(100, 250))))
    parts = independent_parts(tasks)
    assert sorted(task.index for task in chain.from_iterable(parts)) == list(range(len(tasks)))
    assert all([task.index for task in part] == sorted(task.index for task in part) for part in parts)
    names = [{name for task in part for name in names_of(task.incoming.event)} for part in parts]
    assert sum(map(len, names)) == len(set().union(*names))


def names_of(event: Event) -> set[tuple[str, str]]:
    fields = (("order", "order_id"), ("shipment", "shipment_id"), ("user", "customer_id"), ("user", "user_id"))
    found = {(kind, getattr(event.data, field, None)) for kind, field in fields}
    return {(kind, name) for kind, name in found if name is not None}

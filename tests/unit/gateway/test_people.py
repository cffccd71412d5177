from typing import Any, cast

from hub.domain.ids import UserId
from hub.gateway.people import People

ANN, BOB = UserId("ann"), UserId("bob")


def connection() -> Any:
    return cast("Any", object())


def test_a_persons_connections_are_found() -> None:
    people = People()
    phone, laptop, other = connection(), connection(), connection()
    people.add(ANN, phone)
    people.add(ANN, laptop)
    people.add(BOB, other)
    assert (set(people.of(ANN)), people.of(BOB), len(people)) == ({phone, laptop}, [other], 2)
    assert (people.count(ANN), people.count(BOB), people.count(UserId("cid"))) == (2, 1, 0)


def test_a_connection_is_noted_once() -> None:
    people = People()
    phone = connection()
    people.add(ANN, phone)
    people.add(ANN, phone)
    assert people.of(ANN) == [phone]


def test_who_has_left_is_forgotten() -> None:
    people = People()
    phone, laptop, tablet = connection(), connection(), connection()
    for each in (phone, laptop, tablet):
        people.add(ANN, each)
    people.discard(ANN, laptop)
    people.discard(ANN, laptop)
    people.discard(ANN, phone)
    assert (people.of(ANN), people.count(ANN)) == ([tablet], 1)
    people.discard(ANN, phone)
    people.discard(ANN, tablet)
    people.discard(ANN, tablet)
    assert (people.of(ANN), len(people)) == ([], 0)

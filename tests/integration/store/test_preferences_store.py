import pytest

from hub.domain.channels import EMAIL, SMS
from hub.domain.decisions import Aggregate, AggregateKind, Change
from hub.domain.ids import UserId
from hub.domain.people import encode_person, tombstone
from hub.domain.preferences import Preferences
from hub.store.documents import Documents
from hub.store.erasure import Erasure
from hub.store.keys import Keys
from hub.store.preferences import NobodyThere, Outdated, PreferenceBook, Versioned, Written
from hub.store.scripts import Scripts
from hub.store.server import Server

ZOE, BEN = UserId("zoe"), UserId("ben")
NO_MAIL = Preferences(switches={"orders": {EMAIL: False}})
NO_TEXTS = Preferences(switches={"orders": {SMS: False}})


@pytest.fixture
def book(server: Server, scripts: Scripts, keys: Keys) -> PreferenceBook:
    return PreferenceBook(server, scripts, keys)


async def test_who_has_said_nothing_has_version_zero(book: PreferenceBook) -> None:
    assert await book.read(ZOE) == Versioned(0, Preferences())


async def test_preferences_are_read_back_for_many_people_in_their_order(book: PreferenceBook) -> None:
    assert await book.put(ZOE, NO_MAIL, expected_version=0) == Written(1)
    assert await book.read_many([BEN, ZOE]) == [Versioned(0, Preferences()), Versioned(1, NO_MAIL)]


async def test_of_two_changes_decided_on_one_version_one_is_made(book: PreferenceBook) -> None:
    assert await book.put(ZOE, NO_MAIL, expected_version=0) == Written(1)
    assert await book.put(ZOE, NO_TEXTS, expected_version=0) == Outdated()
    assert await book.put(ZOE, NO_TEXTS, expected_version=1) == Written(2)
    assert await book.read(ZOE) == Versioned(2, NO_TEXTS)


async def test_the_same_change_again_is_a_success_again(book: PreferenceBook) -> None:
    assert await book.put(ZOE, NO_MAIL, expected_version=0) == Written(1)
    assert await book.put(ZOE, NO_MAIL, expected_version=0) == Written(1)
    assert await book.read(ZOE) == Versioned(1, NO_MAIL)


async def test_an_erased_person_has_no_preferences_and_gets_none(
    book: PreferenceBook, documents: Documents, erasure: Erasure
) -> None:
    await book.put(ZOE, NO_MAIL, expected_version=0)
    await documents.apply_many([Change(Aggregate(AggregateKind.PERSON, ZOE), 0, encode_person(tombstone(ZOE)))])
    await erasure.erase(ZOE)

    assert await book.read(ZOE) == Versioned(0, Preferences())
    assert await book.put(ZOE, NO_TEXTS, expected_version=0) == NobodyThere()
    assert await book.read(ZOE) == Versioned(0, Preferences())

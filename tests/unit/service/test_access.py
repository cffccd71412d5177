from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from hub.domain.decisions import Aggregate, AggregateKind, Document
from hub.domain.ids import Topic, UserId
from hub.domain.permission import Identity, Role
from hub.domain.topics import Namespace, Namespaces
from hub.service.access import Access

OWN = Namespace("forum", subscribe_roles=frozenset({"shopper", "agent"}))
CLOSED = Namespace("audit")


class FakeDocuments:
    """Order A and shipment S belong to u-1; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def read_many(self, aggregates: Sequence[Aggregate], /) -> Sequence[Document]:
        self.asked += 1
        there = {Aggregate(AggregateKind.ORDER, "A"), Aggregate(AggregateKind.SHIPMENT, "S")}
        body = msgspec.json.encode({"id": "?", "user": "u-1", "status": "placed"})
        return [Document(1, body) if aggregate in there else Document(0, b"") for aggregate in aggregates]


@pytest.fixture
def documents() -> FakeDocuments:
    return FakeDocuments()


@pytest.fixture
def access(documents: FakeDocuments) -> Access:
    return Access(documents, Namespaces((OWN, CLOSED)))


EVERYBODY = set(Role)
STAFF = {Role.AGENT, Role.ADMIN, Role.SERVICE}
MATRIX: list[tuple[str, set[Role]]] = [
    ("inbox:me", EVERYBODY),
    ("inbox:u-1", set()),
    ("inbox:", set()),
    ("inbox", set()),
    ("order:A", STAFF),
    ("order:none", STAFF),
    ("order:", set()),
    ("order", set()),
    ("shipment:S", STAFF),
    ("shipment:", set()),
    ("price:p-1", EVERYBODY),
    ("stock:p-1", EVERYBODY),
    ("sale:s-1", EVERYBODY),
    ("price:", set()),
    ("price", set()),
    ("announcements", EVERYBODY),
    ("announcements:x", set()),
    ("chat:1", set()),
    ("forum:x", {Role.SHOPPER, Role.AGENT}),
    ("audit:x", set()),
    ("unknown:x", set()),
    ("", set()),
    ("order:two words", set()),
    ("order:{A}", set()),
    ("order:" + "x" * 300, set()),
]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("topic", "allowed"), MATRIX)
async def test_the_table_of_roles_and_topics(access: Access, topic: str, allowed: set[Role], role: Role) -> None:
    who = Identity(UserId("me"), role)
    assert await access.may_subscribe(who, Topic(topic)) is (role in allowed)


@pytest.mark.parametrize("topic", ["order:A", "shipment:S", "inbox:u-1"])
async def test_a_shopper_may_watch_their_own(access: Access, topic: str) -> None:
    assert await access.may_subscribe(Identity(UserId("u-1"), Role.SHOPPER), Topic(topic))


@pytest.mark.parametrize("topic", ["order:none", "shipment:A", "order:S"])
async def test_what_does_not_exist_is_nobodys(access: Access, topic: str) -> None:
    assert not await access.may_subscribe(Identity(UserId("u-1"), Role.SHOPPER), Topic(topic))


async def test_an_agent_of_the_same_name_is_not_the_owner(access: Access, documents: FakeDocuments) -> None:
    assert not await access.may_subscribe(Identity(UserId("u-1"), Role.COURIER), Topic("order:A"))
    assert documents.asked == 0


async def test_the_store_is_asked_only_where_ownership_counts(access: Access, documents: FakeDocuments) -> None:
    for topic in ("inbox:u-1", "price:p", "announcements", "forum:x", "unknown:x"):
        await access.may_subscribe(Identity(UserId("u-1"), Role.SHOPPER), Topic(topic))
    assert documents.asked == 0

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from hub.domain.decisions import Aggregate, AggregateKind, Document
from hub.domain.ids import Topic, UserId
from hub.domain.permission import SIGNED_IN, Action, Identity, Role
from hub.domain.topics import Namespace, Namespaces
from hub.service.identity.access import Access

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
SIGNED = set(SIGNED_IN)
STAFF = {Role.AGENT, Role.ADMIN, Role.SERVICE}
MATRIX: list[tuple[str, set[Role]]] = [
    ("inbox:me", SIGNED),
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
    assert await access.may(who, Action.SUBSCRIBE, Topic(topic)) is (role in allowed)


@pytest.mark.parametrize("topic", ["order:A", "shipment:S", "inbox:u-1"])
async def test_a_shopper_may_watch_their_own(access: Access, topic: str) -> None:
    assert await access.may(Identity(UserId("u-1"), Role.SHOPPER), Action.SUBSCRIBE, Topic(topic))


@pytest.mark.parametrize("topic", ["order:none", "shipment:A", "order:S"])
async def test_what_does_not_exist_is_nobodys(access: Access, topic: str) -> None:
    assert not await access.may(Identity(UserId("u-1"), Role.SHOPPER), Action.SUBSCRIBE, Topic(topic))


async def test_an_agent_of_the_same_name_is_not_the_owner(access: Access, documents: FakeDocuments) -> None:
    assert not await access.may(Identity(UserId("u-1"), Role.COURIER), Action.SUBSCRIBE, Topic("order:A"))
    assert documents.asked == 0


async def test_the_store_is_asked_only_where_ownership_counts(access: Access, documents: FakeDocuments) -> None:
    for topic in ("inbox:u-1", "price:p", "announcements", "forum:x", "unknown:x"):
        await access.may(Identity(UserId("u-1"), Role.SHOPPER), Action.SUBSCRIBE, Topic(topic))
    assert documents.asked == 0


@pytest.mark.parametrize("topic", ["order:A", "inbox:u-1", "announcements", "price:p"])
async def test_of_doorbells_own_topics_clients_read_the_history_and_nothing_else(access: Access, topic: str) -> None:
    who = Identity(UserId("u-1"), Role.SHOPPER)
    allowed = {action for action in Action if await access.may(who, action, Topic(topic))}
    assert allowed == {Action.SUBSCRIBE, Action.HISTORY}


async def test_a_subscriber_may_read_the_history_of_what_a_token_opened_to_them(access: Access) -> None:
    who = Identity(UserId("u-2"), Role.SHOPPER)
    assert not await access.may(who, Action.HISTORY, Topic("order:A"))
    assert await access.may(who, Action.HISTORY, Topic("order:A"), subscribed=True)


@pytest.mark.parametrize("action", list(Action))
async def test_a_namespace_of_a_backends_own_goes_by_its_options(action: Action) -> None:
    options = {f"allow_{action}_for_client": True}
    access = Access(FakeDocuments(), Namespaces((Namespace("own", **options),)))  # type: ignore[arg-type]
    who = Identity(UserId("u-1"), Role.SHOPPER)
    assert {each for each in Action if await access.may(who, each, Topic("own:x"))} == {action}

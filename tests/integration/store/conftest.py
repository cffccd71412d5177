"""The store on the run's Redis, under a key prefix of the test's own."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from hub.domain.channels import EMAIL, SMS
from hub.domain.ids import JobId, NotificationId, RuleName, TemplateName, UserId
from hub.domain.notifications import InboxEntry, Job, Lane, Notification, Step
from hub.domain.topics import Namespace, Namespaces, TopicKind
from hub.store.dead_letters import DeadLetters
from hub.store.documents import Documents
from hub.store.erasure import Erasure
from hub.store.inbox import Inbox
from hub.store.jobs import Jobs
from hub.store.keys import Keys
from hub.store.opening import open_server
from hub.store.parked import Parked
from hub.store.presence import Presence
from hub.store.records import Records
from hub.store.scripts import Scripts
from hub.store.server import Server
from hub.store.topics import Topics
from tests.redis_client import client_of


@dataclass
class FakeClock:
    """A clock that a test moves, in Unix ms."""

    now_ms: int = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture(params=["server", "cluster"])
def deployment_url(request: pytest.FixtureRequest) -> str:
    """Each test of the store runs on one server and on a cluster."""
    url: str = request.getfixturevalue("redis_url" if request.param == "server" else "cluster_url")
    return url


@pytest.fixture
async def server(deployment_url: str) -> AsyncIterator[Server]:
    server = open_server(deployment_url)
    yield server
    await server.aclose()


@pytest.fixture
async def redis(deployment_url: str) -> AsyncIterator[Any]:
    """redis-py's client of the same deployment, for what the store has no words for."""
    async with client_of(deployment_url) as client:
        yield client


@pytest.fixture
def keys(key_prefix: str) -> Keys:
    return Keys(key_prefix)


@pytest.fixture
def scripts(server: Server) -> Scripts:
    return Scripts(server)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def namespaces() -> Namespaces:
    return Namespaces(
        (
            Namespace("fleeting", history_size=0),
            Namespace("short", history_size=2, history_ttl_s=60),
            Namespace("user", history_size=5),
            Namespace("gauge", TopicKind.LATEST, history_size=5),
        )
    )


@pytest.fixture
def topics(server: Server, scripts: Scripts, keys: Keys, namespaces: Namespaces) -> Topics:
    return Topics(server, scripts, keys, namespaces, dedupe_window_s=60)


@pytest.fixture
def documents(server: Server, scripts: Scripts, keys: Keys) -> Documents:
    return Documents(server, scripts, keys, ttl_s=60)


@pytest.fixture
def erasure(server: Server, scripts: Scripts, keys: Keys, clock: FakeClock) -> Erasure:
    return Erasure(server, scripts, keys, shards=2, clock=clock)


@pytest.fixture
def parked(server: Server, scripts: Scripts, keys: Keys) -> Parked:
    return Parked(server, scripts, keys)


@pytest.fixture
def inbox(server: Server, scripts: Scripts, keys: Keys, namespaces: Namespaces, clock: FakeClock) -> Inbox:
    return Inbox(server, scripts, keys, namespaces, size=3, dedupe_window_s=60, clock=clock)


@pytest.fixture
def dead_letters(server: Server, scripts: Scripts, keys: Keys) -> DeadLetters:
    return DeadLetters(server, scripts, keys, limit=3, max_age_s=10)


@pytest.fixture
def records(server: Server, scripts: Scripts, keys: Keys) -> Records:
    return Records(server, scripts, keys)


@pytest.fixture
def jobs(server: Server, keys: Keys, dead_letters: DeadLetters, records: Records, clock: FakeClock) -> Jobs:
    return Jobs(server, Scripts(server), keys, dead_letters, records, shards=2, dedupe_window_s=60, clock=clock)


@pytest.fixture
def presence(scripts: Scripts, keys: Keys, clock: FakeClock) -> Presence:
    namespaces = Namespaces((Namespace("room", presence=True), Namespace("lobby", join_leave=True)))
    return Presence(scripts, keys, namespaces, ttl_s=60, clock=clock)


@pytest.fixture
def make_entry() -> Callable[..., InboxEntry]:
    def make(name: str, **fields: object) -> InboxEntry:
        given = {"event_type": "order.packed", "category": "orders", "title": "T", "body": "B", "created_ms": 5}
        return InboxEntry(id=NotificationId(name), **(given | fields))  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_job() -> Callable[..., Job]:
    def make(name: str, *, user: str = "ada", due_ms: int = 0, step: int = 0, lane: Lane = Lane.CRITICAL) -> Job:
        notification = Notification(
            id=NotificationId(name),
            user=UserId(user),
            rule=RuleName("r"),
            event_type="order.packed",
            category="orders",
            lane=lane,
            template=TemplateName("t"),
            context={"order": "A-1"},
            created_ms=5,
            ladder=(Step(EMAIL), Step(SMS)),
        )
        return Job(JobId(f"{name}:{step}"), step, notification, due_ms)

    return make

"""centrifuge-js, the official SDK, in Node against the hub."""

import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.browser.demo import Demo, web_tools
from tests.browser.hub_client import Hub
from tests.services import unavailable


class NodeClient:
    """An app in Node. `until` reads what it tells; a silent app ends by pytest's timeout."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def do(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def until(self, what: str, **about: Any) -> dict[str, Any]:
        """Read on to the next thing of this kind that has all of `about`."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told: dict[str, Any] = json.loads(line)
            if told["what"] == what and about.items() <= told.items():
                return told
        raise AssertionError(f"the client ended before it told of {what} {about}")


@contextmanager
def app_of(user: str, demo: Demo, hub: Hub, *, spoken: str = "json") -> Iterator[NodeClient]:
    """Somebody's app, connected."""
    node = shutil.which("node")
    if node is None:
        unavailable("node is not on the PATH. Install it with: apt-get install nodejs")
    web_tools()
    script = Path(__file__).with_name("node_client.mjs")
    arguments: list[str | Path] = [node, script, f"127.0.0.1:{demo.port}", hub.token({"user": user}), spoken]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        app = NodeClient(process)
        app.until("subscribed", channel=f"inbox:{user}")
        yield app
        app.do("quit")


@pytest.fixture(params=["json", "protobuf"])
def client(request: pytest.FixtureRequest, demo: Demo, hub: Hub) -> Iterator[NodeClient]:
    """Ben's app, in each of the formats."""
    with app_of("ben", demo, hub, spoken=request.param) as app:
        yield app


@pytest.fixture
def other(demo: Demo, hub: Hub) -> Iterator[NodeClient]:
    """Clara's app, in JSON."""
    with app_of("clara", demo, hub) as app:
        yield app


@pytest.fixture
def topic() -> str:
    """A room that no other test uses."""
    return f"room:{secrets.token_hex(4)}"


def test_it_is_subscribed_to_its_inbox_and_receives(client: NodeClient, hub: Hub) -> None:
    order = hub.place_order("ben")
    told = client.until("publication", channel="inbox:ben")
    assert told["data"]["notification"]["data"]["order_id"] == order


def test_a_broken_socket_recovers_all_that_was_missed_once_and_in_order(client: NodeClient, hub: Hub) -> None:
    order = hub.place_order("ben")
    first = client.until("publication", channel="inbox:ben")
    client.do(f"subscribe order:{order}")
    client.until("subscribed", channel=f"order:{order}")
    client.do("drop")
    client.until("connecting")
    hub.publish("order.confirmed", order_id=order)
    hub.publish("order.packed", order_id=order)
    client.until("subscribed", channel="inbox:ben", wasRecovering=True, recovered=True)
    missed = [client.until("publication", channel="inbox:ben") for _ in range(2)]
    assert [told["offset"] for told in missed] == [first["offset"] + 1, first["offset"] + 2]
    assert [told["data"]["notification"]["event_type"] for told in missed] == ["order.confirmed", "order.packed"]


def test_a_subscription_of_its_own_recovers_too(client: NodeClient, hub: Hub) -> None:
    order = hub.place_order("ben")
    client.until("publication", channel="inbox:ben")
    client.do(f"subscribe order:{order}")
    client.until("subscribed", channel=f"order:{order}")
    client.do("drop")
    client.until("connecting")
    hub.publish("order.confirmed", order_id=order)
    client.until("subscribed", channel=f"order:{order}", recovered=True)
    assert client.until("publication", channel=f"order:{order}")["data"]["status"] == "confirmed"


def test_somebody_elses_order_is_refused(client: NodeClient, hub: Hub) -> None:
    client.do(f"subscribe order:{hub.place_order('clara')}")
    assert client.until("unsubscribed")["code"] == 103


def test_operations_answer_by_rpc(client: NodeClient) -> None:
    client.do('rpc inbox.list {"limit":1}')
    assert client.until("answer")["data"]["unread"] >= 0


def test_clients_publish_to_each_other_and_say_who_they_are(client: NodeClient, other: NodeClient, topic: str) -> None:
    for app in (client, other):
        app.do(f"subscribe {topic}")
        app.until("subscribed", channel=topic, recoverable=True)
    client.do(f'publish {topic} {{"text":"hello"}}')
    client.until("published", channel=topic)
    told = other.until("publication", channel=topic)
    assert (told["data"], told["offset"], told["info"]["user"]) == ({"text": "hello"}, 1, "ben")
    other.do(f"history {topic}")
    (publication,) = other.until("history")["publications"]
    assert publication["info"]["user"] == "ben"


def test_it_is_told_who_is_there_and_who_comes_and_goes(client: NodeClient, other: NodeClient, topic: str) -> None:
    client.do(f'subscribe {topic} {{"joinLeave":true}}')
    client.until("join", channel=topic, user="ben")
    other.do(f"subscribe {topic}")
    client.until("join", channel=topic, user="clara")
    client.do(f"presence {topic}")
    clients = client.until("presence")["clients"]
    assert sorted(info["user"] for info in clients.values()) == ["ben", "clara"]
    client.do(f"stats {topic}")
    stats = client.until("stats")
    assert (stats["numClients"], stats["numUsers"]) == (2, 2)
    other.do(f"unsubscribe {topic}")
    client.until("leave", channel=topic, user="clara")


def test_who_is_not_subscribed_may_not_publish(client: NodeClient, topic: str) -> None:
    client.do(f"publish {topic} 1")
    client.until("refused", channel=topic, code=103)


def test_a_topic_that_wants_a_token_is_refused_without_one(client: NodeClient) -> None:
    client.do("subscribe vault:1")
    client.until("unsubscribed", channel="vault:1", code=103)


def test_an_expired_subscription_token_is_replaced_and_a_good_one_renewed_in_time(
    client: NodeClient, demo: Demo
) -> None:
    topic, secret = f"vault:{secrets.token_hex(4)}", (demo.data_dir / "token-secret").read_text()
    claims = {"sub": "ben", "channel": topic, "info": {"seat": 7}}

    def give_token(*, ttl_s: int) -> None:
        client.until("token wanted", channel=topic)
        client.do(f"token {jwt.encode({**claims, 'exp': int(time.time()) + ttl_s}, secret, algorithm='HS256')}")

    client.do(f'subscribe {topic} {{"asks":true}}')
    give_token(ttl_s=-60)
    give_token(ttl_s=6)
    client.until("subscribed", channel=topic)
    give_token(ttl_s=600)
    client.do(f"presence {topic}")
    (info,) = client.until("presence")["clients"].values()
    assert (info["user"], info["chanInfo"]) == ("ben", {"seat": 7})

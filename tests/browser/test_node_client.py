"""centrifuge-js, the official SDK, in Node against the hub."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


@pytest.fixture
def client(demo: Demo, hub: Hub) -> Iterator[NodeClient]:
    """Ben's app."""
    node = shutil.which("node")
    if node is None:
        unavailable("node is not on the PATH. Install it with: apt-get install nodejs")
    web_tools()
    script = Path(__file__).with_name("node_client.mjs")
    arguments: list[str | Path] = [node, script, f"127.0.0.1:{demo.port}", hub.token({"user": "ben"})]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        app = NodeClient(process)
        app.until("subscribed", channel="inbox:ben")
        yield app
        app.do("quit")


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

from collections.abc import Iterable, Mapping

import pytest

from hub.domain.errors import StoreUnavailable
from hub.domain.ids import Topic
from hub.domain.topics import Namespaces
from hub.gateway.directory import Directory
from hub.gateway.subscriptions import LiveTopic, Subscription
from tests.unit.gateway.stream import Client

ONE, TWO = Topic("order:1"), Topic("order:2")


class Wires:
    """What was asked of Redis."""

    def __init__(self) -> None:
        self.subscribed: list[set[bytes]] = []
        self.left: list[bytes] = []
        self.down = False

    async def subscribe(self, channels: Mapping[bytes, LiveTopic]) -> None:
        if self.down:
            raise StoreUnavailable
        self.subscribed.append(set(channels))

    def unsubscribe(self, channels: Iterable[bytes]) -> None:
        self.left += channels


@pytest.fixture
def wires() -> Wires:
    return Wires()


@pytest.fixture
def directory(wires: Wires) -> Directory:
    return Directory(wires, Namespaces(), channel_of=str, linger_s=5.0)


async def test_topics_are_entered_together_and_once(directory: Directory, wires: Wires) -> None:
    await directory.enter(directory.pin([ONE, TWO]).values())
    await directory.enter(directory.pin([ONE]).values())
    assert wires.subscribed == [{b"order:1", b"order:2"}]


async def test_a_topic_is_left_a_while_after_its_last_subscriber(directory: Directory, wires: Wires) -> None:
    live = directory.pin([ONE])
    await directory.enter(live.values())
    directory.unpin(live.values())
    directory.sweep(10.0)
    directory.sweep(14.0)
    assert wires.left == []
    directory.sweep(15.0)
    assert (wires.left, len(directory)) == ([b"order:1"], 0)


async def test_whoever_comes_back_in_time_keeps_the_topic(directory: Directory, wires: Wires) -> None:
    live = directory.pin([ONE])
    await directory.enter(live.values())
    directory.unpin(live.values())
    directory.sweep(10.0)
    live[ONE].add(Subscription(Client(), live[ONE], offset=0, server_side=False))
    directory.sweep(20.0)
    assert (wires.left, len(directory)) == ([], 1)


async def test_a_topic_that_somebody_is_joining_is_kept(directory: Directory, wires: Wires) -> None:
    first = directory.pin([ONE])
    await directory.enter(first.values())
    directory.pin([ONE])
    directory.unpin(first.values())
    directory.sweep(10.0)
    directory.sweep(20.0)
    assert wires.left == []


async def test_a_topic_that_could_not_be_entered_is_tried_again(directory: Directory, wires: Wires) -> None:
    wires.down = True
    live = directory.pin([ONE])
    with pytest.raises(StoreUnavailable):
        await directory.enter(live.values())
    wires.down = False
    await directory.enter(live.values())
    assert wires.subscribed == [{b"order:1"}]


def test_a_namespace_must_be_defined(directory: Directory) -> None:
    assert directory.options(ONE) is not None
    assert directory.options(Topic("nobody:1")) is None

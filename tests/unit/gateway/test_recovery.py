import pytest

from hub.domain.errors import StoreUnavailable
from hub.domain.topics import TopicKind
from tests.unit.gateway.stream import Client, Stage


async def test_a_hole_is_filled_before_what_comes_after_it() -> None:
    stage, client = Stage(), Client()
    stage.join(client)
    stage.publish()
    stage.publish(lost=True)
    stage.publish()
    assert client.offsets == [1]
    await stage.catch_up()
    assert client.offsets == [1, 2, 3]
    stage.publish()
    assert client.offsets == [1, 2, 3, 4]


async def test_one_read_serves_everybody_who_is_behind() -> None:
    stage = Stage()
    clients = [Client() for _ in range(50)]
    for client in clients:
        stage.join(client)
    stage.publish(lost=True)
    stage.publish()
    await stage.catch_up()
    assert stage.stream.reads == 1
    assert all(client.offsets == [1, 2] for client in clients)


async def test_a_full_socket_is_written_nothing_and_catches_up_when_it_drains() -> None:
    stage, client = Stage(), Client(pause_after=1)
    seat = stage.join(client)
    for _ in range(5):
        stage.publish()
    await stage.catch_up()
    assert client.offsets == [1]
    client.paused, client.pause_after = False, 100
    stage.recovery.request(seat)
    await stage.catch_up()
    assert client.offsets == [1, 2, 3, 4, 5]


async def test_a_socket_that_fills_while_catching_up_goes_on_where_it_stopped() -> None:
    stage, client = Stage(), Client(pause_after=3)
    for _ in range(10):
        stage.publish()
    seat = stage.join(client, offset=0)
    await stage.catch_up()
    assert client.offsets == [1, 2, 3]
    client.paused, client.pause_after = False, 100
    stage.recovery.request(seat)
    await stage.catch_up()
    assert client.offsets == list(range(1, 11))


async def test_a_log_that_was_trimmed_is_told() -> None:
    stage, client, level = Stage(), Client(), Client()
    for _ in range(10):
        stage.publish()
    stage.stream.trim(3)
    stage.join(client, offset=2)
    stage.join(level, offset=7)
    await stage.catch_up()
    assert (client.told, client.offsets) == (True, [])
    assert (level.told, level.offsets) == (False, [8, 9, 10])


async def test_broadcasts_that_have_expired_are_skipped() -> None:
    stage, client = Stage(TopicKind.BROADCAST), Client()
    for _ in range(10):
        stage.publish()
    stage.stream.trim(3)
    stage.join(client, offset=2)
    await stage.catch_up()
    assert (client.told, client.offsets) == (False, [8, 9, 10])


@pytest.mark.parametrize("kind", [TopicKind.BROADCAST, TopicKind.LATEST])
async def test_where_everything_has_expired_it_goes_on_live(kind: TopicKind) -> None:
    stage, client = Stage(kind), Client()
    for _ in range(10):
        stage.publish()
    stage.stream.trim(0)
    stage.join(client, offset=2)
    await stage.catch_up()
    stage.publish()
    assert client.offsets == [11]


async def test_of_a_latest_topic_only_the_newest_value_is_caught_up() -> None:
    stage, client = Stage(TopicKind.LATEST), Client()
    for _ in range(10):
        stage.publish()
    stage.join(client, offset=2)
    await stage.catch_up()
    assert client.offsets == [10]


async def test_a_new_epoch_is_told_to_the_readers_of_a_log() -> None:
    stage, client = Stage(), Client()
    stage.join(client)
    stage.publish()
    await stage.stream.rotate_epoch(stage.topic.name, stage.stream.epoch)
    stage.publish()
    assert (client.told, client.offsets) == (True, [1])


async def test_a_new_epoch_of_a_broadcast_goes_on_with_what_is_new() -> None:
    stage, client = Stage(TopicKind.BROADCAST), Client()
    stage.join(client)
    stage.publish()
    stage.stream.roll_back(1)
    await stage.stream.rotate_epoch(stage.topic.name, stage.stream.epoch)
    stage.publish(b'"new"')
    await stage.catch_up()
    assert (client.told, client.data) == (False, [0, "new"])


async def test_a_store_that_has_forgotten_makes_a_new_epoch() -> None:
    stage, client = Stage(), Client()
    stage.join(client, offset=0)
    stage.topic.head = 5
    stage.join(client, offset=3)
    await stage.catch_up()
    assert client.told
    assert stage.stream.epoch == "e1x"
    assert stage.topic.epoch == "e1x"


async def test_without_a_store_nothing_is_given_up() -> None:
    stage, client = Stage(), Client()
    stage.publish()
    seat = stage.join(client, offset=0)
    stage.stream.down = True
    with pytest.raises(StoreUnavailable):
        await stage.recovery.catch_up(stage.topic)
    stage.stream.down = False
    assert seat.behind
    await stage.recovery.catch_up(stage.topic)
    assert client.offsets == [1]

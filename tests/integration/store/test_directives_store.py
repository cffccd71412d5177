import asyncio

import pytest

from hub.domain.directives import DisconnectUser, SubscribeUser, Whose
from hub.domain.ids import EffectId, Epoch, Topic, UserId
from hub.domain.topics import Position
from hub.store.directives import Directives, Unreadable, read
from hub.store.keys import Keys
from hub.store.scripts import Scripts
from hub.store.server import Server
from tests.integration.store.hearing import hearing

ANN = Whose(UserId("ann"))
KICK = DisconnectUser(ANN, 4_001, "go", ("c1",))
JOIN = SubscribeUser(ANN, Topic("room:1"), Position(Epoch("e"), 3))


@pytest.fixture
def directives(server: Server, scripts: Scripts, keys: Keys) -> Directives:
    return Directives(server, scripts, keys)


async def test_directives_are_read_as_they_were_written(directives: Directives) -> None:
    start = await directives.end()
    await directives.tell([(EffectId("1"), KICK), (EffectId("2"), JOIN)], now_ms=5)
    page = await directives.since(start.offset, limit=10)
    assert [read(stored.data) for stored in page.publications] == [KICK, JOIN]
    assert (page.position.epoch, page.position.offset, page.complete) == (start.epoch, 2, True)


async def test_a_directive_is_written_once_for_its_id(directives: Directives) -> None:
    for _ in range(2):
        await directives.tell([(EffectId("1"), KICK)], now_ms=5)
    assert (await directives.end()).offset == 1


async def test_who_listens_hears_a_directive_with_its_place(server: Server, directives: Directives) -> None:
    async with hearing(server, directives.channel) as heard:
        await directives.tell([(EffectId("1"), KICK)], now_ms=5)
        message = await asyncio.wait_for(heard.get(), 5)
    epoch, offset, _, data = message.split(b":", 3)
    assert Position(Epoch(epoch.decode()), int(offset)) == await directives.end()
    assert read(data) == KICK


def test_a_directive_of_a_newer_version_is_told_from_a_known_one() -> None:
    assert isinstance(read(b'{"do":"dance","whose":{"user":"ann"}}'), Unreadable)
    assert isinstance(read(b"not json"), Unreadable)

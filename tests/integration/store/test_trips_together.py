"""What many tasks ask of Redis at the same time travels together, and each gets its own answer."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha1

import pytest

from hub.domain.errors import StoreUnavailable
from hub.store.scripts import Call, Script, ScriptFailed, Scripts
from hub.store.single import SingleServer


@pytest.fixture
async def server(redis_url: str) -> AsyncIterator[SingleServer]:
    server = SingleServer(redis_url)
    yield server
    await server.aclose()


def script(source: str) -> Script:
    return Script(name="test", source=source, sha=sha1(source.encode(), usedforsecurity=False).hexdigest())


ADD = script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
FAIL = script("return redis.error_reply('ERR no')")


async def test_everybody_gets_their_own_answers(server: SingleServer, key_prefix: str) -> None:
    scripts = Scripts(server)
    keys = [f"{key_prefix}{number}" for number in range(2_000)]
    answers = await asyncio.gather(*(scripts.run(ADD, Call((key,), (n,))) for n, key in enumerate(keys)))
    assert answers == list(range(len(keys)))


async def test_a_failing_script_is_only_its_callers_trouble(server: SingleServer, key_prefix: str) -> None:
    scripts = Scripts(server)
    good = Call((f"{key_prefix}a",), (1,))
    answers = await asyncio.gather(
        scripts.run(ADD, good), scripts.run(FAIL, Call((key_prefix,))), return_exceptions=True
    )
    assert isinstance(answers[0], int)
    assert isinstance(answers[1], ScriptFailed)


async def test_a_cancelled_caller_does_not_hurt_the_others(server: SingleServer, key_prefix: str) -> None:
    scripts = Scripts(server)
    first = asyncio.create_task(scripts.run(ADD, Call((f"{key_prefix}a",), (1,))))
    second = asyncio.create_task(scripts.run(ADD, Call((f"{key_prefix}b",), (2,))))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 2


async def test_everybody_is_told_when_redis_is_away() -> None:
    nobody = SingleServer("redis://127.0.0.1:1")
    scripts = Scripts(nobody)
    calls = [scripts.run(ADD, Call(("k",), (1,))) for _ in range(3)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    await nobody.aclose()
    assert all(isinstance(answer, StoreUnavailable) for answer in answers)


async def test_it_works_again_after_a_failure(server: SingleServer, key_prefix: str) -> None:
    scripts = Scripts(server)
    with pytest.raises(ScriptFailed):
        await scripts.run(FAIL, Call((key_prefix,)))
    assert await scripts.run(ADD, Call((f"{key_prefix}a",), (3,))) == 3


async def test_who_is_cancelled_while_connecting_ends(redis_url: str, key_prefix: str) -> None:
    for turns in range(200):
        server = SingleServer(redis_url)
        trip = asyncio.create_task(Scripts(server).run(ADD, Call((key_prefix,), (1,))))
        for _ in range(turns // 2):
            await asyncio.sleep(0)
        done = trip.done()
        trip.cancel()
        await asyncio.wait((trip,))
        assert done or trip.cancelled()
        await server.aclose()

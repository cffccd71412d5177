import asyncio

import pytest
from redis.asyncio import Redis

from hub.store.idempotency import Fresh, Idempotency, InProgress, Mismatch, Replay
from hub.store.keys import Keys
from hub.store.scripts import Scripts
from hub.store.server import Server


@pytest.fixture
def idempotency(server: Server, scripts: Scripts, keys: Keys) -> Idempotency:
    return Idempotency(server, scripts, keys)


async def begin(idempotency: Idempotency, *, caller: str = "shop", fingerprint: str = "f") -> Fresh:
    beginning = await idempotency.begin(caller, "key {}", fingerprint)
    assert isinstance(beginning, Fresh)
    return beginning


async def test_a_finished_request_is_answered_again(idempotency: Idempotency) -> None:
    claim = await begin(idempotency)
    assert [await idempotency.finish(claim, b"\x00yes") for _ in range(2)] == [True, True]
    assert await idempotency.begin("shop", "key {}", "f") == Replay(b"\x00yes")


async def test_of_many_tries_at_once_one_is_fresh(idempotency: Idempotency) -> None:
    results = await asyncio.gather(*(idempotency.begin("shop", "k", "f") for _ in range(8)))
    assert sum(isinstance(result, Fresh) for result in results) == 1
    assert sum(isinstance(result, InProgress) for result in results) == 7


async def test_a_key_used_for_another_request_is_a_mismatch(idempotency: Idempotency) -> None:
    claim = await begin(idempotency)
    assert await idempotency.begin("shop", "key {}", "other") == Mismatch()
    await idempotency.finish(claim, b"yes")
    assert await idempotency.begin("shop", "key {}", "other") == Mismatch()


async def test_callers_do_not_share_keys(idempotency: Idempotency) -> None:
    await begin(idempotency)
    await begin(idempotency, caller="other", fingerprint="g")


async def test_a_released_key_is_fresh_again(idempotency: Idempotency) -> None:
    assert await idempotency.release(await begin(idempotency))
    await begin(idempotency, fingerprint="other")


async def test_releasing_late_does_not_forget_an_answer(idempotency: Idempotency) -> None:
    claim = await begin(idempotency)
    await idempotency.finish(claim, b"yes")
    await idempotency.release(claim)
    assert await idempotency.begin("shop", "key {}", "f") == Replay(b"yes")


async def test_a_try_that_never_ended_is_void_after_a_while(idempotency: Idempotency, redis: Redis, keys: Keys) -> None:
    lost = await begin(idempotency)
    assert 0 < await redis.ttl(keys.idempotency("shop", "key {}")) <= 60
    await redis.delete(keys.idempotency("shop", "key {}"))
    again = await begin(idempotency)
    assert not await idempotency.finish(lost, b"late")
    assert await idempotency.finish(again, b"yes")


async def test_an_answer_that_comes_after_its_claim_ran_out_is_kept(
    idempotency: Idempotency, redis: Redis, keys: Keys
) -> None:
    claim = await begin(idempotency)
    await redis.delete(keys.idempotency("shop", "key {}"))
    assert await idempotency.finish(claim, b"yes")
    assert await idempotency.begin("shop", "key {}", "f") == Replay(b"yes")

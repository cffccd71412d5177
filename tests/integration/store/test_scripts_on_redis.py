import pytest
from redis.asyncio import Redis

from hub.store.keys import Keys
from hub.store.scripts import Call, ScriptFailed, Scripts, load_script
from hub.store.single import SingleServer

APPLY = load_script("document_apply")
APPLIED = [1, []]


def calls(keys: Keys, count: int) -> list[Call]:
    pairs = [(f"{keys.prefix}{{{n}}}:doc", f"{keys.prefix}{{{n}}}:parked") for n in range(count)]
    return [Call(pair, (0, b"x", 60, 0)) for pair in pairs]


async def test_no_calls_need_no_redis() -> None:
    assert await Scripts(SingleServer("redis://127.0.0.1:1")).run_many(APPLY, []) == []


async def test_more_calls_than_one_trip_takes_are_all_run_in_order(scripts: Scripts, keys: Keys) -> None:
    doubled = calls(keys, 1_200) + [Call(call.keys, (0, b"y", 60, 0)) for call in calls(keys, 1_200)]
    assert await scripts.run_many(APPLY, doubled) == [APPLIED] * 1_200 + [0] * 1_200


async def test_scripts_that_redis_has_lost_are_loaded_and_run_once(scripts: Scripts, keys: Keys, redis: Redis) -> None:
    await redis.script_flush()
    schedule = load_script("job_schedule")
    shard = tuple(f"{keys.prefix}{{s}}:{part}" for part in ("due", "body", "seen"))
    mixed = [(schedule, Call(shard, (60, 0, "id", 0, b"job")))] * 2 + [(APPLY, call) for call in calls(keys, 3)]
    assert await scripts.run_mixed(mixed) == [[1], [0], APPLIED, APPLIED, APPLIED]


async def test_a_script_that_breaks_down_is_named_and_does_not_stop_the_others(
    scripts: Scripts, keys: Keys, redis: Redis
) -> None:
    first, second, third = calls(keys, 3)
    await redis.set(second.keys[0], "no hash")
    with pytest.raises(ScriptFailed, match=r"^document_apply: .*WRONGTYPE"):
        await scripts.run_many(APPLY, [first, second, third])
    assert await redis.exists(first.keys[0], third.keys[0]) == 2

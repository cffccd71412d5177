"""Segments in Redis: bounded, switched at once, paged in order."""

import pytest
import pytest_asyncio

from hub.domain.ids import UserId
from hub.store.clock import unix_ms
from hub.store.connection import pipelined
from hub.store.keys import Keys
from hub.store.scripts import Scripts
from hub.store.segments import SegmentFull, Segments
from hub.store.server import Server


def people(count: int) -> list[UserId]:
    return [UserId(f"u-{number:04d}") for number in range(count)]


@pytest_asyncio.fixture
async def segments(server: Server, key_prefix: str) -> Segments:
    return Segments(server, Scripts(server), Keys(key_prefix), most=1_000)


async def members(segments: Segments, generation: str) -> list[UserId]:
    return await segments.page("s", generation, after="", limit=2_000)


async def test_putting_switches_all_members_at_once_and_keeps_the_old_ones_readable(segments: Segments) -> None:
    await segments.put("s", people(600))
    before = await segments.read("s")
    assert before is not None
    assert before.members == 600
    await segments.put("s", [UserId("zoe")])
    after = await segments.read("s")
    assert after is not None
    assert await members(segments, before.generation) == people(600)
    assert await members(segments, after.generation) == ["zoe"]


async def test_a_segment_takes_no_more_than_its_bound(segments: Segments) -> None:
    await segments.put("s", people(999))
    assert await segments.add("s", [UserId("zoe"), people(1)[0], UserId("zoe")]) == 1
    with pytest.raises(SegmentFull):
        await segments.add("s", [UserId("ann")])
    assert await segments.add("s", [UserId("zoe")]) == 0
    known = await segments.read("s")
    assert known is not None
    assert known.members == 1_000


async def test_a_segment_that_has_lost_everybody_is_still_there(segments: Segments) -> None:
    await segments.put("s", [UserId("zoe")])
    assert await segments.remove("s", [UserId("zoe"), UserId("ann")]) == 1
    known = await segments.read("s")
    assert known is not None
    assert (known.members, await segments.add("s", [UserId("ann")])) == (0, 1)


async def test_what_is_deleted_or_was_never_there_takes_nobody(segments: Segments) -> None:
    assert await segments.add("s", [UserId("zoe")]) is None
    await segments.put("s", [UserId("zoe")])
    assert [await segments.delete("s") for _ in range(2)] == [True, False]
    assert await segments.read("s") is None
    assert await segments.remove("s", [UserId("zoe")]) is None


WEEK_S, MONTH_S = 7 * 86_400, 30 * 86_400


async def lifetime_s(server: Server, prefix: str, generation: str) -> int:
    (seconds,) = await pipelined(server, [("TTL", Keys(prefix).segment_members("s", generation))], what="test")
    return int(seconds)


async def test_members_that_somebody_needs_later_stay_until_then(
    segments: Segments, server: Server, key_prefix: str
) -> None:
    await segments.put("s", people(2))
    first = await segments.read("s")
    assert first is not None
    until_ms = unix_ms() + 1_000 * MONTH_S
    assert await segments.keep("s", first.generation, until_ms=until_ms)
    assert await segments.keep("s", first.generation, until_ms=unix_ms() + 1_000)
    await segments.put("s", [UserId("zoe")])
    assert await lifetime_s(server, key_prefix, first.generation) == pytest.approx(MONTH_S, abs=60)
    second = await segments.read("s")
    assert second is not None
    await segments.delete("s")
    assert await lifetime_s(server, key_prefix, second.generation) == pytest.approx(WEEK_S, abs=60)
    assert await segments.keep("s", second.generation, until_ms=until_ms)
    assert await segments.keep("s", second.generation, until_ms=unix_ms() + 1_000)
    assert await lifetime_s(server, key_prefix, second.generation) == pytest.approx(MONTH_S, abs=60)
    assert not await segments.keep("s", "never-there", until_ms=until_ms)

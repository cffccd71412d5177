import asyncio
import itertools

import pytest
from redis.asyncio import Redis

from hub.domain.decisions import Publication
from hub.domain.errors import InputError
from hub.domain.ids import EffectId, Epoch, Topic
from hub.domain.topics import Position
from hub.store.keys import Keys
from hub.store.server import Server
from hub.store.topics import Duplicate, Published, StaleRank, Stored, Topics
from tests.integration.store.hearing import hearing

ORDER = Topic("order:A-1")
PRICE = Topic("price:P-1")
SHORT = Topic("short:x")


def publication(effect: str, *, topic: Topic = ORDER, rank: int | None = None, data: bytes = b"") -> Publication:
    return Publication(topic, EffectId(effect), data or b'"%s"' % effect.encode(), rank, origin_ms=7)


async def test_offsets_begin_at_one_and_have_no_holes(topics: Topics) -> None:
    results = await topics.publish_many([publication(name) for name in "abac"])
    assert [getattr(result, "offset", None) for result in results] == [1, 2, None, 3]
    assert results[2] == Duplicate()


async def test_each_topic_counts_for_itself_within_one_batch(topics: Topics) -> None:
    results = await topics.publish_many([publication("a"), publication("a", topic=SHORT)])
    assert [getattr(result, "offset", None) for result in results] == [1, 1]


async def test_what_is_published_goes_out_live_in_the_order_of_offsets(
    topics: Topics, server: Server, keys: Keys
) -> None:
    async with hearing(server, keys.topic_channel(ORDER)) as heard:
        await topics.publish_many([publication("a"), publication("a"), publication("b", data=b'{"x":"a:b"}')])
        (position,) = await topics.positions([ORDER])
        messages = [await asyncio.wait_for(heard.get(), 1) for _ in range(2)]
    epoch = position.epoch.encode()
    assert messages == [epoch + b':1:7:"a"', epoch + b':2:7:{"x":"a:b"}']


async def test_a_topic_without_history_goes_out_live_only(topics: Topics, redis: Redis, keys: Keys) -> None:
    topic = Topic("fleeting:x")
    results = await topics.publish_many([publication("a", topic=topic), publication("a", topic=topic)])
    assert results == [Published(0, Epoch("")), Duplicate()]
    assert await redis.exists(keys.topic_stream(topic), keys.topic_meta(topic)) == 0
    assert await topics.positions([topic]) == [Position(Epoch(""), 0)]
    assert (await topics.read_since(topic, 0, limit=9)).complete is False


async def test_a_namespace_nobody_defined_is_an_input_error(topics: Topics) -> None:
    with pytest.raises(InputError, match="no namespace"):
        await topics.publish_many([publication("a", topic=Topic("nobody:x"))])


@pytest.mark.parametrize("order", list(itertools.permutations(["a", "b", "c", "d"])))
async def test_the_latest_value_does_not_depend_on_the_order_of_arrival(topics: Topics, order: tuple[str, ...]) -> None:
    ranks = {"a": 1, "b": 3, "c": 3, "d": 2}
    await topics.publish_many([publication(name, topic=PRICE, rank=ranks[name]) for name in order * 2])
    page = await topics.read_since(PRICE, 0, limit=9)
    assert [stored.data for stored in page.publications] == [b'"c"']


async def test_a_lower_rank_is_stale_and_the_same_effect_a_duplicate(topics: Topics) -> None:
    results = await topics.publish_many(
        [publication(name, topic=PRICE, rank=rank) for name, rank in [("b", 2), ("a", 1)]]
    )
    assert isinstance(results[0], Published)
    assert results[1] == StaleRank()
    assert await topics.publish_many([publication("b", topic=PRICE, rank=2)]) == [Duplicate()]


async def test_ranks_are_told_apart_beyond_the_precision_of_a_double(topics: Topics) -> None:
    big = 2**60
    results = await topics.publish_many([publication(str(n), topic=PRICE, rank=big + n) for n in (1, 0, 2)])
    assert [type(result) for result in results] == [Published, StaleRank, Published]


async def test_ranks_below_zero_and_beyond_64_bits_are_ordered_too(topics: Topics) -> None:
    ranks = [-(10**30), -5, 0, 10**30]
    results = await topics.publish_many([publication(str(rank), topic=PRICE, rank=rank) for rank in ranks])
    assert all(isinstance(result, Published) for result in results)


async def test_a_latest_topic_keeps_one_value_whatever_its_history_size(
    topics: Topics, redis: Redis, keys: Keys
) -> None:
    topic = Topic("gauge:x")
    await topics.publish_many([publication(str(rank), topic=topic, rank=rank) for rank in range(5)])
    assert await redis.xlen(keys.topic_stream(topic)) == 1


async def test_reading_on_returns_what_follows_and_says_whether_it_is_all(topics: Topics) -> None:
    await topics.publish_many([publication(name) for name in "abc"])
    page = await topics.read_since(ORDER, 1, limit=1)
    assert page.publications == (Stored(2, b'"b"'),)
    assert page.position.offset == 3
    assert page.complete
    assert (await topics.read_since(ORDER, 3, limit=9)).complete
    assert not (await topics.read_since(ORDER, 4, limit=9)).complete


async def test_reading_on_where_the_stream_was_trimmed_is_incomplete(topics: Topics, redis: Redis, keys: Keys) -> None:
    await topics.publish_many([publication(name) for name in "abcd"])
    await redis.xtrim(keys.topic_stream(ORDER), maxlen=2, approximate=False)
    assert not (await topics.read_since(ORDER, 1, limit=9)).complete
    assert (await topics.read_since(ORDER, 2, limit=9)).complete


async def test_an_expired_stream_keeps_its_epoch_and_offset(topics: Topics, redis: Redis, keys: Keys) -> None:
    await topics.publish_many([publication("a", topic=SHORT)])
    (before,) = await topics.positions([SHORT])
    assert await redis.ttl(keys.topic_meta(SHORT)) > await redis.ttl(keys.topic_stream(SHORT)) > 0
    await redis.delete(keys.topic_stream(SHORT))
    assert (await topics.read_since(SHORT, 1, limit=9)).complete
    assert not (await topics.read_since(SHORT, 0, limit=9)).complete
    assert await topics.publish_many([publication("b", topic=SHORT)]) == [Published(2, before.epoch)]


async def test_a_lost_meta_begins_a_new_epoch_and_drops_the_old_stream(
    topics: Topics, redis: Redis, keys: Keys
) -> None:
    await topics.publish_many([publication("a"), publication("b")])
    (before,) = await topics.positions([ORDER])
    await redis.delete(keys.topic_meta(ORDER))
    await topics.publish_many([publication("c")])
    page = await topics.read_since(ORDER, 0, limit=9)
    assert page.position.epoch != before.epoch
    assert page.publications == (Stored(1, b'"c"'),)


async def test_positions_give_an_unused_topic_an_epoch_that_stays(topics: Topics) -> None:
    first = await topics.positions([ORDER, SHORT, ORDER])
    assert first[0] == first[2]
    assert first == await topics.positions([ORDER, SHORT, ORDER])
    assert [position.offset for position in first] == [0, 0, 0]


async def test_history_goes_both_ways_from_a_position(topics: Topics) -> None:
    await topics.publish_many([publication(name) for name in "abcd"])
    (end,) = await topics.positions([ORDER])
    since = Position(end.epoch, 3)

    async def offsets(since: Position | None, *, reverse: bool) -> list[int]:
        page = await topics.history(ORDER, since=since, limit=2, reverse=reverse)
        assert page.complete
        return [stored.offset for stored in page.publications]

    assert await offsets(None, reverse=False) == [1, 2]
    assert await offsets(None, reverse=True) == [4, 3]
    assert await offsets(since, reverse=False) == [4]
    assert await offsets(since, reverse=True) == [2, 1]


async def test_history_without_a_limit_is_the_position_only(topics: Topics) -> None:
    await topics.publish_many([publication("a")])
    page = await topics.history(ORDER, since=None, limit=0, reverse=False)
    assert (page.position.offset, page.publications) == (1, ())


async def test_history_since_another_epoch_is_incomplete(topics: Topics) -> None:
    page = await topics.history(ORDER, since=Position(Epoch("other"), 0), limit=9, reverse=False)
    assert not page.complete


async def test_only_the_named_epoch_is_rotated_and_offsets_go_on(topics: Topics) -> None:
    await topics.publish_many([publication("a")])
    (old,) = await topics.positions([ORDER])
    rotated = await topics.rotate_epoch(ORDER, old.epoch)
    assert rotated.epoch != old.epoch
    assert await topics.rotate_epoch(ORDER, old.epoch) == rotated
    assert await topics.publish_many([publication("b")]) == [Published(2, rotated.epoch)]


async def test_a_backends_topic_is_not_mistaken_for_a_persons_inbox(topics: Topics) -> None:
    await topics.publish_many([publication("a", topic=Topic("user:ada"))])
    assert (await topics.positions([Topic("inbox:ada")]))[0].offset == 0


async def test_who_asks_again_is_told_where_it_stands(topics: Topics) -> None:
    asked = Publication(Topic("short:x"), EffectId("e"), b"1", dedupe_s=60)
    (first,) = await topics.publish_many([asked])
    assert await topics.publish_many([asked]) == [Duplicate(first)]  # type: ignore[arg-type]


async def test_who_does_not_ask_is_only_told_that_it_is_known(topics: Topics) -> None:
    publication = Publication(Topic("short:x"), EffectId("e"), b"1")
    await topics.publish_many([publication])
    assert await topics.publish_many([publication]) == [Duplicate()]


async def test_the_window_of_a_publication_is_its_own(topics: Topics, redis: Redis, keys: Keys) -> None:
    await topics.publish_many([Publication(Topic("short:x"), EffectId("e"), b"1", dedupe_s=7)])
    assert 0 < await redis.ttl(keys.topic_seen(Topic("short:x"), EffectId("e"))) <= 7


async def test_what_is_not_kept_gets_no_offset(topics: Topics) -> None:
    topic = Topic("short:x")
    (kept,) = await topics.publish_many([Publication(topic, EffectId("a"), b"1")])
    (fleeting,) = await topics.publish_many([Publication(topic, EffectId("b"), b"2", kept=False)])
    assert fleeting == Published(0, Epoch(""))
    page = await topics.read_since(topic, 0, limit=9)
    assert [stored.data for stored in page.publications] == [b"1"]
    assert page.position.offset == kept.offset == 1  # type: ignore[union-attr]


async def test_forgotten_history_is_a_gap_to_who_is_behind(topics: Topics) -> None:
    topic = Topic("short:x")
    await topics.publish_many([Publication(topic, EffectId("a"), b"1")])
    await topics.forget(topic)
    page = await topics.read_since(topic, 0, limit=9)
    assert (page.publications, page.position.offset, page.complete) == ((), 1, False)
    await topics.publish_many([Publication(topic, EffectId("b"), b"2")])
    after = await topics.read_since(topic, 1, limit=9)
    assert ([stored.offset for stored in after.publications], after.complete) == ([2], True)

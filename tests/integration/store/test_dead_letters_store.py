import pytest

from hub.domain.errors import InputError
from hub.store.dead_letters import DeadLetter, DeadLetters


def letter(name: str, *, at_ms: int = 1) -> DeadLetter:
    return DeadLetter(name, "kafka orders/3/1842", "not JSON", "data", b"\xff{" + name.encode(), at_ms)


async def ids(dead_letters: DeadLetters) -> list[str]:
    return [letter.id for letter in (await dead_letters.list()).letters]


async def test_a_letter_is_kept_once_with_its_raw_bytes(dead_letters: DeadLetters) -> None:
    assert await dead_letters.add_many([letter("a"), letter("a")]) == [True, False]
    assert await dead_letters.get("a") == letter("a")
    assert await dead_letters.count() == 1


async def test_a_dropped_letter_is_gone(dead_letters: DeadLetters) -> None:
    await dead_letters.add_many([letter("a")])
    assert [await dead_letters.drop("a") for _ in range(2)] == [True, False]
    assert await dead_letters.get("a") is None
    assert await ids(dead_letters) == []


async def test_the_oldest_leave_beyond_the_limit(dead_letters: DeadLetters) -> None:
    await dead_letters.add_many([letter(name) for name in "abcd"])
    assert await ids(dead_letters) == ["d", "c", "b"]
    assert await dead_letters.get("a") is None


async def test_the_too_old_leave_when_others_come(dead_letters: DeadLetters) -> None:
    await dead_letters.add_many([letter("a"), letter("b", at_ms=5_000), letter("c", at_ms=12_000)])
    assert await ids(dead_letters) == ["c", "b"]


async def test_pages_follow_each_other_even_if_letters_are_dropped(dead_letters: DeadLetters) -> None:
    await dead_letters.add_many([letter(name) for name in "abc"])
    first = await dead_letters.list(limit=2)
    assert [letter.id for letter in first.letters] == ["c", "b"]
    await dead_letters.drop("b")
    second = await dead_letters.list(cursor=first.cursor, limit=2)
    assert ([letter.id for letter in second.letters], second.cursor) == (["a"], None)


@pytest.mark.parametrize(("cursor", "limit"), [("x", 1), ("", 1), (None, 0), (None, 101)])
async def test_bad_bounds_are_refused(dead_letters: DeadLetters, cursor: str | None, limit: int) -> None:
    with pytest.raises(InputError):
        await dead_letters.list(cursor=cursor, limit=limit)

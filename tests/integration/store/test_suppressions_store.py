import pytest

from hub.domain.errors import InputError
from hub.domain.ids import NotificationId, UserId
from hub.store.keys import Keys
from hub.store.return_paths import Mailed, ReturnPaths
from hub.store.scripts import Scripts
from hub.store.server import Server
from hub.store.suppressions import Suppressions, address_digest

DAY_MS = 86_400_000


class Clock:
    """A clock that moves on whenever somebody looks."""

    def __init__(self) -> None:
        self.now_ms = 1_764_842_400_000

    def __call__(self) -> int:
        self.now_ms += 1
        return self.now_ms


@pytest.fixture
def suppressions(server: Server, scripts: Scripts, keys: Keys) -> Suppressions:
    return Suppressions(server, scripts, keys, clock=Clock())


async def listed(suppressions: Suppressions) -> list[str]:
    return [each.reason for each in (await suppressions.list()).suppressions]


async def test_a_suppressed_address_is_known_in_any_spelling_and_on_its_channel_only(
    suppressions: Suppressions,
) -> None:
    await suppressions.add("email", "Zoe@Example.com", reason="bounced")
    asked = [("email", "zoe@example.com"), ("sms", "zoe@example.com"), ("email", "yan@example.com")]
    found = await suppressions.find_many(asked)
    assert [each.reason if each else None for each in found] == ["bounced", None, None]


async def test_a_list_says_why_and_until_when_and_not_whom(suppressions: Suppressions) -> None:
    await suppressions.add("email", "zoe@example.com", reason="bounced: 5.1.1")
    await suppressions.stop("sms", "+4915112345678", reason="STOP", wording="Stop it")
    stop, bounced = (await suppressions.list()).suppressions
    assert (bounced.reason, bounced.until_ms) == ("bounced: 5.1.1", bounced.at_ms + 90 * DAY_MS)
    assert (stop.channel, stop.until_ms, stop.wording) == ("sms", None, "Stop it")
    assert bounced.id == f"email:{address_digest('zoe@example.com')}"


async def test_a_shorter_suppression_takes_no_place_of_a_longer_one(suppressions: Suppressions) -> None:
    digest = address_digest("zoe@example.com")
    assert await suppressions.add_digest("email", digest, reason="a day", for_s=86_400)
    assert not await suppressions.add_digest("email", digest, reason="an hour", for_s=3_600)
    assert await suppressions.add_digest("email", digest, reason="for good", for_s=0)
    assert not await suppressions.add_digest("email", digest, reason="a day again", for_s=86_400)
    assert await listed(suppressions) == ["for good"]


async def test_a_removed_address_is_written_to_again_and_listed_no_more(suppressions: Suppressions) -> None:
    await suppressions.add("email", "zoe@example.com", reason="bounced")
    await suppressions.add("email", "yan@example.com", reason="complained")
    assert [await suppressions.remove("email", "ZOE@example.com") for _ in range(2)] == [True, False]
    yan = (await suppressions.list()).suppressions[0].id
    assert [await suppressions.remove_id(yan) for _ in range(2)] == [True, False]
    assert not await suppressions.remove_id("yan@example.com")
    assert await listed(suppressions) == []
    assert list(await suppressions.find_many([("email", "zoe@example.com")])) == [None]


async def test_pages_follow_each_other_even_if_something_is_removed(suppressions: Suppressions) -> None:
    for name in "abcde":
        await suppressions.add("email", f"{name}@example.com", reason=name)
    first = await suppressions.list(limit=2)
    assert [each.reason for each in first.suppressions] == ["e", "d"]
    await suppressions.remove("email", "c@example.com")
    second = await suppressions.list(limit=2, cursor=first.cursor)
    assert [each.reason for each in second.suppressions] == ["b", "a"]
    third = await suppressions.list(limit=2, cursor=second.cursor)
    assert (third.suppressions, third.cursor) == ((), None)


async def test_what_an_earlier_version_kept_still_counts(
    suppressions: Suppressions, server: Server, keys: Keys
) -> None:
    key = keys.suppression("email", address_digest("zoe@example.com"))
    await server.exchange([("SET", key, "550 5.1.1 no such user", "EX", 60)])
    (kept,) = await suppressions.find_many([("email", "zoe@example.com")])
    assert kept is not None
    assert kept.reason == "550 5.1.1 no such user"
    await suppressions.add("email", "zoe@example.com", reason="bounced")
    assert await listed(suppressions) == ["bounced"]


@pytest.mark.parametrize(("cursor", "limit"), [("x", 1), ("", 1), ("1:email:0", 1), (None, 0), (None, 101)])
async def test_bad_bounds_are_refused(suppressions: Suppressions, cursor: str | None, limit: int) -> None:
    with pytest.raises(InputError):
        await suppressions.list(cursor=cursor, limit=limit)


async def test_a_return_path_remembers_whom_a_mail_went_to(server: Server, keys: Keys) -> None:
    paths = ReturnPaths(server, keys)
    mailed = Mailed(UserId("zoe"), address_digest("zoe@example.com"))
    await paths.note(NotificationId("n-1"), mailed)
    assert await paths.read(NotificationId("n-1")) == mailed
    assert await paths.read(NotificationId("n-2")) is None

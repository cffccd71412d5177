import pytest
from msgspec import Raw

from hub.domain.ids import Epoch, Topic
from hub.domain.topics import Namespace, Position, TopicKind
from hub.gateway.arrivals import start_of
from hub.gateway.subscriptions import LiveTopic
from hub.protocol.wire import Publication, SubscribeResult
from hub.store.topics import Page, Stored

E1, E2 = Epoch("e1"), Epoch("e2")


def topic(kind: TopicKind = TopicKind.LOG, *, history: int = 10, head: int = 5) -> LiveTopic:
    live = LiveTopic(Topic("log:1"), Namespace("log", kind, history_size=history))
    live.heard_of(Position(E1, head))
    return live


def page(*offsets: int, complete: bool = True, epoch: Epoch = E1, top: int = 5) -> Page:
    return Page(Position(epoch, top), tuple(Stored(offset, b"1") for offset in offsets), complete)


def test_without_a_position_it_starts_at_the_present() -> None:
    assert start_of(topic(), None, None) == SubscribeResult("e1", 5, recoverable=True, positioned=True)


def test_what_was_missed_comes_along() -> None:
    start = start_of(topic(), Position(E1, 3), page(4, 5))
    assert (start.recovered, start.offset) == (True, 5)
    assert start.publications == (Publication(Raw(b"1"), 4), Publication(Raw(b"1"), 5))


def test_it_starts_where_its_page_ends_when_there_is_more() -> None:
    assert start_of(topic(head=500), Position(E1, 3), page(4, 5, top=500)).offset == 5


def test_what_came_since_no_page_was_needed_is_not_skipped() -> None:
    start = start_of(topic(head=6), Position(E1, 5), None)
    assert (start.recovered, start.offset) == (True, 5)


@pytest.mark.parametrize(
    ("since", "read"),
    [
        (Position(E2, 3), None),
        (Position(Epoch(""), 0), None),
        (Position(E1, 6), None),
        (Position(E1, 1), page(4, 5, complete=False)),
        (Position(E1, 3), page(4, 5, epoch=E2)),
    ],
)
def test_what_cannot_be_recovered_starts_at_the_present_and_says_so(since: Position, read: Page | None) -> None:
    start = start_of(topic(), since, read)
    assert (start.was_recovering, start.recovered, start.offset, start.publications) == (True, False, 5, ())


def test_of_a_latest_topic_only_the_newest_comes_along() -> None:
    start = start_of(topic(TopicKind.LATEST), None, page(4, 5, complete=False))
    assert [publication.offset for publication in start.publications] == [5]


def test_of_a_broadcast_what_is_left_comes_along() -> None:
    start = start_of(topic(TopicKind.BROADCAST), Position(E1, 1), page(4, 5, complete=False))
    assert (start.recovered, len(start.publications)) == (True, 2)


def test_a_topic_without_history_promises_nothing() -> None:
    assert start_of(topic(history=0), Position(E1, 1), None) == SubscribeResult("", 0, was_recovering=True)

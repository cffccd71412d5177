"""Ids of events: whatever was encoded comes back, whatever comes in does no harm."""

import re

from hypothesis import given
from hypothesis import strategies as st

from hub.domain.ids import Epoch, Topic
from hub.domain.topics import Position
from hub.protocol.event_ids import BadEventId, decode, encode

EPOCHS = st.from_regex(r"[A-Za-z0-9_-]{1,16}", fullmatch=True).map(Epoch)
PLACES = st.dictionaries(st.text(min_size=1).map(Topic), st.tuples(EPOCHS, st.integers(0, 2**51)), max_size=20)


@given(PLACES)
def test_positions_come_back(places: dict[Topic, tuple[Epoch, int]]) -> None:
    text = encode((topic, epoch, offset) for topic, (epoch, offset) in places.items())
    reached = decode(text)
    assert re.fullmatch(r"[\x21-\x7e]+", text)
    # Where two names share a mark, the position is one of theirs.
    assert all(reached[topic] in {Position(*each) for each in places.values()} for topic in places)


@given(st.text() | st.from_regex(r"1(~[0-9a-f]{8}\.[A-Za-z0-9_-]{1,9}\.[0-9a-f]{1,14})*", fullmatch=True))
def test_anything_is_read_or_refused(text: str) -> None:
    try:
        decode(text)
    except BadEventId:
        return
    assert text[0] in "123456789"

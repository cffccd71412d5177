import pytest

from hub.domain.decisions import Aggregate, AggregateKind
from hub.domain.ids import EffectId, Topic, UserId
from hub.domain.topics import inbox, order
from hub.store.keys import Keys, shard_of

KEYS = Keys("p:")


def tag(key: str) -> str:
    return key[key.index("{") + 1 : key.index("}")]


def test_a_persons_inbox_topic_and_document_share_a_tag() -> None:
    user = UserId("ada")
    person = Aggregate(AggregateKind.PERSON, user)
    found = [KEYS.inbox(user, "order"), KEYS.topic_meta(inbox(user)), KEYS.document(person), KEYS.parked(person)]
    assert {tag(key) for key in found} == {"user:ada"}


def test_an_order_and_its_topic_share_a_tag() -> None:
    assert tag(KEYS.topic_stream(order("A-1"))) == tag(KEYS.document(Aggregate(AggregateKind.ORDER, "A-1")))  # type: ignore[arg-type]


@pytest.mark.parametrize("word", ["user", "topic", "parked", "due", "dead", "idem", "probe"])
def test_a_backends_namespace_never_takes_a_tag_of_another_use(word: str) -> None:
    topic = Topic(f"{word}:ada")
    assert tag(KEYS.topic_seen(topic, EffectId("e"))) == f"topic:{topic}"


def test_topics_have_keys_of_their_own() -> None:
    names = ["inbox:a", "user:a", "topic:user:a", "order:a", "announcements", "inbox:user:a", "topic:topic:user:a"]
    assert len({KEYS.topic_meta(Topic(name)) for name in names}) == len(names)


def test_the_shard_of_a_person_never_changes() -> None:
    assert [shard_of(UserId(user), 4) for user in ("ada", "u1", "zoë!")] == [0, 2, 3]

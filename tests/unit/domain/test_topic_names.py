import pytest

from hub.domain.ids import Topic, UserId
from hub.domain.topics import Namespace, Namespaces, namespace_of, personal, users_of


@pytest.mark.parametrize(
    ("topic", "namespace"),
    [("room:1", "room"), ("room:1:2", "room"), ("news", "news"), ("news#42", "news"), ("a#b:c", "a#b"), (":x", "")],
)
def test_a_topic_belongs_to_what_stands_before_its_first_colon(topic: str, namespace: str) -> None:
    assert namespace_of(Topic(topic)) == namespace


@pytest.mark.parametrize(
    ("topic", "users"),
    [
        ("news", None),
        ("news#42", {"42"}),
        ("dialogs:x#42,43", {"42", "43"}),
        ("dialogs:#42", {"42"}),
        ("dialogs:x#", set()),
        ("dialogs:x#,", set()),
        ("dialogs:a#b#c", {"c"}),
    ],
)
def test_a_user_limited_topic_names_its_users(topic: str, users: set[str] | None) -> None:
    assert users_of(Topic(topic)) == users


@pytest.mark.parametrize(
    ("user", "topic"), [("ann", "me:#ann"), ("a,b", None), ("a#b", None), ("", None), ("x" * 300, None)]
)
def test_a_personal_topic_is_limited_to_its_user_or_there_is_none(user: str, topic: str | None) -> None:
    assert personal("me", UserId(user)) == topic


@pytest.mark.parametrize(
    ("topic", "allowed"), [("room:7", True), ("room:77", True), ("room:x", False), ("other:x", True), ("room", False)]
)
def test_a_namespace_may_say_what_its_topics_are_called(topic: str, *, allowed: bool) -> None:
    namespaces = Namespaces((Namespace("room", channel_regex=r"^\d+$"), Namespace("other")))
    assert namespaces.allows_name(Topic(topic)) is allowed

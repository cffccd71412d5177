from typing import Any

import pytest

from hub.domain.namespace_checks import mistakes_of
from hub.domain.topics import BUILT_IN, Namespace, TopicKind


def wrong(name: str = "room", **options: Any) -> set[str]:
    return {field for field, _ in mistakes_of(Namespace(name, **options))}


@pytest.mark.parametrize("namespace", BUILT_IN, ids=lambda each: each.name)
def test_doorbells_own_namespaces_make_sense(namespace: Namespace) -> None:
    assert list(mistakes_of(namespace)) == []


def test_a_namespace_with_everything_makes_sense() -> None:
    options: dict[str, Any] = {
        name: True for name in Namespace.__struct_fields__ if name.startswith(("allow_", "force_"))
    }
    options |= {"presence": True, "join_leave": True, "channel_regex": r"^\d+$", "max_subscriptions": 3}
    assert wrong(**options, publish_roles=frozenset({"agent"})) == set()


@pytest.mark.parametrize("name", ["", "two words", "a:b", "a#b", "{a}", "$a"])
def test_a_name_that_would_be_taken_apart_is_told(name: str) -> None:
    assert wrong(name) == {"name"}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"history_size": -1}, "history_size"),
        ({"history_ttl_s": 0}, "history_ttl_s"),
        ({"kind": TopicKind.LATEST, "history_size": 2}, "history_size"),
        ({"max_subscriptions": -1}, "max_subscriptions"),
        ({"max_publication_bytes": 0}, "max_publication_bytes"),
        ({"history_size": 0, "allow_recovery": True}, "allow_recovery"),
        ({"history_size": 0, "force_positioning": True}, "force_positioning"),
        ({"history_size": 0, "allow_positioning": True}, "allow_positioning"),
        ({"history_size": 0, "allow_history_for_client": True}, "allow_history_for_client"),
        ({"force_push_join_leave": True}, "force_push_join_leave"),
        ({"allow_presence_for_subscriber": True}, "allow_presence_for_subscriber"),
        ({"subscribe_roles": frozenset({"boss"})}, "subscribe_roles"),
        ({"publish_roles": frozenset({"anonymous"})}, "publish_roles"),
        ({"channel_regex": "["}, "channel_regex"),
    ],
)
def test_an_option_that_is_wrong_is_told_by_its_name(options: dict[str, Any], field: str) -> None:
    assert wrong(**options) == {field}

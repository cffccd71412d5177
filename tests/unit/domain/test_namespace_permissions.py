from typing import Any

import pytest

from hub.domain.ids import Topic, UserId
from hub.domain.permission import ANONYMOUS, Action, Identity, Role, permits
from hub.domain.topics import Namespace

ANN = Identity(UserId("ann"), Role.SHOPPER)
ROOM = Topic("room:1")
BEYOND_SUBSCRIBING = [Action.PUBLISH, Action.HISTORY, Action.PRESENCE]


def namespace(**options: Any) -> Namespace:
    return Namespace("room", **options)


@pytest.mark.parametrize("action", list(Action))
def test_without_options_nobody_may_do_anything(action: Action) -> None:
    assert not any(permits(namespace(), Identity(UserId("x"), role), action, ROOM, subscribed=True) for role in Role)


@pytest.mark.parametrize("action", list(Action))
def test_an_option_for_clients_is_for_everybody_signed_in(action: Action) -> None:
    options = namespace(**{f"allow_{action}_for_client": True})
    assert permits(options, ANN, action, ROOM)
    assert not permits(options, ANONYMOUS, action, ROOM)


@pytest.mark.parametrize("action", list(Action))
def test_anonymous_clients_need_an_option_of_their_own_beside(action: Action) -> None:
    both = namespace(**{f"allow_{action}_for_client": True, f"allow_{action}_for_anonymous": True})
    assert permits(both, ANONYMOUS, action, ROOM)
    assert not permits(namespace(**{f"allow_{action}_for_anonymous": True}), ANONYMOUS, action, ROOM)


@pytest.mark.parametrize("action", BEYOND_SUBSCRIBING)
def test_an_option_for_subscribers_is_for_those_who_are_subscribed(action: Action) -> None:
    options = namespace(**{f"allow_{action}_for_subscriber": True})
    assert permits(options, ANN, action, ROOM, subscribed=True)
    assert not permits(options, ANN, action, ROOM)
    assert not permits(options, ANONYMOUS, action, ROOM, subscribed=True)


@pytest.mark.parametrize("action", list(Action))
def test_roles_may_do_what_they_are_named_for(action: Action) -> None:
    options = namespace(**{f"{action}_roles": frozenset({"agent"})})
    assert permits(options, Identity(UserId("x"), Role.AGENT), action, ROOM)
    assert not permits(options, ANN, action, ROOM)


@pytest.mark.parametrize(
    ("topic", "user", "allowed"),
    [
        ("room:x#ann,bob", "ann", True),
        ("room:x#ann,bob", "bob", True),
        ("room:x#ann,bob", "an", False),
        ("room:x#", "", False),
        ("room:x#ann,", "", False),
    ],
)
def test_a_user_limited_topic_is_for_the_users_it_names(topic: str, user: str, *, allowed: bool) -> None:
    options = namespace(allow_user_limited_channels=True)
    who = Identity(UserId(user), Role.SHOPPER) if user else ANONYMOUS
    assert permits(options, who, Action.SUBSCRIBE, Topic(topic)) is allowed


def test_no_other_option_opens_a_user_limited_topic() -> None:
    options = namespace(
        allow_subscribe_for_client=True, allow_subscribe_for_anonymous=True, subscribe_roles=frozenset({"shopper"})
    )
    for who in (ANN, ANONYMOUS):
        assert not permits(options, who, Action.SUBSCRIBE, Topic("room:x#ann"))

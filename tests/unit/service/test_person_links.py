import pytest

from hub.domain.ids import UserId
from hub.service.person.person_links import PersonLinks, Unsubscription
from hub.service.signing import Signer

ZOE = UserId("zoe of the house")
DAY_MS = 86_400_000


class Clock:
    def __init__(self) -> None:
        self.now_ms = 0

    def __call__(self) -> int:
        return self.now_ms


def links(clock: Clock | None = None, *, secret: str = "a secret that is known to nobody") -> PersonLinks:
    return PersonLinks(Signer(secret), public_url="https://hub.example/", clock=clock or Clock())


def test_a_link_opens_the_preferences_of_its_person_for_three_months() -> None:
    clock = Clock()
    made = links(clock)
    token = made.preferences(ZOE).removeprefix("https://hub.example/p/")
    assert made.read_preferences(token) == ZOE
    clock.now_ms = 90 * DAY_MS
    assert made.read_preferences(token) is None


def test_a_link_unsubscribes_for_ever() -> None:
    clock = Clock()
    made = links(clock)
    token = made.unsubscribe(ZOE, "sales").removeprefix("https://hub.example/u/")
    clock.now_ms = 10_000 * DAY_MS
    found = made.read_unsubscribe(token)
    assert found == Unsubscription(ZOE, "sales", 0)


def test_an_old_unsubscribe_link_does_not_open_the_preferences() -> None:
    clock = Clock()
    made = links(clock)
    found = Unsubscription(ZOE, "sales", 0)
    assert made.read_preferences(made.beside(found).rpartition("/")[2]) == ZOE
    clock.now_ms = 90 * DAY_MS
    assert made.beside(found) == ""


def test_one_link_does_not_open_the_others_door() -> None:
    made = links()
    assert made.read_preferences(made.unsubscribe(ZOE, "sales").rpartition("/")[2]) is None
    assert made.read_unsubscribe(made.preferences(ZOE).rpartition("/")[2]) is None


@pytest.mark.parametrize("token", ["", "x", "a.b", "é.é", "a" * 5_000])
def test_what_was_not_signed_here_opens_nothing(token: str) -> None:
    assert links().read_preferences(token) is None
    assert links().read_unsubscribe(token) is None
    forged = links(secret="a secret of somebody else entirely").preferences(ZOE).rpartition("/")[2]
    assert links().read_preferences(forged) is None


def test_without_a_secret_there_are_no_links() -> None:
    none = PersonLinks(None, public_url="https://hub.example", clock=Clock())
    assert (none.preferences(ZOE), none.unsubscribe(ZOE, "sales")) == ("", "")
    assert none.read_preferences(links().preferences(ZOE).rpartition("/")[2]) is None

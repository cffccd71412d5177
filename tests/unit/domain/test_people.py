from typing import Any

from hub.domain.channels import EMAIL, SMS
from hub.domain.decisions import Aggregate, AggregateKind, Outcome
from hub.domain.dispatch import ABSENT
from hub.domain.ids import UserId
from hub.domain.people import Person, person_of
from tests.shop import event
from tests.world import World

MIA = UserId("mia")


def person(world: World) -> Person:
    return person_of(world.documents.get(Aggregate(AggregateKind.PERSON, MIA), ABSENT), MIA)


def update(world: World, *, at_s: float = 0, **fields: Any) -> Outcome:
    return world.tell(event("user.updated", at_s=at_s, user_id="mia", **fields)).outcome


def test_somebody_unknown_is_nothing_but_their_id() -> None:
    assert person(World()) == Person(MIA)


def test_what_an_update_leaves_out_stays_and_null_removes() -> None:
    world = World()
    update(world, email="mia@example.com", phone="+4930123456", locale="pt-BR", time_zone="America/Sao_Paulo")
    update(world, at_s=1, phone=None, name="Mia")

    known = person(world)
    assert (known.email, known.phone, known.name, known.locale) == ("mia@example.com", None, "Mia", "pt-BR")


def test_a_late_update_fills_in_only_what_nothing_newer_has_said() -> None:
    world = World()
    update(world, at_s=2, email="new@example.com")

    assert update(world, at_s=1, email="old@example.com", locale="de") is Outcome.APPLIED
    assert (person(world).email, person(world).locale) == ("new@example.com", "de")
    assert update(world, at_s=1, email="older@example.com") is Outcome.STALE


def test_consent_is_kept_for_each_channel_by_itself() -> None:
    world = World()
    update(world, consent={"email": {"granted": True, "source": "checkout"}, "sms": {"granted": True}})
    update(world, at_s=1, consent={"sms": {"granted": False}})

    consent = person(world).consent
    assert {channel: word.granted for channel, word in consent.items()} == {EMAIL: True, SMS: False}


def test_a_version_beats_the_clock() -> None:
    world = World()
    update(world, at_s=5, version=1, name="Old")
    update(world, at_s=1, version=2, name="New")

    assert person(world).name == "New"


def test_the_same_update_again_is_a_duplicate() -> None:
    world = World()
    told = event("user.updated", user_id="mia", name="Mia")
    world.tell(told)

    assert world.tell(told).outcome is Outcome.DUPLICATE


def test_an_erased_person_stays_erased() -> None:
    world = World()
    update(world, email="mia@example.com")
    world.tell(event("user.erased", user_id="mia"))

    assert person(world) == Person(MIA, erased=True)
    assert update(world, at_s=60, email="mia@example.com") is Outcome.STALE
    assert person(world).email is None

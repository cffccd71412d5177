"""The checker: what was accepted against what people got. Nothing lost, nothing double, in order, nobody else's.

It knows nothing of how things were sent or received: both sides give it plain records.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

_SHOWN = 5
_COPIES_MAX = 2


class Told(NamedTuple):
    """One thing a person is told: the event's type, the order, and the payment or shipment it is about."""

    type: str
    order: str
    part: str = ""

    @property
    def chain(self) -> tuple[str, str, str]:
        """What it has an order in: the order's, the payment's or the shipment's own story."""
        return self.type.partition(".")[0], self.order, self.part


def problems(expected: Mapping[str, Sequence[Told]], got: Mapping[str, Sequence[Told]]) -> list[str]:
    """Return every way in which `got` is not what each person should have: lost, double, leaked, out of order."""
    found: list[str] = []
    owners = {told: user for user, all_told in expected.items() for told in all_told}
    for user in expected.keys() | got.keys():
        wanted, had = expected.get(user, ()), got.get(user, ())
        counts = Counter(had)
        found += (f"{user} was not told {_words(told)}" for told in wanted if told not in counts)
        found += (f"{user} was told {_words(told)} {times} times" for told, times in counts.items() if times > 1)
        for told in counts.keys() - set(wanted):
            owner = owners.get(told)
            found.append(f"{user} was told {_words(told)}, meant for {owner or 'nobody'}")
        found += out_of_order(user, wanted, had)
    return found


def out_of_order(user: str, wanted: Iterable[Told], had: Iterable[Told]) -> list[str]:
    """Return the stories that a person was told in another order than they happened."""
    right, real = _stories(wanted), _stories(had)
    return [
        f"{user} was told the story of {' '.join(chain).strip()} as {', '.join(told.type for told in real[chain])}"
        for chain, story in right.items()
        if any(_overtakes(later, earlier, real.get(chain, [])) for earlier, later in combinations(story, 2))
    ]


def _overtakes(later: Told, earlier: Told, real: Sequence[Told]) -> bool:
    return later in real and earlier in real and real.index(later) < real.index(earlier)


def _stories(all_told: Iterable[Told]) -> dict[tuple[str, str, str], list[Told]]:
    stories: dict[tuple[str, str, str], list[Told]] = {}
    for told in all_told:
        stories.setdefault(told.chain, []).append(told)
    return stories


class Handed(NamedTuple):
    """A mail as the relay took it. `id` is that of the notification, from the Message-ID."""

    id: str
    user: str
    order: str
    in_doubt: bool = False
    """Its session ended without another word: the sender need not know that it was taken."""


def mail_problems(expected: Mapping[str, tuple[str, str]], handed: Sequence[Handed]) -> list[str]:
    """Return what is wrong with the mails that the relay took, mail by mail and in order.

    `expected` are user and order of each notification that must be mailed, by its id. A mail may come a second time
    where the sender was cut off in the first, and not a third time.
    """
    copies: dict[str, list[Handed]] = {}
    for mail in handed:
        copies.setdefault(mail.id, []).append(mail)
    found = [f"no mail to {user} about {order}" for id_, (user, order) in expected.items() if id_ not in copies]
    for id_, mails in copies.items():
        user, order = mails[0].user, mails[0].order
        found += [
            f"a mail to {mail.user} about {mail.order} that nobody asked for"
            for mail in mails
            if expected.get(id_) != (mail.user, mail.order)
        ]
        if len(mails) > _COPIES_MAX:
            found.append(f"{len(mails)} mails to {user} about {order}")
        elif not all(mail.in_doubt for mail in mails[:-1]):
            found.append(f"a second mail to {user} about {order}, though the first one was handed over in peace")
    return found


def summary(found: Sequence[str]) -> str:
    """Return the problems in a form fit for a failed assertion."""
    return "; ".join(found[:_SHOWN]) + (f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")


def _words(told: Told) -> str:
    return " ".join(filter(None, told))

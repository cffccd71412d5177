"""The offset checker: was a client given everything, in order and once?

It knows of each of its topics the epoch and the last offset. The next publication must be the next offset; after a
reconnect the server must say `recovered` and give what was missed. All else is counted, and makes a run fail.
"""

from __future__ import annotations

from loadtest.swarm.wire import Sub

LATEST = ("price:", "sale:", "shipment:", "stock:", "courier:")
"""Topics of which only the newest value counts: those in between may be left out."""
_COUNTS = ("connects", "received", "recovered", "refused", "unmet", "skipped", "doubles", "holes", "unrecovered")


class Position:
    """How far a client has come on one topic."""

    __slots__ = ("epoch", "offset")

    def __init__(self, epoch: str, offset: int) -> None:
        self.epoch = epoch
        self.offset = offset


class Tally:
    """What all clients of a run have seen. `doubles`, `holes`, `unrecovered` and `errors` must stay 0.

    `recovered` publications came with the answer to a reconnect. `refused` counts answers that ask a client to come
    again later: a 503, a temporary error. `unmet` are attempts to connect that came to nothing otherwise: nobody
    listened, or there was no answer for as long as a client waits. `skipped` are values that topics of the latest value
    left out.
    """

    __slots__ = (*_COUNTS, "errors")

    def __init__(self) -> None:
        self.connects = self.received = self.recovered = self.refused = self.unmet = self.skipped = 0
        self.doubles = self.holes = self.unrecovered = 0
        self.errors: dict[str, int] = {}

    def error(self, what: str) -> None:
        """Count something a server should not have said."""
        self.errors[what] = self.errors.get(what, 0) + 1

    def counts(self) -> dict[str, int]:
        """Return everything that is counted, without the errors."""
        return {name: getattr(self, name) for name in _COUNTS}

    def add(self, counts: dict[str, int], errors: dict[str, int]) -> None:
        """Add another one's figures."""
        for name, count in counts.items():
            setattr(self, name, getattr(self, name) + count)
        for what, count in errors.items():
            self.errors[what] = self.errors.get(what, 0) + count

    @property
    def mistakes(self) -> dict[str, int]:
        """Return all that must not be, empty where the server has kept its promises."""
        wrong = {"doubles": self.doubles, "holes": self.holes, "unrecovered": self.unrecovered, **self.errors}
        return {what: count for what, count in wrong.items() if count}

    def publication(self, position: Position | None, topic: str, offset: int) -> None:
        """Check one publication against the client's position on its topic, and move it on."""
        self.received += 1
        if position is None or not offset:
            return
        ahead = offset - position.offset
        if ahead <= 0:
            self.doubles += 1
            return
        if ahead > 1:
            if topic.startswith(LATEST):
                self.skipped += ahead - 1
            else:
                self.holes += 1
        position.offset = offset

    def subscribed(self, positions: dict[str, Position], topic: str, sub: Sub) -> None:
        """Check where a subscription starts; its publications are yet to be checked one by one."""
        known = positions.get(topic)
        if known is not None and sub.recovered:
            self.recovered += len(sub.publications)
            return
        # What cannot be recovered anywhere has no position to lose.
        self.unrecovered += known is not None and bool(known.epoch)
        # A topic that keeps its latest value sends that along.
        start = sub.publications[0].offset - 1 if sub.publications else sub.offset
        positions[topic] = Position(sub.epoch, start)

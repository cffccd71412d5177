"""A store in miniature for tests of pure decisions: applies changes, keeps parked events, drops repeated effects."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec

import hub.domain
from hub.domain.decisions import Aggregate, AggregateKind, Decision, Document, Outcome
from hub.domain.dispatch import ABSENT, Snapshot, decide, touches
from hub.domain.envelope import Event
from hub.domain.orders import Order, decode_order
from hub.domain.playbook import Playbook, load_playbook
from hub.domain.shipments import Shipment, decode_shipment
from tests.shop import NOON_MS

DEFAULT_PLAYBOOK = (Path(hub.domain.__file__).parent / "default_playbook.toml").read_bytes()
HOUR_MS = 3_600_000


def default_playbook() -> Playbook:
    """Return the playbook that ships."""
    return load_playbook(DEFAULT_PLAYBOOK, files=("default", "own"))


class World:
    """Feed it events with `tell`.

    `announced` and `notified` are what people saw, in order, each effect once; `ranks` those of latest topics.
    """

    def __init__(self, playbook: Playbook | None = None) -> None:
        self.playbook = playbook or default_playbook()
        self.documents: dict[Aggregate, Document] = {}
        self.parked: dict[Aggregate, list[Event]] = defaultdict(list)
        self.announced: list[tuple[str, dict[str, Any]]] = []
        self.notified: list[tuple[str, str]] = []
        self.ranks: list[tuple[str, int]] = []
        self._seen: set[str] = set()

    def snapshot(self, event: Event) -> Snapshot:
        """Return what is known to decide on an event."""
        touch = touches(event)
        own, related = (
            (self.documents.get(aggregate, ABSENT) if aggregate else ABSENT) for aggregate in (touch.own, touch.related)
        )
        return Snapshot(own, related)

    def decide(self, event: Event, *, now_ms: int = NOON_MS) -> Decision:
        """Decide without applying."""
        return decide(event, self.snapshot(event), playbook=self.playbook, now_ms=now_ms, replay_window_ms=24 * HOUR_MS)

    def tell(self, event: Event, *, now_ms: int = NOON_MS) -> Decision:
        """Decide and apply, then wake the events that waited for what has changed."""
        decision = self.decide(event, now_ms=now_ms)
        if decision.outcome is Outcome.PARKED:
            assert decision.park_under is not None
            self.parked[decision.park_under].append(event)
        self._carry_out(decision)
        if decision.change is not None:
            for waiting in self.parked.pop(decision.change.aggregate, []):
                self.tell(waiting, now_ms=now_ms)
        return decision

    def _carry_out(self, decision: Decision) -> None:
        change = decision.change
        if change is not None:
            assert self.documents.get(change.aggregate, ABSENT).version == change.expected_version
            self.documents[change.aggregate] = Document(change.expected_version + 1, change.body)
        for publication in decision.publications:
            if publication.id not in self._seen:
                self._seen.add(publication.id)
                self.announced.append((publication.topic, msgspec.json.decode(publication.data)))
                self.ranks.extend([(publication.topic, publication.rank)] if publication.rank is not None else [])
        for notification in decision.notifications:
            if notification.id not in self._seen:
                self._seen.add(notification.id)
                self.notified.append((notification.user, notification.rule))

    def order(self, order_id: str = "A-1") -> Order:
        """Return an order as it stands."""
        return decode_order(self.documents[Aggregate(AggregateKind.ORDER, order_id)].body)

    def shipment(self, shipment_id: str = "S-1") -> Shipment:
        """Return a shipment as it stands."""
        return decode_shipment(self.documents[Aggregate(AggregateKind.SHIPMENT, shipment_id)].body)

    def types_on(self, topic: str) -> list[str]:
        """Return the types of the events announced on a topic, in order."""
        return [update["type"] for name, update in self.announced if name == topic]

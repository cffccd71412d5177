"""A connection as its commands see it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from hub.gateway.arrivals import Asker
from hub.gateway.subscriptions import Subscription
from hub.protocol.effects import Effect
from hub.protocol.session import Session


class Client(Asker, Protocol):
    """The connection that a command came from."""

    session: Session[Subscription]

    def perform(self, effects: Iterable[Effect]) -> None:
        """Carry effects out."""

"""A channel: one way to reach a person, as the ladder sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from hub.domain.channels import Channel
from hub.domain.errors import DeliveryError
from hub.domain.notifications import Notification
from hub.domain.people import Person

Committing = Callable[[], Awaitable[None]]
"""Awaited at the last moment at which a message can be held back; an error from it must hold it back."""


class LeaseLost(DeliveryError):
    """Somebody else has the job by now: this call must not be made. Raised by `committing`."""


class DeliveryChannel(Protocol):
    """Sends notifications over one channel. One instance serves all lanes, concurrently."""

    @property
    def name(self) -> Channel:
        """Which channel it is."""
        ...

    @property
    def resends_unknown(self) -> bool:
        """Whether a call with an unknown outcome may be made again: only where the receiver can tell a double."""
        ...

    async def addresses(self, people: Sequence[Person]) -> list[str | None]:
        """Return where this channel reaches each person, in the provider's form; None where it cannot.

        Raises StoreUnavailable.
        """
        ...

    async def send(self, notification: Notification, person: Person, *, address: str, committing: Committing) -> str:
        """Send, and return the provider's word or id for it.

        `committing` is awaited exactly once before the provider can take anything, as late as possible; a channel that
        begins anew on a fresh connection may await it again. Cancellation leaves the outcome unknown.

        Raises:
            TransientDeliveryError: nothing was taken, try later.
            PermanentDeliveryError: it never will be.
            UnknownDeliveryError: it may have been taken.
        """
        ...

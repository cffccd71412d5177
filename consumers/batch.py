"""One batch of deliveries, decoded: what is an event, what is not fit to be one, and what is none of ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from consumers.decode import Decoded, Unknown
from hub.domain.envelope import Incoming, Origin, Rejected, Source
from hub.domain.errors import InputError
from hub.observe import logger

_log = logger("consumers.batch")


class Delivery(Protocol):
    """One message of a broker."""

    @property
    def origin(self) -> Origin:
        """Where it was read."""
        ...

    @property
    def body(self) -> bytes:
        """Its bytes, as they came."""
        ...

    @property
    def content_type(self) -> str:
        """What it says about the body; empty if nothing."""
        ...

    def attributes(self) -> Mapping[str, str]:
        """Return the CloudEvents attributes outside the body (binary mode). May raise InputError."""
        ...

    def decode(self, *, received_ms: int) -> Decoded:
        """Return the event. Raises InputError."""
        ...


@dataclass(slots=True)
class Batch:
    """Decoded deliveries, in the order in which they came. One bad delivery never touches its neighbours."""

    source: Source
    incoming: list[Incoming] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    """What each of `incoming` was decoded from."""
    letters: list[Rejected] = field(default_factory=list)
    unknown: int = 0
    """Events of a type that is not ours: counted and skipped."""

    def __len__(self) -> int:
        return len(self.incoming) + len(self.letters) + self.unknown

    def accept(self, incoming: Incoming, delivery: Delivery) -> None:
        """Add an event."""
        self.incoming.append(incoming)
        self.deliveries.append(delivery)

    def reject(self, delivery: Delivery, *, reason: str, at: str = "") -> None:
        """Add a dead letter; `at` is the field that is wrong, empty if it is none in particular."""
        letter = Rejected(
            origin=delivery.origin,
            reason=reason,
            field=at,
            body=delivery.body,
            content_type=delivery.content_type,
            attributes=_attributes_if_any(delivery),
        )
        self.letters.append(letter)

    def withdraw(self, incoming: Incoming, *, reason: str) -> None:
        """Make a dead letter of an event that was accepted."""
        index = next(index for index, candidate in enumerate(self.incoming) if candidate is incoming)
        del self.incoming[index]
        self.reject(self.deliveries.pop(index), reason=reason)


def decode_all(deliveries: Iterable[Delivery], *, source: Source, received_ms: int) -> Batch:
    """Decode each delivery. Never raises: whatever the decoder does with hostile input, those behind it go on."""
    batch = Batch(source)
    for delivery in deliveries:
        try:
            event = delivery.decode(received_ms=received_ms)
        except InputError as error:
            batch.reject(delivery, reason=error.problem, at=error.field)
        except Exception as error:  # noqa: BLE001 - logged, and the letter says so
            _log.exception("decoder_failed", origin=str(delivery.origin))
            batch.reject(delivery, reason=f"the decoder failed: {type(error).__name__}")
        else:
            if isinstance(event, Unknown):
                batch.unknown += 1
            else:
                batch.accept(Incoming(event, delivery.origin), delivery)
    return batch


def _attributes_if_any(delivery: Delivery) -> dict[str, str]:
    try:
        return dict(delivery.attributes())
    except InputError:
        # They are what is wrong with it; the reason says so.
        return {}

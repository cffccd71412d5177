"""Providers of one channel, in order of preference: the first that is well takes the message.

A provider is one file: something with a `name` and a `send`. Around each stand a pace, a bound on calls at once, and a
circuit breaker. A message goes on to the next provider only while it is sure that the one before has not taken it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from channels.breaker import Breaker
from channels.channel import Committing, LeaseLost
from channels.pace import Pace
from channels.tally import Tally
from hub.domain.errors import DeliveryError, PermanentDeliveryError, TransientDeliveryError, UnknownDeliveryError
from hub.domain.notifications import Lane
from hub.observe import PROVIDER_CALLS, PROVIDER_OPEN, logger

_log = logger(__name__)
_TURN_S = 10.0
"""How long a message waits for its turn at a provider before the next one is asked."""
_Message = TypeVar("_Message")
_Message_contra = TypeVar("_Message_contra", contravariant=True)


class Provider(Protocol[_Message_contra]):
    """Somebody who carries the messages of a channel. One instance serves all lanes, concurrently."""

    @property
    def name(self) -> str:
        """Which it is: in settings, logs, metrics and records."""
        ...

    async def send(self, message: _Message_contra, *, lane: Lane, committing: Committing) -> str:
        """Hand over one message and return the provider's id or word for it.

        `committing` is awaited exactly once before the provider can take anything, as late as possible. Cancellation
        leaves the outcome unknown.

        Raises:
            TransientDeliveryError: nothing was taken. With `provider_down`, it is no fault of the message.
            PermanentDeliveryError: it never will be, by anybody.
            UnknownDeliveryError: it may have been taken.
        """
        ...


class Line(Generic[_Message]):
    """A provider with what keeps calls to it within bounds."""

    def __init__(
        self,
        provider: Provider[_Message],
        *,
        pace: Pace,
        breaker: Breaker,
        places: int | Mapping[Lane, int],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take `places`: calls at once, of all lanes together or of each one, so that none waits for another's."""
        self.name = provider.name
        self._provider = provider
        self._pace = pace
        self._breaker = breaker
        self._places = _places(places)
        self._clock_s = clock_s
        self._tally = Tally()
        self._under_way = 0

    @property
    def health(self) -> Health:
        """How the provider is doing, as far as this process knows."""
        now_s = self._clock_s()
        return Health(
            self.name,
            failing=self._breaker.is_open,
            rests_s=self._breaker.blocked_s(now_s),
            calls=self._tally.last_minute(now_s),
            under_way=self._under_way,
            per_second=self._pace.per_second,
        )

    def blocked_s(self) -> float:
        """Return for how long the provider is to be left alone, 0: it can be asked."""
        return self._breaker.blocked_s(self._clock_s())

    async def send(self, message: _Message, *, lane: Lane, committing: Committing) -> str:
        """Hand over one message. Errors as the provider's, and TransientDeliveryError where no turn comes in time."""
        await self._pace.take(lane, at_most_s=_TURN_S)
        async with self._places[lane]:
            if blocked_s := self.blocked_s():
                raise _rests(self.name, blocked_s)
            self._breaker.begin()
            self._under_way += 1
            try:
                word = await self._provider.send(message, lane=lane, committing=committing)
            except DeliveryError as error:
                self._note(error)
                raise
            except BaseException:
                self._breaker.abandon()
                raise
            finally:
                self._under_way -= 1
            self._breaker.succeed()
            self._count("taken")
            return word

    def _note(self, error: DeliveryError) -> None:
        now_s = self._clock_s()
        match error:
            case LeaseLost():
                self._breaker.abandon()
                return
            case TransientDeliveryError(provider_down=True, retry_after_s=float(wait_s)):
                self._breaker.pause(now_s, wait_s)
            case TransientDeliveryError(provider_down=True) | UnknownDeliveryError():
                self._breaker.fail(now_s)
            case _:
                self._breaker.succeed()
        self._count(_outcome(error))
        if self._breaker.is_open:
            _log.warning("provider_failing", provider=self.name, rests_s=round(self.blocked_s(), 1))

    def _count(self, outcome: str) -> None:
        self._tally.count(outcome, self._clock_s())
        PROVIDER_CALLS.labels(self.name, outcome).inc()
        PROVIDER_OPEN.labels(self.name).set(self._breaker.is_open)


def _places(places: int | Mapping[Lane, int]) -> dict[Lane, asyncio.Semaphore]:
    if isinstance(places, int):
        return dict.fromkeys(Lane, asyncio.Semaphore(places))
    return {lane: asyncio.Semaphore(places[lane]) for lane in Lane}


def _outcome(error: DeliveryError) -> str:
    match error:
        case PermanentDeliveryError():
            return "impossible"
        case UnknownDeliveryError():
            return "unknown"
        case _:
            return "refused"


class Health(msgspec.Struct, frozen=True):
    """How a provider is doing. `rests_s`: for how long it will not be asked; `calls` of the last minute, by outcome."""

    name: str
    failing: bool
    rests_s: float
    calls: Mapping[str, int] = {}
    under_way: int = 0
    per_second: float = 0.0
    """Its pace at most, 0: no bound."""


class Providers(Generic[_Message]):
    """The providers of one channel."""

    def __init__(self, lines: Sequence[Line[_Message]]) -> None:
        """Take them in order of preference, one at least."""
        if not lines:
            raise ValueError("a channel needs a provider")
        self._lines = tuple(lines)

    @property
    def health(self) -> tuple[Health, ...]:
        """How each is doing."""
        return tuple(line.health for line in self._lines)

    async def send(self, message: _Message, *, lane: Lane, committing: Committing) -> str:
        """Hand the message to the first provider that takes it; return `<provider>:<its id or word>`.

        Raises:
            TransientDeliveryError: nobody has taken it; `retry_after_s` is when the first can be asked again.
            PermanentDeliveryError: nobody ever will.
            UnknownDeliveryError: one may have; the others have not been asked.
        """
        refusals: list[TransientDeliveryError] = []
        for line in self._lines:
            if blocked_s := line.blocked_s():
                refusals.append(_rests(line.name, blocked_s))
                continue
            try:
                return f"{line.name}:{await line.send(message, lane=lane, committing=committing)}"
            except TransientDeliveryError as error:
                refusals.append(error)
                if not error.provider_down and error.retry_after_s is None:
                    break  # It is about this message: the next provider would only say so, too.
        raise _all_refused(refusals)


def _rests(name: str, blocked_s: float) -> TransientDeliveryError:
    return TransientDeliveryError(f"{name} is left alone for now", retry_after_s=blocked_s, provider_down=True)


def _all_refused(refusals: Sequence[TransientDeliveryError]) -> TransientDeliveryError:
    waits = [refusal.retry_after_s for refusal in refusals if refusal.retry_after_s is not None]
    known = len(waits) == len(refusals)
    return TransientDeliveryError(
        "; ".join(str(refusal) for refusal in refusals),
        retry_after_s=min(waits) if known else None,
        provider_down=all(refusal.provider_down for refusal in refusals),
    )

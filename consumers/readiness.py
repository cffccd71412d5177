"""Whether a consumer is connected, for the readiness check and for the log: one line per change, never one per try."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hub.observe import logger


class State(StrEnum):
    """How a consumer is doing."""

    CONNECTING = "connecting"
    """Not connected, or never has been."""
    CONNECTED = "connected"
    """Reading; whatever there is gets processed."""
    DEGRADED = "degraded"
    """Connected to some degree, but something that it needs is missing: `reason` says what."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Condition:
    """A state and why; `reason` is empty where there is nothing to explain."""

    state: State
    reason: str = ""


class Readiness:
    """Keeps the condition of one consumer. Several troubles may hold at once; each is named by who reports it."""

    def __init__(self, source: str) -> None:
        self._log = logger(f"consumers.{source}")
        self._source = source
        self._state = State.CONNECTING
        self._troubles: dict[str, str] = {}

    @property
    def condition(self) -> Condition:
        """The condition now."""
        if self._state is State.CONNECTED and self._troubles:
            return Condition(State.DEGRADED, "; ".join(self._troubles.values()))
        return Condition(self._state, "; ".join(self._troubles.values()))

    @property
    def ready(self) -> bool:
        """Whether events are read and processed right now."""
        return self.condition.state is State.CONNECTED

    def enter(self, state: State) -> None:
        """Go to CONNECTING, CONNECTED or STOPPED."""
        if state is not self._state:
            self._state = state
            self._log.info("consumer_state", source=self._source, state=state.value)

    def trouble(self, what: str, reason: str) -> None:
        """Note that `what` (a short constant name) is in trouble. Logged when it begins or its reason changes."""
        if self._troubles.get(what) != reason:
            self._troubles[what] = reason
            self._log.warning("consumer_trouble", source=self._source, what=what, reason=reason)

    def fine(self, what: str) -> None:
        """Note that `what` is in trouble no more."""
        if self._troubles.pop(what, None) is not None:
            self._log.info("consumer_recovered", source=self._source, what=what)

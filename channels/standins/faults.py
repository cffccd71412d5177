"""The faults that a stand-in was told of, in the order in which they strike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Struck(Protocol):
    """Something that goes wrong a number of times; None: always."""

    @property
    def times(self) -> int | None:
        """How often."""
        ...


F = TypeVar("F", bound=Struck)


class Faults(Generic[F]):
    """The faults to come, in the order they were added."""

    def __init__(self) -> None:
        self._left: list[tuple[F, int | None]] = []

    @property
    def over(self) -> bool:
        """Whether nothing more will go wrong."""
        return not self._left

    def add(self, fault: F) -> None:
        """Let a fault strike from now on."""
        self._left.append((fault, fault.times))

    def clear(self) -> None:
        """Let everything go right again."""
        self._left.clear()

    def first(self, meets: Callable[[F], bool]) -> F | None:
        """Return the first fault that meets the moment, None where all is well, and count it."""
        for index, (fault, left) in enumerate(self._left):
            if meets(fault):
                if left is not None:
                    self._left[index : index + 1] = [(fault, left - 1)] if left > 1 else []
                return fault
        return None

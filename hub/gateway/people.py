"""The connections of a worker by the person they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from hub.domain.ids import UserId

if TYPE_CHECKING:
    from hub.gateway.connection import Connection

_Held: TypeAlias = "Connection | set[Connection]"


class People:
    """Who is connected. Nearly everybody has one connection, which is held without a set around it."""

    __slots__ = ("_by_user",)

    def __init__(self) -> None:
        self._by_user: dict[UserId, _Held] = {}

    def __len__(self) -> int:
        return len(self._by_user)

    def add(self, user: UserId, connection: Connection) -> None:
        """Note a connection of somebody."""
        held = self._by_user.get(user)
        if held is None:
            self._by_user[user] = connection
        elif isinstance(held, set):
            held.add(connection)
        elif held is not connection:
            self._by_user[user] = {held, connection}

    def discard(self, user: UserId, connection: Connection) -> None:
        """Forget a connection of somebody, if it is known."""
        held = self._by_user.get(user)
        if held is connection:
            del self._by_user[user]
        elif isinstance(held, set):
            held.discard(connection)
            if len(held) == 1:
                self._by_user[user] = held.pop()

    def count(self, user: UserId) -> int:
        """Return how many connections somebody has."""
        held = self._by_user.get(user)
        return len(held) if isinstance(held, set) else int(held is not None)

    def of(self, user: UserId) -> list[Connection]:
        """Return somebody's connections at this moment."""
        held = self._by_user.get(user)
        if held is None:
            return []
        return [*held] if isinstance(held, set) else [held]

"""What a client reads of the Centrifuge client protocol (JSON, version 2); everything else is skipped undecoded."""

from __future__ import annotations

from typing import Any

import msgspec


class Pub(msgspec.Struct):
    """A publication. `offset` is 0 where the topic keeps no history."""

    data: msgspec.Raw
    offset: int = 0


class Sub(msgspec.Struct):
    """A subscription's state in a connect or subscribe reply."""

    epoch: str = ""
    offset: int = 0
    recoverable: bool = False
    recovered: bool = False
    was_recovering: bool = False
    publications: list[Pub] = []


class Connect(msgspec.Struct):
    """The answer to `connect`, with the subscriptions that the server made."""

    subs: dict[str, Sub] = {}


class Error(msgspec.Struct):
    """Why a command was refused."""

    code: int
    message: str = ""
    temporary: bool = False


class Push(msgspec.Struct):
    """What the server says by itself."""

    channel: str = ""
    pub: Pub | None = None
    unsubscribe: Any = None
    disconnect: Any = None


class Reply(msgspec.Struct):
    """A reply, or a push, which has no id."""

    id: int = 0
    error: Error | None = None
    connect: Connect | None = None
    subscribe: Sub | None = None
    push: Push | None = None


decode = msgspec.json.Decoder(Reply).decode

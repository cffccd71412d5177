"""The log of directives: every worker hears them at once by pub/sub, and reads what it missed from the stream.

It is a topic like any other, in a namespace of its own that no client can name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from hub.domain.decisions import Publication
from hub.domain.directives import LOG, Directive
from hub.domain.ids import EffectId
from hub.domain.topics import Namespace, Namespaces, Position
from hub.store.keys import Keys
from hub.store.scripts import Scripts
from hub.store.server import Server
from hub.store.topics import Page, Topics

_SIZE = 10_000
_TTL_S = 86_400
_DEDUPE_S = 600
"""For a directive that is sent again because its reply was lost, or its sender asked twice."""
_NAMESPACE = Namespace(LOG, history_size=_SIZE, history_ttl_s=_TTL_S)

_decoder: msgspec.json.Decoder[Directive] = msgspec.json.Decoder(Directive)


class Unreadable(msgspec.Struct, frozen=True):
    """A directive that this version does not know: a newer one is being rolled out beside it."""

    problem: str


Heard: TypeAlias = Directive | Unreadable


class Directives:
    """Tells all workers what to do. Every method raises StoreUnavailable."""

    def __init__(self, server: Server, scripts: Scripts, keys: Keys) -> None:
        self._topics = Topics(server, scripts, keys, Namespaces((_NAMESPACE,)), dedupe_window_s=_DEDUPE_S)
        self.channel = keys.topic_channel(LOG)
        """The pub/sub channel, with messages as `Topics` publishes them."""

    async def tell(self, directives: Iterable[tuple[EffectId, Directive]], *, now_ms: int) -> None:
        """Write directives to the log, in order; each once for its id. All workers that are connected hear them now."""
        await self._topics.publish_many(
            [
                Publication(LOG, effect, msgspec.json.encode(directive), origin_ms=now_ms)
                for effect, directive in directives
            ]
        )

    async def end(self) -> Position:
        """Return where the log ends."""
        (position,) = await self._topics.positions([LOG])
        return position

    async def since(self, offset: int, *, limit: int) -> Page:
        """Return what was written after `offset`; `complete` is False where a part of that is no longer kept."""
        return await self._topics.read_since(LOG, offset, limit=limit)


def read(data: bytes) -> Heard:
    """Return the directive of a log entry."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        return Unreadable(str(error))

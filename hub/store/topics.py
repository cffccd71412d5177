"""Topics: publish once, recover from the stream.

A topic is a stream of publications with gapless offsets within an epoch, and a pub/sub channel that carries the same
publications in the same order, each as `<epoch>:<offset>:<origin_ms>:<data>`; one of a client's says who that is, as
`<epoch>:<offset>:<origin_ms>+<length of info>:<info><data>`. A topic without history has offset 0 and an empty epoch
throughout.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from hub.domain.decisions import Publication
from hub.domain.errors import InputError
from hub.domain.ids import Epoch, Topic
from hub.domain.topics import Namespace, Namespaces, Position, TopicKind
from hub.store.connection import read_pipelined
from hub.store.keys import Keys
from hub.store.scripts import Call, Run, Scripts, load_script
from hub.store.server import Server

_PUBLISH = load_script("topic_publish")
_PUBLISH_LATEST = load_script("topic_publish_latest")
_READ = load_script("topic_read")
_POSITION = load_script("topic_position")
_ROTATE = load_script("topic_rotate")

_META_OUTLIVES_S = 86_400
_RANK_LIMIT = 2**62
_UNRECOVERABLE = Position(Epoch(""), 0)


class Published(msgspec.Struct, frozen=True):
    """It went out, at this place of the topic."""

    offset: int
    epoch: Epoch


class Duplicate(msgspec.Struct, frozen=True):
    """Its id had been published before: nothing happened. `first` is where it stands, None where that is not known."""

    first: Published | None = None


class StaleRank(msgspec.Struct, frozen=True):
    """The latest topic holds a value of a higher rank: nothing happened."""


PublishResult: TypeAlias = Published | Duplicate | StaleRank


class Stored(msgspec.Struct, frozen=True):
    """A publication as it stands in the stream. `info` is what is seen of the client that published it, else empty."""

    offset: int
    data: bytes
    info: bytes = b""


class Page(msgspec.Struct, frozen=True):
    """A part of a topic's stream.

    `position` is the topic's end when it was read. `complete` is False where publications next to the place asked for
    are missing: trimmed, expired, of another epoch, or where that place lies beyond the end.
    """

    position: Position
    publications: tuple[Stored, ...]
    complete: bool


class Topics:
    """The topics of one installation. Every method raises StoreUnavailable, and InputError for an unknown namespace."""

    def __init__(
        self, server: Server, scripts: Scripts, keys: Keys, namespaces: Namespaces, *, dedupe_window_s: int
    ) -> None:
        """Take `dedupe_window_s`: for how long an effect's id keeps it from being published again."""
        self._server = server
        self._scripts = scripts
        self._keys = keys
        self._namespaces = namespaces
        self._dedupe_window_s = dedupe_window_s

    def options(self, topic: Topic) -> Namespace:
        """Return the options of a topic; raise InputError where nobody has defined its namespace."""
        namespace = self._namespaces.of(topic)
        if namespace is None:
            raise InputError("topic", f"no namespace is defined for {topic!r}")
        return namespace

    async def publish_many(self, publications: Sequence[Publication]) -> list[PublishResult]:
        """Publish in order, in one round trip; each at most once for its id within the dedupe window.

        A publication is in the stream and on the channel together or not at all. On a latest topic the one with the
        greatest (rank, id) wins, whatever the order. After StoreUnavailable any of them may have gone out: publish all
        of them again.
        """
        return self.published(await self._scripts.run_mixed(self.publishing(publications)))

    def publishing(self, publications: Sequence[Publication]) -> list[Run]:
        """Return the script runs of `publish_many`, for those who have others to send along."""
        epoch = new_epoch()
        return [self._publication(publication, epoch) for publication in publications]

    @staticmethod
    def published(replies: Sequence[Any]) -> list[PublishResult]:
        """Return what the replies to `publishing` mean."""
        return [_published(reply) for reply in replies]

    def _publication(self, publication: Publication, epoch: Epoch) -> Run:
        topic, keys = publication.topic, self._keys
        options = self.options(topic)
        window_s = self._dedupe_window_s if publication.dedupe_s is None else publication.dedupe_s
        noted = 0 if publication.dedupe_s is None else 1
        place = keys.topic_place(topic)
        content = (
            publication.data,
            publication.origin_ms,
            _history_size(options) if publication.kept else 0,
            options.history_ttl_s,
            meta_ttl_s(options, self._dedupe_window_s),
            epoch,
        )
        if options.kind is TopicKind.LATEST and publication.rank is not None:
            return _PUBLISH_LATEST, Call(place, (*content, sortable(publication.rank), publication.id))
        return _PUBLISH, Call(
            (*place, keys.topic_seen(topic, publication.id)), (*content, window_s, noted, publication.info)
        )

    async def positions(self, topics: Sequence[Topic]) -> list[Position]:
        """Return the end of each topic, in one round trip; in a second one, topics without an epoch get theirs."""
        recoverable = [topic for topic in topics if self.options(topic).recoverable]
        reads = [("HMGET", self._keys.topic_meta(topic), "epoch", "offset") for topic in recoverable]
        replies = await read_pipelined(self._server, reads, what="topic positions") if reads else []
        found = {topic: _position(*reply) for topic, reply in zip(recoverable, replies, strict=True) if reply[0]}
        new = [topic for topic in dict.fromkeys(recoverable) if topic not in found]
        calls = [Call((self._keys.topic_meta(topic),), self._lifetime(topic)) for topic in new]
        for topic, reply in zip(new, await self._scripts.run_many(_POSITION, calls), strict=True):
            found[topic] = _position(*reply)
        return [found.get(topic, _UNRECOVERABLE) for topic in topics]

    async def read_since(self, topic: Topic, offset: int, *, limit: int) -> Page:
        """Return the publications after `offset`, oldest first, `limit` at most (more may follow)."""
        if not self.options(topic).recoverable:
            return Page(_UNRECOVERABLE, (), complete=False)
        page = await self._read(topic, beyond=offset, limit=limit, reverse=False)
        return msgspec.structs.replace(page, complete=_joins(page, offset))

    async def history(self, topic: Topic, *, since: Position | None, limit: int, reverse: bool) -> Page:
        """Return up to `limit` publications: after `since` or from the oldest; in `reverse`, before it or from the end.

        `limit` 0 asks for the position only. `complete` is False where `since` is of another epoch, or what lies next
        to it is no longer there.
        """
        if not self.options(topic).recoverable:
            return Page(_UNRECOVERABLE, (), complete=since is None)
        page = await self._read(topic, beyond=since.offset if since else None, limit=limit, reverse=reverse)
        if since is None:
            return page
        same_epoch = since.epoch == page.position.epoch
        complete = same_epoch and (limit == 0 or _joins(page, since.offset, reverse=reverse))
        return msgspec.structs.replace(page, complete=complete)

    async def forget(self, topic: Topic) -> None:
        """Delete a topic's stream. Its offsets go on: who is behind learns that it missed something.

        Of a latest topic the rank stays: a value below it is stale still.
        """
        self.options(topic)
        await read_pipelined(self._server, [("UNLINK", self._keys.topic_stream(topic))], what="topic forget")

    async def rotate_epoch(self, topic: Topic, old: Epoch) -> Position:
        """End the epoch `old` after Redis was rolled back, so that readers from before start over; return the new end.

        Does nothing where the epoch is another one already.
        """
        call = Call((self._keys.topic_meta(topic),), (*self._lifetime(topic), old))
        return _position(*await self._scripts.run(_ROTATE, call))

    async def _read(self, topic: Topic, *, beyond: int | None, limit: int, reverse: bool) -> Page:
        keys = (self._keys.topic_meta(topic), self._keys.topic_stream(topic))
        direction = "down" if reverse else "up"
        args = (*self._lifetime(topic), direction, "" if beyond is None else max(beyond, 0), max(limit, 0))
        epoch, offset, entries = await self._scripts.run(_READ, Call(keys, args))
        return Page(_position(epoch, offset), tuple(_stored(entry) for entry in entries), complete=True)

    def _lifetime(self, topic: Topic) -> tuple[int, Epoch]:
        return meta_ttl_s(self.options(topic), self._dedupe_window_s), new_epoch()


def new_epoch() -> Epoch:
    """Return a name that no epoch has had before. It only counts where a topic has none yet."""
    return Epoch(secrets.token_urlsafe(6))


def meta_ttl_s(namespace: Namespace, dedupe_window_s: int) -> int:
    """Return for how long a topic keeps its epoch, offset and rank after its last publication, in seconds.

    Longer than its stream, so that an expired stream keeps its place, and than the window in which events are repeated.
    """
    return max(namespace.history_ttl_s, dedupe_window_s) + _META_OUTLIVES_S


def _history_size(options: Namespace) -> int:
    return min(options.history_size, 1) if options.kind is TopicKind.LATEST else options.history_size


def sortable(rank: int) -> str:
    """Return a rank as digits that compare as strings do. Ranks beyond 62 bits are taken as the nearest within."""
    return f"{min(max(rank, -_RANK_LIMIT), _RANK_LIMIT) + _RANK_LIMIT:019d}"


def _published(reply: Any) -> PublishResult:
    if isinstance(reply, list):
        return Published(reply[0], Epoch(reply[1].decode()))
    if isinstance(reply, bytes):
        offset, _, epoch = reply.partition(b":")
        return Duplicate(Published(int(offset), Epoch(epoch.decode())) if offset else None)
    return Duplicate() if reply == 0 else StaleRank()


def _position(epoch: bytes, offset: bytes | int | None) -> Position:
    return Position(Epoch(epoch.decode()), int(offset or 0))


def _stored(entry: Any) -> Stored:
    entry_id, fields = entry
    return Stored(int(entry_id.partition(b"-")[0]), fields[1], fields[3] if len(fields) > 2 else b"")  # noqa: PLR2004


def _joins(page: Page, offset: int, *, reverse: bool = False) -> bool:
    """Say whether a page begins right next to `offset`, or there is nothing to have on that side."""
    end = page.position.offset
    if offset > end:
        return False
    if page.publications:
        return page.publications[0].offset == (offset - 1 if reverse else offset + 1)
    return offset <= 1 if reverse else offset == end

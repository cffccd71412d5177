"""`topics.publish` and `topics.broadcast`: a service publishes data of its own on topics of its own.

The requests and answers have the shape of Centrifugo's server API, so that a backend can move here with its client.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Protocol, assert_never

import msgspec
from msgspec import Meta

from hub.domain import strict_json
from hub.domain.decisions import Publication
from hub.domain.errors import DoorbellError, InputError, TooLarge
from hub.domain.ids import EffectId, Topic, effect_id, event_key
from hub.domain.topics import MAX_TOPIC_LENGTH, TopicKind, namespace_of
from hub.observe import PUBLISHED
from hub.service.failures import failure_of
from hub.service.operations import KIB, SERVICES, AnyOperation, Call, Http, Operation, Repeat
from hub.service.rate import Rate
from hub.service.topics.service_topics import ServiceTopics
from hub.store.topics import Duplicate, Published, PublishResult, StaleRank

MAX_DATA_BYTES = 64 * KIB
MAX_BODY_BYTES = 384 * KIB
"""Of a broadcast: the data, and a thousand names."""
MAX_TOPICS = 1_000
MAX_KEY_LENGTH = 128
KEY_LASTS_S = 86_400
"""For how long an `idempotency_key` keeps a publication from going out again."""
_NO_KEY_LASTS_S = 60
"""Without a key only the store itself asks again, when its connection is lost under way."""
_MAX_VERSION = 2**62 - 1
_RULE = "api"

ChannelName = Annotated[str, Meta(min_length=1, max_length=MAX_TOPIC_LENGTH)]
Key = Annotated[str, Meta(min_length=1, max_length=MAX_KEY_LENGTH)]
Version = Annotated[int, Meta(ge=1, le=_MAX_VERSION)]


class Topics(Protocol):
    """The streams (hub.store.topics)."""

    def options(self, topic: Topic, /) -> Any:
        """Return the topic's namespace."""
        ...

    async def publish_many(self, publications: Sequence[Publication], /) -> Sequence[PublishResult]:
        """Publish in order, in one round trip. Raises StoreUnavailable."""
        ...


class PublishStatus(StrEnum):
    """What became of a publication."""

    PUBLISHED = "published"
    DUPLICATE = "duplicate"
    """The same `idempotency_key` was published before; `offset` and `epoch` are those of then."""
    OUTRANKED = "outranked"
    """The latest topic has a value of the same or a higher `version`."""


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to publish."""

    data: msgspec.Raw
    """Any JSON value."""
    idempotency_key: Key | None = None
    """Publishing with the same key on the same topic within a day publishes once."""
    skip_history: bool = False
    """Tell only those who are connected now: keep nothing, and give no offset."""
    version: Version | None = None
    """Of a latest topic: a value is dropped unless its version is above the one there."""


class Publish(_Content, frozen=True, kw_only=True):
    """What to publish where."""

    channel: ChannelName


class Broadcast(_Content, frozen=True, kw_only=True):
    """What to publish on several topics."""

    channels: Annotated[tuple[ChannelName, ...], Meta(min_length=1, max_length=MAX_TOPICS)]


class PublishedAt(msgspec.Struct, frozen=True):
    """Where it stands. `offset` is 0 and `epoch` empty where the topic keeps no history, or nothing was published."""

    offset: int
    epoch: str
    status: PublishStatus


class TopicError(msgspec.Struct, frozen=True):
    """Why nothing was published on one of the topics; `code` as in the table of errors."""

    code: int
    message: str


class BroadcastPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one topic: a `result`, or an `error`."""

    result: PublishedAt | None = None
    error: TopicError | None = None


class BroadcastResult(msgspec.Struct, frozen=True):
    """One part for each topic, in the order of the request."""

    responses: tuple[BroadcastPart, ...]


class Publishing:
    """Publishes for services."""

    def __init__(self, topics: Topics, access: ServiceTopics) -> None:
        self._topics = topics
        self._access = access

    async def publish(self, call: Call, request: Publish) -> PublishedAt:
        """Publish on one topic. Raises InputError, TooLarge, OperationFailed (FORBIDDEN), StoreUnavailable."""
        data = _checked(request.data)
        topic = self._checked_topic(request, request.channel, field="channel")
        (result,) = await self._publish(call, request, [topic], data)
        return result

    async def broadcast(self, call: Call, request: Broadcast) -> BroadcastResult:
        """Publish the same on several topics, each for itself: a name that is not good keeps no other from it.

        Raises InputError, TooLarge, StoreUnavailable: then it may have gone out on any of them.
        """
        data = _checked(request.data)
        found = [self._topic_or_error(request, n) for n in range(len(request.channels))]
        topics = [each for each in found if isinstance(each, str)]
        results = iter(await self._publish(call, request, topics, data))
        return BroadcastResult(
            tuple(
                BroadcastPart(error=each) if isinstance(each, TopicError) else BroadcastPart(next(results))
                for each in found
            )
        )

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what services can ask for here."""
        publish: Operation[Publish, PublishedAt] = Operation(
            name="topics.publish",
            summary="Publish data of your own on a topic of your own namespaces, or on `announcements`.",
            request=Publish,
            response=PublishedAt,
            roles=SERVICES,
            http=Http("POST", "/v1/topics/publish"),
            handler=self.publish,
            rate=Rate(count=20_000, window_s=10.0),
            repeat=Repeat.KEYED,
            max_body_bytes=MAX_DATA_BYTES + 4 * KIB,
        )
        broadcast: Operation[Broadcast, BroadcastResult] = Operation(
            name="topics.broadcast",
            summary="Publish the same data on up to 1,000 topics. Each gets a result of its own.",
            request=Broadcast,
            response=BroadcastResult,
            roles=SERVICES,
            http=Http("POST", "/v1/topics/broadcast"),
            handler=self.broadcast,
            rate=Rate(count=1_000, window_s=10.0),
            repeat=Repeat.KEYED,
            max_body_bytes=MAX_BODY_BYTES,
        )
        return (publish, broadcast)

    def _topic_or_error(self, request: Broadcast, place: int) -> Topic | TopicError:
        try:
            return self._checked_topic(request, request.channels[place], field=f"channels[{place}]")
        except DoorbellError as error:
            failed = failure_of(error)
            return TopicError(failed.facts.code, failed.detail)

    def _checked_topic(self, request: _Content, name: str, *, field: str) -> Topic:
        topic = self._access.publishable(name, field=field)
        if request.version is not None and self._topics.options(topic).kind is not TopicKind.LATEST:
            raise InputError(
                "version", f"{namespace_of(topic)} is not a latest namespace: its order is that of arrival"
            )
        return topic

    async def _publish(self, call: Call, request: _Content, topics: Sequence[Topic], data: bytes) -> list[PublishedAt]:
        key = request.idempotency_key or call.idempotency_key
        own = key or secrets.token_hex(16)
        publications = [
            Publication(
                topic,
                _effect(call, own, topic),
                data,
                rank=request.version,
                origin_ms=call.now_ms,
                kept=not request.skip_history,
                dedupe_s=KEY_LASTS_S if key else _NO_KEY_LASTS_S,
            )
            for topic in topics
        ]
        results = await self._topics.publish_many(publications)
        told = [_told(result, keyed=key is not None) for result in results]
        for topic, at in zip(topics, told, strict=True):
            PUBLISHED.labels(namespace_of(topic), at.status.value).inc()
        return told


def _effect(call: Call, key: str, topic: Topic) -> EffectId:
    return effect_id(event_key(f"doorbell:topics.publish:{call.who.user}", key), topic, _RULE)


def _told(result: PublishResult, *, keyed: bool) -> PublishedAt:
    match result:
        case Published(offset, epoch):
            return PublishedAt(offset, epoch, PublishStatus.PUBLISHED)
        case Duplicate(first):
            # Without a key only this very publication can have been there: its reply was lost on the way.
            status = PublishStatus.DUPLICATE if keyed else PublishStatus.PUBLISHED
            return PublishedAt(0, "", status) if first is None else PublishedAt(first.offset, first.epoch, status)
        case StaleRank():
            return PublishedAt(0, "", PublishStatus.OUTRANKED)
        case _:
            assert_never(result)


def _checked(data: msgspec.Raw) -> bytes:
    """Return data that all readers read alike; the request's decoder only looks where it ends."""
    body = bytes(data)
    try:
        strict_json.check(body, max_bytes=MAX_DATA_BYTES)
    except TooLarge as error:
        raise TooLarge("data", error.problem) from None
    except InputError as error:
        place = "data" if error.field == strict_json.WHOLE else f"data: {error.field}"
        raise InputError(place, error.problem) from None
    return body

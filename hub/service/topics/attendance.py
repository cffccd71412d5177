"""`topics.presence` and `topics.presence_stats`: a service asks who is subscribed to a topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from hub.domain.ids import Topic
from hub.domain.topics import MAX_TOPIC_LENGTH
from hub.service.operations import SERVICES, AnyOperation, Call, Http, Operation, Repeat
from hub.service.rate import Rate
from hub.service.topics.service_topics import ServiceTopics
from hub.store.presence import PresenceStats

_RATE = Rate(count=2_000, window_s=10.0)
ChannelName = Annotated[str, Meta(min_length=1, max_length=MAX_TOPIC_LENGTH)]


class Members(Protocol):
    """The presence of all topics (hub.store.presence). Every method raises StoreUnavailable."""

    async def members(self, topic: Topic, /) -> Mapping[str, bytes]:
        """Return what is seen of each client that is there, as JSON by client."""
        ...

    async def stats(self, topic: Topic, /) -> PresenceStats:
        """Count who is there."""
        ...


class AskPresence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which topic."""

    channel: ChannelName


class ClientSeen(msgspec.Struct, frozen=True, omit_defaults=True):
    """What others see of a client; the infos are what its tokens say about it. An anonymous one has no `user`."""

    client: str
    user: str = ""
    conn_info: Any = None
    chan_info: Any = None


class PresentClients(msgspec.Struct, frozen=True):
    """Who is subscribed, by client, 5,000 at most. A client whose worker died is there for up to a minute longer."""

    presence: dict[str, ClientSeen]


class PresentCount(msgspec.Struct, frozen=True):
    """How many clients are subscribed, and how many people that is."""

    num_clients: int
    num_users: int


class Attendances:
    """Tells services who is subscribed."""

    def __init__(self, members: Members, access: ServiceTopics) -> None:
        self._members = members
        self._access = access

    async def presence(self, _: Call, request: AskPresence) -> PresentClients:
        """Return who is there. Raises InputError, OperationFailed (FORBIDDEN), StoreUnavailable."""
        topic = self._access.attended(request.channel, field="channel")
        found = await self._members.members(topic)
        return PresentClients({client: msgspec.json.decode(info, type=ClientSeen) for client, info in found.items()})

    async def stats(self, _: Call, request: AskPresence) -> PresentCount:
        """Count who is there. Raises InputError, OperationFailed (FORBIDDEN), StoreUnavailable."""
        stats = await self._members.stats(self._access.attended(request.channel, field="channel"))
        return PresentCount(stats.clients, stats.users)

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what services can ask for here."""
        presence: Operation[AskPresence, PresentClients] = Operation(
            name="topics.presence",
            summary="Show which clients are subscribed to a topic.",
            request=AskPresence,
            response=PresentClients,
            roles=SERVICES,
            http=Http("POST", "/v1/topics/presence"),
            handler=self.presence,
            rate=_RATE,
            repeat=Repeat.READS,
        )
        stats: Operation[AskPresence, PresentCount] = Operation(
            name="topics.presence_stats",
            summary="Count the clients and the people that are subscribed to a topic.",
            request=AskPresence,
            response=PresentCount,
            roles=SERVICES,
            http=Http("POST", "/v1/topics/presence_stats"),
            handler=self.stats,
            rate=_RATE,
            repeat=Repeat.READS,
        )
        return (presence, stats)

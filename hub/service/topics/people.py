"""`users.subscribe`, `unsubscribe`, `disconnect` and `refresh`: what a service does with a person's connections.

They concern the connections that are open now, on whichever worker. The answer comes when it is written for all workers
to hear: those that are connected carry it out at once, one that was cut off when it comes back.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from hub.domain.directives import Directive, DisconnectUser, RefreshUser, SubscribeUser, UnsubscribeUser, Whose
from hub.domain.errors import InputError
from hub.domain.ids import EffectId, Epoch, UserId, effect_id, event_key
from hub.domain.topics import MAX_TOPIC_LENGTH, Position
from hub.observe import logger
from hub.service.operations import SERVICES, AnyOperation, Call, Handler, Http, Operation, Repeat
from hub.service.rate import Rate
from hub.service.topics.histories import Nothing, StreamPosition
from hub.service.topics.service_topics import ServiceTopics

_log = logger(__name__)
FORCED_AWAY = 3503
"""What a disconnect says by default: the app stays away until its person connects again."""
_RECONNECT = 3005
_RATE = Rate(count=1_000, window_s=10.0)

User = Annotated[str, Meta(pattern=r"^[^\s\x00-\x1f\x7f{}]{1,128}\Z")]
Client = Annotated[str, Meta(min_length=1, max_length=64)]
ChannelName = Annotated[str, Meta(min_length=1, max_length=MAX_TOPIC_LENGTH)]


class Log(Protocol):
    """The log of directives (hub.store.directives)."""

    async def tell(self, directives: Iterable[tuple[EffectId, Directive]], /, *, now_ms: int) -> None:
        """Write directives for all workers to hear. Raises StoreUnavailable."""
        ...


class _WithPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose connections; `client` narrows that to the one whose id the app was told when it connected."""

    user: User
    client: Client | None = None


class SubscribeRequest(_WithPerson, frozen=True, kw_only=True):
    """What to subscribe the person's connections to."""

    channel: ChannelName
    recover_since: StreamPosition | None = None
    """Begin right after this place, if it is still known; without it, at the present."""


class UnsubscribeRequest(_WithPerson, frozen=True, kw_only=True):
    """What to unsubscribe the person's connections from."""

    channel: ChannelName


class CloseCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the app is told. With 3500-3999 and 4500-4999 it stays away, with all others it comes back."""

    code: Annotated[int, Meta(ge=3000, le=4999)] = FORCED_AWAY
    reason: Annotated[str, Meta(max_length=32)] = "force disconnect"


class DisconnectRequest(_WithPerson, frozen=True, kw_only=True):
    """Whom to disconnect, and what to tell the app."""

    disconnect: CloseCode = CloseCode()
    whitelist: Annotated[tuple[Client, ...], Meta(max_length=100)] = ()
    """Clients that stay."""


class RefreshRequest(_WithPerson, frozen=True, kw_only=True):
    """When the person's connections end: at `expire_at` (Unix time in s), at once if `expired`, else never."""

    expired: bool = False
    expire_at: Annotated[int, Meta(ge=0, le=2**40)] | None = None


class PeoplesConnections:
    """Tells the workers what services want done."""

    def __init__(self, log: Log, access: ServiceTopics) -> None:
        self._directives = log
        self._access = access

    async def subscribe(self, call: Call, request: SubscribeRequest) -> Nothing:
        """Subscribe a person's connections. Raises InputError, OperationFailed (FORBIDDEN), StoreUnavailable."""
        topic = self._access.grantable(request.channel, field="channel")
        since = request.recover_since
        place = None if since is None else Position(Epoch(since.epoch), since.offset)
        return await self._tell(call, SubscribeUser(_whose(request), topic, place))

    async def unsubscribe(self, call: Call, request: UnsubscribeRequest) -> Nothing:
        """End a person's subscriptions to a topic. Raises InputError, StoreUnavailable."""
        topic = self._access.known(request.channel, field="channel")
        return await self._tell(call, UnsubscribeUser(_whose(request), topic))

    async def disconnect(self, call: Call, request: DisconnectRequest) -> Nothing:
        """Close a person's connections. Raises InputError, StoreUnavailable."""
        if request.client is not None and request.whitelist:
            raise InputError("whitelist", "spares some of a person's clients; with one client there is none to spare")
        told = request.disconnect
        directive = DisconnectUser(_whose(request), told.code, told.reason, tuple(request.whitelist))
        return await self._tell(call, directive)

    async def refresh(self, call: Call, request: RefreshRequest) -> Nothing:
        """Move the end of a person's connections. Raises InputError, StoreUnavailable."""
        if request.expired and request.expire_at is not None:
            raise InputError("expire_at", "says when connections end; with expired they end at once")
        if request.expired:
            return await self._tell(call, DisconnectUser(_whose(request), _RECONNECT, "expired"))
        return await self._tell(call, RefreshUser(_whose(request), request.expire_at))

    async def _tell(self, call: Call, directive: Directive) -> Nothing:
        # The id keeps a repeat of the same request, and of its writing, from being carried out again.
        key = call.idempotency_key or secrets.token_hex(16)
        kind = type(directive).__name__
        effect = effect_id(event_key(f"doorbell:{kind}:{call.who.user}", key), directive.whose.user, kind)
        await self._directives.tell([(effect, directive)], now_ms=call.now_ms)
        _log.info("directive_written", by=call.who.user, user=directive.whose.user, directive=kind)
        return Nothing()

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what services can ask for here."""
        return (
            _operation(
                "subscribe",
                "Subscribe a person's open connections to a topic.",
                SubscribeRequest,
                self.subscribe,
            ),
            _operation(
                "unsubscribe",
                "End a person's subscriptions to a topic.",
                UnsubscribeRequest,
                self.unsubscribe,
            ),
            _operation("disconnect", "Close a person's connections.", DisconnectRequest, self.disconnect),
            _operation("refresh", "Move the time at which a person's connections end.", RefreshRequest, self.refresh),
        )


def _whose(request: _WithPerson) -> Whose:
    return Whose(UserId(request.user), request.client or "")


def _operation(verb: str, summary: str, request: type[msgspec.Struct], handler: Handler[Any, Nothing]) -> AnyOperation:
    return Operation(
        name=f"users.{verb}",
        summary=f"{summary} Answers when it is written for all workers to carry out.",
        request=request,
        response=Nothing,
        roles=SERVICES,
        http=Http("POST", f"/v1/users/{verb}"),
        handler=handler,
        rate=_RATE,
        repeat=Repeat.KEYED,
    )

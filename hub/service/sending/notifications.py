"""`notifications.send`: a service tells one person something that no event stands for."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from hub.domain import strict_json
from hub.domain.channels import BUILT_IN, INBOX, Channel, ChannelName
from hub.domain.digests import MAX_DIGEST_S
from hub.domain.durations import MAX_DURATION_S
from hub.domain.envelope import unix_ms
from hub.domain.errors import InputError
from hub.domain.events import Instant
from hub.domain.ids import NotificationId, RuleName, TemplateName, UserId, effect_id, event_key
from hub.domain.links import leads_to
from hub.domain.notifications import MARKETING, Lane, Notification, Step, Throttle
from hub.domain.playbook import MAX_THROTTLE
from hub.observe import logger
from hub.service.operations import SERVICES, AnyOperation, Call, Http, Operation, Repeat
from hub.service.rate import Rate

_log = logger(__name__)
PLAIN_TEMPLATE = TemplateName("message")
"""Shows `title` and `body` as they are given."""
RULE = RuleName("ad-hoc")
EVENT_TYPE = "notification.sent"
_SOURCE = "doorbell:notifications.send"
MAX_CONTEXT_BYTES = 16_384
MAX_STEPS = 8
MAX_WAIT_S = 7 * 86_400.0
MAX_AHEAD_S = 90 * 86_400
"""How far ahead of its time a notification can be sent."""

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}\Z")]
User = Annotated[str, Meta(pattern=r"^[^\s\x00-\x1f\x7f{}]{1,128}\Z")]

CancelKey = Annotated[str, Meta(min_length=1, max_length=128)]
ThrottleKey = Annotated[str, Meta(min_length=1, max_length=128)]


class Sending(StrEnum):
    """What became of a notification."""

    CREATED = "created"
    """It is in the person's inbox and its ladder is scheduled."""
    DUPLICATE = "duplicate"
    """The same id was sent before."""
    SCHEDULED = "scheduled"
    """It will come to the inbox at its time, and its ladder begins then."""
    DROPPED = "dropped"
    """The person has been erased."""


class Sender(Protocol):
    """Renders notifications, puts them into inboxes and schedules their ladders. Idempotent by notification id."""

    async def notify(self, notifications: Sequence[Notification], /) -> Sequence[Sending]:
        """Return what became of each when all of it is written.

        Raises StoreUnavailable; InputError (field `template` or `context`) where a notification cannot be rendered.
        """
        ...

    async def postpone(self, notifications: Sequence[Notification], /) -> Sequence[Sending]:
        """Have each notified at its `created_ms`; errors as in `notify`."""
        ...


class CancelKeys(Protocol):
    """What services can call off again (hub.store.cancellations). Raises StoreUnavailable."""

    async def generations(self, wanted: Sequence[tuple[Lane, UserId, str]], /) -> list[int]:
        """Return the generation of each (lane, person, cancel key)."""
        ...

    async def cancel(self, user: UserId, key: str, /) -> int:
        """Raise the generation of a key; return how many jobs that called off."""
        ...


class SendStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rung of the ladder: try `channel` if the notification is still unseen `after_s` seconds after the last."""

    channel: ChannelName
    after_s: Annotated[float, Meta(ge=0, le=MAX_WAIT_S)] = 0.0


class SendThrottle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most `count` messages of a `key` reach one person beyond the inbox within any `per_s` seconds.

    Rules of the playbook that throttle under the same key are counted together with it.
    """

    count: Annotated[int, Meta(ge=1, le=MAX_THROTTLE)]
    per_s: Annotated[int, Meta(ge=1, le=MAX_DURATION_S)]
    key: ThrottleKey


class SendNotification(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to tell whom: either a `template` with its `context`, or a `title` and a `body` as they are."""

    user: User
    id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    """Your own id for it: sending the same id again sends nothing more."""
    template: Name | None = None
    context: dict[str, Any] = {}
    title: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    body: Annotated[str, Meta(min_length=1, max_length=2_000)] | None = None
    category: Name = "account"
    lane: Lane | None = None
    """None: `marketing` for categories that are marketing alone, which have no other, `transactional` for others."""
    ladder: Annotated[tuple[SendStep, ...], Meta(max_length=MAX_STEPS)] = ()
    """The channels after the inbox; none: the inbox is all."""
    expires_in_s: Annotated[int, Meta(ge=1, le=90 * 86_400)] | None = None
    collapse_key: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    link: Annotated[str, Meta(pattern=r"^(/(?![/\\])|https://)[^\s\x00-\x1f\x7f]{0,500}\Z")] | None = None
    """A path within the shop, or an https URL on one of `click_hosts`."""
    send_at: Instant | None = None
    """When it comes to the inbox and its ladder begins; now where that has passed."""
    cancel_key: CancelKey | None = None
    """A name under which `notifications.cancel` calls off what has not gone out yet."""
    digest_s: Annotated[int, Meta(ge=1, le=MAX_DIGEST_S)] | None = None
    """For how long a step gathers with others of its category and channel into one message; none: it goes alone."""
    throttle: SendThrottle | None = None
    """How many of its kind reach the person beyond the inbox; not together with `digest_s`."""


class Sent(msgspec.Struct, frozen=True):
    """The notification's id, and what became of it."""

    id: NotificationId
    status: Sending


class CancelNotifications(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose notifications, sent under which key."""

    user: User
    cancel_key: CancelKey


class Cancelled(msgspec.Struct, frozen=True):
    """How many pending steps that has called off."""

    cancelled: int


class Notifications:
    """Sends what services ask for. `templates` says which fields each template they may use must be given."""

    def __init__(
        self,
        sender: Sender,
        *,
        cancel_keys: CancelKeys,
        templates: Mapping[str, frozenset[str]],
        channels: Sequence[Channel] = BUILT_IN,
        link_hosts: Collection[str] = (),
        promotional: Collection[str] = (MARKETING,),
    ) -> None:
        """Take the `channels` that a ladder may name, and the hosts beside the shop's that a link may lead to.

        What is of one of the `promotional` categories goes by the marketing lane alone.
        """
        self._promotional = promotional
        self._link_hosts = link_hosts
        self._sender = sender
        self._cancel_keys = cancel_keys
        self._channels = channels
        self._templates = templates

    async def send(self, call: Call, request: SendNotification) -> Sent:
        """Put one notification into a person's inbox and start its ladder, now or at its time.

        Raises InputError, OperationFailed (FORBIDDEN for another caller's lane), StoreUnavailable.
        """
        template, context = self._content(request)
        lane = lane_for(request.category, request.lane, promotional=self._promotional)
        at_ms = begins_ms(request.send_at, now_ms=call.now_ms)
        notification = Notification(
            id=_id(call, request),
            user=UserId(request.user),
            rule=RULE,
            event_type=EVENT_TYPE,
            category=request.category,
            lane=lane,
            template=template,
            context=context,
            created_ms=at_ms,
            ladder=ladder_of(request.ladder, channels=self._channels),
            expires_ms=None if request.expires_in_s is None else at_ms + request.expires_in_s * 1_000,
            collapse_key=request.collapse_key,
            link=self._link(request.link),
            correlation_id=call.correlation_id,
            cancel_key=request.cancel_key or "",
            generation=await self._generation(request, lane),
            digest_s=_digest_s(request),
            throttle=throttle_of(request.throttle),
        )
        send = self._sender.postpone if at_ms > call.now_ms else self._sender.notify
        (status,) = await send([notification])
        _log.info("notification_sent", by=call.who.user, user=request.user, id=notification.id, status=status.value)
        return Sent(notification.id, status)

    async def _generation(self, request: SendNotification, lane: Lane) -> int:
        if request.cancel_key is None:
            return 0
        wanted = (lane, UserId(request.user), request.cancel_key)
        (generation,) = await self._cancel_keys.generations([wanted])
        return generation

    async def cancel(self, call: Call, request: CancelNotifications) -> Cancelled:
        """Call off what was sent to a person under a key and has not gone out. Raises StoreUnavailable.

        What is in the inbox stays there, and a call of a provider that has begun is not taken back.
        """
        count = await self._cancel_keys.cancel(UserId(request.user), request.cancel_key)
        _log.info("notifications_cancelled", by=call.who.user, user=request.user, jobs=count)
        return Cancelled(count)

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what services can ask for here."""
        send: Operation[SendNotification, Sent] = Operation(
            name="notifications.send",
            summary="Send one person a notification, now or at a time. Answers when it is in the inbox or scheduled.",
            request=SendNotification,
            response=Sent,
            roles=SERVICES,
            http=Http("POST", "/v1/notifications", status=202),
            handler=self.send,
            rate=Rate(count=2_000, window_s=10.0),
            repeat=Repeat.KEYED,
        )
        cancel: Operation[CancelNotifications, Cancelled] = Operation(
            name="notifications.cancel",
            summary="Call off what was sent to a person under a cancel key and has not gone out yet.",
            request=CancelNotifications,
            response=Cancelled,
            roles=SERVICES,
            http=Http("POST", "/v1/notifications/cancel"),
            handler=self.cancel,
            rate=Rate(count=2_000, window_s=10.0),
            repeat=Repeat.KEYED,
        )
        return (send, cancel)

    def _content(self, request: SendNotification) -> tuple[TemplateName, dict[str, Any]]:
        if request.template is None:
            if request.title is None or request.body is None:
                missing = "title" if request.title is None else "body"
                raise InputError(missing, "is missing; give a title and a body, or a template")
            if request.context:
                raise InputError("context", "belongs to a template; give a template, or leave it out")
            return PLAIN_TEMPLATE, {"title": request.title, "body": request.body}
        if request.title is not None or request.body is not None:
            field = "title" if request.title is not None else "body"
            raise InputError(field, "cannot be given together with a template")
        needed = needed_by(request.template, self._templates)
        check_context(request.context, needed=needed, template=request.template)
        return TemplateName(request.template), request.context

    def _link(self, link: str | None) -> str | None:
        if link is None or link.startswith("/") or leads_to(link, self._link_hosts):
            return link
        raise InputError("link", "leads to a host that is not among click_hosts; give a path within the shop")


def ladder_of(steps: Sequence[SendStep], *, channels: Sequence[Channel]) -> tuple[Step, ...]:
    """Return the ladder that a service asks for. Raises InputError for a channel that is none of `channels`."""
    for index, step in enumerate(steps):
        field = f"ladder[{index}].channel"
        if step.channel == INBOX:
            raise InputError(field, "the inbox is always first; name the channels after it")
        if step.channel not in channels:
            raise InputError(field, f"must be one of {', '.join(channels)}")
    return tuple(Step(step.channel, step.after_s) for step in steps)


def throttle_of(asked: SendThrottle | None) -> Throttle | None:
    """Return the throttle that a service asks for."""
    return None if asked is None else Throttle(asked.key, asked.count, asked.per_s)


def needed_by(template: str, templates: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return which fields a template must be given. Raises InputError where there is no such template."""
    needed = templates.get(template)
    if needed is None:
        raise InputError("template", f"there is no template {template}")
    return needed


def check_context(context: Mapping[str, Any], *, needed: frozenset[str], template: str) -> None:
    """Raise InputError for a context that lacks what a template shows, is too large or nested too deep."""
    if not needed <= context.keys():
        raise InputError(f"context.{min(needed - context.keys())}", f"is missing; the template {template} shows it")
    try:
        strict_json.check(msgspec.json.encode(context), max_bytes=MAX_CONTEXT_BYTES)
    except InputError as error:
        raise InputError("context", error.problem) from error
    except RecursionError as error:
        raise InputError("context", f"is nested deeper than {strict_json.MAX_NESTING} levels") from error


def _id(call: Call, request: SendNotification) -> NotificationId:
    """Return an id that a repeat of the request has too, so that it shows nothing twice even without a memory of it."""
    own = request.id or call.idempotency_key or secrets.token_hex(16)
    kind = "id" if request.id else "key"
    return NotificationId(effect_id(event_key(f"{_SOURCE}:{call.who.user}:{kind}", own), request.user, RULE))


def _digest_s(request: SendNotification) -> int:
    if request.digest_s is not None and request.lane is Lane.CRITICAL:
        raise InputError("digest_s", "is not for the lane critical, whose notifications go alone")
    if request.digest_s is not None and request.throttle is not None:
        raise InputError("throttle", "is not for what gathers in a digest, which goes out as one message")
    return request.digest_s or 0


def lane_for(category: str, lane: Lane | None, *, promotional: Collection[str]) -> Lane:
    """Return the lane that a request means. Raises InputError where promotion would go out without consent."""
    if category not in promotional:
        return lane or Lane.TRANSACTIONAL
    if lane not in {None, Lane.MARKETING}:
        raise InputError("lane", f"must be marketing for the category {category}: it goes out only with consent")
    return Lane.MARKETING


def begins_ms(send_at: datetime | None, *, now_ms: int) -> int:
    """Return when what is asked for is to begin, in Unix ms: not before now. Raises InputError."""
    at_ms = now_ms if send_at is None else unix_ms(send_at)
    if at_ms > now_ms + MAX_AHEAD_S * 1_000:
        raise InputError("send_at", f"is more than {MAX_AHEAD_S // 86_400} days ahead")
    return max(now_ms, at_ms)

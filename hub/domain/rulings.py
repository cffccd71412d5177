"""Rulings: whether a message may go to a person over a channel now, later or not at all, and why. Pure.

What overrides what: the operator's stops hold for everything. A critical message goes past all that the person prefers.
Of all others, what is switched off is not sent, marketing needs consent, and what comes while the person wants to be
left alone waits for its end, or is dropped where it will have expired by then.

Reasons are for the person, support and the operator to read: they go into the notification's record.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import TypeAlias

import msgspec

from hub.domain.channels import Channel
from hub.domain.durations import format_duration
from hub.domain.house_rules import Cap, HouseRules
from hub.domain.notifications import Lane, Notification
from hub.domain.people import Person
from hub.domain.preferences import ANY, Preferences, consent_to, wish
from hub.domain.quiet_hours import quiet_until_ms


class Allow(msgspec.Struct, frozen=True, tag="send"):
    """It may be sent now."""

    reason: str = ""


class Hold(msgspec.Struct, frozen=True, tag="hold"):
    """It may be sent when `until_ms` has come, if everything else still holds then."""

    reason: str
    until_ms: int


class Drop(msgspec.Struct, frozen=True, tag="drop"):
    """It must not be sent over this channel; `ends`: over any other either."""

    reason: str
    ends: bool = False


Ruling: TypeAlias = Allow | Hold | Drop


class Listener(msgspec.Struct, frozen=True):
    """Whom a message is for, and where their clock stands."""

    person: Person
    preferences: Preferences
    zone: tzinfo


class Allowance(msgspec.Struct, frozen=True):
    """A count that a message has to fit into: at most so many of a `name` for one person.

    `member` is what is counted, once however often it is asked for. `refusal` is the reason where there is no room.
    """

    name: str
    member: str
    caps: tuple[Cap, ...]
    refusal: str


def rule_on(
    notification: Notification, channel: Channel, *, listener: Listener, house: HouseRules, now_ms: int
) -> Ruling:
    """Return whether a notification may be sent over a channel now; `allowances_of` says what is to be counted then."""
    if house.stopped(notification.category, channel):
        return Drop(f"the operator has stopped {notification.category} by {channel}")
    if notification.lane is Lane.CRITICAL and not notification.is_marketing:
        return Allow("it is critical, so preferences are not asked")
    permission = _permission(notification, channel, listener)
    if isinstance(permission, Drop):
        return permission
    return _when(notification, listener, house, now_ms) or permission


def _permission(notification: Notification, channel: Channel, listener: Listener) -> Allow | Drop:
    """Return whether the person wants it at all."""
    wanted = wish(listener.preferences, notification.category, channel)
    if not wanted.on:
        return Drop(f"the person has switched off {_place(wanted.said)}")
    if not notification.is_marketing:
        on = f"the person has switched on {_place(wanted.said)}"
        return Allow(on if wanted.said else f"{notification.category} by {channel} is on")
    consent = consent_to(listener.person, listener.preferences, channel)
    if consent is None:
        return Drop(f"there is no consent to marketing by {channel}")
    if not consent.granted:
        return Drop(f"the person has refused marketing by {channel}")
    known = (("from", consent.source), ("wording", consent.wording))
    told = "".join(f", {word} {value}" for word, value in known if value)
    return Allow(f"there is consent to marketing by {channel}{told}")


def allowances_of(notification: Notification, channel: Channel, house: HouseRules) -> tuple[Allowance, ...]:
    """Return what a message that may be sent has to fit into: its rule's throttle, and the cap on marketing."""
    allowances: list[Allowance] = []
    throttle = notification.throttle
    if throttle is not None:
        caps = (Cap(throttle.count, throttle.window_s),)
        refusal = f"{throttle.count} of {throttle.key} have been sent within {format_duration(throttle.window_s)}"
        allowances.append(Allowance(f"throttle:{throttle.key}", notification.id, caps, refusal))
    if notification.is_marketing and house.marketing_caps:
        refusal = "the person has had as much marketing as the operator lets anybody have"
        allowances.append(Allowance("marketing", f"{notification.id}:{channel}", house.marketing_caps, refusal))
    return tuple(allowances)


def _place(said: tuple[str, str] | None) -> str:
    category, channel = said or (ANY, ANY)
    return f"{'everything' if category == ANY else category}{'' if channel == ANY else f' by {channel}'}"


def _when(notification: Notification, listener: Listener, house: HouseRules, now_ms: int) -> Ruling | None:
    """Return a ruling where the person wants to be left alone now."""
    until_ms, reason = now_ms, ""
    if listener.preferences.snoozed_until_ms > now_ms:
        until_ms, reason = listener.preferences.snoozed_until_ms, "the person has asked for a pause"
    quiet = listener.preferences.quiet_hours or house.quiet_hours
    end_ms = quiet_until_ms(quiet, until_ms, listener.zone) if quiet is not None else None
    if end_ms is not None:
        until_ms, reason = end_ms, reason or "the person has quiet hours"
    if until_ms == now_ms:
        return None
    if notification.expires_ms is not None and notification.expires_ms <= until_ms:
        return Drop(f"{reason}, and it will have expired when that is over", ends=True)
    return Hold(reason, until_ms)

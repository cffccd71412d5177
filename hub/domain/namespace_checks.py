"""What a type cannot say about a namespace: ranges, and options that must agree."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hub.domain.permission import SIGNED_IN
from hub.domain.topics import MAX_PUBLICATION_BYTES, Namespace, TopicKind

_NAME = re.compile(r"[-A-Za-z0-9_.]+")
_MAX_HISTORY = 100_000
_MAX_TTL_S = 10 * 365 * 86_400
_ROLES = ("subscribe_roles", "publish_roles", "history_roles", "presence_roles")
_NEED_HISTORY = (
    "allow_recovery",
    "force_positioning",
    "allow_positioning",
    "allow_history_for_client",
    "allow_history_for_subscriber",
)
_NEED_ATTENDANCE = ("allow_presence_for_client", "allow_presence_for_subscriber")

Finding = tuple[str, str]
"""A field and what to write there."""


def mistakes_of(namespace: Namespace) -> Iterator[Finding]:
    """Yield every option that is out of range or contradicts another."""
    if not _NAME.fullmatch(namespace.name):
        yield "name", "write letters, digits, dots, hyphens and underscores only"
    yield from _ranges(namespace)
    yield from _agreement(namespace)
    for field in _ROLES:
        unknown = sorted(getattr(namespace, field) - SIGNED_IN)
        if unknown:
            yield field, f"take out {', '.join(unknown)}; the roles are {', '.join(sorted(SIGNED_IN))}"
    try:
        re.compile(namespace.channel_regex)
    except re.error as error:
        yield "channel_regex", f"is no regular expression: {error}"


def _ranges(namespace: Namespace) -> Iterator[Finding]:
    bounds = (
        ("history_size", 0, _MAX_HISTORY),
        ("history_ttl_s", 1, _MAX_TTL_S),
        ("max_subscriptions", 0, 1_000_000),
        ("max_publication_bytes", 1, MAX_PUBLICATION_BYTES),
    )
    for field, low, high in bounds:
        if not low <= getattr(namespace, field) <= high:
            yield field, f"write a whole number from {low} to {high}"


def _agreement(namespace: Namespace) -> Iterator[Finding]:
    if namespace.kind is TopicKind.LATEST and namespace.history_size != 1:
        yield "history_size", "a latest topic keeps one value: write 1"
    if not namespace.recoverable:
        for field in (each for each in _NEED_HISTORY if getattr(namespace, each)):
            yield field, "needs a history_size above 0"
    if namespace.force_push_join_leave and not namespace.join_leave:
        yield "force_push_join_leave", "needs join_leave = true"
    if not namespace.attended:
        for field in (each for each in _NEED_ATTENDANCE if getattr(namespace, each)):
            yield field, "needs presence = true or join_leave = true"

"""House rules: what the operator of an installation lays down about messages to everybody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from types import MappingProxyType

import msgspec

from hub.domain.channels import Channel
from hub.domain.preferences import ANY
from hub.domain.quiet_hours import QuietHours


class Cap(msgspec.Struct, frozen=True):
    """At most `count` within any `window_s` seconds."""

    count: int
    window_s: int


class HouseRules(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for everybody."""

    stops: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """What is not sent at all, by category (`*`: all) the channels (`*`: all). Nothing overrides it."""
    quiet_hours: QuietHours | None = None
    """For people who have not said when they want to be left alone."""
    time_zone: tzinfo = UTC
    """Of people whose own is not known."""
    marketing_caps: tuple[Cap, ...] = ()
    """How many marketing messages one person gets, over all channels."""

    def stopped(self, category: str, channel: Channel) -> bool:
        """Say whether the operator has stopped a category on a channel."""
        return any(
            ANY in channels or channel in channels
            for channels in (self.stops.get(category, ()), self.stops.get(ANY, ()))
        )

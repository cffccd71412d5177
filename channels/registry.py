"""Channels of an installation's own: one file to write, one entry point to register it under.

A distribution that declares

    [project.entry-points."doorbell.channels"]
    whatsapp = "my_shop.whatsapp:open_channel"

brings the channel `whatsapp`. It is opened by `doorbell deliver` where doorbell.toml has a table `[channels.whatsapp]`,
which is handed to it as it stands, and can then be a step of every ladder. docs/how-to/add-a-channel.md has an example.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeAlias

import msgspec

from channels.channel import DeliveryChannel
from hub.domain.channels import BUILT_IN, Channel
from hub.domain.errors import ConfigurationError, Mistake
from hub.domain.links import whole_link
from hub.domain.notifications import Notification
from hub.service.feedback.clicks import ClickLinks
from templates.renderer import Renderer

GROUP = "doorbell.channels"


class Tools(msgspec.Struct, frozen=True):
    """What a channel can use: texts, where links lead, and the locale of people who have told none."""

    renderer: Renderer
    public_url: str
    default_locale: str
    clicks: ClickLinks | None = None
    """Makes links that tell when they are followed; None where that is not wanted."""

    def direct_link(self, notification: Notification) -> str:
        """Return where a notification's link leads."""
        return self.clicks.direct(notification) if self.clicks else whole_link(self.public_url, notification.link)

    def tracked_link(self, notification: Notification, channel: Channel) -> str:
        """Return a notification's link as it goes out over a channel, by way of the hub where clicks are noted."""
        return self.clicks.tracked(notification, channel) if self.clicks else self.direct_link(notification)

    def track(self, url: str, notification: Notification, channel: Channel) -> str:
        """Return a URL that stands in a notification's texts as it goes out over a channel, as `tracked_link`."""
        return self.clicks.track(url, notification, channel) if self.clicks else url

    def shown(self, url: str) -> str:
        """Return what people read where such a URL is written out."""
        return self.clicks.shown(url) if self.clicks else url


Opener: TypeAlias = Callable[[Mapping[str, Any], Tools], AbstractAsyncContextManager[DeliveryChannel]]
"""Takes the channel's table and the tools. Raises ConfigurationError where the table will not do."""


def registered(tables: Iterable[str], *, found: Iterable[EntryPoint] | None = None) -> dict[str, EntryPoint]:
    """Return the entry points of the channels that have a table. `found` stands for those that are installed.

    Raises ConfigurationError for a table without a channel, and for one that takes the place of a built-in one.
    """
    known = {point.name: point for point in (entry_points(group=GROUP) if found is None else found)}
    mistakes = [mistake for name in tables if (mistake := _mistake(name, known)) is not None]
    if mistakes:
        raise ConfigurationError(mistakes)
    return {name: known[name] for name in tables}


@asynccontextmanager
async def open_registered(
    tables: Mapping[str, Mapping[str, Any]], tools: Tools, *, found: Iterable[EntryPoint] | None = None
) -> AsyncIterator[dict[Channel, DeliveryChannel]]:
    """Yield the channels that have a table. `found` stands for the entry points that are installed.

    Raises ConfigurationError as `registered` does, and where a table will not do for its channel.
    """
    known = registered(tables, found=found)
    async with AsyncExitStack() as stack:
        opened: dict[Channel, DeliveryChannel] = {}
        for name, table in tables.items():
            opener: Opener = known[name].load()
            opened[Channel(name)] = await stack.enter_async_context(opener(table, tools))
        yield opened


def _mistake(name: str, known: Mapping[str, EntryPoint]) -> Mistake | None:
    if name in BUILT_IN:
        return Mistake("settings", f"channels.{name}", "a table", f"{name} is built in and has a table of its own")
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        advice = f"no installed distribution registers it as an entry point of {GROUP}; registered: {there}"
        return Mistake("settings", f"channels.{name}", "a table", advice)
    return None

"""`doorbell suppressions list|remove`: which addresses are not written to, and why."""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime

from hub.app import Stores, open_stores
from hub.roles.state import redis_of
from hub.settings import Settings
from hub.store.suppressions import MAX_PAGE, Suppression


def show_list(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print one line for each suppression, the newest first."""
    return asyncio.run(_show_list(arguments.limit, settings))


def remove(arguments: argparse.Namespace, settings: Settings) -> int:
    """Let addresses be written to again; 1 if one of them was not suppressed."""
    return asyncio.run(_remove(arguments, settings))


async def _show_list(limit: int, settings: Settings) -> int:
    async with redis_of(settings, must_exist=True) as url, open_stores(settings, url) as stores:
        shown = 0
        cursor = None
        while shown < limit:
            page = await stores.suppressions.list(cursor=cursor, limit=min(MAX_PAGE, limit - shown))
            for each in page.suppressions:
                print(_line(each))
            shown += len(page.suppressions)
            cursor = page.cursor
            if cursor is None:
                break
    if not shown:
        print("No address is suppressed.")
    elif cursor is not None:
        print("... more; show them with a higher --limit")
    return 0


async def _remove(arguments: argparse.Namespace, settings: Settings) -> int:
    code = 0
    async with redis_of(settings, must_exist=True) as url, open_stores(settings, url) as stores:
        for name in arguments.addresses:
            if not await _removed(stores, name, channel=arguments.channel):
                sys.stderr.write(f"{name}: is not suppressed\n")
                code = 1
    return code


async def _removed(stores: Stores, name: str, *, channel: str) -> bool:
    if await stores.suppressions.remove_id(name) or await stores.suppressions.remove(channel, name):
        print(f"{name}: is written to again")
        return True
    return False


def _line(each: Suppression) -> str:
    until = "until it is removed" if each.until_ms is None else f"until {_when(each.until_ms)}"
    return f"{each.id}  {_when(each.at_ms)}  {until}  {each.reason}"


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="minutes")

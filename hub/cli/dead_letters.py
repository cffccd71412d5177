"""`doorbell dead-letters list|show|retry|drop`: what could not be processed, and what to do with it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

from hub.app import Stores, build_ingest_alone, open_stores
from hub.domain.errors import InputError
from hub.roles.state import redis_of
from hub.service.intake.letters import Letters
from hub.settings import Settings
from hub.store.clock import unix_ms
from hub.store.dead_letters import DeadLetter

_Action = Callable[[argparse.Namespace, Settings, Stores], Awaitable[int]]
_PAGE = 100


def show_list(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print one line for each letter, the newest first."""
    return asyncio.run(_with_stores(_list, arguments, settings))


def show(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print one letter as it is."""
    return asyncio.run(_with_stores(_show, arguments, settings))


def retry(arguments: argparse.Namespace, settings: Settings) -> int:
    """Process letters again."""
    return asyncio.run(_with_stores(_retry, arguments, settings))


def drop(arguments: argparse.Namespace, settings: Settings) -> int:
    """Delete letters."""
    return asyncio.run(_with_stores(_drop, arguments, settings))


async def _with_stores(act: _Action, arguments: argparse.Namespace, settings: Settings) -> int:
    async with redis_of(settings, must_exist=True) as url, open_stores(settings, url) as stores:
        return await act(arguments, settings, stores)


async def _list(arguments: argparse.Namespace, _: Settings, stores: Stores) -> int:
    count = 0
    async for letter in _all(stores):
        if count == arguments.limit:
            print(f"... {await stores.dead_letters.count() - count} more")
            break
        count += 1
        field = f" {letter.field}:" if letter.field else ""
        print(f"{letter.id}  {_when(letter)}  {letter.origin} {field} {letter.reason}")
    if not count:
        print("There are no dead letters.")
    return 0


async def _show(arguments: argparse.Namespace, _: Settings, stores: Stores) -> int:
    async for letter in _chosen(arguments, stores):
        print(f"id:       {letter.id}\nat:       {_when(letter)}\norigin:   {letter.origin}")
        print(f"field:    {letter.field or '-'}\nreason:   {letter.reason}")
        for name, value in letter.attributes.items():
            print(f"ce-{name}: {value}")
        print(f"body ({len(letter.body)} bytes):")
        sys.stdout.flush()
        sys.stdout.buffer.write(letter.body + b"\n")
        return 0
    return 1


async def _retry(arguments: argparse.Namespace, settings: Settings, stores: Stores) -> int:
    ingest = build_ingest_alone(settings, stores)
    letters = Letters(dead_letters=stores.dead_letters, ingest=ingest, jobs=stores.jobs)
    return await _each(arguments, stores, partial(letters.retry, now_ms=unix_ms()))


async def _drop(arguments: argparse.Namespace, _: Settings, stores: Stores) -> int:
    async def delete(letter: DeadLetter) -> str:
        await stores.dead_letters.drop(letter.id)
        return "dropped"

    return await _each(arguments, stores, delete)


async def _each(arguments: argparse.Namespace, stores: Stores, act: Callable[[DeadLetter], Awaitable[str]]) -> int:
    """Act on every chosen letter; one that fails does not keep the others back. Return the exit code."""
    if not arguments.ids and not arguments.all:
        sys.stderr.write("name the letters, or say --all\n")
        return 2
    code = done = 0
    async for letter in _chosen(arguments, stores):
        try:
            print(f"{letter.id}: {await act(letter)}")
            done += 1
        except InputError as error:
            sys.stderr.write(f"{letter.id}: not done: {error}\n")
            code = 1
    return code if done or not arguments.ids else 1


async def _chosen(arguments: argparse.Namespace, stores: Stores) -> AsyncIterator[DeadLetter]:
    if getattr(arguments, "all", False):
        # Collected first: acting on letters moves the pages.
        for letter in [letter async for letter in _all(stores)]:
            yield letter
    for letter_id in arguments.ids:
        letter_or_none = await stores.dead_letters.get(letter_id)
        if letter_or_none is None:
            sys.stderr.write(f"{letter_id}: there is no such dead letter\n")
        else:
            yield letter_or_none


async def _all(stores: Stores) -> AsyncIterator[DeadLetter]:
    cursor = None
    while True:
        page = await stores.dead_letters.list(cursor=cursor, limit=_PAGE)
        for letter in page.letters:
            yield letter
        cursor = page.cursor
        if cursor is None:
            return


def _when(letter: DeadLetter) -> str:
    return datetime.fromtimestamp(letter.at_ms / 1_000, UTC).isoformat(timespec="seconds")

"""The Lua scripts: read from files, run by their hash, many in one round trip, loaded again when Redis has lost them.

Rules for every script in `lua/`:
- Its header states KEYS, ARGV, what it returns and what it guarantees.
- All keys are declared in KEYS and share one hash tag; it uses nothing newer than Redis 6.2.
- It may run twice for one call (a lost reply is asked for again); the second run changes nothing.
- A line `--#include name` stands for the text of `lua/include/name.lua`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from redis.exceptions import NoScriptError, ResponseError

from hub.store.connection import pipelined, store_errors
from hub.store.round_trip import Command
from hub.store.server import Server

_FOLDER = Path(__file__).parent / "lua"
_INCLUDE = re.compile(r"^--#include (\w+)$", re.MULTILINE)


class Script(msgspec.Struct, frozen=True):
    """A Lua script with its includes filled in. `sha` is what Redis knows it by."""

    name: str
    source: str
    sha: str

    @property
    def sharded(self) -> Script:
        """The same script for a cluster: what it publishes goes to the servers of the channel's slot only."""
        return _sharded(self)


class Call(msgspec.Struct, frozen=True):
    """One run of a script. The keys share a hash tag."""

    keys: tuple[str, ...]
    args: tuple[str | bytes | int, ...] = ()


Run: TypeAlias = tuple[Script, Call]
"""One run of one script, to be sent along with others."""


class ScriptFailed(RuntimeError):
    """A script broke down: a bug in it, or a key that holds something else than it expects."""


@cache
def load_script(name: str) -> Script:
    """Read `lua/<name>.lua`."""
    source = _INCLUDE.sub(lambda include: _read(f"include/{include[1]}"), _read(name))
    return _script(name, source)


@cache
def _sharded(script: Script) -> Script:
    return _script(script.name, script.source.replace("redis.call('PUBLISH'", "redis.call('SPUBLISH'"))


def _script(name: str, source: str) -> Script:
    return Script(name, source, sha1(source.encode(), usedforsecurity=False).hexdigest())


def _read(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")


class Scripts:
    """Runs scripts on one Redis."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def run_many(self, script: Script, calls: Sequence[Call]) -> list[Any]:
        """Run one script for each call, in order and in one round trip; return the replies.

        Each call is atomic, all of them together are not. Raises StoreUnavailable when Redis cannot be reached or
        refuses writes: any of the calls may have taken place, so the caller runs all of them again, later. Raises
        ScriptFailed for anything else.
        """
        return await self.run_mixed([(script, call) for call in calls])

    async def run(self, script: Script, call: Call) -> Any:
        """Run a script once; errors as in `run_many`."""
        return (await self.run_mixed([(script, call)]))[0]

    async def run_mixed(self, calls: Sequence[tuple[Script, Call]]) -> list[Any]:
        """As `run_many`, with a script of its own for each call."""
        if not calls:
            return []
        what = calls[0][0].name
        if self._server.sharded is None:
            with store_errors(what):
                await self._server.decide()
        if self._server.sharded:
            calls = [(script.sharded, call) for script, call in calls]
        replies = await pipelined(self._server, [_command(*call) for call in calls], what=what)
        unknown = [index for index, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            # Redis was restarted, failed over or had its scripts flushed. Only what did not run is run again, in full:
            # so it is known from then on to whichever server it went to.
            whole = [_whole_command(*calls[index]) for index in unknown]
            again = await pipelined(self._server, whole, what=what)
            for index, reply in zip(unknown, again, strict=True):
                replies[index] = reply
        for (script, _), reply in zip(calls, replies, strict=True):
            _check(script, reply)
        return replies


def _command(script: Script, call: Call) -> Command:
    return ("EVALSHA", script.sha, len(call.keys), *call.keys, *call.args)


def _whole_command(script: Script, call: Call) -> Command:
    return ("EVAL", script.source, len(call.keys), *call.keys, *call.args)


def _check(script: Script, reply: Any) -> None:
    if isinstance(reply, ResponseError):
        raise ScriptFailed(f"{script.name}: {reply}") from reply

"""`doorbell channels test`: one message through the providers that are configured, and what each made of it."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys

from channels.trial import Outcome, Verdict, trial
from hub.app import build_renderer
from hub.domain.devices import Kind
from hub.domain.errors import InputError
from hub.domain.ids import NotificationId
from hub.settings import Settings
from hub.store.clock import unix_ms


def test(arguments: argparse.Namespace, settings: Settings) -> int:
    """Send a test message; 0 where it was taken (with `--all`: by every provider), 1 where not, 2 for a bad `--to`."""
    try:
        verdicts = asyncio.run(_tried(arguments, settings))
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    taken = [verdict.outcome is Outcome.TAKEN for verdict in verdicts]
    return 0 if (all(taken) if arguments.all else any(taken)) else 1


async def _tried(arguments: argparse.Namespace, settings: Settings) -> list[Verdict]:
    message = NotificationId(f"test-{secrets.token_hex(8)}")
    tried = await trial(
        arguments.channel,
        arguments.to,
        kind=Kind(arguments.kind),
        message=message,
        settings=settings,
        renderer=build_renderer(settings),
        now_ms=unix_ms(),
    )
    verdicts = []
    async for verdict in tried.run(every=arguments.all):
        print(f"{verdict.provider}: {verdict.outcome}: {verdict.words}", flush=True)
        verdicts.append(verdict)
    return verdicts

"""`doorbell channels test`: one message through the providers that are configured, and what each made of it."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys

from channels.trial import Finding, Outcome, trial
from hub.app import build_renderer
from hub.domain.devices import Kind
from hub.domain.errors import InputError
from hub.domain.ids import NotificationId
from hub.settings import Settings
from hub.store.clock import unix_ms


def test(arguments: argparse.Namespace, settings: Settings) -> int:
    """Send a test message; 0 where it was taken (with `--all`: by every provider), 1 where not, 2 for a bad `--to`."""
    try:
        findings = asyncio.run(_tried(arguments, settings))
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    taken = [finding.outcome is Outcome.TAKEN for finding in findings]
    return 0 if (all(taken) if arguments.all else any(taken)) else 1


async def _tried(arguments: argparse.Namespace, settings: Settings) -> list[Finding]:
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
    findings = []
    async for finding in tried.run(every=arguments.all):
        print(f"{finding.provider}: {finding.outcome}: {finding.words}", flush=True)
        findings.append(finding)
    return findings

"""Health: is the loop alive, and can this process do its work?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec
from aiohttp import web

from hub.observe import logger

_log = logger(__name__)
CHECK_TIMEOUT_S = 2.0
CACHE_S = 1.0
_UNAVAILABLE = 503

Check = Callable[[], Awaitable[str | None]]
"""Looks at one thing the process needs. Returns None where it is well, else the reason in words for an operator."""


class CheckResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one check found. `reason` is empty where all is well."""

    name: str
    ok: bool
    reason: str = ""


class Report(msgspec.Struct, frozen=True):
    """The answer of `/health/ready`: ready only if every check is well and nobody has asked the process to stop."""

    ready: bool
    checks: tuple[CheckResult, ...]


class Health:
    """Runs the readiness checks, all at once, each for at most `timeout_s`.

    A report is kept for `cache_s`, so that nobody can load Redis by asking; askers at the same time share one run.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        *,
        timeout_s: float = CHECK_TIMEOUT_S,
        cache_s: float = CACHE_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checks = dict(checks)
        self._timeout_s = timeout_s
        self._cache_s = cache_s
        self._monotonic = monotonic
        self._draining = False
        self._lock = asyncio.Lock()
        self._report: Report | None = None
        self._made_s = 0.0

    def drain(self) -> None:
        """Say from now on that the process is not ready: it is about to stop."""
        self._draining = True

    async def report(self) -> Report:
        """Return how the process is, at most `cache_s` seconds old."""
        if self._draining:
            return Report(ready=False, checks=(CheckResult("draining", ok=False, reason="the process is stopping"),))
        async with self._lock:
            if self._report is None or self._monotonic() - self._made_s >= self._cache_s:
                self._report = await self._run()
                self._made_s = self._monotonic()
            return self._report

    async def _run(self) -> Report:
        results = await asyncio.gather(*(self._check(name, check) for name, check in self._checks.items()))
        report = Report(ready=all(result.ok for result in results), checks=tuple(results))
        if self._report is None or self._report.ready != report.ready:
            failing = {result.name: result.reason for result in results if not result.ok}
            _log.info("readiness_changed", ready=report.ready, failing=failing)
        return report

    async def _check(self, name: str, check: Check) -> CheckResult:
        try:
            async with asyncio.timeout(self._timeout_s):
                reason = await check()
        except TimeoutError:
            reason = f"no answer within {self._timeout_s:g} s"
        except Exception as error:  # noqa: BLE001 - whatever a check meets is its finding
            reason = f"{type(error).__name__}: {error}"
        return CheckResult(name, ok=reason is None, reason=reason or "")


def health_routes(health: Health) -> Iterable[web.RouteDef]:
    """Return `/health/live`, which answers while the loop runs, and `/health/ready`, 503 while not ready."""

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"live": True}, headers={"Cache-Control": "no-store"})

    async def ready(_: web.Request) -> web.Response:
        report = await health.report()
        return web.Response(
            body=msgspec.json.encode(report),
            status=200 if report.ready else _UNAVAILABLE,
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    return (web.get("/health/live", live), web.get("/health/ready", ready))

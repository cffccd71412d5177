from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hub.api.app import build_admin_app
from hub.api.health import Health
from tests.unit.api.conftest import Start


async def well() -> str | None:
    return None


async def ill() -> str | None:
    return "Redis does not answer"


async def broken() -> str | None:
    raise OSError("no route to host")


async def hanging() -> str | None:
    await asyncio.sleep(60)
    return None


async def test_a_process_whose_checks_are_well_is_ready(start: Start) -> None:
    client = await start(build_admin_app(health=Health({"redis": well})))
    answer = await client.get("/health/ready")
    assert (answer.status, await answer.json()) == (200, {"ready": True, "checks": [{"name": "redis", "ok": True}]})


async def test_a_process_that_is_not_ready_says_why(start: Start) -> None:
    client = await start(build_admin_app(health=Health({"redis": ill, "kafka": well})))
    answer = await client.get("/health/ready")
    assert answer.status == 503
    assert (await answer.json())["checks"][0] == {"name": "redis", "ok": False, "reason": "Redis does not answer"}


async def test_a_live_process_answers_although_it_is_not_ready(start: Start) -> None:
    client = await start(build_admin_app(health=Health({"redis": ill})))
    assert (await client.get("/health/live")).status == 200


async def test_a_check_that_fails_or_hangs_is_a_finding() -> None:
    report = await Health({"broken": broken, "hanging": hanging}, timeout_s=0.01).report()
    assert [result.reason for result in report.checks] == ["OSError: no route to host", "no answer within 0.01 s"]


async def test_a_draining_process_is_not_ready() -> None:
    health = Health({"redis": well})
    health.drain()
    assert not (await health.report()).ready


async def test_many_askers_share_one_run_of_the_checks() -> None:
    runs = 0

    async def counting() -> str | None:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0)
        return None

    now_s = 0.0
    health = Health({"redis": counting}, monotonic=lambda: now_s)
    await asyncio.gather(*(health.report() for _ in range(50)))
    assert runs == 1
    now_s = 1.0
    await health.report()
    assert runs == 2


async def test_the_metrics_of_this_process_are_served(start: Start) -> None:
    client = await start(build_admin_app(health=Health({})))
    answer = await client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "# TYPE doorbell_requests_total counter" in await answer.text()


async def test_the_metrics_of_all_workers_come_from_their_folder(start: Start, tmp_path: Path) -> None:
    client = await start(build_admin_app(health=Health({}), metrics_dir=str(tmp_path)))
    answer = await client.get("/metrics")
    assert (answer.status, await answer.text()) == (200, "")


@pytest.mark.parametrize("path", ["/v1/inbox", "/openapi.json", "/"])
async def test_the_admin_port_serves_nothing_else(start: Start, path: str) -> None:
    client = await start(build_admin_app(health=Health({})))
    assert (await client.get(path)).status == 404

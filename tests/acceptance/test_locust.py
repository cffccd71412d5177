"""The locust file, run headless for a few seconds against a real hub; and its web pages."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.local.ports import free_port
from tests.acceptance.installation import SECRET, Installation
from tests.acceptance.waiting import until_true

LOCUSTFILE = Path(__file__).parents[2] / "loadtest" / "locustfile.py"


def locust(hub: Installation, *options: str) -> list[str]:
    key = hub.headers["Authorization"].removeprefix("Bearer ")
    doorbell = ("--host", hub.url, "--hmac-secret", SECRET, "--service-key", key)
    return [str(Path(sys.executable).with_name("locust")), "-f", str(LOCUSTFILE), *doorbell, *options]


def run(command: list[str], *, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


async def test_shoppers_see_the_orders_that_the_service_places(
    tmp_path: Path, redis_url: str, unique_name: str
) -> None:
    async with Installation(tmp_path, unique_name, REDIS_URL=redis_url) as hub:
        await hub.started("serve")
        options = ("--headless", "--users", "21", "--spawn-rate", "21", "--run-time", "6s", "--stop-timeout", "5")
        done = await asyncio.to_thread(run, locust(hub, *options, "--json"), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    by_name: dict[str, Any] = {row["name"]: row for row in json.loads(done.stdout)}
    assert by_name["connect"]["num_requests"] == 20
    assert by_name["order to app"]["num_requests"] > 0
    assert by_name["/v1/events"]["num_requests"] >= by_name["order to app"]["num_requests"]
    assert {name: row["num_failures"] for name, row in by_name.items() if row["num_failures"]} == {}


def test_without_a_secret_it_says_what_is_missing(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("locust")), "-f", str(LOCUSTFILE), "--host", "http://127.0.0.1:1"]
    done = run([*command, "--headless", "--users", "1", "--run-time", "2s", "Shopper"], folder=tmp_path)
    assert done.returncode == 1
    assert "no --hmac-secret: nobody can connect without a token" in done.stderr


@pytest.mark.timeout(180)
async def test_its_web_pages_offer_the_users(tmp_path: Path, unique_name: str) -> None:
    port = free_port()
    hub = Installation(tmp_path, unique_name)
    web = ("--web-host", "127.0.0.1", "--web-port", str(port), "--class-picker")
    process = await asyncio.to_thread(subprocess.Popen, locust(hub, *web), cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        async with aiohttp.ClientSession() as http:

            async def page() -> str:
                try:
                    async with http.get(f"http://127.0.0.1:{port}/") as answer:
                        return await answer.text()
                except aiohttp.ClientError:
                    return ""

            async def answers() -> bool:
                return bool(await page())

            await until_true(answers, timeout_s=40, what="locust's pages answer")
            text = await page()
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 20)
    assert "Shopper" in text
    assert "PublishingService" in text
    assert SECRET not in text

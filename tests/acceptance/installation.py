"""One installation of Doorbell under test: its settings, its roles as processes, and how to reach it."""

import asyncio
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import jwt
import msgspec

from deploy.local.ports import free_port
from hub.service.identity.api_keys import make_api_key
from tests.acceptance.programs import Program, clean_environment, doorbell
from tests.acceptance.waiting import until_true

SECRET = "acceptance-tests-sign-tokens-with-this-secret"
FAMILIES = ("orders", "payments", "shipments", "prices", "sales", "users")
_START_S = 40.0


class Installation:
    """Use as `async with Installation(folder, name, …)`; all its programs are ended with it.

    `settings` are environment settings without their prefix: `WORKERS="2"`, `SMTP__URL=…`.
    """

    def __init__(self, folder: Path, name: str, **settings: str) -> None:
        self.folder = folder
        self.name = name
        self.port = free_port()
        service = make_api_key("shop")
        self.headers = {"Authorization": f"Bearer {service.key}"}
        own = {
            "LISTEN": f"127.0.0.1:{self.port}",
            "DATA_DIR": str(folder / "data"),
            "KEY_PREFIX": f"{name}:",
            "TOKEN__HMAC_SECRET": SECRET,
            "API_KEYS": msgspec.json.encode([service.setting]).decode(),
            **settings,
        }
        self.environment = clean_environment() | {f"DOORBELL_{key}": value for key, value in own.items()}
        self.admin_ports: dict[str, int] = {}
        self._programs: list[Program] = []
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._client = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in self._programs:
            await asyncio.to_thread(program.end)
        if self._client is not None:
            await self._client.close()

    @property
    def http(self) -> aiohttp.ClientSession:
        assert self._client is not None
        return self._client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def token(self, user: str, *, role: str = "shopper", ttl_s: int = 3_600) -> str:
        """Return what a shop's backend would give an app."""
        return jwt.encode({"sub": user, "role": role, "exp": int(time.time()) + ttl_s}, SECRET, algorithm="HS256")

    def start(self, role: str, **settings: str) -> Program:
        """Start a role without waiting for it."""
        port = free_port() if role != "serve" else self.port
        self.admin_ports[role] = port
        more = {f"DOORBELL_{key}": value for key, value in settings.items()}
        environment = {**self.environment, "DOORBELL_ADMIN_LISTEN": f"127.0.0.1:{port}", **more}
        program = Program(role, environment=environment, log=self.folder / f"{role}.log")
        program.start()
        self._programs.append(program)
        return program

    async def started(self, role: str, **settings: str) -> Program:
        """Start a role and return it when it is ready."""
        program = self.start(role, **settings)
        await self.wait_ready(role)
        return program

    async def wait_ready(self, role: str, *, timeout_s: float = _START_S) -> float:
        """Wait until a role says that it can do its work."""

        async def ready() -> bool:
            return (await self.readiness(role))[0] == 200

        return await until_true(ready, timeout_s=timeout_s, what=f"{role} is ready")

    async def readiness(self, role: str) -> tuple[int, dict[str, str]]:
        """Return the status of `/health/ready` (0: no answer) and the reasons of the checks that fail."""
        try:
            async with self.http.get(f"http://127.0.0.1:{self.admin_ports[role]}/health/ready") as answer:
                report: dict[str, Any] = await answer.json()
                return answer.status, {
                    check["name"]: check.get("reason", "") for check in report["checks"] if not check["ok"]
                }
        except (aiohttp.ClientError, OSError):
            return 0, {}

    async def metrics(self, role: str) -> str:
        """Return what a role tells Prometheus."""
        async with self.http.get(f"http://127.0.0.1:{self.admin_ports[role]}/metrics") as answer:
            return await answer.text()

    async def publish(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Publish a batch over HTTP and return the results."""
        headers = {**self.headers, "Content-Type": "application/cloudevents-batch+json"}
        async with self.http.post(f"{self.url}/v1/events", json=events, headers=headers) as answer:
            told: dict[str, Any] = await answer.json()
            assert answer.status == 202, told
            results: list[dict[str, Any]] = told["results"]
            return results

    async def command(self, *arguments: str) -> tuple[int, str, str]:
        """Run `doorbell …` with the settings of this installation."""
        return await doorbell(*arguments, environment=self.environment)

"""`doorbell demo`: all roles at once, on a private Redis, with a stand-in for the mail relay. Needs nothing else."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.request import Request, urlopen

import msgspec

from hub.observe import logger, mark_dead
from hub.roles.lifetime import METRICS_VARIABLE, Launch
from hub.roles.listening import reserved_port
from hub.roles.metrics_folder import fresh_metrics_dir
from hub.roles.state import redis_of
from hub.service.api_keys import make_api_key
from hub.settings import Settings
from hub.supervisor import Child, Supervisor

_log = logger(__name__)
_PEOPLE = Path(__file__).parents[1] / "web" / "scenario" / "people.json"
_PLAYBOOK = Path(__file__).with_name("demo.toml")
_READY_TIMEOUT_S = 30.0
_STANDINS_TIMEOUT_S = 10.0


async def demo(settings: Settings, stopping: asyncio.Event, *, launch: Launch) -> int:
    """Run everything until `stopping`. Its Redis keeps what happened for the next time."""
    data_dir = Path(settings.data_dir)
    async with redis_of(settings) as redis_url, _standins() as standins:
        with reserved_port(settings.listen) as listen:
            url = f"http://{listen}"
            service = make_api_key("demo-shop")
            environment = {
                **launch.environment,
                "DOORBELL_REDIS_URL": redis_url,
                "DOORBELL_LISTEN": listen,
                "DOORBELL_PUBLIC_URL": url,
                "DOORBELL_API_KEYS": msgspec.json.encode([*settings.api_keys, service.setting]).decode(),
                "DOORBELL_DEMO__SIGN_IN": "true",
                "DOORBELL_DEMO__SERVICE_KEY": service.key,
                "DOORBELL_DEMO__OUTBOX_URL": standins["outbox_url"],
                "DOORBELL_SMTP__URL": standins["smtp_url"],
                "DOORBELL_PLAYBOOK": settings.playbook or str(_PLAYBOOK),
                "DOORBELL_TOKEN__HMAC_SECRET": settings.token.hmac_secret or _secret(data_dir),
                METRICS_VARIABLE: str(fresh_metrics_dir(data_dir)),
            }
            supervisor = Supervisor(
                _children(settings, environment, launch),
                on_end=partial(mark_dead, metrics_dir=environment[METRICS_VARIABLE]),
            )
            return await _run(supervisor, url, stopping, service_key=service.key)


def _children(settings: Settings, environment: Mapping[str, str], launch: Launch) -> list[Child]:
    roles = ["serve", "deliver"]
    if settings.kafka.bootstrap or settings.rabbitmq.url:
        roles.append("consume")
    behind = {**environment, "DOORBELL_ADMIN_LISTEN": "127.0.0.1:0"}
    return [
        Child(
            role,
            (*launch.config_arguments, role, "--supervised"),
            environment if role == "serve" else behind,
            grace_s=settings.gateway.drain_s + 10.0,
        )
        for role in roles
    ]


async def _run(supervisor: Supervisor, url: str, stopping: asyncio.Event, *, service_key: str) -> int:
    running = asyncio.create_task(supervisor.run())
    stop = asyncio.ensure_future(stopping.wait())
    announcing = asyncio.create_task(_announce(url, service_key=service_key))
    await asyncio.wait({running, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    announcing.cancel()
    supervisor.stop()
    return await running


async def _announce(url: str, *, service_key: str) -> None:
    """Wait until the hub serves, introduce the people of the town and print where everything is."""
    async with asyncio.timeout(_READY_TIMEOUT_S):
        while not await asyncio.to_thread(_is_ready, url):  # noqa: ASYNC110 - another process gets ready
            await asyncio.sleep(0.05)
        await asyncio.to_thread(_introduce_people, url, service_key)
    pages = {"Shopper": "/", "Publish an event": "/publish", "Outbox of the mail relay": "/outbox"}
    documents = {"API": "/openapi.json", "Health": "/health/ready", "Metrics": "/metrics"}
    lines = [f"  {name:<26}{url}{path}" for name, path in {**pages, **documents}.items()]
    print("Doorbell is running:", *lines, "Ctrl-C stops it.", sep="\n", flush=True)  # noqa: T201 - it talks to a person


# The standard library's client: importing a better one would take as long as all of this.


def _is_ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/health/ready", timeout=5.0):  # noqa: S310 - our own address
            return True
    except OSError:  # URLError and HTTPError among them
        return False


def _introduce_people(url: str, service_key: str) -> None:
    """Tell the hub who lives in the town, as a shop's backend would."""
    headers = {"Authorization": f"Bearer {service_key}", "Content-Type": "application/cloudevents-batch+json"}
    request = Request(f"{url}/v1/events", data=_PEOPLE.read_bytes(), headers=headers)  # noqa: S310 - our own address
    with urlopen(request, timeout=10.0):  # noqa: S310 - as above
        return


def _secret(data_dir: Path) -> str:
    """Return the secret that signs the tokens: the same after a restart, so that pages stay signed in."""
    file = data_dir / "token-secret"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(32))
    return file.read_text()


@asynccontextmanager
async def _standins() -> AsyncIterator[dict[str, str]]:
    """Run the stand-ins for what a shop has around it; yield their URLs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "channels.standins"),
        stdout=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        line = await asyncio.wait_for(process.stdout.readline(), _STANDINS_TIMEOUT_S)
        yield json.loads(line)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()

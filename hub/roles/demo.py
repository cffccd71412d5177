"""`doorbell demo`: all roles at once, on a private Redis, with stand-ins for the providers. Needs nothing else."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import msgspec

from channels.standins.account import ACCOUNT_SID, AUTH_TOKEN
from hub.observe import mark_dead
from hub.roles.lifetime import METRICS_VARIABLE, Launch
from hub.roles.listening import reserved_port
from hub.roles.metrics_folder import fresh_metrics_dir
from hub.roles.state import redis_of
from hub.service.identity.api_keys import make_api_key
from hub.service.operations import EVERYTHING
from hub.settings import Settings
from hub.store.data_folder import made
from hub.supervisor import Child, Supervisor

_SCENARIO = Path(__file__).parents[1] / "web" / "scenario"
_PEOPLE = _SCENARIO / "people.json"
_DEVICES = _SCENARIO / "devices.json"
_PLAYBOOK = Path(__file__).with_name("demo.toml")
_READY_TIMEOUT_S = 30.0
_ANY = "127.0.0.1:0"
"""A free port of this machine's own."""


async def demo(settings: Settings, stopping: asyncio.Event, *, launch: Launch) -> int:
    """Run everything until `stopping`. Its Redis keeps what happened for the next time."""
    data_dir = made(Path(settings.data_dir))
    with reserved_port(settings.listen) as listen, reserved_port(_ANY) as relay, reserved_port(_ANY) as http:
        async with redis_of(settings) as redis_url:
            service = make_api_key("demo-shop", scopes=[EVERYTHING])
            town = _Town(url=f"http://{listen}", outbox_url=f"http://{http}/outbox", service_key=service.key)
            environment = {
                **launch.environment,
                "DOORBELL_REDIS_URL": redis_url,
                "DOORBELL_LISTEN": listen,
                "DOORBELL_PUBLIC_URL": town.url,
                "DOORBELL_API_KEYS": msgspec.json.encode([*settings.api_keys, service.setting]).decode(),
                "DOORBELL_DEMO__SIGN_IN": "true",
                "DOORBELL_DEMO__SERVICE_KEY": service.key,
                "DOORBELL_DEMO__OUTBOX_URL": town.outbox_url,
                "DOORBELL_SMTP__URL": f"smtp://{relay}",
                # No mail of a demonstration may leave this machine, not even when the stand-in fails.
                "DOORBELL_SMTP__RELAYS": "[]",
                **_accounts(f"http://{http}"),
                "DOORBELL_PLAYBOOK": settings.playbook or str(_PLAYBOOK),
                "DOORBELL_TOKEN__HMAC_SECRET": settings.token.hmac_secret or _secret(data_dir),
                METRICS_VARIABLE: str(fresh_metrics_dir(data_dir)),
            }
            children = [
                *_roles(settings, environment, launch, hub_ready=town.ready),
                _standins(launch, relay=relay, http=http),
            ]
            supervisor = Supervisor(children, on_end=partial(mark_dead, metrics_dir=environment[METRICS_VARIABLE]))
            return await _run(supervisor, town, stopping)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Town:
    """Where the demonstration is to be found, and the key of its shop's backend."""

    url: str
    outbox_url: str
    service_key: str
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the hub serves and people have moved in."""


def _roles(
    settings: Settings, environment: Mapping[str, str], launch: Launch, *, hub_ready: asyncio.Event
) -> list[Child]:
    """Return the hub, and what works behind it: that starts after it, so as not to slow it down."""
    roles = ["serve", "deliver"]
    if settings.kafka.bootstrap or settings.rabbitmq.url:
        roles.append("consume")
    behind = {**environment, "DOORBELL_ADMIN_LISTEN": _ANY}
    return [
        Child(
            role,
            (*launch.config_arguments, role, "--supervised"),
            environment if role == "serve" else behind,
            grace_s=settings.gateway.drain_s + 10.0,
            after=None if role == "serve" else hub_ready,
        )
        for role in roles
    ]


def _accounts(url: str) -> dict[str, str]:
    """Return the settings of accounts at the stand-ins' server, with room for the texts of whoever plays."""
    twilio = {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "sender": "Doorbell", "endpoint": url}
    return {
        "DOORBELL_PUSH__FCM": json.dumps([{"project_id": "demo", "endpoint": url}]),
        "DOORBELL_SMS__TWILIO": json.dumps([twilio]),
        "DOORBELL_SMS__PER_NUMBER_HOUR": "100",
        "DOORBELL_SMS__PER_NUMBER_DAY": "1000",
    }


def _standins(launch: Launch, *, relay: str, http: str) -> Child:
    """Return what a shop has around it."""
    ports = ("--smtp-port", _port_of(relay), "--http-port", _port_of(http))
    return Child("standins", (*ports, "--supervised"), launch.environment, module="channels.standins")


def _port_of(address: str) -> str:
    return address.rpartition(":")[2]


async def _run(supervisor: Supervisor, town: _Town, stopping: asyncio.Event) -> int:
    running = asyncio.create_task(supervisor.run())
    stop = asyncio.ensure_future(stopping.wait())
    announcing = asyncio.create_task(_announce(town))
    await asyncio.wait({running, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    announcing.cancel()
    supervisor.stop()
    return await running


async def _announce(town: _Town) -> None:
    """Wait until the hub serves, introduce the people of the town and print where everything is."""
    try:
        async with asyncio.timeout(_READY_TIMEOUT_S):
            await _until_it_answers(f"{town.url}/health/ready")
            await _until_it_answers(town.outbox_url)
            await asyncio.to_thread(_introduce_people, town)
    except OSError as error:  # Also that it took too long, or that an answer was a refusal.
        why = str(error) or f"no answer within {_READY_TIMEOUT_S:.0f} s"
        print(f"Doorbell is not ready: {why}. It may come yet, at {town.url}; Ctrl-C stops it.", flush=True)  # noqa: T201
        return
    finally:
        town.ready.set()  # However slow the hub is: what works behind it waits no longer.
    pages = {"Shopper": "/", "Publish an event": "/publish", "What went out": "/outbox", "Operator": "/ops#demo"}
    documents = {"API": "/openapi.json", "Health": "/health/ready", "Metrics": "/metrics"}
    lines = [f"  {name:<26}{town.url}{path}" for name, path in {**pages, **documents}.items()]
    print("Doorbell is running:", *lines, "Ctrl-C stops it.", sep="\n", flush=True)  # noqa: T201 - it talks to a person


async def _until_it_answers(url: str) -> None:
    while not await asyncio.to_thread(_answers, url):  # noqa: ASYNC110 - another process gets ready
        await asyncio.sleep(0.02)


# The standard library's client: importing a better one would take as long as all of this.


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5.0):  # noqa: S310 - our own address
            return True
    except OSError:  # URLError and HTTPError among them
        return False


def _introduce_people(town: _Town) -> None:
    """Tell the hub who lives in the town, as a shop's backend would."""
    batch = "application/cloudevents-batch+json"
    _post(f"{town.url}/v1/events", _PEOPLE.read_bytes(), token=town.service_key, content_type=batch)
    for device in json.loads(_DEVICES.read_bytes()):
        signed_in = _post(f"{town.url}/demo/session", json.dumps({"user": device.pop("user")}).encode())
        _post(f"{town.url}/v1/devices", json.dumps(device).encode(), token=signed_in["token"])


def _post(url: str, body: bytes, *, token: str = "", content_type: str = "application/json") -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": content_type}
    with urlopen(Request(url, data=body, headers=headers), timeout=10.0) as answer:  # noqa: S310 - as above
        return json.load(answer)


def _secret(data_dir: Path) -> str:
    """Return the secret that signs the tokens: the same after a restart, so that pages stay signed in."""
    file = data_dir / "token-secret"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(32))
    return file.read_text()

"""What an operator does: start, check, look, stop. With the real program and real signals."""

import asyncio
import re
import signal
import socket
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import jwt
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from deploy.local import KafkaServer, RabbitServer, RedisServer
from deploy.local.ports import free_port
from tests.acceptance.audience import Audience
from tests.acceptance.checker import problems, summary
from tests.acceptance.installation import FAMILIES, SECRET, Installation
from tests.acceptance.journeys import Plan, journey
from tests.acceptance.producers import KafkaBackend, RabbitBackend, make_topics
from tests.acceptance.programs import Program, clean_environment, doorbell
from tests.acceptance.waiting import until, until_true
from tests.services import KAFKA_JARS, running

pytestmark = pytest.mark.timeout(240)
_GRACE_S = 40.0


async def test_config_check_tells_every_mistake_at_once(tmp_path: Path) -> None:
    file = tmp_path / "doorbell.toml"
    playbook = tmp_path / "playbook.toml"
    playbook.write_text('[rules.order-placed]\nladder = [{ channel = "pigeon" }]\n')
    file.write_text(
        f'workers = "two"\nlisten = "nowhere"\nplaybook = "{playbook}"\ntemplates_dir = "nowhere"\n'
        '[kafka]\nbootstrap = "kafka"\n[smpt]\nurl = "x"\n'
    )
    environment = clean_environment() | {
        "DOORBELL_TOKEN__HMAC_SECRET": "short",
        "DOORBELL_SMTP__URL": "http://relay",
        "DOORBELL_SMTP__SENDER": "The shop",
        "DOORBELL_DEFAULT_LOCALE": "tlh",
        "DOORBELL_CHANNELS": '{"fax": {}}',
    }
    code, _, told = await doorbell("--config", str(file), "config", "check", environment=environment)
    assert code == 78
    settings = ("workers", "listen", "kafka.bootstrap", "smpt", "token.hmac_secret", "smtp.url", "templates_dir")
    for key in (*settings, "order-placed", "pigeon", "smtp.sender", "default_locale", "channels.fax"):
        assert key in told, f"{key} in {told}"
    assert "Traceback" not in told
    assert "short" not in told


async def test_a_role_with_mistakes_does_not_start(tmp_path: Path) -> None:
    environment = clean_environment() | {"DOORBELL_WORKERS": "0", "DOORBELL_REDIS_URL": "http://x"}
    code, _, told = await doorbell("serve", environment=environment)
    assert code == 78
    assert "workers" in told
    assert "redis_url" in told


@pytest.mark.parametrize("role", ["serve", "consume", "deliver", "demo"])
async def test_a_role_without_a_folder_for_its_data_says_so(tmp_path: Path, role: str) -> None:
    (tmp_path / "data").touch()
    environment = clean_environment() | {
        "DOORBELL_DATA_DIR": str(tmp_path / "data"),
        "DOORBELL_LISTEN": "127.0.0.1:0",
        "DOORBELL_KAFKA__BOOTSTRAP": "127.0.0.1:1",
    }
    code, _, told = await doorbell(role, environment=environment)
    assert (code, "data_dir" in told, "Traceback" in told) == (78, True, False)


async def test_a_redis_that_is_none_is_named_and_waited_for(tmp_path: Path, unique_name: str) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Installation(tmp_path, unique_name, REDIS_URL=f"redis://127.0.0.1:{port}") as hub:
        serve = hub.start("serve")

        async def told() -> bool:
            status, failing = await hub.readiness("serve")
            return status == 503 and "no Redis" in failing["redis"]

        await until_true(told, timeout_s=30, what="the readiness says that it is no Redis")
        assert serve.running
        assert await serve.stop(timeout_s=_GRACE_S) == 0
    assert "Traceback" not in serve.output


async def test_a_token_from_the_command_line_lets_its_user_in(tmp_path: Path, redis_url: str, unique_name: str) -> None:
    async with Installation(tmp_path, unique_name, REDIS_URL=redis_url) as hub:
        code, token, _ = await hub.command("token", "--user", "mia", "--ttl", "60")
        assert code == 0
        claims = jwt.decode(token.strip(), SECRET, algorithms=["HS256"])
        assert (claims["sub"], claims["role"]) == ("mia", "shopper")
        await hub.started("serve")
        headers = {"Authorization": f"Bearer {token.strip()}"}
        async with hub.http.get(f"{hub.url}/v1/inbox", headers=headers) as answer:
            assert answer.status == 200
        code, _, told = await hub.command("config", "show")
        assert SECRET not in told


async def test_the_openapi_document_that_is_served_is_valid(tmp_path: Path, redis_url: str, unique_name: str) -> None:
    async with Installation(tmp_path, unique_name, REDIS_URL=redis_url) as hub:
        await hub.started("serve")
        async with hub.http.get(f"{hub.url}/openapi.json") as answer:
            document = await answer.json()
    OpenAPIV31SpecValidator(document).validate()
    assert {"/v1/events", "/v1/inbox"} <= document["paths"].keys()


async def test_readiness_follows_redis_down_and_up(tmp_path: Path, unique_name: str) -> None:
    redis = RedisServer(tmp_path / "redis")
    with running(redis):
        async with Installation(tmp_path, unique_name, REDIS_URL=redis.url) as hub:
            serve = await hub.started("serve")
            await asyncio.to_thread(redis.kill)

            async def unready() -> bool:
                status, failing = await hub.readiness("serve")
                return status == 503 and bool(failing.get("redis"))

            await until_true(unready, timeout_s=10, what="the readiness is 503 and names Redis")
            async with hub.http.get(f"{hub.url}/health/live") as answer:
                assert answer.status == 200
            await asyncio.to_thread(redis.start)
            assert await hub.wait_ready("serve", timeout_s=10) < 10
            assert serve.running


async def test_brokers_may_come_after_the_consumer(tmp_path: Path, redis_url: str, unique_name: str) -> None:
    """Nothing listens where the brokers should be; then they appear."""
    kafka = KafkaServer(tmp_path / "kafka", library=KAFKA_JARS)
    rabbit = RabbitServer(tmp_path / "rabbitmq")
    plan = Plan(["kafka", "rabbit"], ["mia"], events=60, seed=5)
    settings = {
        "REDIS_URL": redis_url,
        "KAFKA__BOOTSTRAP": kafka.bootstrap,
        "KAFKA__TOPICS": ",".join(f"{unique_name}-{family}" for family in FAMILIES),
        "RABBITMQ__URL": rabbit.url,
        "RABBITMQ__EXCHANGE": unique_name,
    }
    async with Installation(tmp_path, unique_name, **settings) as hub:
        await hub.started("serve")
        consume = hub.start("consume")

        async def both_named() -> bool:
            status, failing = await hub.readiness("consume")
            return status == 503 and failing.keys() == {"kafka", "rabbitmq"}

        await until_true(both_named, timeout_s=30, what="the readiness names both brokers")
        assert "consumer_trouble" in consume.output
        audience = Audience(hub.port, hub.token)
        await audience.open(["mia"])
        await asyncio.gather(asyncio.to_thread(kafka.start), asyncio.to_thread(rabbit.start))
        try:
            await make_topics(kafka.bootstrap, unique_name, FAMILIES)
            await hub.wait_ready("consume", timeout_s=60)
            async with (
                KafkaBackend(kafka.bootstrap, unique_name) as over_kafka,
                RabbitBackend(rabbit.url, unique_name) as over_rabbit,
            ):
                await asyncio.gather(over_kafka.send_plan(plan, "kafka"), over_rabbit.send_plan(plan, "rabbit"))
            expected = plan.expected()
            await until(lambda: audience.count >= len(expected["mia"]), timeout_s=30, what="all are told")
            found = problems(expected, audience.told)
            assert not found, summary(found)
            assert await consume.stop(timeout_s=_GRACE_S) == 0
        finally:
            await audience.close()
            await asyncio.gather(asyncio.to_thread(kafka.stop), asyncio.to_thread(rabbit.stop))


async def test_the_metrics_of_several_workers_add_up(tmp_path: Path, redis_url: str, unique_name: str) -> None:
    users = [f"user{number}" for number in range(40)]
    async with Installation(tmp_path, unique_name, REDIS_URL=redis_url, WORKERS="2") as hub:
        await hub.started("serve")
        audience = Audience(hub.port, hub.token)
        await audience.open(users)

        async def counted() -> bool:
            # Asked of either worker, the sum is the same.
            texts = [await hub.metrics("serve") for _ in range(4)]
            return all(_value(text, 'doorbell_connections{transport="websocket"}') == 40 for text in texts)

        await until_true(counted, timeout_s=15, what="40 connections in the metrics of all workers")
        await audience.close()


def _value(metrics: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", metrics, re.MULTILINE)
    return float(found[1]) if found else -1.0


class Demo:
    """`doorbell demo` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        environment = clean_environment() | {
            "DOORBELL_LISTEN": f"127.0.0.1:{self.port}",
            "DOORBELL_DATA_DIR": str(folder / "data"),
        }
        self.program = Program("demo", environment=environment, log=folder / "demo.log")

    async def start(self) -> None:
        self.program.start()
        await until(
            lambda: "Doorbell is running" in self.program.output, timeout_s=40, what=lambda: self.program.output
        )

    async def interrupted(self) -> int:
        code = await self.program.stop(timeout_s=_GRACE_S, with_signal=signal.SIGINT)
        self.program.log.write_text("")
        return code


async def test_the_demo_stops_on_ctrl_c_leaves_nothing_behind_and_keeps_its_data(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    url = f"http://127.0.0.1:{demo.port}"
    try:
        async with aiohttp.ClientSession() as client:
            await demo.start()
            token = await _signed_in(client, url)
            before = await _inbox(client, url, token)
            await _publish(client, url)

            async def told() -> bool:
                return len(await _inbox(client, url, token)) > len(before)

            await until_true(told, timeout_s=10, what="the demo's shopper is told")
            after = await _inbox(client, url, token)
            assert await demo.interrupted() == 0
            assert demo.program.orphans() == []
            await demo.start()
            assert await _inbox(client, url, token) == after
            assert await demo.interrupted() == 0
    finally:
        demo.program.end()
    assert not _listens(demo.port)


async def _signed_in(client: aiohttp.ClientSession, url: str, **wish: str) -> str:
    async with client.post(f"{url}/demo/session", json=wish or {"user": "mia"}) as answer:
        token: str = (await answer.json())["token"]
        return token


async def _inbox(client: aiohttp.ClientSession, url: str, token: str) -> list[str]:
    async with client.get(f"{url}/v1/inbox", headers={"Authorization": f"Bearer {token}"}) as answer:
        assert answer.status == 200, await answer.text()
        return [entry["id"] for entry in (await answer.json())["entries"]]


async def _publish(client: aiohttp.ClientSession, url: str) -> None:
    backend = await _signed_in(client, url, role="service")
    order = journey("D1", "mia", ["order.placed"], datetime.now(UTC)).messages[0]
    headers = {"Authorization": f"Bearer {backend}", "Content-Type": "application/cloudevents+json"}
    async with client.post(f"{url}/v1/events", data=order.structured, headers=headers) as answer:
        assert answer.status == 202, await answer.text()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

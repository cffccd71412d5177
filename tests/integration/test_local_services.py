"""deploy/local: each service starts, keeps its data over a crash, and ends without a trace."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import aio_pika
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from deploy.local import (
    DidNotStartError,
    KafkaServer,
    LocalServiceError,
    MissingProgramError,
    RabbitServer,
    RedisServer,
    ports,
)
from deploy.local.child import RECORD_SUFFIX, Child
from deploy.local.ports import free_port, is_free
from deploy.local.programs import Program
from deploy.local.service import end_recorded
from tests import services
from tests.services import KAFKA_JARS, PROJECT, running


async def test_redis_keeps_its_data_over_a_stop_in_good_order(tmp_path: Path) -> None:
    with running(RedisServer(tmp_path / "redis")) as server:
        async with Redis.from_url(server.url) as redis:
            await redis.set("order", "placed")
        server.restart()
        async with Redis.from_url(server.url) as redis:
            assert await redis.get("order") == b"placed"


async def test_redis_keeps_acknowledged_writes_over_a_kill(tmp_path: Path) -> None:
    with running(RedisServer(tmp_path / "redis")) as server:
        async with Redis.from_url(server.url) as redis:
            await redis.set("order", "placed")
        server.kill()
        assert not server.running
        server.start()
        async with Redis.from_url(server.url) as redis:
            assert await redis.get("order") == b"placed"


async def test_a_paused_redis_accepts_connections_and_answers_nothing(tmp_path: Path) -> None:
    with running(RedisServer(tmp_path / "redis")) as server:
        server.pause()
        with socket.create_connection(("127.0.0.1", server.port), timeout=1), pytest.raises(RedisTimeoutError):
            async with Redis.from_url(server.url, socket_timeout=0.1, retry=None) as redis:
                await redis.ping()
        server.resume()
        async with Redis.from_url(server.url) as redis:
            assert await redis.ping()


def test_a_paused_service_can_be_stopped(tmp_path: Path) -> None:
    with running(RedisServer(tmp_path / "redis")) as server:
        server.pause()
    assert not server.running
    assert is_free(server.port)


def test_a_stranger_on_its_port_is_not_taken_for_the_service(tmp_path: Path) -> None:
    with running(RedisServer(tmp_path / "first")) as first, pytest.raises(LocalServiceError, match="is in use"):
        RedisServer(tmp_path / "second", port=first.port).start()


def test_a_port_that_was_chosen_is_chosen_by_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    script = f"from deploy.local import ports; ports._FIRST = ports._LAST = {port}; ports.free_port()"
    other = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert f"no free port between {port} and {port}" in other.stderr
    monkeypatch.setattr(ports, "_FIRST", port)
    monkeypatch.setattr(ports, "_LAST", port)
    with pytest.raises(OSError, match="no free port"):
        free_port()


def test_a_service_that_ends_early_shows_its_log(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_text("where the folder of the append-only file should be")
    with pytest.raises(DidNotStartError, match=r"its process ended(.|\n)*appendonlydir"):
        RedisServer(tmp_path).start()


def test_a_service_that_is_not_running_cannot_be_killed(tmp_path: Path) -> None:
    with pytest.raises(LocalServiceError, match="redis is not running"):
        RedisServer(tmp_path).kill()


def test_services_left_by_a_dead_run_are_found_by_their_record_and_ended(tmp_path: Path) -> None:
    with running(RedisServer(tmp_path / "redis")) as left:
        assert end_recorded(tmp_path) == ["redis"]
        assert not left.running
    assert end_recorded(tmp_path) == []


def test_a_record_never_leads_to_a_stranger_with_the_same_process_id(tmp_path: Path) -> None:
    record = tmp_path / f"redis{RECORD_SUFFIX}"
    record.write_text(f'{{"pid": {psutil.Process().pid}, "started": 1.0}}')
    assert Child.recorded(record) is None


def test_a_process_lives_as_long_as_one_of_its_threads(tmp_path: Path) -> None:
    script = """
import ctypes, threading
threading.Thread(target=threading.Event().wait).start()
ctypes.CDLL(None).pthread_exit(None)
"""
    started = Child.start([sys.executable, "-c", script], folder=tmp_path, name="threads", env=os.environ)
    try:
        recorded = Child.recorded(tmp_path / f"threads{RECORD_SUFFIX}")
        assert recorded is not None
        first = psutil.Process(started.pid)
        while first.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert recorded.running
        recorded.kill()
        assert first.num_threads() == 1
    finally:
        started.kill()


@pytest.mark.timeout(300)
async def test_rabbitmq_keeps_a_persistent_message_over_a_kill(tmp_path: Path) -> None:
    with running(RabbitServer(tmp_path / "rabbitmq")) as server:
        async with await aio_pika.connect(server.url) as connection:
            channel = await connection.channel()
            await channel.declare_queue("orders", durable=True)
            await asyncio.to_thread(server.flush_definitions)
            body = aio_pika.Message(b"placed", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(body, routing_key="orders")
        server.kill()
        server.start()
        async with await aio_pika.connect(server.url) as connection:
            queue = await (await connection.channel()).declare_queue("orders", passive=True)
            message = await queue.get(timeout=5)
            assert message.body == b"placed"
            await message.ack()
    assert end_recorded(tmp_path) == []  # The node took its name service along.


@pytest.mark.timeout(300)
async def test_kafka_keeps_an_acknowledged_record_over_a_kill(tmp_path: Path) -> None:
    with running(KafkaServer(tmp_path / "kafka", library=KAFKA_JARS)) as server:
        async with AIOKafkaProducer(bootstrap_servers=server.bootstrap, acks="all") as producer:
            await producer.send_and_wait("orders", b"placed", key=b"order-1")
        server.kill()
        server.start()
        async with AIOKafkaConsumer(
            "orders", bootstrap_servers=server.bootstrap, auto_offset_reset="earliest", group_id="checker"
        ) as consumer:
            record = await consumer.getone()
            assert (record.key, record.value) == (b"order-1", b"placed")


def test_a_missing_program_names_the_package_to_install() -> None:
    with pytest.raises(MissingProgramError, match="apt-get install no-such-package"):
        Program(name="no-such-program", package="no-such-package").require()


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_an_unavailable_service_skips_at_home_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no broker"):
        services.unavailable("no broker")


def test_the_next_run_ends_what_a_killed_run_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "RUNS", tmp_path)
    killed = subprocess.Popen(["sleep", "60"])
    name = services.run_name(killed.pid)
    killed.kill()
    killed.wait()
    # Its process id may belong to another process by now.
    with (
        running(RedisServer(tmp_path / name / "redis")) as left,
        running(RedisServer(tmp_path / f"{os.getpid()}-1" / "redis")) as left_with_our_id,
    ):
        with services.run_folder() as own:
            assert not left.running
            assert not left_with_our_id.running
            assert list(tmp_path.iterdir()) == [own]
        assert not own.exists()


def test_a_run_leaves_alone_what_another_one_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "RUNS", tmp_path)
    with running(RedisServer(tmp_path / services.run_name(os.getppid()) / "redis")) as used:
        with services.run_folder():
            assert used.running
        assert used.running

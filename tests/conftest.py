"""Fixtures for all tests, and the marker of each test from its folder."""

import asyncio
import faulthandler
import functools
import gc
import inspect
import os
import secrets
import sys
import threading
from collections.abc import Awaitable, Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from deploy.local import KafkaServer, RabbitServer, RedisCluster, RedisServer
from deploy.local.programs import CHROMIUM
from tests.services import KAFKA_JARS, run_folder, running, unavailable

# `make test-unit` looks for a moment, `make test` looks properly. How long an example takes is the machine's affair.
settings.register_profile("proper", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("proper"), max_examples=20)
settings.load_profile("proper")

_TESTS = Path(__file__).parent
_FOLDERS = ("unit", "property", "conformance", "integration", "acceptance", "faults", "browser")
"""In the order in which they run: what is quick first. The browser's comes last because Playwright keeps an event loop
running in the main thread from its first test to the end of the run, where asyncio's tests could not start theirs."""
_FIXTURES_S = 30.0
_CLEANING_UP_S = 120.0
_CLOCK = pytest.StashKey[threading.Timer]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the name of its folder (`pytest -m unit` is `pytest tests/unit`); run them in our order."""
    for item in items:
        folder = _folder_of(item.path)
        if folder:
            item.add_marker(folder)
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = _ending(item.obj, _limit_s(item))
        else:
            item.add_marker(pytest.mark.timeout(_limit_s(item), method="signal"), append=False)
    items.sort(key=lambda item: _FOLDERS.index(_folder_of(item.path) or "unit"))


def pytest_collection_finish() -> None:
    """Spare the garbage collector what collection has made, or it goes over all of it again and again."""
    gc.freeze()


def _limit_s(item: pytest.Item) -> float:
    """How long a test may take with its fixtures; 0 for ever."""
    marker = item.get_closest_marker("timeout")
    of_all = item.config.getoption("timeout") or item.config.getini("timeout") or 0
    return float(marker.args[0] if marker else of_all)


def _ending(test: Callable[..., Awaitable[None]], limit_s: float) -> Callable[..., Awaitable[None]]:
    """Have a coroutine that hangs fail where it waits, and the run go on: the time limit itself ends the whole run."""
    patience_s = max(limit_s / 2, limit_s - _FIXTURES_S) or None

    @functools.wraps(test)
    async def in_time(*args: object, **kwargs: object) -> None:
        async with asyncio.timeout(patience_s):
            await test(*args, **kwargs)

    return in_time


def pytest_exception_interact(node: pytest.Item | pytest.Collector, report: pytest.TestReport) -> None:
    """Limit what comes after a failure: pytest-timeout does not, to leave time for a debugger."""
    if isinstance(node, pytest.Item) and not node.config.getoption("usepdb"):
        clock = node.stash[_CLOCK] = threading.Timer(_CLEANING_UP_S, _give_up, [node, report])
        clock.daemon = True
        clock.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Stop that clock when the cleaning up is done."""
    try:
        return (yield)
    finally:
        clock = item.stash.get(_CLOCK, None)
        if clock is not None:
            clock.cancel()


def _give_up(item: pytest.Item, report: pytest.TestReport) -> None:
    """End the run, saying what failed and where the cleaning up waits."""
    capture = item.config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.suspend_global_capture(item)
    sys.stderr.write(f"\n{report.longreprtext}\n{item.nodeid} failed; cleaning up after it hangs:\n")
    faulthandler.dump_traceback(sys.stderr)
    os._exit(1)


@functools.cache
def _folder_of(path: Path) -> str:
    """Return a test's folder below tests/, empty where it has none of ours."""
    folder = path.relative_to(_TESTS).parts[0] if path.is_relative_to(_TESTS) else ""
    return folder if folder in _FOLDERS else ""


@pytest.fixture
def unique_name() -> str:
    """A name of this test's own, fit for a Kafka topic, a queue or a user."""
    return f"t-{secrets.token_hex(6)}"


@pytest.fixture
def key_prefix(unique_name: str) -> str:
    """The beginning of every Redis key of this test, so that tests can share one server."""
    return f"{unique_name}:"


@pytest.fixture(scope="session")
def services_folder() -> Iterator[Path]:
    """Where the services of this process keep their data."""
    with run_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def redis_server(services_folder: Path) -> Iterator[RedisServer]:
    """The run's Redis. Do not stop, pause or flush it: other tests use it too."""
    with running(RedisServer(services_folder / "redis")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(redis_server: RedisServer) -> str:
    """The URL of the run's Redis."""
    return redis_server.url


@pytest.fixture(scope="session")
def redis_cluster(services_folder: Path) -> Iterator[RedisCluster]:
    """The run's Redis Cluster of three masters. Do not stop or pause its servers: other tests use it too."""
    with running(RedisCluster(services_folder / "redis-cluster", node_timeout_ms=15_000)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def cluster_url(redis_cluster: RedisCluster) -> str:
    """The URL of the run's Redis Cluster."""
    return redis_cluster.url


@pytest.fixture(scope="session")
def rabbit_server(services_folder: Path) -> Iterator[RabbitServer]:
    """The run's RabbitMQ. Do not stop or pause it: other tests use it too."""
    with running(RabbitServer(services_folder / "rabbitmq")) as server:
        yield server


@pytest.fixture(scope="session")
def rabbit_url(rabbit_server: RabbitServer) -> str:
    """The URL of the run's RabbitMQ."""
    return rabbit_server.url


@pytest.fixture(scope="session")
def kafka_server(services_folder: Path) -> Iterator[KafkaServer]:
    """The run's Kafka. Do not stop or pause it: other tests use it too."""
    with running(KafkaServer(services_folder / "kafka", library=KAFKA_JARS)) as server:
        yield server


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_server: KafkaServer) -> str:
    """The bootstrap server of the run's Kafka."""
    return kafka_server.bootstrap


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The system's Chromium, for Playwright's `executable_path`."""
    found = CHROMIUM.find()
    if found is None:
        unavailable(f"{CHROMIUM.name} is not installed. Install it with: apt-get install {CHROMIUM.package}")
    return found

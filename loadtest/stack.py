"""The program under load: real roles as processes, on a Redis and a Kafka of their own, and what they cost.

Everything listens on loopback, lives in a temporary folder and ends with the `with` block.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from deploy.local import KafkaServer, RedisServer
from hub.domain.permission import Role
from hub.service.tokens import mint_token
from hub.settings import Token

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 30.0
_KAFKA_JARS = Path(".local/kafka-jars")
_TOKEN_TTL_S = 86_400


@dataclass(slots=True)
class Cost:
    """What a process has used so far: CPU seconds, and resident bytes."""

    cpu_s: float
    resident_bytes: int


@dataclass(slots=True)
class Stack:
    """A running installation. `processes` are by role."""

    redis_url: str
    kafka_bootstrap: str
    address: tuple[str, int]
    folder: Path
    environment: dict[str, str]
    token: Token
    processes: dict[str, psutil.Process] = field(default_factory=dict)

    def mint(self, user: str) -> str:
        """Return a shopper's connection token."""
        return mint_token(self.token, user=user, role=Role.SHOPPER, ttl_s=_TOKEN_TTL_S)

    def costs(self) -> dict[str, Cost]:
        """Return what each process has used so far; workers that share a port are added up under `serve`."""
        costs = {}
        for name, process in self.processes.items():
            family = [process, *process.children(recursive=True)]
            times = [member.cpu_times() for member in family]
            cpu_s = sum(each.user + each.system for each in times)
            costs[name] = Cost(cpu_s, sum(member.memory_info().rss for member in family))
        return costs

    @contextmanager
    def role(self, name: str, **settings: str) -> Iterator[psutil.Process]:
        """Run a role for the block, and wait until it is ready."""
        environment = {**self.environment, "DOORBELL_ADMIN_LISTEN": f"127.0.0.1:{free_port()}", **settings}
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen([sys.executable, "-m", "hub", name], env=environment, stderr=output)
        self.processes[name] = psutil.Process(process.pid)
        listen = environment["DOORBELL_LISTEN" if name == "serve" else "DOORBELL_ADMIN_LISTEN"]
        try:
            _wait_ready(f"http://{listen}/health/ready", process, log)
            yield self.processes[name]
        finally:
            del self.processes[name]
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def running_stack(*, kafka: bool, settings: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Start Redis, Kafka if wanted, and prepare the environment of the roles."""
    with TemporaryDirectory(prefix="doorbell-load-") as name, ExitStack() as services:
        folder = Path(name)
        redis = services.enter_context(RedisServer(folder / "redis"))
        broker = services.enter_context(KafkaServer(folder / "kafka", library=_KAFKA_JARS)) if kafka else None
        port = free_port()
        token = Token(hmac_secret=secrets.token_hex(32))
        environment = {
            **os.environ,
            "DOORBELL_REDIS_URL": redis.url,
            "DOORBELL_LISTEN": f"127.0.0.1:{port}",
            "DOORBELL_DATA_DIR": str(folder / "data"),
            "DOORBELL_TOKEN__HMAC_SECRET": token.hmac_secret,
            "DOORBELL_LOG_LEVEL": "warning",
            "DOORBELL_GATEWAY__ACCEPTS_PER_SECOND": "1000000",
            "DOORBELL_KAFKA__BOOTSTRAP": broker.bootstrap if broker else "",
            **(settings or {}),
        }
        stack = Stack(
            redis_url=redis.url,
            kafka_bootstrap=broker.bootstrap if broker else "",
            address=("127.0.0.1", port),
            folder=folder,
            environment=environment,
            token=token,
        )
        stack.processes["redis"] = psutil.Process(redis.pid)
        yield stack


def free_port() -> int:
    """Return a port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    reason = "no answer"
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2.0):  # noqa: S310 - our own process on loopback
                return
        except urllib.error.HTTPError as error:
            reason = json.loads(error.read() or b"{}")
        except OSError as error:
            reason = str(error)
        time.sleep(0.1)
    tail = log.read_text(errors="replace")[-2_000:]
    raise RuntimeError(f"the role did not get ready ({reason}); its log ends with:\n{tail}")

"""The program under load: real roles as processes, on a Redis and a Kafka of their own, and what they cost.

Everything listens on loopback, lives in a temporary folder and ends with the `with` block.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from deploy.local import KafkaServer, RedisServer
from deploy.local.ports import free_port
from hub.domain.permission import Role
from hub.service.identity.tokens import mint_token
from hub.settings import Token

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 60.0
_KAFKA_JARS = Path(".local/kafka-jars")
_TOKEN_TTL_S = 86_400
_SERVE = "serve"
_LISTENING = "0A"
"""TCP_LISTEN in /proc/net/tcp."""


@dataclass(slots=True)
class Cost:
    """What a process has used so far: CPU seconds, and resident bytes."""

    cpu_s: float
    resident_bytes: int


def cost_of(process: psutil.Process) -> Cost:
    """Return what a process has used so far. Raises psutil.NoSuchProcess."""
    with process.oneshot():
        times = process.cpu_times()
        return Cost(times.user + times.system, process.memory_info().rss)


@dataclass(slots=True)
class Stack:
    """A running installation. `processes` are by name: a role's, or that of the second one of a role."""

    redis_url: str
    kafka_bootstrap: str
    address: tuple[str, int]
    folder: Path
    environment: dict[str, str]
    token: Token
    processes: dict[str, psutil.Process] = field(default_factory=dict)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def mint(self, user: str) -> str:
        """Return a shopper's connection token."""
        return mint_token(self.token, user=user, role=Role.SHOPPER, ttl_s=_TOKEN_TTL_S)

    def costs(self) -> dict[str, Cost]:
        """Return what each process has used so far; workers that share a port are added up under `serve`."""
        costs: dict[str, Cost] = {}
        for name, cost in self.costs_of_each().items():
            total = costs.setdefault(name.partition(".")[0], Cost(0.0, 0))
            total.cpu_s += cost.cpu_s
            total.resident_bytes += cost.resident_bytes
        return costs

    def costs_of_each(self) -> dict[str, Cost]:
        """Return the same by process: a child's name is its parent's, a dot and its place among them."""
        costs = {}
        for name, process in list(self.processes.items()):
            with suppress(psutil.NoSuchProcess):
                costs[name] = cost_of(process)
                for number, child in enumerate(children_of(process.pid)):
                    with suppress(psutil.NoSuchProcess):
                        costs[f"{name}.{number}"] = cost_of(psutil.Process(child))
        return costs

    def start(self, role: str, *, name: str = "", **settings: str) -> None:
        """Run a role under a name, its own by default, and wait until it is ready."""
        name = name or role
        before = listeners(self.address[1])
        environment = {**self.environment, "DOORBELL_ADMIN_LISTEN": f"127.0.0.1:{free_port()}", **settings}
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            # A group of its own, so that Ctrl-C reaches us alone and we stop it in order.
            process = subprocess.Popen(
                [sys.executable, "-m", "hub", role], env=environment, stderr=output, start_new_session=True
            )
        self._running[name] = process
        self.processes[name] = psutil.Process(process.pid)
        listen = environment["DOORBELL_LISTEN" if role == _SERVE else "DOORBELL_ADMIN_LISTEN"]
        _wait_ready(f"http://{listen}/health/ready", process, log)
        if role == _SERVE:
            self._wait_listening(before + int(environment.get("DOORBELL_WORKERS", "1")))

    def _wait_listening(self, count: int) -> None:
        """Wait for the last worker: without it the others would get its share of the connections."""
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while listeners(self.address[1]) < count:
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"{listeners(self.address[1])} of {count} workers listen")
            time.sleep(0.05)

    def stop(self, name: str) -> None:
        """Ask a role to end, and wait until it has."""
        process = self._running[name]
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        del self.processes[name], self._running[name]

    def kill(self, name: str) -> None:
        """End a role at once, whatever it is doing (SIGKILL)."""
        process = self._running.pop(name)
        process.kill()
        process.wait()
        del self.processes[name]

    def stop_all(self) -> None:
        """Stop every role that still runs."""
        for name in list(self._running):
            self.stop(name)

    @contextmanager
    def role(self, name: str, **settings: str) -> Iterator[None]:
        """Run a role for the block."""
        try:
            self.start(name, **settings)
            yield
        finally:
            self.stop(name)


@contextmanager
def running_stack(*, kafka: bool, settings: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Start Redis, Kafka if wanted, and prepare the environment of the roles; stop all of them after the block."""
    with TemporaryDirectory(prefix="doorbell-load-") as name, ExitStack() as services:
        folder = Path(name)
        # As is advised for one machine: a round trip over it costs both sides a quarter less than over TCP.
        redis_socket = folder / "redis.sock"
        redis = services.enter_context(RedisServer(folder / "redis", options={"unixsocket": str(redis_socket)}))
        redis_url = f"unix://{redis_socket}"
        broker = services.enter_context(KafkaServer(folder / "kafka", library=_KAFKA_JARS)) if kafka else None
        port = free_port()
        token = Token(hmac_secret=secrets.token_hex(32))
        environment = {
            **os.environ,
            "DOORBELL_REDIS_URL": redis_url,
            "DOORBELL_LISTEN": f"127.0.0.1:{port}",
            "DOORBELL_DATA_DIR": str(folder / "data"),
            "DOORBELL_TOKEN__HMAC_SECRET": token.hmac_secret,
            "DOORBELL_LOG_LEVEL": "warning",
            "DOORBELL_GATEWAY__ACCEPTS_PER_SECOND": "1000000",
            "DOORBELL_KAFKA__BOOTSTRAP": broker.bootstrap if broker else "",
            **(settings or {}),
        }
        stack = Stack(
            redis_url=redis_url,
            kafka_bootstrap=broker.bootstrap if broker else "",
            address=("127.0.0.1", port),
            folder=folder,
            environment=environment,
            token=token,
        )
        stack.processes["redis"] = psutil.Process(redis.pid)
        if broker is not None:
            stack.processes["kafka"] = psutil.Process(broker.pid)
        try:
            yield stack
        finally:
            stack.stop_all()


def children_of(pid: int) -> list[int]:
    """Return the children of a process's main thread, which are all that roles and Redis have.

    psutil looks through all processes of the machine for them: 4 ms each second and process, in which nothing is sent.
    """
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def listeners(port: int) -> int:
    """Return how many sockets listen on a port of this machine (IPv4)."""
    count = 0
    with Path("/proc/net/tcp").open() as sockets:
        next(sockets)
        for line in sockets:
            _, local, _, state, *_ = line.split()
            if state != _LISTENING:
                # The kernel lists those that listen first, and of the others there may be 200,000.
                break
            count += int(local.rpartition(":")[2], 16) == port
    return count


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

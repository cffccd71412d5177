"""`python -m channels.standins [--smtp-port N] [--http-port N]`: the stand-ins as a process of their own.

Prints one JSON line, `{"smtp_url": …, "outbox_url": …}`, when it is ready, and serves until SIGINT or SIGTERM. With
`--supervised` it prints nothing and ends, too, when its standard input closes: when who started it is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys

from aiohttp import web

from channels.standins.mail_relay import HOST, MailRelay
from channels.standins.outbox import application


async def serve(*, smtp_port: int, http_port: int, supervised: bool) -> None:
    """Run the relay and its listing until the process is told to stop."""
    stop = _told_to_stop(supervised=supervised)
    async with MailRelay(port=smtp_port) as relay:
        runner = web.AppRunner(application(relay.outbox), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            # A port that was given may be held for us, as is one of the hub's.
            await web.TCPSite(runner, HOST, http_port, reuse_port=bool(http_port)).start()
            if not supervised:
                _introduce(relay, http_port=runner.addresses[0][1])
            await stop.wait()
        finally:
            await runner.cleanup()


def _told_to_stop(*, supervised: bool) -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if supervised:
        loop.add_reader(sys.stdin, lambda: None if os.read(sys.stdin.fileno(), 1) else stop.set())
    return stop


def _introduce(relay: MailRelay, *, http_port: int) -> None:
    sys.stdout.write(json.dumps({"smtp_url": relay.url, "outbox_url": f"http://{HOST}:{http_port}/outbox"}) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m channels.standins", description="Stand-ins for providers, on loopback."
    )
    parser.add_argument("--smtp-port", type=int, default=0, help="0 picks one")
    parser.add_argument("--http-port", type=int, default=0, help="0 picks one")
    parser.add_argument("--supervised", action="store_true", help="end when standard input closes")
    options = parser.parse_args()
    asyncio.run(serve(smtp_port=options.smtp_port, http_port=options.http_port, supervised=options.supervised))


if __name__ == "__main__":
    main()

"""`python -m channels.standins [--smtp-port N] [--http-port N]`: the stand-ins as a process of their own.

Prints one JSON line, `{"smtp_url": …, "outbox_url": …}`, when it is ready, and serves until SIGINT or SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from aiohttp import web

from channels.standins.mail_relay import HOST, MailRelay
from channels.standins.outbox import application


async def serve(*, smtp_port: int, http_port: int) -> None:
    """Run the relay and its listing until the process is told to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with MailRelay(port=smtp_port) as relay:
        runner = web.AppRunner(application(relay.outbox), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, HOST, http_port)
            await site.start()
            port = runner.addresses[0][1]
            sys.stdout.write(json.dumps({"smtp_url": relay.url, "outbox_url": f"http://{HOST}:{port}/outbox"}) + "\n")
            sys.stdout.flush()
            await stop.wait()
        finally:
            await runner.cleanup()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m channels.standins", description="Stand-ins for providers, on loopback."
    )
    parser.add_argument("--smtp-port", type=int, default=0, help="0 picks one")
    parser.add_argument("--http-port", type=int, default=0, help="0 picks one")
    options = parser.parse_args()
    asyncio.run(serve(smtp_port=options.smtp_port, http_port=options.http_port))


if __name__ == "__main__":
    main()

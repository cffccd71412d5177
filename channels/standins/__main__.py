"""`python -m channels.standins [--smtp-port N] [--http-port N]`: the stand-ins as a process of their own.

FCM and Twilio are on the HTTP port, beside the listings of what was taken: `/outbox`, `/pushes` and `/texts`. Of every
text Twilio's callback is told that it was sent and has arrived.

Prints one JSON line, `{"smtp_url": …, "http_url": …, "outbox_url": …}`, when it is ready, and serves until SIGINT or
SIGTERM. With `--supervised` it prints nothing and ends, too, when its standard input closes: when who started it is
gone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys

from aiohttp import web

from channels.standins import outbox
from channels.standins.fcm import FcmStandIn
from channels.standins.mail_relay import HOST, MailRelay
from channels.standins.twilio import TwilioStandIn

_FATES = ("sent", "delivered")


async def serve(*, smtp_port: int, http_port: int, supervised: bool) -> None:
    """Run all stand-ins until the process is told to stop."""
    stop = _told_to_stop(supervised=supervised)
    fcm, twilio = FcmStandIn(), TwilioStandIn(fates=_FATES)
    async with MailRelay(port=smtp_port) as relay:
        app = web.Application()
        app.add_routes([*outbox.routes(relay.outbox), *fcm.routes(), *twilio.routes()])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            # A port that was given may be held for us, as is one of the hub's.
            await web.TCPSite(runner, HOST, http_port, reuse_port=bool(http_port)).start()
            if not supervised:
                _introduce(relay, http_port=runner.addresses[0][1])
            await stop.wait()
        finally:
            await runner.cleanup()
            await twilio.fall_silent()


def _told_to_stop(*, supervised: bool) -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if supervised:
        loop.add_reader(sys.stdin, lambda: None if os.read(sys.stdin.fileno(), 1) else stop.set())
    return stop


def _introduce(relay: MailRelay, *, http_port: int) -> None:
    http_url = f"http://{HOST}:{http_port}"
    urls = {"smtp_url": relay.url, "http_url": http_url, "outbox_url": f"{http_url}/outbox"}
    sys.stdout.write(json.dumps(urls) + "\n")
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

"""Mails with the real program: out over a relay, back as bounces, and what an operator sees of it."""

import asyncio
import smtplib
from pathlib import Path

import pytest

from channels.standins.mail_relay import MailRelay
from deploy.local.ports import free_port
from tests.acceptance.installation import Installation
from tests.acceptance.waiting import until, until_true
from tests.mail_reports import bounce

pytestmark = pytest.mark.timeout(240)
MAILBOX = "zoe@example.com"
_SENT_S = 60.0
SEND = {"user": "zoe", "title": "Hello", "body": "A word from us.", "ladder": [{"channel": "email"}]}
PERSON = {
    "specversion": "1.0",
    "id": "zoe-1",
    "source": "/shop",
    "type": "user.updated",
    "time": "2026-01-05T08:00:00Z",
    "data": {"user_id": "zoe", "email": MAILBOX, "locale": "en"},
}


def hand_over(port: int, message: bytes, to: str) -> None:
    """Do what a mail server does with a bounce."""
    with smtplib.LMTP("127.0.0.1", port, timeout=20.0) as lmtp:
        lmtp.sendmail("", [to], message)


async def test_a_bounce_comes_back_by_itself_and_the_address_is_written_to_no_more(
    tmp_path: Path, redis_url: str, unique_name: str
) -> None:
    port = free_port()
    async with (
        MailRelay() as relay,
        Installation(
            tmp_path,
            unique_name,
            REDIS_URL=redis_url,
            SMTP__URL=relay.url,
            SMTP__RETURN_PATH="bounces@shop.example",
            SMTP__REPORTS_LISTEN=f"127.0.0.1:{port}",
        ) as hub,
    ):
        await asyncio.gather(hub.started("serve"), hub.started("deliver"))
        await hub.publish([PERSON])
        async with hub.http.post(f"{hub.url}/v1/notifications", json=SEND, headers=hub.headers) as answer:
            assert answer.status == 202, await answer.text()
        await until(lambda: relay.outbox.total == 1, timeout_s=_SENT_S, what="the mail has gone out")
        (mail,) = relay.outbox.mails(MAILBOX)
        assert mail.sender.startswith("bounces+")

        # Without a mark: the address that it comes back to is proof enough.
        await asyncio.to_thread(hand_over, port, bounce(), mail.sender)
        code, told, _ = await hub.command("suppressions", "list")
        assert code == 0
        assert "email:" in told
        assert "bounced: 5.1.1" in told
        assert MAILBOX not in told

        async with hub.http.post(f"{hub.url}/v1/notifications", json=SEND, headers=hub.headers) as answer:
            second = (await answer.json())["id"]
        deliveries = 'doorbell_deliveries_total{channel="email",outcome="skipped"} 1.0'

        async def skipped() -> bool:
            return deliveries in await hub.metrics("deliver")

        await until_true(skipped, timeout_s=_SENT_S, what=f"{second} has been skipped")
        assert relay.outbox.total == 1

        code, told, _ = await hub.command("suppressions", "remove", MAILBOX)
        assert (code, told) == (0, f"{MAILBOX}: is written to again\n")
        code, _, told = await hub.command("suppressions", "remove", MAILBOX)
        assert (code, told) == (1, f"{MAILBOX}: is not suppressed\n")
        code, told, _ = await hub.command("suppressions", "list")
        assert (code, told) == (0, "No address is suppressed.\n")

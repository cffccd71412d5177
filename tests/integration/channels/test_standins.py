import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from smtplib import SMTP
from typing import TypeAlias

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from channels.standins.account import ACCOUNT_SID, AUTH_TOKEN
from channels.standins.mail_relay import MailRelay
from channels.standins.outbox import Outbox, application
from channels.standins.twilio import TwilioStandIn

Client: TypeAlias = TestClient[aiohttp.web.Request, aiohttp.web.Application]
MAIL = b"""From: Shop <no-reply@shop.example>\r
To: zoe@example.com\r
Subject: =?utf-8?b?R3LDvMOfZQ==?=\r
Message-ID: <n-1@shop.example>\r
Content-Type: multipart/alternative; boundary=b\r
\r
--b\r
Content-Type: text/plain; charset=utf-8\r
\r
Hello\r
--b\r
Content-Type: text/html; charset=utf-8\r
\r
<p>Hello</p><script>alert(1)</script>\r
--b--\r
"""


def take(outbox: Outbox, recipient: str = "zoe@example.com", content: bytes = MAIL) -> None:
    outbox.take(sender="no-reply@shop.example", recipients=(recipient,), content=content, at_ms=1_000)


@pytest_asyncio.fixture
async def outbox() -> Outbox:
    return Outbox(mails_max=3)


@pytest_asyncio.fixture
async def client(outbox: Outbox) -> AsyncIterator[Client]:
    async with TestClient(TestServer(application(outbox))) as client:
        yield client


async def test_the_outbox_lists_mails_newest_first(outbox: Outbox, client: Client) -> None:
    take(outbox)
    take(outbox, "max@example.com")
    listing = await (await client.get("/outbox")).json()
    assert [mail["to"] for mail in listing["messages"]] == [["max@example.com"], ["zoe@example.com"]]
    assert listing["messages"][1] == {
        "id": "1",
        "received_ms": 1_000,
        "from": "Shop <no-reply@shop.example>",
        "to": ["zoe@example.com"],
        "subject": "Grüße",
        "message_id": "<n-1@shop.example>",
        "text": "Hello",
    }


async def test_the_outbox_keeps_only_the_newest(outbox: Outbox, client: Client) -> None:
    for _ in range(5):
        take(outbox)
    listing = await (await client.get("/outbox?to=zoe@example.com")).json()
    assert [mail["id"] for mail in listing["messages"]] == ["5", "4", "3"]
    assert listing["total"] == 5
    assert (await client.get("/outbox/1")).status == 404


async def test_a_mails_html_is_shown_without_power(outbox: Outbox, client: Client) -> None:
    take(outbox)
    answer = await client.get("/outbox/1/html")
    assert "<p>Hello</p>" in await answer.text()
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")


@pytest.mark.parametrize(
    "content", [b"", b"no headers", b"\xff\xfe\x00", b"Subject: x\r\nContent-Type: multipart/mixed\r\n\r\n"]
)
async def test_a_strange_mail_does_not_break_the_listing(
    outbox: Outbox,
    client: Client,
    content: bytes,
) -> None:
    take(outbox, content=content)
    assert (await client.get("/outbox")).status == 200
    assert (await client.get("/outbox/1")).status == 200


async def test_a_mail_is_in_doubt_where_its_sender_was_cut_off_after_it() -> None:
    async with MailRelay() as relay:

        def hand_over(*, goodbye: bool) -> None:
            smtp = SMTP("127.0.0.1", relay.port)
            for recipient in ("zoe@example.com", "max@example.com"):
                smtp.sendmail("a@example.com", [recipient], MAIL)
            smtp.quit() if goodbye else smtp.close()

        await asyncio.to_thread(hand_over, goodbye=True)
        await asyncio.to_thread(hand_over, goodbye=False)
        async with asyncio.timeout(5):
            while not relay.in_doubt:  # noqa: ASYNC110 - the socket's end sets no event.
                await asyncio.sleep(0.01)
    assert relay.in_doubt == {"4"}


async def test_the_process_serves_until_it_is_told_to_stop() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "channels.standins", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    urls = json.loads(await process.stdout.readline())
    port = int(urls["smtp_url"].rpartition(":")[2])
    with SMTP("127.0.0.1", port) as smtp:
        await asyncio.to_thread(smtp.sendmail, "a@example.com", ["zoe@example.com"], MAIL)
    async with aiohttp.ClientSession() as session, session.get(urls["outbox_url"]) as answer:
        assert (await answer.json())["total"] == 1
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


async def test_the_process_stands_in_for_fcm_and_twilio_too() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "channels.standins", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    url = json.loads(await process.stdout.readline())["http_url"]
    push = {"message": {"token": "t-1", "notification": {"title": "Hello", "body": "there"}}}
    text = {"To": "+4915112345678", "From": "Shop", "Body": "Hello"}
    account = aiohttp.encode_basic_auth(ACCOUNT_SID, AUTH_TOKEN)
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        await session.post(f"{url}/v1/projects/demo/messages:send", json=push)
        messages = f"{url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
        await session.post(messages, data=text, headers={"Authorization": account})
        pushes = await (await session.get(f"{url}/pushes")).json()
        texts = await (await session.get(f"{url}/texts")).json()
    assert [(each["to"], each["message"]["notification"]["title"]) for each in pushes["pushes"]] == [("t-1", "Hello")]
    assert [(each["to"], each["body"]) for each in texts["texts"]] == [("+4915112345678", "Hello")]
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


async def test_the_callback_of_a_text_is_told_its_fates_in_order() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()

    async def callback(request: aiohttp.web.Request) -> aiohttp.web.Response:
        told.put_nowait(str((await request.post())["MessageStatus"]))
        return aiohttp.web.Response(status=204)

    app = aiohttp.web.Application()
    app.add_routes([aiohttp.web.post("/status", callback)])
    async with TestServer(app) as hub, TwilioStandIn(fates=("sent", "delivered")) as twilio:
        text = {"To": "+4915112345678", "From": "Shop", "StatusCallback": str(hub.make_url("/status"))}
        account = aiohttp.encode_basic_auth(ACCOUNT_SID, AUTH_TOKEN)
        messages = f"{twilio.url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            await session.post(messages, data=text, headers={"Authorization": account})
        async with asyncio.timeout(10):
            assert [await told.get(), await told.get()] == ["sent", "delivered"]


async def test_a_supervised_process_ends_with_who_started_it() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "channels.standins", "--supervised"), stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 30) == 0

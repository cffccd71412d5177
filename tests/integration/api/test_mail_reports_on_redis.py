"""Reports and suppressions over HTTP, with real operations, signatures and Redis behind them."""

from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from hub.api.app import build_app
from hub.api.health import Health
from hub.api.mail_webhook import PATH, mail_routes
from hub.app import Stores, build_mail_reports, build_preference_centre, load_playbook, open_stores
from hub.domain.channels import EMAIL
from hub.domain.ids import NotificationId, UserId
from hub.service.calls import Operations
from hub.service.feedback.mail_intake import MailIntake
from hub.service.feedback.mail_marks import mark
from hub.service.feedback.signed_webhooks import HEADER, sign
from hub.service.feedback.suppression_list import SuppressionList
from hub.service.identity.api_keys import ApiKeys, make_api_key
from hub.service.identity.authentication import Authenticator
from hub.service.identity.tokens import TokenVerifier
from hub.service.rate import RateLimiter
from hub.service.repeats import StoredRepeats
from hub.service.signing import Signer
from hub.settings import Settings, Token
from hub.store.clock import unix_ms
from tests.mail_reports import bounce, complaint

Client = TestClient[web.Request, web.Application]
SECRET = "a secret of thirty-two bytes or more"
WEBHOOK_SECRET = "another secret of thirty-two bytes"
KEY = make_api_key("shop")
SERVICE = {"Authorization": f"Bearer {KEY.key}"}
RAW = {"Content-Type": "message/rfc822"}
MAILBOX = "zoe@example.com"


@pytest.fixture
async def stores(redis_url: str, key_prefix: str) -> AsyncIterator[Stores]:
    async with open_stores(Settings(key_prefix=key_prefix), redis_url) as opened:
        yield opened


@pytest.fixture
async def client(stores: Stores) -> AsyncIterator[Client]:
    settings = Settings(signing_secret=SECRET)
    reports = build_mail_reports(settings, stores, build_preference_centre(settings, stores, load_playbook(settings)))
    services = (MailIntake(reports), SuppressionList(stores.suppressions))
    operations = Operations(
        [operation for service in services for operation in service.operations()],
        rates=RateLimiter(),
        repeats=StoredRepeats(stores.idempotency),
    )
    door = Authenticator(TokenVerifier(Token(hmac_secret=SECRET)), ApiKeys([KEY.setting]))
    app = build_app(
        operations=operations,
        authenticate=door.authenticate,
        health=Health({}),
        extra_routes=mail_routes(WEBHOOK_SECRET, reports, clock=unix_ms),
    )
    async with TestClient(TestServer(app)) as client:
        yield client


async def is_suppressed(stores: Stores, address: str = MAILBOX) -> bool:
    return list(await stores.suppressions.find_many([(EMAIL, address)])) != [None]


def signed(body: bytes, content_type: str = "application/json", *, at_s: int | None = None) -> dict[str, Any]:
    """What a request with a signed body is made of."""
    signature = sign(WEBHOOK_SECRET, body, at_s=unix_ms() // 1_000 if at_s is None else at_s)
    return {"data": body, "headers": {HEADER: signature, "Content-Type": content_type}}


def news(*reports: dict[str, str]) -> bytes:
    return msgspec.json.encode({"reports": reports})


async def test_a_service_hands_in_a_bounce(client: Client, stores: Stores) -> None:
    answer = await client.post("/v1/mail/reports", headers={**SERVICE, **RAW}, data=bounce())
    assert (answer.status, await answer.json()) == (200, {"kind": "bounce", "heeded": ["suppressed"]})
    assert await is_suppressed(stores)


async def test_a_service_hands_in_a_complaint(client: Client, stores: Stores) -> None:
    answer = await client.post("/v1/mail/reports", headers={**SERVICE, **RAW}, data=complaint())
    assert (await answer.json())["kind"] == "complaint"
    assert await is_suppressed(stores)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (RAW, bounce(), 401),
        ({**SERVICE, **RAW}, b"Subject: hello\r\n\r\nhello", 400),
        ({**SERVICE, "Content-Type": "application/json"}, b"{}", 415),
        ({**SERVICE, **RAW}, b"x" * 1_100_000, 413),
    ],
)
async def test_what_is_no_report_of_a_service_is_refused(
    client: Client, headers: dict[str, str], body: bytes, status: int
) -> None:
    answer = await client.post("/v1/mail/reports", headers=headers, data=BytesIO(body))
    assert answer.status == status


async def test_a_mail_service_calls_back_with_what_became_of_mails(client: Client, stores: Stores) -> None:
    body = news(
        {"status": "bounced", "address": MAILBOX},
        {"status": "bounced", "address": "yan@example.com", "code": "5.7.1"},
        {"status": "soft-bounced", "address": "xia@example.com"},
        {"status": "delivered", "address": "wim@example.com"},
        {"status": "complained", "address": "vera@example.com"},
    )
    answer = await client.post(PATH, **signed(body))
    assert await answer.json() == {"heeded": ["suppressed", "noted", "counted", "noted", "suppressed"]}
    names = ("zoe", "yan", "xia", "wim", "vera")
    assert [await is_suppressed(stores, f"{name}@example.com") for name in names] == [True, False, False, False, True]


async def test_soft_bounces_without_a_mark_count_by_their_id(client: Client) -> None:
    async def heeded(*ids: str) -> set[str]:
        told = [{"status": "soft-bounced", "address": MAILBOX, "id": each} for each in ids]
        return set((await (await client.post(PATH, **signed(news(*told)))).json())["heeded"])

    assert await heeded("<n-1@shop.example>", *["bounce-2"] * 5, "bounce-3") == {"counted"}
    assert await heeded("bounce-4") == {"suppressed"}


async def test_a_mark_leads_news_to_the_notifications_record(client: Client, stores: Stores) -> None:
    made = mark(Signer(SECRET), NotificationId("n-1"), UserId("zoe"), address=MAILBOX, now_s=unix_ms() // 1_000)
    await client.post(PATH, **signed(news({"status": "delivered", "address": MAILBOX, "mark": made})))
    record = await stores.records.read(UserId("zoe"), NotificationId("n-1"))
    assert record is not None
    assert [receipt.status for receipt in record.receipts] == ["delivered"]


async def test_a_mail_service_calls_back_with_a_raw_report(client: Client, stores: Stores) -> None:
    answer = await client.post(PATH, **signed(bounce(), "message/rfc822"))
    assert await answer.json() == {"heeded": ["suppressed"]}
    assert await is_suppressed(stores)


async def test_a_call_without_a_good_signature_changes_nothing(client: Client, stores: Stores) -> None:
    body = news({"status": "bounced", "address": MAILBOX})
    old = signed(body, at_s=unix_ms() // 1_000 - 600)
    changed = {**signed(body), "data": body.replace(b"bounced", b"complained")}
    unsigned = {"data": body, "headers": {"Content-Type": "application/json"}}
    for request in (old, changed, unsigned):
        answer = await client.post(PATH, **request)
        assert answer.status == 403
    assert not await is_suppressed(stores)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (news(), "reports"),
        (news({"status": "lost", "address": MAILBOX}), "reports[0].status"),
        (news({"status": "bounced"}), "reports[0].address"),
        (news({"status": "bounced", "address": MAILBOX, "code": "550"}), "reports[0].code"),
    ],
)
async def test_a_signed_call_that_makes_no_sense_names_the_field(client: Client, body: bytes, field: str) -> None:
    answer = await client.post(PATH, **signed(body))
    assert answer.status == 400
    assert (await answer.json())["errors"][0]["field"] == field


async def test_an_operator_lists_and_removes_suppressions(client: Client, stores: Stores) -> None:
    await stores.suppressions.add(EMAIL, MAILBOX, reason="bounced: 5.1.1")
    await stores.suppressions.stop("sms", "+4915112345678", reason="STOP", wording="Stop")
    page = await (await client.get("/v1/suppressions", headers=SERVICE)).json()
    assert [each["reason"] for each in page["suppressions"]] == ["STOP", "bounced: 5.1.1"]
    assert MAILBOX not in str(page)

    async def remove(**fields: str) -> Any:
        return await (await client.post("/v1/suppressions/remove", headers=SERVICE, json=fields)).json()

    assert await remove(id=page["suppressions"][0]["id"]) == {"removed": True}
    assert await remove(channel="email", address=MAILBOX) == {"removed": True}
    assert await remove(channel="email", address=MAILBOX) == {"removed": False}
    assert not await is_suppressed(stores)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "channel"),
        ({"channel": "email"}, "address"),
        ({"id": "email:x"}, "id"),
        ({"id": "email:" + "0" * 32, "channel": "email"}, "id"),
    ],
)
async def test_a_removal_that_names_nothing_says_what_is_missing(
    client: Client, fields: dict[str, str], field: str
) -> None:
    answer = await client.post("/v1/suppressions/remove", headers=SERVICE, json=fields)
    assert answer.status == 400
    assert (await answer.json())["errors"][0]["field"] == field

"""What operators ask for, over HTTP with fakes behind it, and the page they ask from."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.api.app import build_app
from hub.api.health import Health
from hub.api.operator import operator_page, preview_routes
from hub.domain.channels import EMAIL, SMS
from hub.domain.errors import InputError
from hub.domain.ids import NotificationId, UserId
from hub.domain.notifications import Lane
from hub.domain.permission import Role
from hub.service.calls import Operations
from hub.service.identity.api_keys import ApiKeys, make_api_key
from hub.service.identity.authentication import Authenticator
from hub.service.identity.tokens import TokenVerifier
from hub.service.operator.letters import OperatorLetters
from hub.service.operator.texts import OperatorTexts
from hub.service.operator.view import OperatorView
from hub.service.rate import RateLimiter
from hub.service.signing import Signer
from hub.store.dead_letters import DeadLetter, LetterPage
from hub.store.delivery_workers import DeliveryWorkerFacts, Mishap, ProviderFacts, ProviderState
from hub.store.queue_view import LaneView
from templates.renderer import Renderer
from tests.unit.api.api_fakes import TOKEN, Client, bearer
from tests.unit.api.conftest import Start

NOW_MS = 1_000_000
ADMIN = bearer("olga", Role.ADMIN)
KEY = make_api_key("operator", scopes=["ops.*"])
OTHER_KEY = make_api_key("shop", scopes=["events.publish"])
PLAIN_KEY = make_api_key("backend")
WHOLE_KEY = make_api_key("everything", scopes=["*"])
KEYS = (KEY, OTHER_KEY, PLAIN_KEY, WHOLE_KEY)
PATHS = ["channels", "queue", "failures", "dead-letters", "templates", "templates/order-placed/inbox/en"]
RENDERER = Renderer()


def mishap(at_ms: int) -> Mishap:
    return Mishap(
        at_ms=at_ms,
        user=UserId("zoe"),
        notification=NotificationId(f"n-{at_ms}"),
        event_type="order.packed",
        channel=SMS,
        lane=Lane.TRANSACTIONAL,
        outcome="failed",
        reason="HTTP 400, code 21211",
        tries=1,
    )


def worker(uid: str, *at_ms: int) -> DeliveryWorkerFacts:
    provider = ProviderFacts(
        channel=EMAIL,
        name="smtp",
        state=ProviderState.FAILING,
        rests_s=4.0,
        calls={"refused": 5},
        under_way=1,
        per_second=20.0,
    )
    return DeliveryWorkerFacts(
        uid=uid,
        name="host:1",
        version="1",
        started_ms=NOW_MS - 60_000,
        channels=(EMAIL,),
        providers=(provider,),
        mishaps=tuple(map(mishap, at_ms)),
    )


class FakeWorkers:
    async def alive(self) -> list[DeliveryWorkerFacts]:
        return [worker("a", 9, 4), worker("b", 7)]


class FakeQueue:
    async def lanes(self, now_ms: int) -> tuple[LaneView, ...]:
        return (LaneView(Lane.CRITICAL, 1, 2, 3, now_ms - 500),)


class FakeLetters:
    """A store of letters, and what tries them again: only those without a reason to fail."""

    def __init__(self) -> None:
        self.kept = {
            "good": DeadLetter("good", "http", "a defect", "", b"{}", 2),
            "bad": DeadLetter("bad", "kafka orders/0/1", "not JSON", "data", b"\xff" * 5_000, 1),
        }

    async def list(self, *, cursor: str | None = None, limit: int = 100) -> LetterPage:
        return LetterPage(tuple(self.kept.values())[:limit], None)

    async def get(self, letter_id: str) -> DeadLetter | None:
        return self.kept.get(letter_id)

    async def drop(self, letter_id: str) -> bool:
        return self.kept.pop(letter_id, None) is not None

    async def count(self) -> int:
        return len(self.kept)

    async def retry(self, letter: DeadLetter, *, now_ms: int) -> str:
        if letter.id == "bad":
            raise InputError("data", "is still not JSON")
        await self.drop(letter.id)
        return "applied"


@pytest.fixture
def letters() -> FakeLetters:
    return FakeLetters()


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    for name in ("ops.html", "index.html", "publish.html"):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.fixture
async def client(start: Start, letters: FakeLetters, pages: Path) -> Client:
    signer = Signer("a secret of thirty-two bytes or more")
    services = (
        OperatorView(FakeWorkers(), FakeQueue()),
        OperatorLetters(letters, letters),
        OperatorTexts(RENDERER, signer=signer, max_segments=3),
    )
    listed = [operation for service in services for operation in service.operations()]
    authenticator = Authenticator(TokenVerifier(TOKEN), ApiKeys([each.setting for each in KEYS]))
    app = build_app(
        operations=Operations(listed, rates=RateLimiter(), clock=lambda: NOW_MS),
        authenticate=authenticator.authenticate,
        health=Health({}),
        pages=(*operator_page(pages), *preview_routes(RENDERER, signer, clock=lambda: NOW_MS)),
    )
    return await start(app)


async def ask(client: Client, path: str) -> dict[str, object]:
    answer = await client.get(f"/v1/ops/{path}", headers=ADMIN)
    assert answer.status == 200, await answer.text()
    body: dict[str, object] = await answer.json()
    return body


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (bearer("zoe"), 403),
        (bearer("anna", Role.AGENT), 403),
        ({"Authorization": f"Bearer {OTHER_KEY.key}"}, 403),
        ({"Authorization": f"Bearer {PLAIN_KEY.key}"}, 403),
        (bearer("service", Role.SERVICE), 403),
        ({"Authorization": f"Bearer {WHOLE_KEY.key}"}, 200),
        ({"Authorization": f"Bearer {KEY.key}"}, 200),
        (ADMIN, 200),
    ],
    ids=[
        *("nobody", "shopper", "agent"),
        *("another key", "a key without scopes", "a service's token"),
        *("a key for everything", "an operator's key", "admin"),
    ],
)
async def test_only_operators_see_anything(client: Client, path: str, headers: dict[str, str], status: int) -> None:
    assert (await client.get(f"/v1/ops/{path}", headers=headers)).status == status


async def test_only_operators_act_on_letters(client: Client, letters: FakeLetters) -> None:
    for act in ("retry", "drop"):
        answer = await client.post(f"/v1/ops/dead-letters/{act}", json={"ids": ["good"]}, headers=bearer("zoe"))
        assert answer.status == 403
    assert set(letters.kept) == {"good", "bad"}


async def test_the_health_of_every_provider_is_told(client: Client) -> None:
    workers = (await client.get("/v1/ops/channels", headers=ADMIN)).json()
    first = (await workers)["workers"][0]
    assert (first["uid"], first["uptime"]) == ("a", 60)
    assert first["providers"] == [
        {
            "channel": "email",
            "name": "smtp",
            "state": "failing",
            "rests_s": 4.0,
            "calls": {"refused": 5},
            "under_way": 1,
            "per_second": 20.0,
        }
    ]


async def test_the_queue_is_told_by_lane(client: Client) -> None:
    lane = {"lane": "critical", "waiting": 1, "due": 2, "in_hand": 3, "oldest_due_ms": NOW_MS - 500}
    assert await ask(client, "queue") == {"now_ms": NOW_MS, "lanes": [lane]}


async def test_the_latest_failures_of_all_workers_come_newest_first(client: Client) -> None:
    answer = await client.get("/v1/ops/failures?limit=2", headers=ADMIN)
    assert [failure["notification"] for failure in (await answer.json())["failures"]] == ["n-9", "n-7"]


async def test_a_letter_is_shown_with_the_beginning_of_its_bytes(client: Client) -> None:
    page = await (await client.get("/v1/ops/dead-letters", headers=ADMIN)).json()
    assert (page["total"], page["next_cursor"]) == (2, None)
    assert page["letters"][1]["body"] == "\ufffd" * 4_096
    assert (page["letters"][1]["size"], page["letters"][1]["field"]) == (5_000, "data")


async def test_letters_are_tried_again_and_what_fails_stays(client: Client, letters: FakeLetters) -> None:
    chosen = {"ids": ["bad", "good", "gone", "good"]}
    answer = await client.post("/v1/ops/dead-letters/retry", json=chosen, headers=ADMIN)
    assert (await answer.json())["results"] == [
        {"id": "bad", "done": False, "outcome": "data: is still not JSON"},
        {"id": "good", "done": True, "outcome": "applied"},
        {"id": "gone", "done": False, "outcome": "there is no such dead letter"},
    ]
    assert set(letters.kept) == {"bad"}


async def test_letters_are_dropped(client: Client, letters: FakeLetters) -> None:
    answer = await client.post("/v1/ops/dead-letters/drop", json={"ids": ["bad"]}, headers=ADMIN)
    assert (await answer.json())["results"] == [{"id": "bad", "done": True, "outcome": "dropped"}]
    assert set(letters.kept) == {"good"}


@pytest.mark.parametrize("ids", [[], [""], ["x"] * 51, "good", [1]])
async def test_a_bad_choice_of_letters_is_refused(client: Client, ids: object) -> None:
    answer = await client.post("/v1/ops/dead-letters/drop", json={"ids": ids}, headers=ADMIN)
    assert answer.status == 400


async def test_everything_there_is_to_look_at_is_listed(client: Client) -> None:
    listed = await ask(client, "templates")
    assert listed["channels"] == ["inbox", "email", "push", "sms"]
    assert {"ar", "de", "en", "pt-BR"} <= set(listed["locales"])  # type: ignore[call-overload]
    assert "payment-failed" in listed["templates"]  # type: ignore[operator]


async def test_a_text_message_is_shown_with_its_segments(client: Client) -> None:
    english = await ask(client, "templates/payment-failed/sms/en")
    arabic = await ask(client, "templates/payment-failed/sms/ar")
    assert english["unicode"] is False
    assert arabic["unicode"] is True
    assert 1 <= int(str(arabic["segments"])) <= 3 == arabic["max_segments"]


async def test_a_mail_is_shown_as_text_and_as_html_where_nothing_can_run(client: Client) -> None:
    mail = await ask(client, "templates/order-placed/email/de")
    assert mail["title"]
    frame = await client.get(str(mail["html_path"]))
    assert (frame.status, frame.content_type) == (200, "text/html")
    assert 'lang="de"' in await frame.text()
    assert frame.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert "script-src" not in frame.headers["Content-Security-Policy"]
    assert frame.headers["X-Frame-Options"] == "SAMEORIGIN"


async def test_a_preview_that_nobody_signed_or_that_is_over_is_not_served(client: Client) -> None:
    old = Signer("a secret of thirty-two bytes or more").sign(
        "template-preview", "order-placed en", expires_s=NOW_MS // 1_000 - 1
    )
    for token in ("x", "x.y", old):
        assert (await client.get(f"/ops/preview/{token}")).status == 404


async def test_without_a_secret_a_mail_is_shown_as_text_only(start: Start) -> None:
    texts = OperatorTexts(RENDERER, signer=None, max_segments=3)
    app = build_app(
        operations=Operations(texts.operations(), rates=RateLimiter()),
        authenticate=Authenticator(TokenVerifier(TOKEN), ApiKeys([])).authenticate,
        health=Health({}),
        pages=preview_routes(RENDERER, None, clock=lambda: NOW_MS),
    )
    client = await start(app)
    mail = await ask(client, "templates/order-placed/email/en")
    assert mail["html_path"] is None
    assert mail["body"]
    assert (await client.get("/ops/preview/x.y")).status == 404


@pytest.mark.parametrize(
    "path", ["nothing/inbox/en", "order-placed/fax/en", "order-placed/inbox/e%20n", "..%2f/inbox/en"]
)
async def test_a_text_that_is_not_there_is_told(client: Client, path: str) -> None:
    assert (await client.get(f"/v1/ops/templates/{path}", headers=ADMIN)).status in {400, 404}


async def test_of_all_pages_only_the_operators_is_served(client: Client) -> None:
    page = await client.get("/ops")
    assert (page.status, await page.text()) == (200, "ops.html")
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    for path in ("/", "/publish", "/index"):
        assert (await client.get(path)).status == 404

from __future__ import annotations

from typing import Any

import pytest

from hub.api.app import build_app
from hub.api.health import Health
from hub.domain.errors import StoreUnavailable
from hub.domain.permission import Role
from hub.service.calls import Operations
from hub.service.identity.authentication import Authenticator
from hub.service.rate import RateLimiter
from hub.service.repeats import StoredRepeats
from hub.service.sending.notifications import Notifications
from hub.store.idempotency import Beginning, Fresh, InProgress, Mismatch, Replay
from tests.unit.api.api_fakes import SERVICE, TEMPLATES, Client, FakeCancelKeys, FakeSender, bearer
from tests.unit.api.conftest import Start

NOTE = {"user": "u-1", "title": "Hello", "body": "Your gift card is here."}


class FakeAnswers:
    """Remembers in a dict, as Redis would."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], tuple[str, bytes | None]] = {}
        self.away = False

    async def begin(self, caller: str, key: str, fingerprint: str) -> Beginning:
        known = self.kept.get((caller, key))
        if known is None:
            self.kept[caller, key] = (fingerprint, None)
            return Fresh(caller, key, fingerprint, "t")
        if known[0] != fingerprint:
            return Mismatch()
        return InProgress() if known[1] is None else Replay(known[1])

    async def finish(self, claim: Fresh, answer: bytes) -> bool:
        if self.away:
            raise StoreUnavailable("away")
        self.kept[claim.caller, claim.key] = (claim.fingerprint, answer)
        return True

    async def release(self, claim: Fresh) -> bool:
        del self.kept[claim.caller, claim.key]
        return True


@pytest.fixture
def answers() -> FakeAnswers:
    return FakeAnswers()


@pytest.fixture
async def client(start: Start, sender: FakeSender, answers: FakeAnswers, authenticator: Authenticator) -> Client:
    operations = Operations(
        Notifications(sender, cancel_keys=FakeCancelKeys(), templates=TEMPLATES).operations(),
        rates=RateLimiter(),
        repeats=StoredRepeats(answers),
    )
    return await start(build_app(operations=operations, authenticate=authenticator.authenticate, health=Health({})))


async def send(client: Client, key: str, **fields: Any) -> tuple[int, dict[str, Any], dict[str, str]]:
    headers = {**SERVICE, "Idempotency-Key": key}
    answer = await client.post("/v1/notifications", headers=headers, json={**NOTE, **fields})
    return answer.status, await answer.json(), dict(answer.headers)


async def test_the_same_request_with_the_same_key_gets_the_first_answer(client: Client, sender: FakeSender) -> None:
    first, again = await send(client, "k-1"), await send(client, "k-1")
    assert first[:2] == again[:2]
    assert again[2]["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first[2]
    assert len(sender.sent) == 1


async def test_the_order_of_fields_does_not_make_another_request(client: Client) -> None:
    await send(client, "k-1")
    headers = {**SERVICE, "Idempotency-Key": "k-1"}
    answer = await client.post("/v1/notifications", headers=headers, json=dict(reversed(NOTE.items())))
    assert answer.status == 202


async def test_another_request_with_the_same_key_is_refused(client: Client, sender: FakeSender) -> None:
    await send(client, "k-1")
    status, problem, _ = await send(client, "k-1", title="Another")
    assert (status, problem["type"]) == (422, "/problems/key-reused")
    assert len(sender.sent) == 1


async def test_a_request_still_in_progress_is_a_conflict(client: Client, answers: FakeAnswers) -> None:
    await send(client, "k-1")
    fingerprint, _ = answers.kept["shop-backend", "k-1"]
    answers.kept["shop-backend", "k-1"] = (fingerprint, None)
    status, problem, headers = await send(client, "k-1")
    assert (status, problem["type"], headers["Retry-After"]) == (409, "/problems/in-progress", "1")


async def test_a_failed_request_gives_its_key_back(client: Client) -> None:
    assert (await send(client, "k-1", template="no-such"))[0] == 400
    assert (await send(client, "k-1"))[0] == 202


async def test_keys_of_two_callers_are_two_keys(client: Client, sender: FakeSender) -> None:
    await send(client, "k-1")
    headers = {**bearer("another", Role.SERVICE), "Idempotency-Key": "k-1"}
    answer = await client.post("/v1/notifications", headers=headers, json={**NOTE, "title": "Another"})
    assert answer.status == 202
    assert len(sender.sent) == 2


async def test_a_write_that_cannot_be_remembered_is_still_answered(client: Client, answers: FakeAnswers) -> None:
    answers.away = True
    assert (await send(client, "k-1"))[0] == 202


@pytest.mark.parametrize("key", ["", "x" * 129, "schl\u00fcssel"])
async def test_a_bad_key_is_refused_by_name(client: Client, key: str) -> None:
    status, problem, _ = await send(client, key)
    assert status == 400
    assert problem["errors"][0]["field"] == "Idempotency-Key"


async def test_without_a_memory_a_key_still_shows_nothing_twice(
    start: Start, sender: FakeSender, operations: Operations, authenticator: Authenticator
) -> None:
    app = build_app(operations=operations, authenticate=authenticator.authenticate, health=Health({}))
    client = await start(app)
    statuses = [(await send(client, "k-1"))[1]["status"] for _ in range(2)]
    assert statuses == ["created", "duplicate"]

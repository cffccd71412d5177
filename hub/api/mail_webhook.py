"""`POST /v1/webhooks/mail`: what a mail service tells about mails, signed, as JSON of ours or as raw reports.

Most mail services call back in JSON of their own; a few lines in between make it this one. docs/how-to/deliver-email.md
has an example.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from hub.api.routes import read_body
from hub.domain.mail_reports import Bounce, Complaint, Original, Outcome, Report, read_report
from hub.observe import WEBHOOKS
from hub.service.decoding import decode_json
from hub.service.failures import Failure, OperationFailed
from hub.service.feedback.mail_intake import MAX_REPORT_BYTES, MESSAGE
from hub.service.feedback.mail_reports import Heed, MailReports
from hub.service.feedback.signed_webhooks import HEADER, is_signed

PATH = "/v1/webhooks/mail"
_BODY_TIMEOUT_S = 15.0
_JSON = "application/json"
_STATUSES = {"bounced": "5.1.1", "soft-bounced": "4.0.0", "delayed": "4.0.0", "delivered": "2.0.0"}


class MailNews(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What has become of one mail."""

    status: Literal["bounced", "soft-bounced", "delayed", "delivered", "complained"]
    address: Annotated[str, Meta(min_length=3, max_length=254, pattern="@")]
    code: Annotated[str, Meta(pattern=r"^[245]\.\d{1,3}\.\d{1,3}\Z")] | None = None
    """The enhanced status code, where there is one: it says more than the word."""
    detail: Annotated[str, Meta(max_length=2_000)] = ""
    mark: Annotated[str, Meta(max_length=1_000)] = ""
    """The value of the mail's header X-Doorbell-Mail: by it the notification's record is found."""
    id: Annotated[str, Meta(max_length=200)] = ""
    """The mail's Message-ID, or the mail service's own name for what it tells: one that comes again counts once."""

    def report(self) -> Report:
        """Return it as the report that a mail server would have sent."""
        original = Original(self.id, self.mark)
        if self.status == "complained":
            return Complaint("abuse", (self.address,), original)
        action = "failed" if self.status in {"bounced", "soft-bounced"} else self.status
        outcome = Outcome(self.address, action, self.code or _STATUSES[self.status], self.detail[:200])
        return Bounce((outcome,), original)


class MailNewsBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What has become of some mails."""

    reports: Annotated[tuple[MailNews, ...], Meta(min_length=1, max_length=1_000)]


class Heeded(msgspec.Struct, frozen=True):
    """What has come of each thing that was told, in the same order."""

    heeded: tuple[Heed, ...]


def mail_routes(secret: str, reports: MailReports, *, clock: Callable[[], int]) -> Iterable[web.RouteDef]:
    """Return the route for who signs with `secret`; `clock` is Unix ms."""

    async def take(request: web.Request) -> web.Response:
        body = await read_body(request, limit_bytes=MAX_REPORT_BYTES, timeout_s=_BODY_TIMEOUT_S)
        if not is_signed(secret, request.headers.get(HEADER, ""), body, now_s=clock() // 1_000):
            WEBHOOKS.labels("mail", "refused").inc()
            raise OperationFailed(Failure.FORBIDDEN, f"the {HEADER} is not good, or too old")
        heeded: list[Heed] = []
        for report in _reports(request.content_type, body):
            heeded += await reports.take(report, trusted=True)
        WEBHOOKS.labels("mail", "taken").inc()
        answer = msgspec.json.encode(Heeded(tuple(heeded)))
        return web.Response(body=answer, content_type=_JSON, headers={"Cache-Control": "no-store"})

    yield web.post(PATH, take)


def _reports(content_type: str, body: bytes) -> list[Report]:
    if content_type == MESSAGE:
        return [read_report(body)]
    if content_type != _JSON:
        raise OperationFailed(Failure.UNSUPPORTED_MEDIA_TYPE, f"send {_JSON} or {MESSAGE}")
    return [each.report() for each in decode_json(MailNewsBatch, body).reports]

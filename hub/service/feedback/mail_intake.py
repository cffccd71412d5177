"""`mail.report`: bounces and complaints from a service that takes them in, as the raw messages that they are."""

from __future__ import annotations

import msgspec

from hub.domain.mail_reports import Bounce, read_report
from hub.service.failures import Failure, OperationFailed
from hub.service.feedback.mail_reports import Heed, MailReports
from hub.service.operations import KIB, SERVICES, AnyOperation, Call, Document, Http, Media, Operation, Repeat
from hub.service.rate import Rate

MAX_REPORT_BYTES = 1_024 * KIB
MESSAGE = "message/rfc822"
_MEDIA = (
    Media(
        MESSAGE,
        {"type": "string", "format": "binary"},
        "The raw message: a delivery status notification (RFC 3464) or a feedback report (RFC 5965).",
    ),
)


class ReportTaken(msgspec.Struct, frozen=True):
    """What kind of report it was, and what has come of each thing that it says: one for each recipient."""

    kind: str
    heeded: tuple[Heed, ...]


class MailIntake:
    """Takes reports from services, whose word on addresses is believed."""

    def __init__(self, reports: MailReports) -> None:
        self._reports = reports

    async def report(self, call: Call, request: Document) -> ReportTaken:
        """Heed one report. Raises InputError for what is none, OperationFailed, StoreUnavailable."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MESSAGE:
            raise OperationFailed(Failure.UNSUPPORTED_MEDIA_TYPE, f"send the raw message as {MESSAGE}")
        report = read_report(request.body)
        heeded = await self._reports.take(report, trusted=True)
        return ReportTaken("bounce" if isinstance(report, Bounce) else "complaint", tuple(heeded))

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what services can ask for here."""
        report: Operation[Document, ReportTaken] = Operation(
            name="mail.report",
            summary="Hand in a bounce or a complaint. Answers when bad addresses are suppressed.",
            request=Document,
            response=ReportTaken,
            roles=SERVICES,
            http=Http("POST", "/v1/mail/reports"),
            handler=self.report,
            rate=Rate(count=5_000, window_s=10.0),
            repeat=Repeat.IDEMPOTENT,
            media=_MEDIA,
            max_body_bytes=MAX_REPORT_BYTES,
        )
        return (report,)
